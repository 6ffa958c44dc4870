"""Two tiny networks that write down what a training step does with them, for `_gan_step`."""

import re
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.exercises._steps import Answer, Wrong, filled, sample, tensor

STALE = (
    "G's step uses what D said before its update, and no graph leads from there to G: without another loss beside it G "
    "would never change. Published code does this for whole runs, and its D has no effect. Who should be asked again, "
    "and about which picture?"
)
OLD = (
    "G learns from what D said before its own update. D has another opinion by now: its loss for G should be made of "
    "what D says after d_optimizer.step()."
)
ATTACHED = (
    "The gradient of d_loss runs on through the SR picture into G: backward through G is the dear part of the step, "
    "and it teaches G to be found out. For D's half the picture is data, like HR. What cuts it off from where it came?"
)
CUT = (
    "D was asked again after its update, but {}, so no gradient reaches G. In D's half the way from D to G should be "
    "cut; in G's half it is how G learns."
)
FROZEN = (
    "D's parameters take no gradient when d_loss goes backward. If they are frozen while G learns, they have to be "
    "set free again before D's next step."
)
Kind = Literal["G runs", "D judges", "D's step", "G's step"]


@dataclass(frozen=True)
class Event:
    """Something that happened: which images D was shown, and whether a graph led from there (or from SR) to G."""

    kind: Kind
    real: bool = False
    fake: bool = False
    graph: bool = False
    d_grads: torch.Tensor | None = None
    g_grads: torch.Tensor | None = None


def flat_grads(network: nn.Module) -> torch.Tensor:
    """All gradients in one vector, 0 where there is none."""
    return torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in network.parameters()])


def flat_weights(network: nn.Module) -> torch.Tensor:
    """All weights in one vector, copied."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


class _Generator(nn.Module):
    def __init__(self, scene: "Scene") -> None:
        super().__init__()
        self._scene = scene
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        sr = F.interpolate(self.conv(lr), scale_factor=2)
        self._scene.note_sr(lr, sr)
        return sr


class _Discriminator(nn.Module):
    def __init__(self, scene: "Scene") -> None:
        super().__init__()
        self._scene = scene
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self._scene.note_judgement(image)
        return self.conv2(F.leaky_relu(self.conv1(image), 0.2))


class Scene:
    """Tiny networks, their optimizers and images, and all that happens to them, in order.

    All start the same.
    """

    def __init__(self, optimizer: type[torch.optim.Optimizer] = torch.optim.SGD, rate: float = 0.5) -> None:
        self.lr, self.hr = sample(2, 3, 2, 2, seed=1), sample(2, 3, 4, 4, seed=2)
        self.generator, self.discriminator = _Generator(self), _Discriminator(self)
        for seed, parameter in enumerate([*self.generator.parameters(), *self.discriminator.parameters()]):
            parameter.data = sample(*parameter.shape, low=-1.8, high=2.0, seed=seed)
        self.g_optimizer = optimizer(self.generator.parameters(), lr=rate)
        self.d_optimizer = optimizer(self.discriminator.parameters(), lr=rate)
        self.events: list[Event] = []
        self._sr: list[torch.Tensor] = []
        self.g_optimizer.register_step_pre_hook(lambda *_: self._note_step("G's step"))
        self.d_optimizer.register_step_pre_hook(lambda *_: self._note_step("D's step"))
        self.d_optimizer.register_step_post_hook(lambda *_: self._note_weights())
        self.d_after_step = flat_weights(self.discriminator)
        self.left_over = self._grads()

    def run(self, answer: Answer) -> tuple[torch.Tensor, torch.Tensor]:
        """Let the answer make one step; its two losses, detached. `events` is of this step, `left_over` from before."""
        self.events, self._sr, self.left_over = [], [], self._grads()
        networks, optimizers = (self.generator, self.discriminator), (self.g_optimizer, self.d_optimizer)
        try:
            result = filled(answer(*networks, *optimizers, self.lr, self.hr))
        except RuntimeError as error:
            if hint := self._explain(str(error)):
                said = re.split(r"[.:\n] | \(", str(error))[0]
                raise Wrong(f"{hint} (torch says: {said})") from error
            raise
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise Wrong("The result should be the two losses, d_loss and g_loss.")
        d_loss, g_loss = (tensor(loss, ()) for loss in result)
        return d_loss, g_loss

    def seen(self, kind: Kind) -> list[Event]:
        """Events of one kind."""
        return [event for event in self.events if event.kind == kind]

    def judged_again(self) -> list[Event]:
        """When D was shown SR after its update."""
        place = next((i for i, event in enumerate(self.events) if event.kind == "D's step"), len(self.events))
        return [event for event in self.events[place:] if event.fake]

    def stale(self) -> str:
        """Say what is wrong with a G that learns from D's answer of before its update."""
        return OLD if any(event.fake and event.graph for event in self.events) else STALE

    def check_runs_of_g(self) -> None:
        """Raise `Wrong` if the generator ran more than once, or without a graph."""
        runs = self.seen("G runs")
        if len(runs) > 1:
            raise Wrong(
                f"The generator ran {len(runs)} times. It is the most expensive part of a step, and the same picture "
                "serves both halves: cut off for D, and as it is for G."
            )
        if runs and not runs[0].graph:
            raise Wrong(
                "The picture of the generator has no graph: it ran under no_grad, was frozen, or its input was not "
                "what it should be. G's half of the step needs that graph; how can D's half do without, for the same "
                "picture?"
            )

    def check_order(self) -> None:
        """Raise `Wrong` if G made its step before D."""
        place = next((i for i, event in enumerate(self.events) if "step" in event.kind), None)
        if place is None or self.events[place].kind == "D's step":
            return
        before, after = self.events[:place], self.events[place:]
        if any(event.real for event in before) and any(event.fake and event.graph for event in after):
            raise Wrong(
                "g_optimizer makes its step after D's half, and d_optimizer after G's: the two have changed places, so "
                "G does not get better at all, and D learns to be taken in. Whose parameters does each of them hold?"
            )
        raise Wrong(
            "G makes its step before D here. D goes first, so that G learns from a D that has already seen this "
            "picture."
        )

    def note_sr(self, lr: torch.Tensor, sr: torch.Tensor) -> None:
        """Remember a picture of G."""
        if lr.shape != self.lr.shape or not torch.equal(lr.detach(), self.lr):
            raise Wrong("The generator was given something else than lr.")
        self._sr.append(sr.detach().clone())
        self.events.append(Event("G runs", graph=sr.requires_grad))

    def note_judgement(self, image: torch.Tensor) -> None:
        """Remember what D is shown."""
        if image.shape[1:] != self.hr.shape[1:]:
            raise Wrong(
                f"D was shown a tensor {tuple(image.shape)}, but HR and SR are {tuple(self.hr.shape)}. Which pictures "
                "does D compare?"
            )
        fake = any(_holds(image, sr) for sr in self._sr)
        self.events.append(Event("D judges", _holds(image, self.hr), fake, image.requires_grad))

    def _grads(self) -> tuple[torch.Tensor, torch.Tensor]:
        return flat_grads(self.discriminator), flat_grads(self.generator)

    def _note_step(self, kind: Kind) -> None:
        d_grads, g_grads = self._grads()
        self.events.append(Event(kind, d_grads=d_grads, g_grads=g_grads))

    def _note_weights(self) -> None:
        self.d_after_step = flat_weights(self.discriminator)

    def _explain(self, said: str) -> str:
        """What is behind an error of autograd, by what happened before; nothing for any other error."""
        twice = "a second time" in said or "modified by an inplace operation" in said
        if not twice and "does not require grad" not in said:
            return ""
        learning = any(parameter.requires_grad for parameter in self.discriminator.parameters())
        if not learning and not self.seen("D's step"):
            return FROZEN
        self.check_order()
        self.check_runs_of_g()
        again = self.judged_again()
        if twice:
            return ATTACHED if again else self.stale()
        if not self.seen("D's step"):
            return "d_loss has no graph, as after item, detach or under no_grad: D has nothing to learn from."
        if not again:
            return self.stale()
        shown = "its answer was cut off" if any(event.graph for event in again) else "about a picture without a graph"
        return CUT.format(shown)


def _holds(image: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether one of the wanted pictures is in a batch."""
    return bool((image.detach()[:, None] == wanted).flatten(2).all(-1).any())
