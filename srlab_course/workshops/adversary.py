"""Check a discriminator, the losses of a GAN, and the nine promises of its step."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import parameters_to_vector

from srlab_course.exercises.gan_observation import gan_scene, observe
from srlab_course.exercises.networks import gradient
from srlab_course.exercises.srgan.train_step import train_step, whole_loss_of_scene
from srlab_course.feedback.difference import difference
from srlab_course.feedback.exercise import Answer, IncorrectAnswer, filled, sample
from srlab_course.workshops.promises import Promise, expect, expect_tensor, in_order, percent, trying


class Brightness(nn.Module):
    """A discriminator whose logit is the brightness of an image, with a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, 1, 1, 1)``."""
        return self.factor * image.mean((1, 2, 3), keepdim=True)


def adversary(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that a discriminator judges images and can teach, and that both losses reward the right thing."""
    discriminator = expect(mine.Discriminator(), "`Discriminator()`", nn.Module, "a network")
    images, logits = [sample(2, 3, *size).requires_grad_() for size in ((64, 64), (96, 128))], []
    for image in images:
        with trying(f"D judges images of any size: {tuple(image.shape)}"):
            logits.append(expect_tensor(discriminator(image), "D's output"))
    teaches = all(gradient(out.sum(), [image]).any() for out, image in zip(logits, images, strict=True))
    yield (
        teaches and all(out.shape[:1] == (2,) and bool(out.isfinite().all()) for out in logits),
        f"D judges images: (2, 3, 64, 64) -> {tuple(logits[0].shape)}, (2, 3, 96, 128) -> {tuple(logits[1].shape)}, "
        f"{'with' if teaches else 'without'} a gradient for the image.",
        "Return one logit per image or per region; the first dimension is the image. Is something detached inside D?",
    )
    lowest, highest = _range(mine.Discriminator, images[0].detach())
    yield (
        lowest < 0 or highest > 1,
        f"D returns logits: with other weights, its output is from {lowest:.3g} to {highest:.3g}.",
        "That is a probability. Does D end in a sigmoid? The loss has it already, and twice it teaches very slowly.",
    )
    yield from _d_loss(mine, folder)

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, factor: float) -> torch.Tensor:
        with trying("g_loss gets another discriminator than yours"):
            return expect_tensor(mine.g_loss(sr, hr, Brightness(factor)), "`g_loss`", ())

    hr = sample(2, 3, 32, 32, low=0.2, high=0.8)
    sr = hr.clone().requires_grad_()  # equal to HR, so that only D has something to teach
    fooled = gradient(g_loss(sr, hr, 1.0), [sr]).mean().item() < 0
    yield (
        fooled,
        f"g_loss {'falls' if fooled else 'does not fall'} when D takes SR more for a photo.",
        "G wants D's logit of SR to be large. Check the sign, and that no detach is on the way.",
    )
    sure = g_loss(sr, hr, -1000.0).item()
    yield (
        bool(torch.tensor(sure).isfinite()),
        f"g_loss survives a D that is very sure: for logits of about -500 it is {sure:.4g}.",
        "The sigmoid of -500 is exactly 0 in float32, and its logarithm isn't finite. Compute it from logits.",
    )
    bright = (hr + (sample(2, 3, 32, 32, seed=1) > 0.5)).requires_grad_()  # half of it is above 1
    with_d, without = (gradient(g_loss(bright, bright.detach(), factor), [bright]) for factor in (-1.0, 0.0))
    above = bool((with_d != without)[bright.flatten() > 1].any())
    yield (
        above,
        f"g_loss gives D the SR as it is: where SR is above 1, D's opinion has {'a' if above else 'no'} gradient.",
        "A clamp has no gradient where it acts, so G never hears that such a pixel is too bright.",
    )
    off, turned, equal = (g_loss(one, hr, 0.0).item() for one in (hr + 0.1, hr.flip(2, 3), hr))
    brighter = (hr + 0.1).requires_grad_()
    yield (
        1e-3 * (off - equal) < turned - equal
        and equal < off
        and bool(gradient(g_loss(brighter, hr, 0.0), [brighter]).any()),
        f"g_loss keeps SR near HR: if D can't tell, it is {equal:.4f} for SR equal to HR, {off:.4f} for SR that is 0.1 "
        f"brighter, and {turned:.4f} for HR turned around.",
        "D only knows what photos look like. What ties SR to this photo, and each place to its place, with a gradient "
        "for SR?",
    )


@in_order
def _d_loss(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    def d_loss(real: float | torch.Tensor, fake: float | torch.Tensor) -> torch.Tensor:
        both = (level if isinstance(level, torch.Tensor) else torch.full((4, 1), level) for level in (real, fake))
        return expect_tensor(mine.d_loss(*both), "`d_loss`", ())

    right, even, wrong = (d_loss(c, -c).item() for c in (0.5, 0.0, -0.5))  # LSGAN's loss rises again beyond 1
    yield (
        right < even < wrong,
        f"d_loss rewards a good D: it is {right:.2f} if D is right, {even:.2f} if it can't tell, {wrong:.2f} if it is "
        "wrong.",
        "Which of the two arguments belongs to HR, and what should D return for it?",
    )
    for_real, for_fake = _slopes(d_loss, 0.2, 0.8)
    yield (
        for_real < 0 < for_fake,
        f"d_loss uses both arguments: its slope is {for_real:.2g} for D's logits of HR and {for_fake:.2g} for those of "
        "SR.",
        "The first should be negative and the second positive. Is a half missing, detached, or of the wrong sign?",
    )
    extreme = d_loss(-200.0, 200.0).item()
    slopes = _slopes(d_loss, -200.0, 200.0)
    yield (
        bool(torch.tensor([extreme, *slopes]).isfinite().all()) and all(slopes),
        f"d_loss survives a D that is very wrong: for logits of -200 and 200 it is {extreme:.0f}, with slopes of "
        f"{slopes[0]:.2g} and {slopes[1]:.2g}.",
        "The sigmoid of 200 is exactly 1 in float32, and the logarithm of 0 isn't finite. Compute it from logits.",
    )


def _range(discriminator: Callable[[], nn.Module], image: torch.Tensor) -> tuple[float, float]:
    """Return the lowest and the highest output of eight discriminators with other parameters than initially."""
    outputs = []
    for seed in range(8):
        changed = discriminator()
        with torch.no_grad():
            for number, parameter in enumerate(changed.parameters()):
                parameter += 3 * sample(*parameter.shape, low=-1.0, seed=100 * seed + number)
            outputs.append(changed(image).flatten())
    return torch.cat(outputs).min().item(), torch.cat(outputs).max().item()


def _slopes(loss: Callable[..., torch.Tensor], *levels: float) -> tuple[float, ...]:
    """Return the slope of a loss for each of its arguments, which are constant."""
    arguments = [torch.full((4, 1), level, requires_grad=True) for level in levels]
    value = loss(*arguments)
    return tuple(gradient(value, [argument]).sum().item() for argument in arguments)


# --- The step --------------------------------------------------------------------------------------------------


def gan_step(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check the nine promises of a GAN step, in two steps in a row on tiny networks."""
    first, second = _two_steps(mine.gan_step)
    # Promise -> those that must be kept, or it can't be measured. An error ends a step in G's half.
    stopped = {2: {3, 5}, 5: {1, 3}, 7: {*range(1, 7)}}
    needs = stopped if first["a PyTorch error"] else {3: {2}, 4: {1, 2}, 5: {1, 2}, 7: {2}}
    needs |= {6: {*range(1, 6)}, 8: {*range(1, 8)}, 9: {*range(1, 7)}}
    promises = _nine(mine, first, second)
    broken = {number for number, (kept, _, _) in promises.items() if not kept}
    roots = {number for number in broken if not needs.get(number, set()) & broken}
    for number, (kept, text, hint) in promises.items():
        if not kept and number not in roots:
            text, hint = f"{text.partition(':')[0]}: this can't be measured yet.", f"Fix promise {min(roots)} first."
        yield kept, f"{number}. {text}", hint


def _nine(mine: ModuleType, first: dict[str, Any], second: dict[str, Any]) -> dict[int, Promise]:
    stopped = f" PyTorch stopped: {first['a PyTorch error']}." if first["a PyTorch error"] else ""
    runs, graphs, images = first["the number of generator runs"], first["graphs"], first["D's images in its half"]
    training, order = first["training mode throughout"], first["the order of the optimizer steps"]
    alone, kept, frozen = first["no new gradient for G in D's half"], first["D is as its step left it"], first["frozen"]
    later = first["D's images after its step"]
    again, graph = "SR" in later, "without a graph" not in later
    off, later = ({name: step[f"{name} is off by"] for name in "DG"} for step in (first, second))
    return {
        1: (
            first["the generator's input"] and images == "HR and SR" and training and runs <= 2 and graphs <= 1,
            f"G gets lr, D gets HR and SR: G ran {runs} times, {graphs} of them with a graph, D got "
            f"{images}, and the mode was {'training' if training else 'eval'}.",
            "Run G once on lr, and use its sr in both halves, unchanged. If you run it for D, too, use no_grad there."
            if training
            else "A network ran in eval mode, or was left in it. Where do you call eval()?",
        ),
        2: (
            order == "D, G",
            f"Each optimizer takes one step, D's first: your steps are {order}.{stopped * (order != 'D, G')}",
            "There is one half for D and one for G, each with zero_grad, backward and one optimizer's step.",
        ),
        3: (
            alone,
            f"D's half leaves G alone: it sends {'no' if alone else 'a'} gradient into G.",
            "In D's half, sr is data, like hr. Where do you cut its graph?",
        ),
        4: (
            off["D"] < 1e-4,
            f"D learns from d_loss, and from nothing else: its gradient is {percent(off['D'])} off."
            f"{stopped * (off['D'] >= 1e-4)}",
            "" if off["D"] < 1e-4 else _cause(mine, first["D's gradient"]),
        ),
        5: (
            again and graph,
            "G's half runs the updated D: after its step, the updated D "
            f"{'did not run on SR' if not again else 'ran on SR' if graph else 'ran on an SR without a graph'}.",
            "D has changed in its half, so earlier logits are outdated, and so is a copy from before. When do you call "
            "g_loss, and with which sr and D?",
        ),
        6: (
            off["G"] < 1e-4,
            f"g_loss reaches G through D: G's gradient is {percent(off['G'])} off.{stopped * (off['G'] >= 1e-4)}",
            "Is it the g_loss that the step gets as an argument, called as g_loss(sr, hr, discriminator)? Is there a "
            "detach or no_grad on the way from D's output to sr?",
        ),
        7: (
            kept and not frozen,
            f"G's half leaves D alone: afterwards, D's weights are {'those' if kept else 'not those'} of D's own step"
            f"{', but D is left frozen' if frozen else ''}.",
            "You froze D's parameters for G's half. Where do you switch requires_grad on again?"
            if frozen
            else "g_loss must not train D. How often does D's optimizer step, and which parameters does G's have?",
        ),
        8: (
            later["D"] < 1e-4 and later["G"] < 1e-4,
            f"Nothing is left over: in the second step, D's gradient is {percent(later['D'])} off, and G's "
            f"{percent(later['G'])}.",
            "backward adds to .grad, and G's backward also fills the .grad of D. When do you clear which?",
        ),
        9: _numbers(first["result"], (first["wanted d_loss"], first["wanted g_loss"])),
    }


def relativistic(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Return a loss of D that isn't a sum of a half for HR and a half for SR (Jolicoeur-Martineau 2018)."""
    return 1.5 * (F.softplus(fake.mean() - real) + F.softplus(fake - real.mean())).mean()


def _two_steps(step: Answer) -> list[dict[str, Any]]:
    """Observe two steps in a row, and how far each is from the reference with the same weights and no gradients."""
    *networks, g_optimizer, d_optimizer, lr, hr = gan_scene()
    data = (lr, hr, relativistic, whole_loss_of_scene)
    weights: list[torch.Tensor] = []  # those of D, after each step of its optimizer
    graphs: list[bool] = []  # whether a run of G built a graph
    results: list[Any] = []

    def weights_of_d() -> torch.Tensor:
        return parameters_to_vector(networks[1].parameters()).detach().clone()

    def recorded(*scene: Any) -> tuple[float, float]:
        results.append(filled(step(*scene)))
        return 0.0, 0.0

    d_optimizer.register_step_post_hook(lambda *_: weights.append(weights_of_d()))
    networks[0].register_forward_hook(lambda _, inputs, sr: graphs.append(sr.requires_grad))
    observed = []
    for _ in range(2):
        copies = [copy.deepcopy(network).requires_grad_(True) for network in networks]
        for network in copies:
            network.zero_grad()
        optimizers = [torch.optim.SGD(network.parameters(), lr=0.5) for network in copies]
        clean = observe(train_step, *copies, *optimizers, *data)
        for record in (weights, graphs, results):
            record.clear()
        seen = observe(recorded, *networks, g_optimizer, d_optimizer, *data)
        for name in "DG":
            given, wanted = (scene[f"{name}'s gradient"] for scene in (seen, clean))
            seen[f"{name} is off by"] = ((given - wanted).norm() / wanted.norm()).item()
        observed.append(
            seen
            | {
                "graphs": sum(graphs),
                "D is as its step left it": bool(weights) and torch.equal(weights[0], weights_of_d()),
                "frozen": not all(parameter.requires_grad for parameter in networks[1].parameters()),
                "result": results[0] if results else None,
                "wanted d_loss": clean["d_loss"],
                "wanted g_loss": clean["g_loss"],
            }
        )
    return observed


def _cause(mine: ModuleType, given: torch.Tensor) -> str:
    """Return a hint about the loss that D's gradient comes from."""
    losses: dict[str, Answer] = {
        "That is the gradient of d_loss with its arguments swapped: D's logits of HR come first.": (
            lambda real, fake: relativistic(fake, real)
        ),
        "That is the gradient of the d_loss in your file. Use the one that the step gets as an argument.": getattr(
            mine, "d_loss", relativistic
        ),
        "You call d_loss once for HR and once for SR. Call it once, because it may compare the two.": (
            lambda real, fake: relativistic(real, 0 * real) + relativistic(0 * fake, fake)
        ),
    }
    for hint, loss in losses.items():
        if not difference(observe(train_step, *gan_scene(), loss, whole_loss_of_scene)["D's gradient"], given, 1e-5):
            return hint
    return (
        "Call d_loss once, with the logits of hr and of sr, both with the graph that leads to D. Is it the d_loss that "
        "the step gets as an argument, and is D's .grad empty before?"
    )


def _numbers(result: Any, wanted: tuple[Any, Any]) -> Promise:
    """Return the promise about the returned losses."""
    graph = isinstance(result, tuple | list) and any(getattr(loss, "requires_grad", False) for loss in result)
    try:
        problem = difference(result, wanted, 1e-4)
    except IncorrectAnswer as error:  # None
        problem = str(error)
    if graph:
        problem = "One of them still has its graph, which keeps all activations of the step in memory."
    return (
        not problem,
        f"It returns d_loss and g_loss as numbers: {problem or 'yes'}.".replace("..", "."),
        "Return d_loss first, both as they were before the updates, as numbers: loss.item().",
    )
