"""Check a training step, the loop around it, and a whole training run."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn as nn

from srlab.course.exercise import sample
from srlab.course.workshops.network import new_generator
from srlab.course.workshops.photos_and_pairs import make_photos
from srlab.course.workshops.promises import Promise, expect, expect_items, expect_number
from srlab.data.resampling import resize, upsample

STEPS = 200  # largest number of steps on one batch, for each of two learning rates; 10 networks need 4 to 121
LEARNED = 0.7  # the loss that is left; training ends at 0.5, which these networks reach with the better learning rate
ITERS = 40  # steps of the training run of `train`


def one_batch(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check a training step on a tiny network, and then let the student's network learn one batch by heart."""
    network = nn.Sequential(nn.Conv2d(3, 48, 1), nn.Dropout(0.0), nn.PixelShuffle(4))
    lr, hr = _shapes(seed=0)
    modes: list[bool] = []
    network.register_forward_pre_hook(lambda run, _: modes.append(run.training))
    still = torch.optim.SGD(network.parameters(), lr=0.0)
    gradients = _watched(still)
    first = mine.train_step(network, still, lr, hr)
    loss = expect_number(first, "The result of `train_step`")
    learns = len(gradients) == 1 and bool(gradients[0].any())
    yield (
        learns,
        f"One call takes one step of the optimizer: yours takes {len(gradients)}"
        f"{', with a gradient of 0' if len(gradients) == 1 and not learns else ''}.",
        "Clear the gradients, call backward, then step, in this order and once each. Does anything detach SR?",
    )
    if not learns:
        return
    graph = isinstance(first, torch.Tensor) and first.requires_grad
    yield (
        not graph,
        f"The loss is returned {'with' if graph else 'without'} its graph.",
        "A list of such losses keeps the graphs of all steps in memory. Return loss.item().",
    )
    yield (
        all(modes) and network.training,
        f"The mode is left alone: it was training mode, and is {'training' if network.training else 'eval'} mode now.",
        "A training step runs in training mode. Only validation needs eval mode.",
    )
    mine.train_step(network, still, lr, hr)
    factor = ((gradients[1] * gradients[0]).sum() / gradients[0].square().sum()).item()
    yield (
        abs(factor - 1) < 0.01,
        f"A step uses the gradient of its own batch: the same batch twice gives {factor:.2f} times the gradient.",
        "backward adds to what is in .grad. When do you clear it?",
    )
    easy = expect_number(mine.train_step(network, still, lr, network(lr).detach()), "The result of `train_step`")
    yield (
        easy < loss,
        f"The loss compares SR with HR: it is {loss:.4f}, and {easy:.4f} if HR equals SR.",
        "The network gets lr, and the loss gets its output and hr.",
    )
    moving = torch.optim.SGD(network.parameters(), lr=0.01 / gradients[0].norm().item())
    before, after = (expect_number(mine.train_step(network, moving, lr, hr), "The loss") for _ in range(2))
    yield (
        abs(before - loss) < 1e-4 * abs(loss),
        f"It returns the loss from before the update: {before:.4f}, and {loss:.4f} is right.",
        "Return the number that backward started from. Don't compute it again after the step.",
    )
    yield (
        after < before,
        f"A small step lowers the loss, from {before:.4f} to {after:.4f}.",
        "Gradient descent goes against the gradient. Is there a wrong sign in the loss?",
    )
    for rate in (1e-3, 4e-3):
        losses = _on_one_batch(mine, lr, hr, rate)
        share = losses[-1] / losses[0]
        if share < LEARNED:
            break
    yield (
        share < LEARNED,
        f"Your Generator learns one batch: after {len(losses)} steps of Adam with a learning rate of {rate:g}, its "
        f"loss is {losses[-1]:.4f}, or {100 * share:.0f} % of the first.",
        "A network that can't learn four patches can't learn more. Check the generator's promises first. Then look at "
        "its first SR: is it far outside [0, 1]?",
    )


def _on_one_batch(mine: ModuleType, lr: torch.Tensor, hr: torch.Tensor, rate: float) -> list[float]:
    """Train a new generator on one batch until its loss is half of the first; return the losses."""
    torch.manual_seed(0)
    network, losses = new_generator(mine).train(), []
    optimizer = torch.optim.Adam(network.parameters(), rate)
    while len(losses) < STEPS and (len(losses) < 2 or losses[-1] > 0.5 * losses[0]):
        losses.append(expect_number(mine.train_step(network, optimizer, lr, hr), "The result of `train_step`"))
    return losses


def _watched(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return a list to which each step of an optimizer appends the gradients that it uses."""
    gradients: list[torch.Tensor] = []

    def note(*_: Any) -> None:
        parameters = optimizer.param_groups[0]["params"]
        gradients.append(torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters]))

    optimizer.register_step_pre_hook(note)
    return gradients


def _shapes(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return four pairs with an LR side of 8 pixels: shapes with sharp edges, which a network learns quickly."""
    hr = 0.2 + 0.6 * (upsample(sample(4, 3, 4, 4, seed=seed), 8) > 0.5).float()
    return resize(hr, 1 / 4), hr


class _Recorder:
    """A checkpoint that writes nothing: it notes what `fit` does, and stands for a run with `done` steps."""

    def __init__(self, done: int = 0) -> None:
        self.done = done
        self.events: list[Any] = []  # "load", "step", or the number that was saved

    def load(self) -> int:
        self.events.append("load")
        return self.done

    def save(self, done: int) -> None:
        self.events.append(done)

    def step(self) -> str:
        self.events.append("step")
        return f"result {self.events.count('step')}"


def fit(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check which steps a loop takes, returns and saves, with steps and checkpoints that do nothing."""
    plain = _Recorder()
    results = expect(mine.fit(plain.step, 5), "The result of `fit`", list, "a list")
    yield (
        results == [f"result {n}" for n in range(1, 6)] and len(plain.events) == 5,
        f"fit(step, 5) calls step {len(plain.events)} times, and returns its {len(results)} results in order.",
        "Append what step() returns to a list, call after call, and return the list.",
    )
    cases = {"": (0, None, 10), ", stop=4": (0, 4, 4), ", stop=20": (0, 20, 10), ", stop=8": (7, 8, 1)}
    cases |= {", stop=5": (7, 5, 0), ", stop=None": (7, None, 3)}
    runs = {}
    for text, (done, stop, _) in cases.items():
        runs[text] = recorder = _Recorder(done)
        mine.fit(recorder.step, 10, recorder, stop)
    wrong = [text for text, (_, _, steps) in cases.items() if runs[text].events.count("step") != steps]
    shown = wrong[0] if wrong else ", stop=8"
    done, _, steps = cases[shown]
    yield (
        not wrong,
        f"iters and stop count the steps of all calls together: with {done} done before, fit(step, 10, "
        f"checkpoint{shown}) takes {runs[shown].events.count('step')} steps; {steps} would be right.",
        "checkpoint.load() returns the steps that are done already. The call ends at `iters` in all, or at `stop`.",
    )
    if wrong:
        return
    loads = [run.events.count("load") for run in runs.values()]
    yield (
        loads == [1] * len(loads) and all(run.events[0] == "load" for run in runs.values()),
        f"load() is called once, before the first step: here {', '.join(map(str, sorted({*loads})))} times per call.",
        "A checkpoint restores weights. If it does so later, it throws away the steps in between.",
    )
    took = {text: run for text, run in runs.items() if cases[text][2]}
    last = {text: run.events[-1] for text, run in took.items()}
    wrong = [text for text, (done, _, steps) in cases.items() if text in took and last[text] != done + steps]
    shown = wrong[0] if wrong else ", stop=8"
    yield (
        not wrong,
        f"Each call ends with a save: after fit(step, 10, checkpoint{shown}), {sum(cases[shown][::2])} steps in all, "
        f"{'nothing' if last[shown] == 'step' else last[shown]} is saved last.",
        "Call checkpoint.save(done) after the loop, with the steps of all calls, whether the run is finished or not.",
    )
    run = _Recorder(2)
    interrupted = False

    def step() -> str:
        if run.events.count("step") == 3:
            raise KeyboardInterrupt
        return run.step()

    try:
        mine.fit(step, 10, run)
    except KeyboardInterrupt:
        interrupted = True
    saved = run.events[-1]
    yield (
        interrupted and saved == 5,
        f"An interrupted run loses nothing: after {run.events.count('step')} steps, 5 in all, "
        f"{'nothing' if saved == 'step' else saved} is saved, and the interruption is "
        f"{'passed on' if interrupted else 'swallowed'}.",
        "The stop button raises KeyboardInterrupt anywhere in step(). Save in `finally`, or save and `raise`. An "
        "interrupted step isn't done.",
    )


def train(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check on artificial photos that training repeats, learns from the photos that it gets, and improves a network."""
    photos, others = (
        make_photos(name, lambda k, start=start: _edges(start + k)) for name, start in (("a", 0), ("b", 9))
    )
    drawn: list[tuple[Mapping[str, torch.Tensor], Any]] = []
    sample_pairs = mine.sample_pairs

    def recorded(photos: Mapping[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        pairs = sample_pairs(photos, *args, **kwargs)
        drawn.append((photos, pairs))
        return pairs

    mine.sample_pairs = recorded
    try:
        network, losses = _trained(mine, photos, ITERS)
        batches = drawn[:]
        started, repeated = _trained(mine, photos, 2)
        _, other = _trained(mine, others, 2)
    finally:
        mine.sample_pairs = sample_pairs
    yield (
        len(losses) == ITERS and bool(torch.tensor(losses).isfinite().all()),
        f"Training for {ITERS} steps returns {len(losses)} losses, {losses[0]:.4f} first and {losses[-1]:.4f} last."
        if losses
        else "Training returns no losses.",
        "Return what `fit` returns: the loss of each step as a number. If it isn't finite, lower the learning rate.",
    )
    if len(losses) != ITERS or not repeated or not other:
        return
    yield (
        abs(repeated[0] - losses[0]) <= 1e-3 * abs(losses[0]),
        f"The same seed repeats a run: the first loss of two runs is {losses[0]:.4f} and {repeated[0]:.4f}.",
        "Seed PyTorch before you create the generator, and draw patches with a torch.Generator that has this seed.",
    )
    known = {id(photo) for photo in photos.values()}
    strange = [name for used, _ in batches for name, photo in used.items() if id(photo) not in known]
    yield (
        not strange and other[0] != repeated[0],
        "It learns from the photos of its argument: "
        + (
            f"it also draws from {strange[0]}."
            if strange
            else f"with others, the first loss is {other[0]:.4f} instead of {repeated[0]:.4f}."
        ),
        "Whatever else it learns from may be held out, and then no score means anything.",
    )
    new = len({float(lr.double().sum()) for _, (lr, _) in batches})
    yield (
        new == len(batches),
        f"Each step sees another batch: {new} of {len(batches)} batches are different.",
        "Create the torch.Generator once, before the first step. Created in each step, it draws the same pairs again.",
    )
    hr = torch.stack([photo[:, :192, :192] for photo in photos.values()])
    errors = []
    for trained in (started, network):
        with torch.no_grad():
            errors.append((trained.eval()(resize(hr, 1 / 4)) - hr).abs().mean().item())
    yield (
        errors[1] < 0.999 * errors[0],
        f"Training improves the network: its mean absolute error is {errors[0]:.4f} after 2 steps and {errors[1]:.4f} "
        f"after {ITERS}.",
        "Does the optimizer have the parameters of the generator that you return? Is the learning rate very low?",
    )


def _trained(mine: ModuleType, photos: Mapping[str, torch.Tensor], iters: int) -> tuple[nn.Module, list[float]]:
    """Train with seed 0, after drawing from the global random states; return the network and the losses as floats."""
    torch.rand(3)
    random.random()
    network, losses = expect_items(mine.train(dict(photos), iters, 0), "The result of `train`", 2)
    network = expect(network, "The first result of `train`", nn.Module, "a network")
    losses = expect(losses, "The second result of `train`", (list, tuple), "a list of losses")
    return network, [expect_number(loss, "A loss") for loss in losses]


def _edges(k: int) -> torch.Tensor:
    """Return dark and bright shapes, ``(3, 320, 256 + 16 * k)``: gray and regular, so that a network learns quickly."""
    return 0.2 + 0.6 * (upsample(sample(1, 1, 20, 16 + k, seed=k), 16)[0] > 0.5).float().expand(3, -1, -1)
