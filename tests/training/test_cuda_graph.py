"""Test steps that are recorded as CUDA graphs: on a GPU, or on the CPU with a fake that records."""

import random
import weakref
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses
from srlab.models import MSRResNet, PatchDiscriminator, RRDBNet
from srlab.training import cuda_graph, launch
from srlab.training.cuda_graph import AS_WRITTEN
from srlab.training.launch import repeated_blocks

from .fake_cuda import FakeCuda
from .little_run import Crash, LittleRun, tensors_in, timeless

CALLS = AS_WRITTEN + 3  # of a recorded step: another one as written, for the comparison, and two recordings
RATE = 2**-10  # the same number in float32 and in float64
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(autouse=True)
def cuda(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    if DEVICE == "cpu":
        FakeCuda(monkeypatch)


def fused_adam(parameters, lr):
    return torch.optim.Adam(parameters, RATE, fused=True)


def gan():
    return PatchDiscriminator(4)


class Recorded(LittleRun):
    """A little run with a rate that changes near the end, noise that fades, and no batch norm."""

    def __init__(self, run="recorded", launch="graph", optimizer=fused_adam, **settings):
        settings = {"network": lambda: MSRResNet(2, 4), "rate": RATE, "device": DEVICE} | settings
        settings["sampler"] = {"degradation": None, "device": DEVICE}
        super().__init__(run, launch=launch, optimizer=optimizer, **settings)
        self.calls, self.extra = 0, lambda lr: 0.0

    def step(self, lr, hr):
        self.calls += 1
        noise = 0.1 * (1 - self.trainer.progress)
        lr = lr + noise * torch.randn_like(lr) + self.extra(lr)
        if self.discriminator:
            turn = self.trainer.turn == self.trainer.turns - 1
            return self.gan_step(lr, hr, turn, noise=0.1)
        loss, optimizer = F.mse_loss(self.things["generator"](lr), hr), self.things["optimizer"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return self.change(self.calls, {"loss": loss})

    def fit(self, iters=16):
        schedule = {"schedule": lambda step: 1.0 if step < 12 else 0.5}
        super().fit(iters, validate=None, validate_every=20, **schedule)
        return self

    @property
    def is_recorded(self):
        return self.run.manifest()["recorded"]


def state_of(little):
    state = tensors_in(little.trainer._state_dict(little.sampler))
    if little.trainer.turns == 1:  # otherwise they are those of the turn that was recorded last
        state |= {f"gradient of {name}": weight.grad for name, weight in little.network.named_parameters()}
    return state


def assert_same(first, second):
    for name, value in state_of(first).items():
        assert torch.equal(value, state_of(second)[name]), name
    rows = [[timeless(row) for row in little.run.metrics()] for little in (first, second)]
    assert rows[0] == rows[1]


def written_and_recorded(change=lambda little: None, iters=16, **settings):
    """Train a run as written and a recorded run, after a change to each."""
    runs = [Recorded("written", "python", **settings), Recorded(**settings)]
    for little in runs:
        random.seed(0)
        change(little)
        little.fit(iters)
    return runs


# --- The same results ------------------------------------------------------------------------------------------


def shift(little):
    features = srlab.FeatureExtractor("vgg6 relu1_1").to(DEVICE)
    little.extra = lambda lr: losses.content_loss(features, lr, 1 - lr, max_shift=2)


def add_up_gradients(little):
    little.things["optimizer"].zero_grad = lambda: None


RECORDED = {
    "G": {},
    "GAN": {"gan": gan},
    "GAN with a recording for each turn": {"gan": gan, "turns": 2},
    "content loss with a shift that changes": {"change": shift},
    "gradients that add up": {"change": add_up_gradients},
}


@pytest.mark.parametrize("settings", RECORDED.values(), ids=RECORDED)
def test_recorded_run_equals_run_as_written(settings, capsys):
    written, recorded = written_and_recorded(**settings)
    assert recorded.calls == CALLS * settings.get("turns", 1)
    assert_same(written, recorded)
    assert [little.is_recorded for little in (written, recorded)] == [False, True]
    assert cuda_graph.WARNING not in capsys.readouterr().out, "the first replay starts from another state"


def test_recorded_run_resumes_with_same_bits():
    straight, stopped = Recorded("straight").fit(), Recorded()
    average = stopped.trainer._update_average

    def crash():
        average()
        if stopped.trainer.steps_done == 13:  # the last checkpoint is of step 10
            raise Crash

    stopped.trainer._update_average = crash
    with pytest.raises(Crash):
        stopped.fit()
    assert stopped.calls == CALLS
    assert_same(straight, Recorded().fit())


def test_second_fit_and_other_code_find_rates_that_are_numbers():
    little = Recorded()
    little.prepare(features=torch.nn.Identity())  # a network without parameters
    little.fit(12)
    assert type(little.raw_optimizer.param_groups[0]["lr"]) is float
    assert little.fit(16).is_recorded
    assert (little.trainer.steps_done, little.raw_optimizer.param_groups[0]["lr"]) == (16, RATE / 2)


def test_counter_that_changes_little_is_reported(capsys):
    def count_slowly(little):
        little.extra = lambda lr: 1e-4 * little.calls

    runs = written_and_recorded(count_slowly, iters=AS_WRITTEN + 1)
    assert cuda_graph.WARNING in capsys.readouterr().out
    assert runs[1].is_recorded, "operations that are not deterministic look the same"
    assert_same(*runs)  # the step as written counts, not its replay


# --- Steps that cannot be recorded -------------------------------------------------------------------------------


def lack_memory(turn=0, calls=0):
    def make(little):
        def extra(lr):
            if torch.cuda.is_current_stream_capturing() and little.trainer.turn == turn and little.calls > calls:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return 0.0

        return extra

    return make


def accumulate(clears, **numbers):
    """Return a step that clears the gradients or updates the weights, and returns these numbers."""

    def make(little):
        def step(lr, hr):
            loss, optimizer = F.mse_loss(little.things["generator"](lr), hr), little.things["optimizer"]
            if first := clears(little.trainer):
                optimizer.zero_grad()
            loss.backward()
            if not first:
                optimizer.step()
            return {"loss": loss} | numbers

        return step

    return make


def omit_update(little):
    optimizer = little.things["g_optimizer"]
    update = optimizer.step
    optimizer.step = lambda: None if torch.cuda.is_current_stream_capturing() else update()
    return little.step


def plain_sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


class NoState(torch.optim.Adam):
    """An optimizer that keeps no state."""

    def step(self, closure=None):
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                parameter -= self.param_groups[0]["lr"] * parameter.grad


OTHER = "a replay has a different {} than the step itself, which depends on a value in Python"
NO_MEMORY = "the recording stopped (CUDA out of memory. Tried to allocate 2 GiB)"
CAPTURABLE = "SGD, which has no option capturable, would keep its first learning rate"
NUMBER = "'weight', which it returns, is not a tensor on the GPU"
# What differs -> attribute of the run, its value for a run, reason, settings.
REASONS = {
    "counter": ("extra", lambda little: lambda lr: 0.3 * little.calls, OTHER.format("loss")),
    "sign": ("extra", lambda little: lambda lr: (lr - 0.5) * (-1) ** little.calls, OTHER.format("update")),
    "steps_done": (
        "extra",
        lambda little: lambda lr: 0.0 * little.trainer.steps_done,
        "it reads trainer.steps_done, which would never change (use trainer.progress)",
    ),
    "chance": ("extra", lambda little: lambda lr: random.random() * 1e-3, "it draws random numbers on the CPU"),
    "item": ("extra", lambda _: lambda lr: lr.mean().item(), "it waits for a number from the GPU, as .item() does"),
    "memory": ("extra", lack_memory(), NO_MEMORY),
    "memory again": ("extra", lack_memory(calls=CALLS - 1), NO_MEMORY),
    "memory in turn 1": ("extra", lack_memory(turn=1), NO_MEMORY, {"gan": gan, "turns": 2}),
    "number": ("change", lambda little: lambda call, made: made | {"weight": 0.5}, NUMBER),
    "losses": (
        "change",
        lambda little: lambda call, made: {f"loss{call}": made["loss"]},
        "it does not return the same losses each time",
    ),
    "gradients of turns": ("step", accumulate(lambda t: t.turn == 0), "its turns add up gradients", {"turns": 2}),
    # The step that is recorded clears gradients; those of the failed recording must not be used in the next one.
    "gradients": ("step", accumulate(lambda t: t._steps_done % 2 == AS_WRITTEN % 2, weight=0.5), NUMBER),
    "update of G": ("step", omit_update, OTHER.format("update"), {"gan": lambda: PatchDiscriminator(16)}),
    "no state": ("note", lambda little: None, "NoState has no state so far", {"optimizer": NoState}),
    "SGD": ("note", lambda little: None, CAPTURABLE, {"optimizer": plain_sgd}),
}


@pytest.mark.parametrize("name", REASONS)
def test_step_that_cannot_be_recorded_trains_as_written(capsys, name):
    attribute, make, reason, *settings = REASONS[name]

    def change(little):
        setattr(little, attribute, make(little))

    runs = written_and_recorded(change, **(settings[0] if settings else {}))
    told = f"Each step is trained as written, not as a CUDA graph, because {reason}."
    assert capsys.readouterr().out.count(told) == 1
    if name not in ("counter", "sign", "chance", "losses"):  # the recording was a call, too
        assert_same(*runs)
    assert runs[1].is_recorded is False


@pytest.mark.parametrize("name", ["", "sign", "memory again"])
def test_memory_of_a_recording_is_given_back_before_the_next(monkeypatch, name):
    make, empty, graphs, counts = torch.cuda.CUDAGraph, torch.cuda.empty_cache, weakref.WeakSet(), []

    def new_graph():
        counts.append(len(graphs))
        graphs.add(graph := make())
        return graph

    def empty_cache():
        counts.append(len(graphs))
        empty()

    monkeypatch.setattr(torch.cuda, "CUDAGraph", new_graph)
    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    little = Recorded()
    if name:
        little.extra = REASONS[name][1](little)
    little.fit()
    assert counts == ([0, 0, 0] if name == "memory again" else [0, 0])


def test_only_the_comparison_is_deterministic(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    little, modes = Recorded(), []
    little.extra = lambda lr: modes.append(torch.backends.cudnn.deterministic) or 0.0
    little.fit()
    assert modes == [False] * AS_WRITTEN + [True, True, False]


# --- Where to record -------------------------------------------------------------------------------------------


def test_auto_compiles_blocks_only_in_long_runs_on_a_gpu(monkeypatch, capsys):
    compiled = []
    monkeypatch.setattr(launch, "compiled", lambda modules, device: nullcontext(compiled.extend(modules) or ""))
    monkeypatch.setattr(launch, "PAYS_FROM", 10)
    short, long = Recorded("short", "auto").fit(9), Recorded("long", "auto").fit(10)
    assert compiled == list(long.network.blocks)
    monkeypatch.setattr(launch, "RECORDS_ON", "another")
    cpu, asked = Recorded("cpu", "auto").fit(10), Recorded("asked").fit(4)
    found = [(little.run.manifest()["compiled"], little.is_recorded) for little in (short, long, cpu, asked)]
    assert found == [("", True), ("blocks", True), ("", False), ("", False)]
    told = f"A CUDA graph needs a GPU. On the {DEVICE}, each step is trained as written."
    assert capsys.readouterr().out.count(told) == 1


def test_blocks_that_repeat():
    class Pair(torch.nn.Sequential):
        def __init__(self):
            super().__init__(torch.nn.ReLU(), torch.nn.ReLU())

    own = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Conv2d(3, 3, 1), Pair(), Pair(), torch.nn.ReLU())
    assert list(repeated_blocks(own)) == [own[2], own[3]]
    network = RRDBNet(2, 8, 4)
    assert list(repeated_blocks(network)) == list(network.body)
    assert list(repeated_blocks(PatchDiscriminator(4))) == []
