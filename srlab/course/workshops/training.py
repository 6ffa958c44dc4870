"""Check a training step, the loop around it, and a whole training run."""

import random
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
import torch.nn as nn

from srlab.course.exercise import sample
from srlab.course.exercises.networks import gradients_of
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
    gradients: list[torch.Tensor] = []
    still.register_step_pre_hook(lambda *_: gradients.append(gradients_of(network)))
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
    easy = expect_number(mine.train_step(network, still, lr, network(lr).detach()), "The loss")
    moving = torch.optim.SGD(network.parameters(), lr=0.01 / gradients[0].norm().item())
    before, after = (expect_number(mine.train_step(network, moving, lr, hr), "The loss") for _ in range(2))
    graph = isinstance(first, torch.Tensor) and first.requires_grad
    yield (
        abs(before - loss) < 1e-4 * abs(loss) and not graph,
        f"It returns the loss from before the update: {before:.4f}{' with its graph' * graph}; {loss:.4f} is right.",
        "Return the number that backward started from, with item(). A graph keeps everything in memory.",
    )
    yield (
        easy < loss and after < before,
        f"The loss compares SR with HR, and falls: it is {loss:.4f}, {easy:.4f} for an HR that equals SR, and "
        f"{after:.4f} after a small step.",
        "The loss gets the output for lr, and hr. It should be smallest if both are equal. Is there a wrong sign?",
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


def _shapes(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return four pairs with an LR side of 8 pixels: shapes with sharp edges, which a network learns quickly."""
    hr = 0.2 + 0.6 * (upsample(sample(4, 3, 4, 4, seed=seed), 8) > 0.5).float()
    return resize(hr, 1 / 4), hr


# Steps done before (None: no checkpoint), `stop`, step that is interrupted (0: none), what should happen, a hint.
LOOPS = (
    (None, None, 0, "10 steps", "Call step() up to `iters` times. There may be no checkpoint."),
    (None, 4, 0, "4 steps", "`stop` ends the call early."),
    (None, 20, 0, "10 steps", "`stop` may be larger than `iters`, which then ends the run."),
    (0, None, 0, "load, 10 steps, save(10)", "Call load() once, before the first step, and save() after the last."),
    (7, None, 0, "load, 3 steps, save(10)", "load() returns how many steps are done. `iters` counts these, too."),
    (7, 8, 0, "load, 1 step, save(8)", "`stop` and save() count the steps of all calls. Save at any end of a call."),
    (2, None, 4, "load, 3 steps, save(5), KeyboardInterrupt", "The stop button raises KeyboardInterrupt in a step. Save"
     " which steps are complete, and let the interruption pass: in `finally`, or with `raise` after saving."),
)  # fmt: skip


def fit(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check what a loop does, in which order, with steps and checkpoints that only take notes."""
    for done, stop, interrupted, wanted, hint in LOOPS:
        events = _events(mine, done, stop, interrupted)
        call = f"fit(step, 10{', checkpoint' * (done is not None)}{f', stop={stop}' if stop else ''})"
        case = f" after {done} steps" * bool(done) + " with an interruption" * bool(interrupted)
        yield (
            events == wanted,
            f"{call}{case}: {events}." + (f" It should be: {wanted}." if events != wanted else ""),
            hint,
        )
        if events != wanted:
            return


def _events(mine: ModuleType, done: int | None, stop: int | None, interrupted: int) -> str:
    """Return what `fit` calls, in a few words; saves in between, which are allowed, are left out."""
    events: list[str] = []

    def step() -> int:
        if events.count("step") + 1 == interrupted:
            raise KeyboardInterrupt
        events.append("step")
        return 10 * events.count("step")

    checkpoint = SimpleNamespace(
        load=lambda: events.append("load") or done,
        save=lambda done: events.append(f"save({done})"),
    )
    try:
        results = mine.fit(step, 10, checkpoint=None if done is None else checkpoint, stop=stop)
        results = expect(results, "The result of `fit`", list, "a list")
        if results != [10 * (n + 1) for n in range(events.count("step"))]:
            events.append("a list without the results of these steps")
    except KeyboardInterrupt:
        events.append("KeyboardInterrupt")
    last = [event for place, event in enumerate(events) if event[:4] != "save" or "step" not in events[place:]]
    counted = ((event, len([*same])) for event, same in groupby(last))
    texts = (f"{count} step{'s' * (count > 1)}" if event == "step" else event for event, count in counted)
    return ", ".join(texts) or "nothing"


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
        errors[1] < 0.9999 * errors[0],
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
