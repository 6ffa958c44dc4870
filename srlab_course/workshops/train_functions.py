"""Check whole training runs on artificial photos: `train`, `train_gan` and `train_flow` keep the same promises."""

import copy
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
import torch.nn as nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.utils import parameters_to_vector

from srlab.data.resampling import resize
from srlab_course.feedback.exercise import sample
from srlab_course.feedback.seeding import seed_all
from srlab_course.workshops.network import moved
from srlab_course.workshops.own_file import load
from srlab_course.workshops.photos_and_pairs import Photos, photos_of_shapes
from srlab_course.workshops.promises import Promise, expect, expect_items, expect_number, in_order, percent, trying

# How far the losses of two runs may be apart, compared with their size, and the weights, compared with how far they
# moved: a computer may add in varying order.
NEAR, SAME = 1e-6, 1e-3
LR = sample(2, 3, 16, 20)  # images on which networks are compared
OTHER_SEEDS = "Before each call, we seed `random`, NumPy and PyTorch with 1, 2, and so on, as if it were a new process."
RESUMED = (
    "If the first loss differs: is PyTorch seeded, and are the weights restored, all networks and optimizers, and the "
    "state of all random numbers? Dropout draws from torch.default_generator, and so does randn without a generator. "
    "Was a batch drawn ahead, or anything else made before load()? If only the second does: think of the optimizers' "
    "memory, of a schedule, which runs over `iters` and not `stop`, and of gradients that no step clears. If neither "
    "does: think of an average of the weights, or of batch norm's statistics. A global variable isn't in the file. "
    f"{OTHER_SEEDS}"
)
Log = list[list[float]]  # the numbers of each step
Output = Callable[[ModuleType, nn.Module], torch.Tensor]


@dataclass(frozen=True)
class Training:
    """A function that trains: its name, the class that it trains, and the steps of a run.

    Attributes
    ----------
    output
        Result of a trained network, by the file that its class is from.
    error
        Number that training lowers, by the file and the network; None: there isn't one.
    start
        Network that the function begins with; None: it makes a new one.
    """

    function: str
    kind: str
    iters: int
    output: Output
    error: Output | None = None
    start: nn.Module | None = None

    def run(self, process: int, mine: ModuleType, photos: Photos, iters: int, **paused: Any) -> tuple[nn.Module, Log]:
        """Train as in a new process; return a copy of the network, and the log.

        Processes with different numbers begin with different random numbers.
        """
        seed_all(process)
        scene = (dict(photos),) if self.start is None else (dict(photos), self.start)
        name = f"The result of `{self.function}`"
        network, log = expect_items(getattr(mine, self.function)(*scene, iters, 0, **paused), name, 2)
        expect(network, f"The first result of `{self.function}`", nn.Module, "a network")
        log = expect(log, f"The second result of `{self.function}`", (list, tuple), "the list that `fit` returns")
        return copy.deepcopy(network), [_numbers(entry) for entry in log]


def trains(mine: ModuleType, training: Training, stops: bool = True) -> Iterator[Promise]:
    """Check that training repeats, learns from the photos that it gets, and improves a network."""
    photos, iters = photos_of_shapes(), training.iters
    steps, stop = (iters, {"stop": 2}) if stops else (2, {})
    with inputs_of(getattr(mine, training.kind)) as inputs:
        network, log = training.run(1, mine, photos, iters)
    early, first = training.run(2, mine, photos, steps, **stop)
    _, other = training.run(3, mine, {name: (1 + photo) / 4 for name, photo in photos.items()}, steps, **stop)
    call = "with stop=2 one" if stops else "for 2 steps one"
    yield (
        len(log) == iters and len(first) == 2 and all(isfinite(number) for entry in log for number in entry),
        f"Training for {iters} steps returns a list of {len(log)} losses, and {call} of {len(first)}, all finite.",
        "Return what `fit` returns: the loss of each step as a number. If it isn't finite, lower the learning rate.",
    )
    yield (
        _near(first[0], log[0]),
        f"The same seed repeats a run: the first loss of two runs is {_shown(log[:1])} and {_shown(first[:1])}.",
        "Seed PyTorch before you create the network, and draw pairs with a torch.Generator that has this seed. "
        f"{OTHER_SEEDS}",
    )
    new = min((len(set(values)) for values in zip(*inputs, strict=True)), default=0)
    yield (
        not _near(other[0], first[0]) and new >= iters,
        f"Each step draws a new batch from the photos of the argument: in {iters} steps, {new} batches are new, and "
        f"other photos change the first loss from {_shown(first[:1])} to {_shown(other[:1])}.",
        "Create the torch.Generator once, before the first step. Other photos may be held out: learn from none.",
    )
    if training.error:
        with torch.no_grad():
            before, after = (float(training.error(mine, one.eval())) for one in (early, network))
        yield (
            after < (1 - 1e-4) * before,  # an average of the weights moves less
            f"Training improves the network: its error is {before:.6f} after 2 steps, and {after:.6f} after {iters}.",
            "In which order are zero_grad, backward and step? Does the optimizer have the parameters of the network "
            "that you return? Is the learning rate very low, or is an average of the weights very slow?",
        )
    yield elsewhere(mine, training.kind, network, training.output)


def pauses(mine: ModuleType, training: Training) -> Iterator[Promise]:
    """Check that a run pauses, and ends in a new process as if it had never stopped."""
    photos, iters, stop = photos_of_shapes(), training.iters, 2 * training.iters // 3
    straight, log = training.run(1, mine, photos, iters)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "run.pt")
        paused, first = training.run(2, mine, photos, iters, file=file, stop=stop)
        resumed, rest = training.run(3, load(mine), photos, iters, file=file)
        yield (
            (len(first), len(rest)) == (stop, iters - stop),
            f"It pauses at stop={stop}, and then goes on to the end: these calls take {len(first)} and {len(rest)} "
            "steps.",
            f"They should take {stop} and {iters - stop}: stop counts all steps, also those of earlier calls, and "
            "each call ends with a checkpoint. Does fit get a Checkpoint(file, ...) and stop?",
        )
        end, right, pause = (network.state_dict() for network in (resumed, straight, paused))
        apart = _distance(end, right) / max(_distance(right, pause), 1e-12)
        yield (
            apart <= SAME,
            f"A resumed run ends like one that never stopped: its first losses are {_shown(rest[:2])} and should be "
            f"{_shown(log[stop : stop + 2])}, and the weights differ by {percent(apart)} of what they moved since "
            "the pause.",
            RESUMED,
        )
        _, more = training.run(4, load(mine), photos, iters, file=file)
    yield (
        not more,
        f"A finished run stays finished: another call takes {len(more)} steps.",
        "The call that reaches `iters` ends with a checkpoint, too.",
    )


def elsewhere(mine: ModuleType, name: str, network: nn.Module, output: Output) -> Promise:
    """Return the promise that its weights are all that a network needs in a new process, where no global has changed.

    Networks with other weights than a new one of the class are left out, because they can't be kept anyway. Noise is
    added to the weights, because small ones would hide what other layers do.
    """
    new = load(mine)
    there, apart = getattr(new, name)(), 0.0
    own, other = ({key: value.shape for key, value in one.state_dict().items()} for one in (network, there))
    if own == other:
        there.load_state_dict(moved(network).state_dict())
        with torch.no_grad():
            here = output(mine, network)
            apart = ((here - output(new, there.eval())).abs().max() / here.std()).item()
    return (
        not apart > 1e-4,
        f"The weights are all that a new process needs: with them, a new {name}() there is {percent(apart)} off.",
        "Does training set a global variable, or an attribute? A new process has the value that is in the file. Write "
        "a scale as a constant, or use register_buffer.",
    )


@contextmanager
def inputs_of(kind: Any) -> Iterator[list[list[float]]]:
    """Note a number for each tensor that networks of a class get, call by call; equal tensors have equal numbers."""
    inputs: list[list[float]] = []

    def note(network: nn.Module, given: tuple[Any, ...]) -> None:
        if isinstance(kind, type) and isinstance(network, kind):
            inputs.append([one.detach().double().sum().item() for one in given if isinstance(one, torch.Tensor)])

    hook = register_module_forward_pre_hook(note)
    try:
        yield inputs
    finally:
        hook.remove()


# --- The three functions --------------------------------------------------------------------------------------------


def _batch(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    hr = torch.stack([photo[:, :side, :side] for photo in photos_of_shapes().values()])
    return resize(hr, 1 / 4), hr


def _error(_: ModuleType, generator: nn.Module) -> torch.Tensor:
    lr, hr = _batch(192)
    return (generator(lr) - hr).abs().mean()


def _flow_error(mine: ModuleType, flow: nn.Module) -> torch.Tensor:
    return mine.flow_loss(flow, *_batch(96), torch.Generator().manual_seed(0))


def _sample(module: ModuleType, flow: nn.Module) -> torch.Tensor:
    return module.sample(flow, LR, 2, torch.Generator().manual_seed(0))


TRAIN = Training("train", "Generator", 24, lambda _, generator: generator(LR), _error)
TRAIN_FLOW = Training("train_flow", "Flow", 9, _sample, _flow_error)


@in_order
def train(mine: ModuleType) -> Iterator[Promise]:
    """Check `train` as workshop 1 needs it: in one call."""
    yield from trains(mine, TRAIN, stops=False)


@in_order
def resuming(mine: ModuleType) -> Iterator[Promise]:
    """Check `train` as workshop 2 needs it: with a checkpoint."""
    yield from pauses(mine, TRAIN)


@in_order
def train_flow(mine: ModuleType) -> Iterator[Promise]:
    """Check `train_flow`, from its first step to a resumed run."""
    yield from trains(mine, TRAIN_FLOW)
    yield from pauses(mine, TRAIN_FLOW)


@in_order
def train_gan(mine: ModuleType) -> Iterator[Promise]:
    """Check that `train_gan` trains a copy of any network, and D, and keeps the promises of a training run."""
    torch.manual_seed(0)
    network = mine.Generator().eval()
    training = Training("train_gan", "Generator", 6, lambda _, generator: generator(LR), start=network)
    before, frozen = copy.deepcopy(network.state_dict()), [one.requires_grad for one in network.parameters()]
    own_step, changes, modes = mine.gan_step, [], []

    def noted(generator: nn.Module, discriminator: nn.Module, *scene: Any) -> Any:
        modes.append(all(one.training for one in (*generator.modules(), *discriminator.modules())))
        start = parameters_to_vector(discriminator.parameters()).detach().clone()
        result = own_step(generator, discriminator, *scene)
        changes.append(not torch.equal(parameters_to_vector(discriminator.parameters()), start))
        return result

    with patch.object(mine, "gan_step", noted):
        gan, _ = training.run(1, mine, photos_of_shapes(), training.iters, stop=2)
    changed = {
        "weights": _distance(network.state_dict(), before) > 0,
        "mode": any(module.training for module in network.modules()),
        "requires_grad": [one.requires_grad for one in network.parameters()] != frozen,
    }
    found = " and ".join(what for what, is_changed in changed.items() if is_changed)
    yield (
        not found,
        f"`network` stays as it is: you change {f'its {found}' if found else 'nothing in it'}.",
        "Train a copy: copy.deepcopy(network). Is the mode switched in the copy, and not in the original?",
    )
    with trying("`network` may be of any class"):
        other = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4))  # the course's is no Generator either
        copied, _ = replace(training, start=other).run(2, mine, photos_of_shapes(), training.iters, stop=1)
    same = copied.state_dict().keys() == other.state_dict().keys()
    yield (
        same,
        f"`network` may be of any class: another one gives a network with {'its' if same else 'other'} layers.",
        "Without workshop 1, it is the course's network. copy.deepcopy copies any, and Generator() only makes yours.",
    )
    moved_by = _distance(gan.state_dict(), before)
    yield (
        moved_by > 0 and all(changes) and all(modes),
        f"Both learn: two steps move G's weights by {moved_by:.2g}, and D {'is not' if all(changes) else 'is'} as it "
        f"was before a step. They arrive {'in training mode' if all(modes) else 'in eval mode'}.",
        "Do g_optimizer and d_optimizer have the parameters of the copy and of D, and a learning rate? Where do you "
        "call train() for the copy?",
    )
    yield from trains(mine, training)
    yield from pauses(mine, training)


def _distance(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    differences = [(one[name] - other[name]).double().flatten() for name in one if one[name].is_floating_point()]
    return torch.cat(differences).norm().item()


def _numbers(entry: Any) -> list[float]:
    """Return the numbers of an entry of a log: one, or a tuple, list or dict of them."""
    if isinstance(entry, Mapping):
        entry = list(entry.values())
    if isinstance(entry, list | tuple):
        return [number for one in entry for number in _numbers(one)]
    return [expect_number(entry, "Each loss")]


def _near(losses: Iterable[float], wanted: Iterable[float]) -> bool:
    return all(abs(a - b) <= NEAR * abs(b) for a, b in zip(losses, wanted, strict=True))


def _shown(log: Log) -> str:
    return ", ".join(f"{loss:.7g}" for entry in log for loss in entry) or "none"
