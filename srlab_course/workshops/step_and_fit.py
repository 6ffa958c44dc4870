"""Check a training step, and the loop around it."""

from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType, SimpleNamespace

import torch
import torch.nn as nn

from srlab.data.resampling import resize
from srlab_course.exercises.networks import gradients_of, watch_modes
from srlab_course.workshops.network import new_generator
from srlab_course.workshops.photos_and_pairs import shapes
from srlab_course.workshops.promises import Promise, expect, expect_number, in_order

STEPS = 200  # largest number of steps on one batch, for each of two learning rates; 10 networks need 4 to 121
LEARNED = 0.7  # the MSE that is left; training ends at 0.5, which these networks reach with the better learning rate


@in_order
def one_batch(mine: ModuleType) -> Iterator[Promise]:
    """Check a training step on a tiny network, and then let the student's network learn one batch by heart."""
    hr = shapes(4, 3, 4, 4, zoom=8, seed=0)
    lr = resize(hr, 1 / 4)
    network = nn.Sequential(nn.Conv2d(3, 48, 1), nn.Dropout(0.0), nn.PixelShuffle(4))
    runs = watch_modes(network)
    still = torch.optim.SGD(network.parameters(), lr=0.0)
    gradients: list[torch.Tensor] = []
    still.register_step_post_hook(lambda *_: gradients.append(gradients_of(network)))

    def step(hr: torch.Tensor, optimizer: torch.optim.Optimizer = still) -> float:
        return expect_number(mine.train_step(network, optimizer, lr, hr), "The result of `train_step`")

    first = mine.train_step(network, still, lr, hr)
    loss = expect_number(first, "The result of `train_step`")
    size = gradients[0].norm().item() if gradients else 0.0
    mode = "training" if network.training and all(training for training, _ in runs) else "eval"
    yield (
        len(gradients) == 1 and size > 0 and mode == "training",
        f"A call takes a step in training mode: yours takes {len(gradients)} in {mode} mode, with gradient {size:.2g}.",
        "Clear the gradients, call backward, then step, once each. Is SR detached? Only validation needs eval mode.",
    )
    step(hr)
    factor = ((gradients[-1] * gradients[0]).sum() / size**2).item()
    yield (
        abs(factor - 1) < 0.01,
        f"A step uses the gradient of its own batch: the same batch twice gives {factor:.2f} times the gradient.",
        "backward adds to what is in .grad. When do you clear it?",
    )
    sr, graph = network(lr).detach(), getattr(first, "requires_grad", False)
    mirrored, easy, before = step(sr.flip(2, 3)), step(sr), step(hr, torch.optim.SGD(network.parameters(), 0.01 / size))
    yield (
        abs(before - loss) < 1e-4 * abs(loss) and not graph,
        f"It returns the loss from before the update: {before:.4f}{' with its graph' * graph}; {loss:.4f} is right.",
        "Return the number that backward started from, with item(). A graph keeps everything in memory.",
    )
    flat = (gradients[-1].norm() / size).item()  # where HR equals SR, the last step that did not move
    network[0].bias.data += 3  # now SR is above 1
    above = step(torch.ones_like(hr))
    yield (
        mirrored - easy > 1e-4 * (loss - easy) > 0 and flat < 0.05 and above > easy,
        f"The loss compares SR with HR: it is {loss:.4f}, {easy:.4f} if HR equals SR, with {100 * flat:.0f} % of the "
        f"gradient, {mirrored:.4f} if HR is SR turned around, and {above:.4f} if HR is 1 and SR above 1.",
        "The loss gets the output for lr as it is, and hr. It should be smallest if both are equal, pixel by pixel, "
        "and not only on average. Is there a wrong sign, or a clamp, which has no gradient where it acts?",
    )
    for rate in (1e-3, 4e-3):
        start, end, steps = _on_one_batch(mine, lr, hr, rate)
        if end < LEARNED * start:
            break
    yield (
        end < LEARNED * start,
        f"Your Generator learns one batch: its MSE is {start:.4f}, and {end:.4f} after {steps} steps of Adam with a "
        f"learning rate of {rate:g}.",
        "Check the generator's promises first. Then look at its first SR: is it far outside [0, 1]?",
    )


def _on_one_batch(mine: ModuleType, lr: torch.Tensor, hr: torch.Tensor, rate: float) -> tuple[float, float, int]:
    """Train a new generator on one batch until its MSE is half of the first; return both, and the steps.

    The MSE is the same measure for any loss, which may be negative.
    """
    torch.manual_seed(0)
    network, errors = new_generator(mine).train(), []
    optimizer = torch.optim.Adam(network.parameters(), rate)
    for _ in range(0, STEPS + 1, 5):
        with torch.no_grad():
            errors.append((network(lr) - hr).square().mean().item())
        if not errors[-1] > 0.5 * errors[0]:
            break
        for _ in range(5):
            mine.train_step(network, optimizer, lr, hr)
    return errors[0], errors[-1], 5 * (len(errors) - 1)


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
