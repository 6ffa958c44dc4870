"""Check a discriminator, the losses of a GAN, and the nine promises of its step."""

import copy
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn as nn
from torch.nn.utils import parameters_to_vector

from srlab.course.difference import difference
from srlab.course.exercise import TODO, Answer, IncorrectAnswer, NotAttempted, filled, sample
from srlab.course.exercises.gan_observation import gan_scene, observe
from srlab.course.exercises.networks import gradient
from srlab.course.exercises.srgan.train_step import d_loss_of_scene, train_step, whole_loss_of_scene
from srlab.course.workshops.promises import Promise


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
    discriminator = filled(mine.Discriminator())
    images = [sample(2, 3, *size).requires_grad_() for size in ((64, 64), (96, 128))]
    logits = [discriminator(image) for image in images]
    teaches = all(gradient(out.sum(), [image]).any() for out, image in zip(logits, images, strict=True))
    yield (
        teaches and all(len(out) == 2 and bool(out.isfinite().all()) for out in logits),
        f"D judges images: (2, 3, 64, 64) -> {tuple(logits[0].shape)}, (2, 3, 96, 128) -> {tuple(logits[1].shape)}, "
        f"{'with' if teaches else 'without'} a gradient for the image.",
        "Return one logit per image or per region; the first dimension is the image. Is something detached inside D?",
    )
    right, even, wrong = (  # small logits, because LSGAN's loss rises again beyond 1
        filled(mine.d_loss(torch.full((4, 1), c), torch.full((4, 1), -c))).item() for c in (0.5, 0.0, -0.5)
    )
    yield (
        right < even < wrong,
        f"d_loss rewards a good D: it is {right:.2f} if D is right, {even:.2f} if it can't tell, {wrong:.2f} if it is "
        "wrong.",
        "Which of the two arguments belongs to HR, and what should D return for it?",
    )
    real = torch.full((4, 1), -200.0, requires_grad=True)
    extreme = mine.d_loss(real, torch.full((4, 1), 200.0))
    slope = gradient(extreme, [real]).abs().max().item()
    yield (
        bool(extreme.isfinite()) and slope > 0,
        f"d_loss survives a D that is very wrong: for logits of -200 and 200 it is {extreme.item():.0f}, with a slope "
        f"of {slope:.2g}.",
        "The sigmoid of 200 is exactly 1 in float32, and the logarithm of 0 isn't finite. Compute it from logits.",
    )
    hr = sample(2, 3, 32, 32, low=0.2, high=0.8)
    sr = hr.clone().requires_grad_()  # equal to HR, so that only D has something to teach
    fooled = gradient(filled(mine.g_loss(sr, hr, Brightness(1.0))), [sr]).mean().item() < 0
    yield (
        fooled,
        f"g_loss {'falls' if fooled else 'does not fall'} when D takes SR more for a photo.",
        "G wants D's logit of SR to be large. Check the sign, and that no detach is on the way.",
    )
    off, equal = (mine.g_loss(hr + error, hr, Brightness(0.0)).item() for error in (0.1, 0.0))
    yield (
        equal < off,
        f"g_loss keeps SR near HR: if D can't tell, it is {equal:.4f} for SR equal to HR, and {off:.4f} for SR that is "
        "0.1 brighter.",
        "D only knows what photos look like. What ties SR to this photo?",
    )


def gan_step(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check the nine promises of a GAN step, in two steps in a row on tiny networks."""
    (first, wanted), (second, clean) = _two_steps(mine.gan_step)
    error = f" PyTorch stopped: {first['a PyTorch error']}." if first["a PyTorch error"] else ""
    runs, images = first["the number of generator runs"], first["the images that D gets"] or "nothing"
    mode = "training" if first["training mode throughout"] else "eval"
    yield (
        first["the generator's input"] and (runs, images, mode) == (1, "HR and SR", "training"),
        f"1. G runs once, and D gets HR and SR: G ran {runs} times, D got {images}, and the mode was {mode}.",
        "Run G once on lr, and use its sr in both halves, unchanged.",
    )
    order = first["the order of the optimizer steps"] or "none"
    yield (
        order == "D, G",
        f"2. Each optimizer takes one step, D's first. Your steps: {order}.",
        "There is one half for D and one for G, each with zero_grad, backward and one optimizer's step.",
    )
    alone = first["no new gradient for G in D's half"]
    yield (
        alone,
        f"3. D's half leaves G alone: it sends {'no' if alone else 'a'} gradient into G.",
        "In D's half, sr is data, like hr. Where do you cut its graph?",
    )
    yield (
        _same(first, wanted, "D"),
        f"4. D learns from d_loss, and from nothing else: its gradient is {_off(first, wanted, 'D')} off.{error}",
        "d_loss needs the logits of hr and of sr, both with the graph that leads to D.",
    )
    again, graph = first["D runs on SR again after its step"], first["D's second SR input has a graph"]
    yield (
        again and graph,
        "5. G's half runs the updated D: after its step, D "
        f"{'did not run on SR' if not again else 'ran on SR' if graph else 'ran on an SR without a graph'}.",
        "D has changed in its half, so its earlier logits are outdated. When do you call g_loss, and with which sr?",
    )
    yield (
        _same(first, wanted, "G"),
        f"6. g_loss reaches G through D: G's gradient is {_off(first, wanted, 'G')} off.{error}",
        "The gradient passes from the loss through D and sr to G. Is there a detach or no_grad on this way?",
    )
    kept = first["D is as its step left it"]
    yield (
        kept,
        f"7. G's half leaves D alone: afterwards, D's weights are {'those' if kept else 'not those'} of D's own step.",
        "g_loss must not train D. How often does D's optimizer step, and which parameters does G's have?",
    )
    if _same(first, wanted, "D") and _same(first, wanted, "G"):
        yield (
            _same(second, clean, "D") and _same(second, clean, "G"),
            f"8. Nothing is left over: in the second step, D's gradient is {_off(second, clean, 'D')} off, and G's "
            f"{_off(second, clean, 'G')}.",
            "backward adds to .grad, and G's backward also fills the .grad of D. When do you clear which?",
        )
    else:
        yield False, "8. Nothing is left over: this can't be measured yet.", "Fix promises 4 and 6 first."
    problem = _wrong_result(first["result"], (wanted["d_loss"], wanted["g_loss"]))
    yield (
        not problem,
        f"9. It returns d_loss and g_loss as numbers. {problem}".strip(),
        "Return d_loss first, both as they were before the updates, with item() or detach().",
    )


def _two_steps(step: Answer) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Observe two steps in a row, and for each what the reference does from the same weights, without gradients."""
    *networks, g_optimizer, d_optimizer, lr, hr = gan_scene()
    data = (lr, hr, d_loss_of_scene, whole_loss_of_scene)
    weights: list[torch.Tensor] = []  # those of D, after each step of its optimizer
    results: list[Any] = []

    def weights_of_d() -> torch.Tensor:
        return parameters_to_vector(networks[1].parameters()).detach().clone()

    def recorded(*scene: Any) -> tuple[float, float]:
        results.append(step(*scene))
        if results[-1] is TODO:
            raise NotAttempted
        return 0.0, 0.0

    d_optimizer.register_step_post_hook(lambda *_: weights.append(weights_of_d()))
    observed = []
    for _ in range(2):
        copies = [copy.deepcopy(network).requires_grad_(True) for network in networks]
        for network in copies:
            network.zero_grad()
        optimizers = [torch.optim.SGD(network.parameters(), lr=0.5) for network in copies]
        clean = observe(train_step, *copies, *optimizers, *data)
        weights.clear()
        results.clear()
        seen = observe(recorded, *networks, g_optimizer, d_optimizer, *data)
        seen["D is as its step left it"] = bool(weights) and torch.equal(weights[0], weights_of_d())
        seen["result"] = results[0] if results else None
        observed.append((seen, clean))
    return observed


def _same(seen: dict[str, Any], wanted: dict[str, Any], network: str) -> bool:
    name = f"{network}'s gradient"
    return not difference(seen[name], wanted[name], 1e-5)


def _off(seen: dict[str, Any], wanted: dict[str, Any], network: str) -> str:
    """Return how far the gradient of a network is from the reference, in percent of the reference."""
    given, right = (observation[f"{network}'s gradient"] for observation in (seen, wanted))
    return f"{100 * ((given - right).norm() / right.norm()).item():.0f} %"


def _wrong_result(result: Any, wanted: tuple[Any, Any]) -> str:
    """Return what is wrong with the returned losses, or ""."""
    try:
        if problem := difference(result, wanted, 1e-4):
            return problem
    except IncorrectAnswer as error:  # None
        return str(error)
    return "One of them still has its graph." if any(getattr(loss, "requires_grad", False) for loss in result) else ""
