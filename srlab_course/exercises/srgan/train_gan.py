"""Lab 03: the whole training run of a GAN, around the student's own step.

The check trains nothing. It passes a stand-in for the trainer, whose `fit` takes three steps at different progress, on
plain images: HR bright, LR and SR dark. So whatever varies within an image that D sees is noise. `_observe` turns what
happened into facts, each of which has its message in the text: the two networks and their optimizers, what `fit` gets,
the order of the steps, where D's noise is and how strong, the log, the result.
"""

import collections
import copy
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.exercises.networks import gradient, watch
from srlab_course.exercises.srgan.discriminator_loss import discriminator_loss
from srlab_course.exercises.srgan.patch_discriminator import PatchDiscriminator
from srlab_course.exercises.srgan.train_step import train_step
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled


def train_gan(
    trainer: Any,
    pretrained: nn.Module,
    fixed: dict[str, nn.Module],
    patches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    iters: int,
    g_loss: Callable[[torch.Tensor, torch.Tensor, nn.Module], torch.Tensor],
    rates: tuple[float, float],
    betas: tuple[float, float],
    noise: float,
    **options: Any,
) -> nn.Module:
    """Train a copy of a pretrained network against a new discriminator (Goodfellow et al. 2014, algorithm 1).

    Parameters
    ----------
    trainer
        `srlab.Trainer`, which runs the loop.
    pretrained
        Generator to begin with. It does not change.
    fixed
        Networks without trainable weights that `g_loss` uses, for ``trainer.prepare``.
    patches, iters, options
        Arguments of ``trainer.fit``, besides the step.
    g_loss
        ``g_loss(sr, hr, discriminator)``, the whole loss of G.
    rates, betas
        Learning rate of G and of D, and the betas of both Adams.
    noise
        Standard deviation of the noise on D's inputs in the first step, in units of [0, 1].

    Returns
    -------
    torch.nn.Module
        Moving average of the generator.
    """
    generator = copy.deepcopy(pretrained).train()
    g_optimizer = torch.optim.Adam(generator.parameters(), rates[0], betas, fused=True)
    discriminator = PatchDiscriminator()
    d_optimizer = torch.optim.Adam(discriminator.parameters(), rates[1], betas, fused=True)
    networks = {"generator": generator, "discriminator": discriminator}
    optimizers = {"g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
    generator, discriminator, g_optimizer, d_optimizer, *_ = trainer.prepare(**networks, **optimizers, **fixed)

    class Noise(nn.Module):
        """New noise on each image; a module, so that D with it has parameters, which a train_step may freeze."""

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            image = image.contiguous()  # or drawing the noise takes several times as long
            strength = noise * (1 - trainer.progress)
            return image + strength * torch.randn_like(image)

    noisy_discriminator, log = nn.Sequential(Noise(), discriminator), {}

    def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        log["d_real"] = real.detach().sigmoid().mean()
        log["d_fake"] = fake.detach().sigmoid().mean()
        return discriminator_loss(real, fake)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        log["d_loss"], log["g_loss"] = train_step(
            generator, noisy_discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss
        )
        return log

    return trainer.fit(step, patches, iters, **options)


# --- A trainer that takes three steps. HR and SR are plain gray, so whatever varies in an image is noise. -------

RATES, BETAS, NOISE = (0.002, 0.003), (0.5, 0.9), 0.2
PROGRESS = (0.0, 0.5, 0.8)
BRIGHT, DARK = 0.9, 0.1  # HR; LR and SR
PREPARED = ("generator", "discriminator", "g_optimizer", "d_optimizer")
LOGGED = ("d_real", "d_fake", "d_loss", "g_loss")


class _Step:
    """What happens in a step."""

    def __init__(self) -> None:
        self.order: list[str] = []  # the optimizers that take a step
        # Of each image that D sees: its kind, such as "HR in D's half" -> the noise on it, and D's logits.
        self.noises: dict[str, list[torch.Tensor]] = collections.defaultdict(list)
        self.logits: dict[str, list[torch.Tensor]] = collections.defaultdict(list)
        self.g_loss, self.noise_in_g_loss = math.nan, 0.0
        self.row: dict[str, float] = {}  # what the answer logs

    def see(self, _: nn.Module, images: torch.Tensor, logits: torch.Tensor) -> None:
        """Record a run of D."""
        for image, output in zip(images.detach(), logits.detach(), strict=True):
            kind = "HR" if image.mean() > (BRIGHT + DARK) / 2 else "SR"
            kind += " in G's half" if self.order else " in D's half"
            self.noises[kind].append((image - image.mean((1, 2), keepdim=True)).flatten().round(decimals=4))
            self.logits[kind].append(output.flatten())

    def error_in_log(self, name: str) -> float:
        """Return how far a logged value is from the computed one."""
        real, fake = (torch.cat([torch.zeros(0), *self.logits[f"{kind} in D's half"]]) for kind in ("HR", "SR"))
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        computed = dict(zip(LOGGED, (real.sigmoid().mean(), fake.sigmoid().mean(), loss, self.g_loss), strict=True))
        return round(self.row.get(name, math.nan) - float(computed[name]), 4)


class _Trainer:
    """Stand-in for `srlab.Trainer` that records what D sees and which optimizers take a step."""

    def __init__(self) -> None:
        self.device, self.progress, self.steps_done = torch.device("cpu"), torch.zeros(()), 0
        self.prepared: dict[str, Any] = {}
        self.beginning: list[torch.Tensor] = []  # the generator's weights when it is prepared
        self.arguments: tuple[Any, ...] = ()  # those of fit
        self.steps: list[_Step] = []
        self.averaged = nn.Identity()

    def prepare(self, **objects: Any) -> Any:
        """Watch the objects, and return them."""
        if sorted(objects) != sorted((*PREPARED, "features")):
            raise IncorrectAnswer(
                "The names in `trainer.prepare` are not those of the list. What is missing: D, an optimizer, or "
                "**fixed?"
            )
        self.prepared, self.beginning = objects, copy.deepcopy([*objects["generator"].parameters()])
        watch(objects["discriminator"], lambda *run: self.steps and self.steps[-1].see(*run))
        for name in ("g_optimizer", "d_optimizer"):
            objects[name].register_step_post_hook(lambda *_, name=name: self.steps[-1].order.append(name))
        return tuple(objects.values())

    def fit(self, step: Any, sampler: Any, iters: int, schedule: Any = None, **options: Any) -> nn.Module:
        """Take a step at each progress, and return the average."""
        if not self.prepared:
            raise IncorrectAnswer("Call trainer.prepare before trainer.fit: it moves everything to the device.")
        self.arguments = sampler, iters, {"schedule": schedule, **options}
        for progress in PROGRESS:
            self.progress, self.steps_done = torch.tensor(progress), round(progress * iters)
            self.steps.append(_Step())
            row = filled(step(torch.full((2, 3, 16, 16), DARK), torch.full((2, 3, 32, 32), BRIGHT)))
            if not isinstance(row, dict):
                raise IncorrectAnswer('The function step must return its losses by name, such as {"d_loss": value}.')
            self.steps[-1].row = {name: float(value) for name, value in row.items()}
        return self.averaged


def _scene() -> tuple[Any, ...]:
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=2)).eval()
    for parameter, value in zip(generator.parameters(), (1 / 3, 0.0), strict=True):
        nn.init.constant_(parameter, value)
    return _Trainer(), generator, {"features": nn.Identity()}, iter(()), 40


def _observe(answer: Answer, trainer: _Trainer, pretrained: nn.Module, *data: Any) -> dict[str, Any]:
    """Run an answer with the stand-in, and record causes before effects."""
    weights, options = copy.deepcopy([*pretrained.parameters()]), {"schedule": math.sqrt, "validate_every": 7}
    facts = {"D is a module": True, "a gradient from D for G": True}

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
        logits, step = discriminator(sr), trainer.steps[-1]
        facts["D is a module"] &= isinstance(discriminator, nn.Module)
        facts["a gradient from D for G"] &= bool(gradient(logits.sum(), [sr]).any())
        loss = F.l1_loss(sr, hr) + 2 * F.softplus(-logits).mean()
        step.g_loss, step.noise_in_g_loss = loss.item(), max(sr.std().item(), hr.std().item())
        return loss

    result = filled(answer(trainer, pretrained, *data, g_loss, RATES, BETAS, NOISE, **options))
    if not trainer.steps:
        raise IncorrectAnswer("Your function never calls trainer.fit, so nothing trains. Which loop runs your step?")
    generator, discriminator, *adams = (trainer.prepared[name] for name in PREPARED)
    first, noises = trainer.steps[0], [[*itertools.chain(*step.noises.values())] for step in trainer.steps]
    if not all(noises):
        raise IncorrectAnswer(
            "The D that you passed to `prepare` never sees an image. Do you build a new D in each step, which forgets "
            "everything?"
        )
    noisy = [kind for kind, noise in first.noises.items() if torch.stack(noise).std() > NOISE / 10]
    noisy += ["the images of g_loss"] if first.noise_in_g_loss > NOISE / 10 else []
    alike = torch.stack([*itertools.chain(*noises)]).corrcoef()
    results = {"the average": trainer.averaged, "the generator of the last step": generator, "`pretrained`": pretrained}
    return {
        "a copy": not {*map(id, generator.parameters())} & {*map(id, pretrained.parameters())},
        "the weights at the beginning": all(map(torch.equal, trainer.beginning, weights)),
        "pretrained is unchanged": not pretrained.training and all(map(torch.equal, pretrained.parameters(), weights)),
        "the weights of the optimizers": " and ".join(_owner(adam, G=generator, D=discriminator) for adam in adams),
        "the learning rates": [adam.param_groups[0]["lr"] for adam in adams],
        "the betas": [list(adam.param_groups[0].get("betas", ())) for adam in adams],
        "patches and iters": trainer.arguments[:2] == data[1:],
        "the options of fit": trainer.arguments[2] == options,
        "the steps of the optimizers": "; ".join(", ".join(step.order) for step in trainer.steps),
        **facts,
        "where the noise is": " and ".join(sorted(noisy)) or "nothing",
        "the strength": [round(torch.stack(noise).std().item() / NOISE, 1) for noise in noises],
        "new noise each time": bool(alike.triu(1).nan_to_num().abs().max() < 0.3),
        "the names in the log": ", ".join(sorted(first.row)),
        **{name: [step.error_in_log(name) for step in trainer.steps] for name in LOGGED},
        "training mode": generator.training,
        "the result": next((name for name, network in results.items() if result is network), type(result).__name__),
    }


def _owner(adam: torch.optim.Optimizer, **networks: nn.Module) -> str:
    """Return the names of the networks whose weights an optimizer has."""
    having = {id(weights) for group in adam.param_groups for weights in group["params"]}
    return "+".join(name for name, network in networks.items() if having & {*map(id, network.parameters())})


EXERCISE = Exercise(
    train_gan,
    level="hard",
    points=5,
    cases={"three steps, at the beginning, at half-time, and after four fifths of the run": _scene},
    observe=_observe,
    reveal=False,
)
