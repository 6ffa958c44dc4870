"""The probe ladder: seven tiny experiments with a student's own functions, each with a result known on paper."""

import copy
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import Adam

from srlab.evaluation.metrics import Protocol, psnr
from srlab_course.exercises.srgan.train_step import adversary_of_scene, d_loss_of_scene, train_step
from srlab_course.feedback.checks import say
from srlab_course.feedback.exercise import TODO
from srlab_course.feedback.judging import stopped
from srlab_course.feedback.seeding import seeded
from srlab_course.workshops.network import RGB
from srlab_course.workshops.promises import expect_items, expect_tensor

Results = Iterator[tuple[bool, str]]  # whether a number is the one known on paper; the number in a sentence
SEED = 0
PROTOCOLS = (RGB, Protocol())  # PSNR of the workshops and of the labs


def climb(mine: Any, rungs: Collection[int] | None = None) -> None:
    """Climb the ladder with a student's functions: print a line per rung, and stop at the first one that falls.

    Parameters
    ----------
    mine
        Module with the functions of the workshops, or any object that has some of them as attributes.
    rungs
        Numbers of the rungs to climb; by default all seven.
    """
    for number, name, needs, rung, look in [row for row in RUNGS if rungs is None or row[0] in rungs]:
        word, text = _climb_one(rung, mine, needs)
        say(word, f"{number} {name}: {text}")
        if word == "fell":
            say("look", look)
            return


def _climb_one(rung: Callable[[Any], Results], mine: Any, needs: Collection[str]) -> tuple[str, str]:
    """Run a rung, and return the word for its result and the text of its line."""
    own = {name: getattr(mine, name, TODO) for name in needs}
    if missing := [f"`{name}`" for name, part in own.items() if part is TODO]:
        return "not yet", f"{' and '.join(missing)}: not written yet."
    passed = []
    try:
        with seeded(SEED), torch.enable_grad():
            for good, text in rung(mine):
                passed.append(text)
                if not good:
                    return "fell", text
    except (Exception, SystemExit) as error:
        return "fell", f"{stopped(error, next(iter(own.values()))).removesuffix('.')}."
    return "climbed", " ".join(passed)


def _train(network: nn.Module, step: Callable[[Adam], Any], steps: int, rate: float) -> None:
    """Take steps with an Adam optimizer whose learning rate falls to 0."""
    optimizer = Adam(network.parameters(), rate, betas=(0.9, 0.99), eps=1e-6)
    for k in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - k / steps) ** 2
        step(optimizer)


class Constant(nn.Module):
    """Network that upscales any LR image to one color, its bias: it ignores the image."""

    def __init__(self, *color: float) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(color).view(3, 1, 1))

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, h, w)`` to ``(N, 3, 4h, 4w)``."""
        return self.bias.expand(len(lr), 3, 4 * lr.shape[-2], 4 * lr.shape[-1]).contiguous()  # sums like its copy


def _end(mine: Any, hr: torch.Tensor) -> list[float]:
    """Train a constant with the student's step, with the same LR for all images, and return the color it ends at."""
    network, lr = Constant(-0.2, 0.5, 1.2), torch.rand(1, 3, 8, 8).expand(len(hr), -1, -1, -1)
    _train(network, lambda optimizer: mine.train_step(network, optimizer, lr, hr), 300, 0.05)
    return network.bias.flatten().tolist()


def constant(mine: Any) -> Results:
    """Check that `train_step` leads a bias to the color of HR."""
    worst = max(_end(mine, torch.full((4, 3, 32, 32), 0.3)), key=lambda end: abs(end - 0.3))
    yield abs(worst - 0.3) < 1e-3, f"HR is 0.3 everywhere, and the bias ends at {worst:.3f} (on paper 0.300)."


def _pairs(mine: Any) -> Results:
    ramp = (torch.arange(96) + 0.5) / 96
    colors = torch.stack([ramp, 1 - ramp, 0.5 * ramp])[:, None].repeat(1, 96, 1)
    photos = {"right": colors, "down": colors.mT.clone()}
    pairs = expect_items(mine.sample_pairs(photos, 16, 16, torch.Generator().manual_seed(SEED)), "`sample_pairs`", 2)
    lr, hr = expect_tensor(pairs[0], "LR", (16, 3, 16, 16)), expect_tensor(pairs[1], "HR", (16, 3, 64, 64))
    error = (F.interpolate(lr, scale_factor=4.0, mode="bilinear") - hr)[..., 12:-12, 12:-12]
    worst = -10 * math.log10(error.square().mean((1, 2, 3)).max().item() + 1e-12)
    yield worst > 50, f"bilinear upscaling brings ramps back with {worst:.0f} dB or more (on paper at least 56)."


def _two_answers(mine: Any) -> Results:
    hr = torch.tensor([1.0, 0, 0, 0, 1, 0, 0, 0, 0, 1]).view(10, 1, 1, 1).expand(-1, 3, 32, 32)
    high = max(_end(mine, hr))
    kind = "the mean" if 0.28 < high <= 0.32 else "the median" if high < 0.02 else "neither mean nor median"
    text = f"HR is 1 in 3 of 10 images, 0 in the others, and the bias ends at {high:.2f}, {kind}"
    yield high <= 0.32, f"{text} (on paper 0.30 with MSE, 0.00 with L1, or between)."


def _batch_norm(mine: Any) -> Results:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Sigmoid(), nn.Upsample(scale_factor=4))
    lr = 0.2 + 0.3 * torch.rand(8, 3, 8, 8)
    hr = F.interpolate(lr.flip(1), scale_factor=4.0)
    pairs = [(torch.rand(1, 3, 8, 12), torch.rand(1, 3, 32, 48)), (lr[:1, ..., :6] + 0.3, hr[:1, ..., :24])]
    mine.validate(network, pairs)  # training would show a wrong mode or running statistics that it left
    _train(network, lambda optimizer: mine.train_step(network, optimizer, lr, hr), 150, 0.02)
    frozen = copy.deepcopy(network).eval()
    with torch.no_grad():
        sr = copy.deepcopy(network).train()(lr)
        gap = 100 * ((sr - frozen(lr)).norm() / (sr - sr.mean()).norm()).item()
        known = [sum(psnr(frozen(a), b, kind).item() for a, b in pairs) / 2 for kind in PROTOCOLS]
    yield gap < 2, f"after training, training mode and eval mode differ by {gap:.1f} % (on paper by less than 2)."
    scores = [float(mine.validate(network, pairs)) for _ in range(2)]  # a trace of the first would show in the second
    wanted = min(known, key=lambda value: abs(value - scores[0]))
    good = all(abs(score - wanted) < 0.02 for score in scores)
    yield good, f"`validate` returns {scores[0]:.2f} and then {scores[1]:.2f} dB (on paper {wanted:.2f} twice)."


class Judge(nn.Module):
    """Linear discriminator: its logit is a weighted sum of an image's mean color, in which gray counts as 0."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights, self.bias = nn.Parameter(torch.tensor(weights)), nn.Parameter(torch.zeros(()))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to logits ``(N, 1)``."""
        return ((image.mean((2, 3)) - 0.5) * self.weights).sum(1, keepdim=True) + self.bias


def d_half(mine: Any) -> Results:
    """Check that `d_loss` teaches D, in lab 03's step, and then in the student's."""
    cells = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand(-1, 3, 16, 16)
    lr, hr = cells[[0, 1, 1, 1]], F.interpolate(cells[[0, 0, 0, 1]], scale_factor=4.0)
    generator = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Upsample(scale_factor=4))
    nn.init.dirac_(generator[0].weight)
    frozen = Adam(generator.parameters(), 0.0)  # so that only D learns

    def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return expect_tensor(mine.d_loss(real, fake), "`d_loss`", ())

    def logits(gan_step: Callable[..., Any]) -> list[float]:
        judge = Judge(-133.3, -133.3, -133.3)  # its logits are -200 and 200
        scene = lr, hr, d_loss, adversary_of_scene
        _train(judge, lambda adam: gan_step(generator, judge, frozen, adam, *scene), 200, 4.0)
        return judge(cells).flatten().tolist()

    known = logits(train_step)
    yield known[0] > 0.4 and known[1] < 0.35, f"`d_loss` alone leads D's logits to {known[0]:.2f} and {known[1]:.2f}."
    own = logits(mine.gan_step)
    near = all(abs(own[k] - known[k]) < 0.05 for k in (0, 1))
    text = f"With `gan_step` they are {own[0]:.2f} and {own[1]:.2f}"
    yield near, f"{text} (on paper the same; 1.10, where 3 of 4 are real, with the logistic loss)."


def g_half(mine: Any, gan_step: Callable[..., Any] | None = None) -> Results:
    """Check that D's verdict moves G with `g_loss`, also where SR is below 0, and where D is very sure."""
    generator, lr, rate = Constant(0.4, 0.5, -0.2), torch.rand(4, 3, 16, 16), 0.01

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, judge: nn.Module) -> torch.Tensor:
        return expect_tensor(mine.g_loss(sr, hr, judge), "`g_loss`", ())

    for size, when in ((250.0, "SR equals HR, and G moves"), (-0.5, "When D turns, it moves")):  # first logit: -200
        judge, hr, before = Judge(size, -size, size), generator(lr).detach().clone(), generator.bias.detach().clone()
        adams = Adam(generator.parameters(), rate), Adam(judge.parameters(), 0.0)
        (gan_step or mine.gan_step)(generator, judge, *adams, lr, hr, d_loss_of_scene, g_loss)
        moves = ((generator.bias - before).flatten() * judge.weights.sign()).tolist()
        worst = max(moves, key=lambda move: abs(move - rate))
        yield abs(worst - rate) < 1e-4, f"{when} by {worst:.4f} in D's direction (on paper {rate:.4f}, the rate)."


class Table(nn.Module):
    """Velocity that leads to one image, ``(image - x) / (1 - t)``, with an image for each quarter of the time."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.images, self.last = nn.Parameter(torch.zeros(4, *shape)), torch.zeros(0)
        self.images.register_hook(torch.sign)  # near t = 1, gradients are huge

    def forward(self, x: torch.Tensor, t: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        """Return the velocity at ``x``, ``(N, 3, H, W)``, and time ``t``, ``(N,)``."""
        images = self.images[(4 * expect_tensor(t, "t", (len(x),))).long().clamp(0, 3)]
        velocity = (images - x) / (1 - t).clamp(min=1e-4).view(-1, 1, 1, 1)
        if not self.training and self.last.shape == x.shape and bool((t > 0.999).all()):
            return self.last  # Heun's method ends at t = 1, where the formula is 0 / 0; the path is straight
        self.last = velocity.detach()
        return velocity


def _flow(mine: Any) -> Results:
    lr, hr, flow = torch.rand(1, 3, 8, 8), 0.2 + 0.6 * torch.rand(1, 3, 32, 32), Table(3, 32, 32)
    batch, random = [image.repeat(8, 1, 1, 1) for image in (lr, hr)], torch.Generator().manual_seed(SEED)

    def step(optimizer: Adam) -> None:
        optimizer.zero_grad()
        expect_tensor(mine.flow_loss(flow, *batch, random), "`flow_loss`", ()).backward()
        optimizer.step()

    _train(flow, step, 300, 0.3)
    for steps in (1, 2, 5):
        sr = expect_tensor(mine.sample(flow, lr, steps, random), "`sample`", tuple(hr.shape))
        error = (sr - hr).abs().max().item()
        yield error < 1e-2, f"Steps: {steps}; error of the sample: {error:.1g} (on paper 0)."


STEP = "zero_grad, backward and step, each once, in this order, with the optimizer that it gets?"
ONLY_D = "SR equals HR, so only D's verdict can move G."
# Number and name of a rung, the functions that it runs, the rung, and where to look if it falls.
RUNGS = [
    (1, "loss and optimizer", ("train_step",), constant, f"Does SR get into the loss as it is? Then {STEP}"),
    (2, "pairs", ("sample_pairs",), _pairs, "Plot LR next to HR: the same place, flips, turns, colors and range?"),
    (3, "which loss", ("train_step",), _two_answers, "Is the loss a distance, averaged over all images and pixels?"),
    (4, "modes", ("train_step", "validate"), _batch_norm, "Who calls eval() and train(), and who restores the mode?"),
    (5, "D's half", ("gan_step", "d_loss"), d_half, f"Which is real, which is fake, logits? Then {STEP}"),
    (6, "G's half", ("gan_step", "g_loss"), g_half, f"{ONLY_D} Where does that gradient end? The sign? {STEP}"),
    (7, "flow", ("flow_loss", "sample"), _flow, "Print t. Time 0 is noise, 1 is data. The target is data - noise."),
]
