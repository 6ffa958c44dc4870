"""Check a training step, and the loop around it."""

from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType, SimpleNamespace

import torch
import torch.nn as nn

from srlab.data.resampling import resize
from srlab_course.exercises.networks import watch_modes
from srlab_course.workshops.ladder import constant
from srlab_course.workshops.photos_and_pairs import shapes
from srlab_course.workshops.promises import Promise, expect, expect_number, in_order


@in_order
def one_batch(mine: ModuleType) -> Iterator[Promise]:
    """Check a training step on a tiny network, and as on rung 1 of the ladder."""
    hr = shapes(4, 3, 4, 4, zoom=8, seed=0)
    network = nn.Sequential(nn.Conv2d(3, 48, 1), nn.Dropout(0.0), nn.PixelShuffle(4))
    runs, optimizer, steps = watch_modes(network), torch.optim.SGD(network.parameters(), 0.0), []
    optimizer.register_step_post_hook(lambda *_: steps.append(1))

    def step() -> tuple[float, bool]:
        loss = mine.train_step(network, optimizer, resize(hr, 1 / 4), hr)
        return expect_number(loss, "The result of `train_step`"), getattr(loss, "requires_grad", False)

    loss, graph = step()  # moves nothing
    mode = "training" if network.training and all(training for training, _ in runs) else "eval"
    yield (
        len(steps) == 1 and mode == "training",
        f"A call takes a step in training mode: yours takes {len(steps)} in {mode} mode.",
        "Clear the gradients, call backward, then step, once each. Only validation needs eval mode.",
    )
    optimizer.param_groups[0]["lr"] = 0.1
    before, _ = step()
    yield (
        abs(before - loss) < 1e-4 * abs(loss) and not graph,
        f"It returns the loss from before the update: {before:.4f}{' with its graph' * graph}; {loss:.4f} is right.",
        "Return the number that backward started from, with item(). A graph keeps everything in memory.",
    )
    trained, text = next(constant(mine))
    yield (
        trained,
        f"It trains a network that is only a bias: {text}",
        "The loss should be smallest if SR and HR are equal, pixel by pixel, and not only on average. Is SR detached? "
        "Is there a wrong sign, or a clamp, which has no gradient where it acts? backward adds to what is in .grad. "
        "When do you clear it?",
    )


# Steps done before (None: no checkpoint), `stop`, step that is interrupted (0: none), what should happen, a hint.
LOOPS = (
    (None, None, 0, "10 steps", "Call step() up to `iters` times. There may be no checkpoint."),
    (None, 4, 0, "4 steps", "`stop` ends the call early."),
    (None, 0, 0, "0 steps", "`stop` may be 0, which `or` and `if` take for None."),
    (None, 20, 0, "10 steps", "`stop` may be larger than `iters`, which then ends the run."),
    (7, None, 0, "load, 3 steps, save(10)", "Call load() once, first. `iters` counts the steps that it returns, too."),
    (7, 8, 0, "load, 1 step, save(8)", "`stop` and save() count the steps of all calls. Save at any end of a call."),
    (10, None, 0, "load, 0 steps, save(10)", "Every call ends with save(), also if no step is left."),
    (2, None, 4, "load, 3 steps, save(5), KeyboardInterrupt", "The stop button raises KeyboardInterrupt in a step. Save"
     " which steps are complete, and let the interruption pass: in `finally`, or with `raise` after saving."),
)  # fmt: skip


@in_order
def fit(mine: ModuleType) -> Iterator[Promise]:
    """Check what a loop does, in which order, with steps and checkpoints that only take notes."""
    for done, stop, interrupted, wanted, hint in LOOPS:
        seen = _seen(mine, done, stop, interrupted)
        call = f"fit(step, 10{', checkpoint' * (done is not None)}{f', stop={stop}' if stop is not None else ''})"
        case = f" after {done} steps" * bool(done) + " with an interruption" * bool(interrupted)
        yield seen == wanted, f"{call}{case}: {seen}." + f" It should be: {wanted}." * (seen != wanted), hint


def _seen(mine: ModuleType, done: int | None, stop: int | None, interrupted: int) -> str:
    """Return what `fit` calls, in a few words: of its calls of save(), only the last one after all steps."""
    loads: list[str] = []
    results: list[int] = []
    saves: list[str] = []

    def step() -> int:
        if len(results) + 1 == interrupted:
            raise KeyboardInterrupt
        saves.clear()
        results.append(10 * len(results))
        return results[-1]

    checkpoint = SimpleNamespace(
        load=lambda: loads.append("load") or done,
        save=lambda done: saves.append(f"save({done})"),
    )
    try:
        returned = mine.fit(step, 10, checkpoint=None if done is None else checkpoint, stop=stop)
        right = expect(returned, "The result of `fit`", list, "a list") == results
        end = [] if right else ["a list without the results of these steps"]
    except KeyboardInterrupt:
        end = ["KeyboardInterrupt"]
    return ", ".join([*loads, f"{len(results)} step{'s' * (len(results) != 1)}", *saves[-1:], *end])


def saving(mine: ModuleType) -> Iterator[Promise]:
    """Check that the loop also saves in the middle of a call."""
    saves: list[int] = []
    mine.fit(lambda: 0.0, 250, SimpleNamespace(load=lambda: 0, save=saves.append))
    most = max(later - earlier for earlier, later in pairwise([0, *saves, 250]))
    yield (
        most <= 100,
        f"fit also saves in between: in a run of 250 steps, up to {most} pass without a save.",
        "A power cut doesn't wait for the end of a call. Let fit call save(done) every 100 steps, too.",
    )
