"""Check a flow: its network, its loss, its sampler and its training.

Loss and sampler are checked with a probe, a flow whose velocity is known and which notes what it gets.
"""

import copy
import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn as nn
from torch.nn.utils import parameters_to_vector

from srlab.course.exercise import IncorrectAnswer, sample
from srlab.course.workshops.photos_and_pairs import make_photos
from srlab.course.workshops.promises import (
    Promise,
    Promises,
    expect,
    expect_items,
    expect_number,
    expect_tensor,
    show,
)
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import Protocol, psnr

Photos = Mapping[str, torch.Tensor]  # file name -> (3, H, W), float32 in [0, 1]
Given = tuple[torch.Tensor, torch.Tensor, torch.Tensor, bool]  # what a flow gets, x, t and lr, and its mode
COUNT = 24  # pairs in a batch
ITERS, PAUSE = 10, 4  # steps of the training runs, and when one of them pauses


class Probe(nn.Module):
    """A flow with a known velocity, which checks the shapes of what it gets."""

    def __init__(self, velocity: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.velocity, self.one = velocity, nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor, t: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        """Return a velocity of the shape of `x`."""
        count, _, height, width = expect_tensor(lr, "The lr of `flow(x, t, lr)`").shape
        expect_tensor(x, "The x of `flow(x, t, lr)`", (count, 3, 4 * height, 4 * width))
        expect_tensor(t, "The t of `flow(x, t, lr)`", (count,))
        return self.velocity(x.clone(), t.clone(), lr, self.training) * self.one


def in_order(promises: Promises) -> Promises:
    """Stop at the first broken promise, because the later ones rely on it."""

    @functools.wraps(promises)
    def until_broken(mine: ModuleType, folder: Path) -> Iterator[Promise]:
        for promise in promises(mine, folder):
            yield promise
            if not promise[0]:
                return

    return until_broken


@in_order
def network(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that the velocity of each image depends on its x, its time and its LR, and that all of it can learn."""
    torch.manual_seed(0)
    flow, again = (expect(mine.Flow(), "`Flow()`", nn.Module, "an nn.Module") for _ in range(2))
    shapes = {}
    for count, height, width in ((2, 8, 8), (1, 12, 16), (3, 20, 8)):
        x, lr = sample(count, 3, 4 * height, 4 * width, low=-1), sample(count, 3, height, width)
        velocity = expect_tensor(flow(x, torch.zeros(count), lr), "The result of `flow(x, t, lr)`")
        shapes[tuple(x.shape)] = tuple(velocity.shape)
    yield (
        all(given == wanted for wanted, given in shapes.items()),
        f"The velocity has the shape of x: {', '.join(f'{x} -> {given}' for x, given in shapes.items())}.",
        "Height and width of lr may be any multiple of 4 from 8 on, and x is four times as large.",
    )
    _shake(flow)
    inputs = [sample(3, 3, 48, 64, low=-1), torch.tensor([0.2, 0.5, 0.7]), sample(3, 3, 12, 16, seed=1)]
    before = _velocity(flow, inputs)
    changes = []
    for place, value in enumerate((sample(3, 48, 64, low=-1, seed=2), 0.6, sample(3, 12, 16, seed=3))):
        other = [one.clone() for one in inputs]
        other[place][0] = value  # of the first image only
        changes.append(((_velocity(flow, other) - before) / before.std()).square().mean((1, 2, 3)).sqrt())
    own, others = torch.stack(changes)[:, 0].tolist(), torch.stack(changes)[:, 1:].max().item()
    unused = [name for name, change in zip(("x", "t", "lr"), own, strict=True) if not change > 1e-5]
    yield (
        not unused,
        "The velocity depends on x, t and lr: another one changes it by {:.1g}, {:.1g} and {:.1g}.".format(*own),
        f"Does the forward pass use {' and '.join(unused)}? The time is between 0 and 1: don't round it.",
    )
    yield (
        others < 1e-3,
        f"In eval mode, each image has its own velocity: x, t and lr of another image change it by {others:.1g}.",
        "Does t have one number per image until the end? Does a layer mix images, or draw something at random?",
    )
    half = torch.cat([sample(3, 3, 6, 16, seed=4), inputs[2][..., 6:, :]], dim=2)
    rows = (_velocity(flow, [*inputs[:2], half]) - before).square().mean((0, 1, 3))
    up, down = (part.mean().sqrt().item() for part in (rows[:24], rows[24:]))
    yield (
        up > 1.3 * down,
        f"Velocity and LR are aligned: another upper half of LR changes the upper half of the velocity by {up:.1g}, "
        f"and the lower half by {down:.1g}.",
        "How do features become pixels? pixel_shuffle and unshuffle keep places together, view and reshape don't.",
    )
    again.load_state_dict(flow.state_dict())
    apart = ((_velocity(again, inputs) - before).abs().max() / before.std()).item()
    yield (
        apart < 1e-3,
        f"A file keeps it: after load_state_dict, another Flow() returns the same, with a difference of {apart:.1g}.",
        "Layers in a Python list aren't saved or trained: use nn.ModuleList. Random frequencies need register_buffer.",
    )
    flow.train()(*inputs).square().mean().backward()
    learning = {name: one.grad is not None for name, one in flow.named_parameters() if one.requires_grad}
    idle = [name for name, learns in learning.items() if not learns]
    yield (
        bool(learning) and not idle,
        f"All parameters can learn: {len(learning) - len(idle)} of {len(learning)} tensors get a gradient.",
        f"No gradient reaches {', '.join(idle[:3]) or 'any parameter'}. Is it used, and is nothing detached?",
    )


def _velocity(flow: nn.Module, inputs: list[torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return flow.eval()(*(one.clone() for one in inputs))


def _shake(flow: nn.Module) -> None:
    """Add noise to all parameters, because some of them may start with zeros and hide what the others do."""
    random = torch.Generator().manual_seed(0)
    for parameter in flow.parameters():
        inputs = parameter[0].numel() if parameter.ndim > 1 else 25
        parameter.data += torch.randn(parameter.shape, generator=random) * 0.5 / inputs**0.5


class Line:
    """What a loss wants from a flow: the velocity at x, t and lr.

    The loss is called with the velocities 0 and 1. There, the square of v - u has the slopes -2 u and 2 - 2 u, times a
    weight, which the difference of the slopes reveals. So u is known for each pixel.
    """

    def __init__(self, mine: ModuleType, lr: torch.Tensor, hr: torch.Tensor, random: torch.Generator) -> None:
        state, calls = random.get_state(), []
        for value in (0.0, 1.0):
            seen: list[tuple[torch.Tensor, ...]] = []

            def velocity(*given: Any, value: float = value, seen: list = seen) -> torch.Tensor:
                output = torch.full_like(given[0], value).requires_grad_()
                seen.append((*(one.detach() for one in given[:3]), output))
                return output

            random.set_state(state)
            loss = expect_tensor(mine.flow_loss(Probe(velocity), lr.clone(), hr.clone(), random), "`flow_loss`", ())
            x, t, low, outputs = zip(*seen, strict=True) if seen else ((), (), (), ())
            slopes = torch.autograd.grad(loss, outputs, allow_unused=True) if seen and loss.requires_grad else (None,)
            if any(slope is None for slope in slopes):
                raise IncorrectAnswer(
                    "`flow_loss` sends no gradient to the result of `flow(x, t, lr)`. Is it detached?"
                )
            calls.append([torch.cat(parts) for parts in (x, t, low, slopes)])
        (x, t, self.lr, slope), (x_again, t_again, _, other) = calls
        self.x, self.t = x, t.view(-1, 1, 1, 1)
        self.repeats = torch.equal(x, x_again) and torch.equal(t, t_again)
        weight = other - slope if self.repeats else torch.ones_like(slope)
        self.squared = bool((weight > 1e-3 * weight.amax((1, 2, 3), keepdim=True).abs()).all())
        self.velocity = -slope / weight

    def at(self, t: float) -> torch.Tensor:
        """Return where the line is at a time: noise at 0, data at 1."""
        return self.x + (t - self.t) * self.velocity


# What is wrong with a loss -> what is then the same whatever the noise and the time; for a right one, where it ends.
CAUSES: dict[str, Callable[[Line], torch.Tensor]] = {
    "": lambda line: line.at(1),
    "The ends are swapped: t = 0 is noise, and t = 1 is data.": lambda line: line.at(0),
    "x is right, but the velocity has the wrong sign. It points from noise to data.": lambda line: (
        line.x - (1 - line.t) * line.velocity
    ),
    "x is at the time 1 - t: at t = 0 it should be noise, and at t = 1 data.": lambda line: (
        line.x + line.t * line.velocity
    ),
    "Your target is data, the end of the line. The velocity is how far x moves per unit of time.": lambda line: (
        line.velocity
    ),
}
OTHER_CAUSE = (
    "x = (1 - t) noise + t data, with one t in all pixels of an image. What is its derivative with respect to t?"
)


@in_order
def loss(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that a loss puts each image on a straight line from its own noise to data, at a time of its own."""
    (lr, hr), random = _pairs(), torch.Generator().manual_seed(0)
    orders = [torch.arange(COUNT), torch.arange(COUNT).flip(0), torch.arange(COUNT // 2)]
    lines, states = [], {random.get_state().numpy().tobytes()}
    for order in orders:
        lines.append(Line(mine, lr[order], hr[order], random))
        states.add(random.get_state().numpy().tobytes())
    yield (
        all(line.repeats for line in lines) and len(states) == 1 + len(lines),
        "`random` decides: the same state gives the same noise and times, and the next call gives others.",
        "Draw noise and times with generator=random, and don't seed it again.",
    )
    t, own = torch.cat([line.t.flatten() for line in lines]), len(lines[0].t.unique())
    thirds = [int(((t >= k / 3) & (t <= (k + 1) / 3)).sum()) for k in range(3)]
    yield (
        own > 4 and not torch.equal(lines[0].t, lines[1].t) and min(thirds) > 0 and sum(thirds) >= len(t),
        f"Each image has its own time: {own} times for {COUNT} images, {t.min():.2f} to {t.max():.2f}, always new.",
        "Draw one time per image, from everywhere between 0 and 1.",
    )
    yield (
        all(line.squared for line in lines),
        "The loss is a squared error of the velocity, over all pixels.",
        "Only a squared error has the mean velocity as its best answer. You may give each time another weight.",
    )
    off = {}  # how much what should be the same differs
    for cause, same in CAUSES.items():
        values = [same(line)[: len(order)] for line, order in zip(lines, orders, strict=True)]
        errors = [value - values[0][order] for value, order in zip(values, orders, strict=True)]
        off[cause] = torch.cat(errors).square().mean().sqrt().item()
    yield (
        off[""] < 0.03,
        f"Each image moves on a straight line: with any noise and time, x + (1 - t) times the velocity is its data, "
        f"give or take {off['']:.2g}.",
        next((cause for cause, error in off.items() if error < 0.03), OTHER_CAUSE),
    )
    fine, text = _normal(torch.cat([line.at(0) for line in lines]))
    yield fine, f"At t = 0 there is noise: {text}.", "Use torch.randn, one number per image, channel and pixel."
    change = (Line(mine, lr, hr.flip(0), random).at(1)[:COUNT] - lines[0].at(1)[:COUNT]).std().item()
    low = lines[0].lr[:COUNT].flatten()
    alike = torch.corrcoef(torch.stack([low, lr.flatten()[: len(low)]]))[0, 1].item()
    yield (
        change > 1e-3 and alike > 0.9,
        f"Data comes from HR: another HR moves it by {change:.2g}. The flow's lr correlates with lr by {alike:.2f}.",
        "Data is HR, or what HR has more than upscaled LR. The flow gets lr as it is.",
    )


class Run:
    """A run of a sampler with a flow that leads straight to known data, and what this flow gets."""

    def __init__(
        self,
        mine: ModuleType,
        lr: torch.Tensor,
        data: torch.Tensor,
        steps: int,
        random: torch.Generator,
        mode: bool = True,
    ) -> None:
        calls: list[Given] = []

        def velocity(*given: Any) -> torch.Tensor:
            calls.append(given)
            return data - calls[0][0].detach()

        probe = Probe(velocity).train(mode)
        self.sr = expect_tensor(mine.sample(probe, lr.clone(), steps, random), "`sample`", tuple(data.shape))
        if not calls:
            raise IncorrectAnswer(f"`sample` with {steps} steps doesn't run the flow.")
        self.x, self.t, self.lr = (torch.stack(values) for values in [*zip(*calls, strict=True)][:3])
        self.graph = self.x.requires_grad or self.sr.requires_grad
        self.trains, self.restored = any(call[3] for call in calls), probe.training == mode
        self.times = [round(t, 4) for t in self.t[:, 0].tolist()]
        moved, line = self.x.detach() - self.x[0].detach(), data - self.x[0].detach()
        self.way = ((moved * line).mean((1, 2, 3, 4)) / line.square().mean()).tolist()
        self.off = (moved - self.t.view(*self.t.shape, 1, 1, 1) * line).abs().max().item() / line.std().item()


@in_order
def sampler(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that a sampler starts with new noise, follows the velocity to time 1, and returns an image."""
    if not all(kept for kept, _, _ in loss(mine, folder)):
        yield False, "The sampler is checked with the data of your flow_loss, which breaks a promise.", "Fix it first."
    (lr, hr), random = _pairs(), torch.Generator().manual_seed(0)
    line = Line(mine, lr, hr, torch.Generator().manual_seed(1))
    data = line.at(1)[:COUNT]
    first, again, new = (Run(mine, lr, data, 4, one) for one in (random, torch.Generator().manual_seed(0), random))
    runs = {1: Run(mine, lr[:1], data[:1], 1, random, mode=False), 4: first, 10: Run(mine, lr, data, 10, random)}
    same, other = torch.equal(first.x[0], again.x[0]), not torch.equal(first.x[0], new.x[0])
    fine, text = _normal(torch.cat([first.x[0], new.x[0]]))
    yield (
        same and other and fine,
        f"It starts with noise: {text}. The same random state gives {'the same' if same else 'other'} noise, and the "
        f"next call {'other' if other else 'the same'}.",
        "Draw the first x with torch.randn and generator=random, for each image, channel and pixel.",
    )
    times = {steps: run.times for steps, run in runs.items()}
    yield (
        all(t[0] < 1e-3 and t == sorted(t) and t[-1] <= 1 for t in times.values())
        and all(steps <= len(set(t)) and len(t) <= 2 * steps for steps, t in times.items()),
        f"Time runs from 0 to 1: 4 steps run the flow at {', '.join(f'{t:.3g}' for t in times[4])}; 1 and 10 steps run "
        f"it {len(times[1])} and {len(times[10])} times.",
        "The first step begins at t = 0, and the last one ends at t = 1. Each step needs a new velocity.",
    )
    t, way = max(zip(first.times, first.way, strict=True), key=lambda pair: abs(pair[1] - pair[0]))
    yield (
        max(run.off for run in runs.values()) < 1e-3,
        f"Each x is where the velocity leads by then: at t = {t:.2f}, it has gone {way:.2f} of the way.",
        "Each step moves x by the velocity times the length of the step, and adds nothing else.",
    )
    error = max((run.sr - hr[: len(run.sr)]).abs().max().item() for run in runs.values())
    yield (
        error < 2e-3,
        f"It returns an image: if the flow leads to the data of HR, the result is HR, give or take {error:.2g}.",
        "Undo what flow_loss did to HR, from lr only. Does the last step end at t = 1?",
    )
    wrong = {
        "it runs in training mode": any(run.trains for run in runs.values()),
        "it has another mode at the end": not all(run.restored for run in runs.values()),
        "a graph is built": any(run.graph for run in runs.values()),
        "it gets another lr than in flow_loss": not torch.equal(first.lr[0], line.lr[:COUNT]),
    }
    yield (
        not any(wrong.values()),
        "The flow runs in eval mode, without a graph, with lr, and has its mode again at the end"
        f"{': '.join(['', *(name for name, is_so in wrong.items() if is_so)])}.",
        "Remember flow.training, switch to eval mode, sample in a `with` block without graphs, and restore the mode.",
    )


@in_order
def training(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check on artificial photos that training repeats, learns from its photos, lowers the loss and resumes."""
    photos, others = (
        make_photos("soft", lambda k, seed=seed: upsample(sample(1, 3, 20, 20 + k, seed=seed + k), 16)[0])
        for seed in (0, 9)
    )
    own_loss, batches = mine.flow_loss, []

    def noted(flow: nn.Module, lr: torch.Tensor, hr: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        batches.append((hr.double().sum().item(), random.get_state().numpy().tobytes()))
        return own_loss(flow, lr, hr, random)

    with tempfile.TemporaryDirectory() as place:
        mine.flow_loss, file = noted, Path(place) / "flow.pt"
        (straight, losses), drawn = _trained(mine, photos), batches[:2]
        paused, first = _trained(mine, photos, file=file, stop=PAUSE)
        resumed, rest = _trained(mine, photos, file=file)
        _, elsewhere = _trained(mine, others, stop=1)
        mine.flow_loss = own_loss
    yield (
        len(losses) == ITERS and bool(torch.tensor(losses).isfinite().all()),
        f"Training for {ITERS} steps returns {len(losses)} losses, finite ones.",
        "Return the loss of each step as a number. If it isn't finite, lower the learning rate.",
    )
    yield (
        first == losses[:PAUSE],
        f"The same seed repeats a run: the losses of two runs begin with {losses[0]:.4f} and {[*first, 0][0]:.4f}, and "
        f"with stop={PAUSE} there are {len(first)}.",
        "Seed PyTorch before you create the flow, and draw pairs, noise and times with a torch.Generator of this seed.",
    )
    repeated = len(drawn) == 2 and any(a == b for a, b in zip(*drawn, strict=True))
    yield (
        not repeated and elsewhere[:1] != losses[:1],
        f"Each step draws {'the same' if repeated else 'a new'} batch: the first loss is {losses[0]:.4f}, and "
        f"{[*elsewhere, 0][0]:.4f} on other photos.",
        "Create `random` once, before the steps. Draw pairs from the photos that you get, and from no others.",
    )
    hr = torch.stack([photo[:, :96, :96] for photo in photos.values()])
    early, late = (
        own_loss(flow.eval(), downsample(hr, 4), hr, torch.Generator().manual_seed(0)).item()
        for flow in (paused, straight)
    )
    yield (
        late < 0.999 * early,
        f"Training lowers the loss: for one batch it is {early:.4f} after {PAUSE} steps, and {late:.4f} after {ITERS}.",
        "In which order are zero_grad, backward and step? Does the optimizer have the parameters of this flow?",
    )
    pause, end, again = (parameters_to_vector(flow.parameters()) for flow in (paused, straight, resumed))
    apart = ((again - end).norm() / (end - pause).norm()).item()
    yield (
        len(rest) == ITERS - PAUSE and apart < 0.05,
        f"A run resumes: the next call takes {len(rest)} steps, and the weights then differ by {100 * apart:.2g} % of "
        "what they moved since the pause.",
        "Give fit a Checkpoint of `file`. Its parts are all that changes: flow, optimizer, schedule and random.",
    )


def _trained(mine: ModuleType, photos: Photos, **options: Any) -> tuple[nn.Module, list[float]]:
    torch.seed()  # as if it were a new process
    flow, losses = expect_items(mine.train_flow(photos, ITERS, 0, **options), "The result of `train_flow`", 2)
    flow = expect(flow, "The first result of `train_flow`", nn.Module, "an nn.Module")
    losses = expect(losses, "The second result of `train_flow`", (list, tuple), "a list of losses")
    return copy.deepcopy(flow), [expect_number(one, "Each loss of `train_flow`") for one in losses]


def check_samples(samples: torch.Tensor, hr: torch.Tensor) -> bool:
    """Check samples of one LR image, ``(N, 3, H, W)``: they differ, and their mean is nearer to HR than each of them.

    Print a line per promise, and return whether all are kept.
    """
    return show(_samples(samples, hr))


def _samples(samples: torch.Tensor, hr: torch.Tensor) -> Iterator[Promise]:
    protocol = Protocol(color="rgb", quantize=False)
    samples = expect_tensor(samples, "`samples`", (len(samples), *hr.shape[1:])).clamp(0, 1)
    apart = 255 * samples.std(dim=0).mean().item()
    yield (
        apart > 1,
        f"The {len(samples)} samples differ: their standard deviation is {apart:.1f} gray levels on average.",
        "Does each sample start with its own noise? Train longer: at first, a flow moves to the mean of all data.",
    )
    one = psnr(samples, hr.expand_as(samples), protocol).mean().item()
    mean = psnr(samples.mean(dim=0, keepdim=True), hr, protocol).item()
    yield (
        mean > one + 0.5,
        f"Their mean is nearer to HR than one of them: {mean:.2f} dB, and {one:.2f} dB for one sample.",
        "What samples invent differs, so a mean cancels it. Are these samples of one LR image, in the range of images?",
    )


def _pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Return pairs of noise, with more contrast from image to image, and so far from 0 and 1 that clamping is fine."""
    hr = 0.5 + torch.linspace(0.1, 0.4, COUNT).view(-1, 1, 1, 1) * sample(COUNT, 3, 32, 48, low=-1)
    return downsample(hr, 4), hr


def _normal(noise: torch.Tensor) -> tuple[bool, str]:
    """Return whether noise is standard normal and new in each image, channel and pixel, and what was measured."""
    mean, std, fourth = noise.mean().item(), noise.std().item(), noise.pow(4).mean().item()
    alike = max((noise * noise.roll(1, dim)).mean().abs().item() for dim in range(4))
    good = abs(mean) < 0.05 and abs(std - 1) < 0.05 and abs(fourth - 3) < 0.5 and alike < 0.05
    return good, f"mean {mean:.2f}, standard deviation {std:.2f}, correlation of neighbors {alike:.2f}"
