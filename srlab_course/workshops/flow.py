"""Check a flow: its network, its loss, its sampler and its training.

Loss and sampler are checked with a probe, a flow whose velocity is known and which notes what it gets.
"""

from collections.abc import Callable, Iterator
from itertools import product
from types import ModuleType
from typing import Any, NamedTuple

import torch
import torch.nn as nn

from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import psnr
from srlab_course.feedback.exercise import IncorrectAnswer, sample
from srlab_course.workshops.network import IDLE, RGB, TWO_ZEROS, idle
from srlab_course.workshops.promises import Promise, expect, expect_tensor, in_order, show, trying

COUNT = 24  # pairs in a batch


class Probe(nn.Module):
    """A flow with a known velocity, a function of x, t, lr and the mode, which checks the shapes of what it gets."""

    def __init__(self, velocity: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.velocity, self.one, self.layer = velocity, nn.Parameter(torch.ones(())), nn.Identity()

    def forward(self, x: torch.Tensor, t: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        """Return a velocity of the shape of `x`."""
        count, _, height, width = expect_tensor(lr, "The lr of `flow(x, t, lr)`").shape
        expect_tensor(x, "The x of `flow(x, t, lr)`", (count, 3, 4 * height, 4 * width))
        expect_tensor(t, "The t of `flow(x, t, lr)`", (count,))
        return self.velocity(x.clone(), t.clone(), lr, any(self.modes())) * self.one

    def modes(self) -> set[bool]:
        """Return the modes of the flow and its layer."""
        return {module.training for module in self.modules()}


@in_order
def network(mine: ModuleType) -> Iterator[Promise]:
    """Check that the velocity of each image depends on its x, its time and its LR, and that all of it can learn."""
    torch.manual_seed(0)
    flow, again = (expect(mine.Flow(), "`Flow()`", nn.Module, "an nn.Module") for _ in range(2))
    for (count, height, width), time in product(((2, 8, 8), (1, 12, 16), (3, 20, 8)), (0.0, 1.0)):
        x, lr = sample(count, 3, 4 * height, 4 * width, low=-1), sample(count, 3, height, width)
        with trying(f"The velocity has the shape of x: x is {tuple(x.shape)}, and t = {time:g}"):
            velocity = flow(x, torch.full((count,), time), lr)
        expect_tensor(velocity, "The result of `flow(x, t, lr)`", tuple(x.shape))
    yield True, "The velocity has the shape of x, for three sizes of images, at t = 0 and 1.", ""
    for parameter in flow.parameters():  # some may start with zeros, and hide what the others do
        inputs = parameter[0].numel() if parameter.ndim > 1 else 25
        parameter.data += torch.randn_like(parameter) * 0.5 / inputs**0.5
    inputs = [sample(3, 3, 48, 64, low=-1), torch.tensor([0.2, 0.5, 0.7]), sample(3, 3, 12, 16, seed=1)]
    before, changes = _velocity(flow, inputs), []
    half = torch.cat([sample(3, 6, 16, seed=3), inputs[2][0, :, 6:]], dim=1)  # another upper half
    for place, value in enumerate((sample(3, 48, 64, seed=2), 0.6, half)):  # a brighter x
        other = [one.clone() for one in inputs]
        other[place][0] = value  # of the first image only
        changes.append((_velocity(flow, other) - before).square().mean((1, 3)) / before.var())
    first, last = (_velocity(flow, [inputs[0], torch.full((3,), end), inputs[2]]) for end in (0.0, 1.0))
    ends = ((first - last).std() / before.std()).item()
    rows = torch.stack(changes)  # (input, image, row)
    own, others = rows[:, 0].mean(1).sqrt().tolist(), rows[:, 1:].max().sqrt().item()
    yield (
        all(change > 1e-5 for change in own) and others < 1e-3 and ends > 1e-4,
        "Each image has its own velocity in eval mode: another x, t or lr changes it by {:.1g}, {:.1g} or {:.1g}, and "
        "those of another image by {:.1g}. Those at t = 0 and t = 1 differ by {:.1g}.".format(*own, others, ends),
        "Does the forward pass use all three, and t as it is, one number per image? Is anything mixed, or random? "
        "Sines and cosines of whole turns are the same at 0 and 1. If a number is nan: is something divided by t or by "
        "1 - t? Both can be 0. Keep it away from 0 with clamp(min=...).",
    )
    up, down = (part.mean().sqrt().item() for part in rows[2, 0].chunk(2))
    yield (
        up > 1.3 * down,
        f"It is aligned with LR: the upper half of LR changes its upper half by {up:.1g}, the lower one by {down:.1g}.",
        "How do features become pixels? pixel_shuffle and unshuffle keep places together, view and reshape don't.",
    )
    again.load_state_dict(flow.state_dict())
    apart = ((_velocity(again, inputs) - before).abs().max() / before.std()).item()
    new, t = mine.Flow().train(), torch.linspace(0, 1, 8)
    x, target, lr = sample(8, 3, 32, 32, low=-1), sample(8, 3, 32, 32, low=-1, seed=1), sample(8, 3, 8, 8)
    still = idle(new, lambda: (new(x.clone(), t.clone(), lr.clone()) - target).square().mean())
    without = f"in {IDLE} steps there is no gradient for {', '.join(still[:3])}"
    learns = without if still else "every parameter can learn"
    yield (
        apart < 1e-3 and not still,
        f"All of it is kept and learns: another Flow() with its state_dict is {apart:.1g} off, and {learns}.",
        "Are layers in an nn.ModuleList, random frequencies in register_buffer, all of them used, and none detached? "
        f"round() and comparisons have the gradient 0, and {TWO_ZEROS}.",
    )


def _velocity(flow: nn.Module, inputs: list[torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return flow.eval()(*(one.clone() for one in inputs))


class Line(NamedTuple):
    """What a loss gives a flow, and the velocity that it wants there."""

    x: torch.Tensor
    t: torch.Tensor
    lr: torch.Tensor
    velocity: torch.Tensor
    weight: float  # of the error, compared with a mean over all images and pixels

    def at(self, t: float) -> torch.Tensor:
        """Return where the line is at a time: noise at 0, data at 1."""
        return self.x + (t - self.t) * self.velocity


def _line(mine: ModuleType, lr: torch.Tensor, hr: torch.Tensor, random: torch.Generator) -> Line:
    """Run a loss with the velocity v = 0: there, a squared error w (v - u)² has the slope -2 w u and the curvature 2 w.

    So the velocity u that it wants is known for each pixel.
    """
    seen: list[tuple[torch.Tensor, ...]] = []

    def velocity(x: torch.Tensor, t: torch.Tensor, lr: torch.Tensor, mode: bool) -> torch.Tensor:
        seen.append((x.detach(), t.detach().view(-1, 1, 1, 1), lr.detach(), torch.zeros_like(x).requires_grad_()))
        return seen[-1][-1]

    loss = expect_tensor(mine.flow_loss(Probe(velocity), lr.clone(), hr.clone(), random), "`flow_loss`", ())
    if not (seen and loss.requires_grad):
        raise IncorrectAnswer("`flow_loss` sends no gradient to the result of `flow(x, t, lr)`. Is it detached?")
    zeros = [call[-1] for call in seen]
    slopes = torch.autograd.grad(loss, zeros, create_graph=True, materialize_grads=True)
    total = sum((slope + 0 * zero).sum() for slope, zero in zip(slopes, zeros, strict=True))  # a slope may be constant
    calls = (*zip(*seen, strict=True), slopes, torch.autograd.grad(total, zeros))
    x, t, low, _, slope, curvature = (torch.cat(parts).detach()[: len(lr)] for parts in calls)
    if not (curvature > 1e-3 * curvature.amax((1, 2, 3), keepdim=True)).all():
        raise IncorrectAnswer(
            "`flow_loss` isn't a squared error in all pixels. Only this is smallest at the mean velocity."
        )
    weight = (curvature * curvature.numel() / 2).median().item()
    return Line(x, t, low, -slope / curvature, weight)


# a, b, and what is wrong with a loss if a x + b(t) times the velocity is the same, whatever the noise and the time.
CAUSES: list[tuple[int, Callable[[torch.Tensor], Any], str]] = [
    (1, lambda t: 1 - t, ""),  # data
    (1, lambda t: -t, "The ends are swapped: t = 0 is noise, and t = 1 is data."),
    (1, lambda t: t - 1, "x is right, but the velocity has the wrong sign. It points from noise to data."),
    (1, lambda t: t, "x is at the time 1 - t: at t = 0 it should be noise, and at t = 1 data."),
    (0, lambda t: 1, "Your target is data, the end of the line. The velocity is how far x moves per unit of time."),
]
OTHER_CAUSE = "x = (1 - t) noise + t data, with one t in all pixels. What is its derivative with respect to t?"


@in_order
def loss(mine: ModuleType) -> Iterator[Promise]:
    """Check that a loss puts each image on a straight line from its own noise to data, at a time of its own."""
    (lr, hr), random = _pairs(), torch.Generator().manual_seed(0)
    orders = [torch.arange(COUNT), torch.arange(COUNT // 2), torch.arange(COUNT).flip(0)]
    first, _, last = lines = [_line(mine, lr[order], hr[order], random) for order in orders]
    again = _line(mine, lr, hr, torch.Generator().manual_seed(0))
    many = [*lines, *(_line(mine, lr, hr, random) for _ in range(40))]  # because some times are rarely near 0 and 1
    t = torch.cat([line.t.flatten() for line in many])
    everywhere = 0 <= t.min() < 0.1 and 0.9 < t.max() <= 1 and len(t.unique()) > len(t) / 5
    repeats = torch.equal(first.x, again.x) and torch.equal(first.t, again.t)
    yield (
        repeats and bool(everywhere),
        f"`random` decides on the noise and one time per image: {len(t.unique())} times for {len(t)} images, "
        f"{t.min():.2f} to {t.max():.2f}, and {'the same' if repeats else 'others'} for the same state.",
        "Draw the noise, and one time per image from everywhere between 0 and 1, not from a short list, with "
        "generator=random. Don't seed it.",
    )
    errors, alone = [], (last.at(1) - first.at(1)[orders[2]]).square().mean().sqrt().item()  # how much data differs
    for a, b, _ in CAUSES:
        values = [a * line.x + b(line.t) * line.velocity for line in lines]
        off = torch.cat([value - values[0][order] for value, order in zip(values, orders, strict=True)])
        errors.append(off.square().mean().sqrt().item())
    yield (
        errors[0] < 0.03,
        f"Each image moves on a straight line: x + (1 - t) velocity is {errors[0]:.2g} off its data.",
        next(
            (cause for (*_, cause), error in zip(CAUSES, errors, strict=True) if error < 0.03),
            "The data of an image depends on its batch. A scale has to be a constant." if alone < 0.03 else OTHER_CAUSE,
        ),
    )
    fine, text = _normal(torch.cat([line.at(0) for line in lines]))
    yield fine, f"At t = 0 there is noise: {text}.", "Use torch.randn, one number per image, channel and pixel."
    change = (_line(mine, lr, hr.flip(0), random).at(1) - first.at(1)).std().item()
    unlike = (first.lr - lr).abs().max().item()
    yield (
        change > 1e-3 and unlike < 1e-5,
        f"Data comes from HR: another HR moves it by {change:.2g}. The flow's lr differs from lr by {unlike:.1g}.",
        "Data is HR, or what HR has more than upscaled LR. The flow gets lr as it is.",
    )
    weight = sorted(line.weight for line in many)[len(many) // 2]
    yield (
        weight < 20,
        f"The loss is a mean: at a typical time, it is {weight:.1f} times the mean square of the velocity's error.",
        "Do you sum over the pixels or the images? Then it depends on their number. A weight by time is fine.",
    )


def _run(mine: ModuleType, line: Line, lr: torch.Tensor, hr: torch.Tensor, steps: int, random: torch.Generator) -> Any:
    """Draw a sample with a flow that leads straight to known data; its mode is eval mode for one step.

    Return the first x, the largest error of SR, and what else is wrong.
    """
    data, mode, starts, wrong = line.at(1), steps > 1, {}, set()

    def velocity(x: torch.Tensor, t: torch.Tensor, of: torch.Tensor, training: bool) -> torch.Tensor:
        images = [*range(len(lr))]
        if len(of) != len(lr):  # a sampler may draw one by one
            images = torch.cdist(of.flatten(1), lr.flatten(1)).argmin(1).tolist()
        for image, start in zip(images, x.detach(), strict=True):
            starts.setdefault(image, start)
        wrong.update([": it runs in training mode"] * training, [": a graph is built"] * x.requires_grad)
        wrong.update([": it gets another lr than in flow_loss"] * (not torch.equal(of, line.lr[images])))
        return data[images] - torch.stack([starts[image] for image in images])

    probe = Probe(velocity).train(mode)
    sr = expect_tensor(mine.sample(probe, lr.clone(), steps, random), "`sample`", tuple(hr.shape))
    if not starts:
        raise IncorrectAnswer(f"`sample` with {steps} steps doesn't run the flow.")
    wrong.update([": it has another mode at the end"] * (probe.modes() != {mode}))
    wrong.update([": a graph is built"] * sr.requires_grad)
    return torch.stack([*starts.values()]), (sr - hr).abs().max().item(), max(wrong, default="")


@in_order
def sampler(mine: ModuleType) -> Iterator[Promise]:
    """Check that a sampler starts with new noise, follows the velocity to time 1, and returns an image."""
    if not all(kept for kept, _, _ in loss(mine)):
        yield False, "The sampler is checked with the data of your flow_loss, which breaks a promise.", "Fix it first."
    (lr, hr), random = _pairs(), torch.Generator().manual_seed(0)
    line, steps = _line(mine, lr, hr, torch.Generator().manual_seed(1)), (4, 10, 1)
    runs = [_run(mine, line, lr[:n], hr[:n], k, random) for k, n in zip(steps, (COUNT, COUNT, 1), strict=True)]
    noise, error, wrong = zip(*runs, strict=True)
    again, *_ = _run(mine, line, lr, hr, 4, torch.Generator().manual_seed(0))
    same, other = torch.equal(noise[0], again), not torch.equal(noise[0], noise[1])
    fine, text = _normal(torch.cat(noise))
    yield (
        same and other and fine,
        f"It starts with noise: {text}; "
        f"{'the same' if same else 'other'} for the same state, then {'new' if other else 'the same'}.",
        "Draw the first x with torch.randn and generator=random, for each image, channel and pixel.",
    )
    yield (
        max(error) < 2e-3,
        f"It returns an image: if the flow leads to the data of HR, the result is {max(error):.2g} off HR.",
        "Undo what flow_loss did to HR, from lr only, and with the same scale.",
    )
    yield (
        not any(wrong),
        f"The flow runs in eval mode, without a graph, with lr, and has its mode again at the end{max(wrong)}.",
        "Pass lr to walk, and on to the flow. Remember flow.training, switch to eval mode, sample in a `with` block "
        "without graphs, and restore the mode with train(mode), which reaches every layer.",
    )


def check_samples(samples: torch.Tensor, hr: torch.Tensor) -> bool:
    """Check samples of one LR image, ``(N, 3, H, W)``: they differ, and their mean is nearer to HR and follows LR.

    Print a line per promise, and return whether all are kept.
    """
    return show(_samples(samples, hr))


def _samples(samples: torch.Tensor, hr: torch.Tensor) -> Iterator[Promise]:
    samples = expect_tensor(samples, "`samples`", (len(samples), *hr.shape[1:])).clamp(0, 1)
    apart = 255 * samples.std(dim=0).mean().item()
    one, mean = (psnr(x, hr.expand_as(x), RGB).mean().item() for x in (samples, samples.mean(0, keepdim=True)))
    yield (
        mean > one + 0.5,
        f"The {len(samples)} samples differ by {apart:.1f} gray levels, so their mean is nearer to HR than one: "
        f"{mean:.2f} dB instead of {one:.2f} dB.",
        "Does each start with its own noise? Train longer: at first, a flow moves to the mean of all data that fit LR.",
    )
    bicubic = psnr(upsample(downsample(hr, 4), 4).clamp(0, 1), hr, RGB).item()
    yield (
        mean > bicubic,  # after 2000 steps on gravel, four right designs have 0.3 to 1.1 dB more
        f"Their mean beats bicubic, which has {bicubic:.2f} dB.",
        "Look at the loss. If it rises, lower the learning rate, or clip gradients. Otherwise train longer. Do you "
        "return an average that hardly moves from its untrained start?",
    )


def _pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Return pairs of noise, with more contrast from image to image, and so far from 0 and 1 that clamping is fine."""
    hr = 0.5 + torch.linspace(0.1, 0.4, COUNT).view(-1, 1, 1, 1) * sample(COUNT, 3, 32, 48, low=-1)
    return downsample(hr, 4), hr


def _normal(noise: torch.Tensor) -> tuple[bool, str]:
    """Return whether noise is standard normal and new in each image, channel and pixel, and what was measured."""
    mean, std, fourth = noise.mean().item(), noise.std().item(), noise.pow(4).mean().item()
    places = ("images", "channels", "rows", "columns")
    alike, where = max(((noise * noise.roll(1, k)).mean().abs().item(), place) for k, place in enumerate(places))
    good = abs(mean) < 0.05 and abs(std - 1) < 0.05 and abs(fourth - 3) < 0.5 and alike < 0.05
    return good, f"mean {mean:.2f}, standard deviation {std:.2f}, correlation of neighboring {where} {alike:.2f}"
