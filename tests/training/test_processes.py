"""Test one run in several processes: as torchrun starts them, but forked, on a CPU, and small."""

import os
import signal
import socket
import sys
import time

import pytest
import torch
import torch.distributed as dist
from torch.optim import SGD

import srlab
from srlab.errors import SrlabError
from srlab.models import MSRResNet, PatchDiscriminator
from srlab.training import cuda_graph, processes
from srlab.training.interrupts import TrainingStopped
from srlab.training.runs import Run
from srlab.training.schedules import constant
from tests.kills import Life

from .fake_cuda import FakeCuda
from .little_run import LAB, LittleRun, images, tensors_in, timeless
from .test_cuda_graph import Recorded

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and kills processes")

STEPS = 40
BOUND = 0.005  # on the norm of the gradient, which most steps exceed


class Shared(LittleRun):
    """A little run whose steps are those of one process up to rounding: no batch norm, no Adam, and a bound."""

    def __init__(self, run="shared", noise=0.0, batch=4, **settings):
        kinds = {"network": lambda: MSRResNet(1, 4), "optimizer": SGD, "rate": 0.05, "max_gradient": BOUND}
        super().__init__(run, sampler={"batch": batch} | settings.pop("sampler", {}), **kinds | settings)
        self.noise = noise

    def fit(self, iters=STEPS, **settings):
        return super().fit(iters, **{"schedule": constant, "validate_every": 10} | settings)

    def validate(self, averaged):
        return {"psnr": float(averaged(torch.full((1, 3, 4, 4), 0.3)).mean())}


def fingerprint(little):
    """Return all weights as text, to the last bit."""
    networks = little.trainer.networks.values()
    return str([weight.view(torch.int32).flatten().tolist() for one in networks for weight in one.parameters()])


GAN = {"gan": lambda: PatchDiscriminator(4)}


@pytest.fixture
def two(monkeypatch, tmp_path):
    """Return a function that starts two processes like torchrun."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def start(work, *arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        lives = []
        for rank in "01":
            numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
            with monkeypatch.context() as patch:
                for name, value in (address | numbers | {"TORCHELASTIC_RUN_ID": "test"}).items():
                    patch.setenv(name, value)
                lives.append(Life(work, *arguments))
        return lives

    return start


def ends(lives):
    """Wait until all end, and return their exit codes."""
    return [life.end() for life in lives]


def weights_of(run):
    return tensors_in(Run(LAB, run).load_checkpoint())


def largest_difference(run, other):
    pairs = zip(weights_of(run).values(), weights_of(other).values(), strict=True)
    return max(float((one - two).abs().max()) for one, two in pairs if one.is_floating_point())


# --- The same as one process -------------------------------------------------------------------------------------


def train(say, run, iters, noise, kinds):
    little = Shared(run, noise, **(GAN if kinds == "gan" else {}))
    little.fit(iters)
    say(fingerprint(little))


@pytest.mark.parametrize(("kinds", "rounding"), [("one network", 1e-9), ("gan", 1e-7)])  # D has larger weights
def test_two_processes_train_like_one(kinds, rounding, two):
    lives = two(train, "two", STEPS, 0.0, kinds)
    one = Shared("one", **(GAN if kinds == "gan" else {}))
    one.fit()
    assert ends(lives) == [0, 0], [life.said for life in lives]
    assert lives[0].said == lives[1].said
    assert largest_difference("one", "two") <= rounding
    for row, other in zip(Run(LAB, "one").metrics(), Run(LAB, "two").metrics(), strict=True):
        assert timeless(other) == pytest.approx(timeless(row), rel=1e-4)


def test_one_process_connects_to_nothing():
    Shared("one").fit(2)
    assert not dist.is_initialized()


def test_run_resumes_in_another_number_of_processes(two):
    lives = two(train, "changing", 12, 0.0, "")
    Shared("one").fit()
    assert ends(lives) == [0, 0], [life.said for life in lives]
    Shared("changing").fit(26)
    lives = two(train, "changing", STEPS, 0.0, "")
    assert ends(lives) == [0, 0], [life.said for life in lives]
    assert largest_difference("one", "changing") <= 1e-9


# --- A process that ends ------------------------------------------------------------------------------------------


def train_until_killed(say):
    little = Shared("killed", noise=0.1)
    little.before_step = lambda number: number == 26 and (say("here"), time.sleep(processes.rank() * 60))
    little.fit()


def test_killed_process_ends_the_run_which_resumes(two):
    """The random numbers of a step are those that it would have drawn."""
    undisturbed = two(train, "undisturbed", STEPS, 0.1, "")
    lives = two(train_until_killed)
    lives[1].wait_for(1)
    lives[1].process.kill()
    assert [life.end() for life in lives] == [1, -signal.SIGKILL]
    assert Run(LAB, "killed").load_checkpoint()["step"] == 20
    lives = two(train, "killed", STEPS, 0.1, "")
    assert ends(lives) == ends(undisturbed) == [0, 0]
    assert lives[0].said == lives[1].said == undisturbed[0].said
    assert largest_difference("killed", "undisturbed") == 0


def train_until_stopped(say):
    little = Shared("stopped")
    little.before_step = lambda number: (time.sleep(0.01), say(str(number)))
    with pytest.raises(TrainingStopped):
        little.fit(100_000, validate_every=100_000, validate=None)
    say(fingerprint(little))


def test_processes_stop_together(two):
    lives = two(train_until_stopped)
    lives[1].wait_for(13)
    lives[1].process.terminate()
    assert ends(lives) == [0, 0], [life.said for life in lives]
    assert lives[0].said == lives[1].said
    run = Run(LAB, "stopped")
    assert (run.manifest()["status"], run.load_checkpoint()["step"]) == ("stopped", len(lives[0].said) - 1)


# --- Refused ---------------------------------------------------------------------------------------------------------


def other_step(lr, hr):
    return {"loss": lr.mean()}


def try_to_train(say):
    """Try what cannot be trained, and report the error; at the end, what can."""
    torch.manual_seed(int(os.environ["RANK"]))
    trainer = srlab.Trainer(LAB, "joined", device="cpu")  # from here on, random numbers are equal
    network = MSRResNet(1, 4)
    trainer.prepare(generator=network, optimizer=SGD(network.parameters(), 0.1))
    noise = []

    def step(lr, hr):
        noise.append(torch.rand(()))
        return {"loss": (network(lr) - hr).square().mean()}

    trainer.fit(step, Shared().sampler, 2)
    say(str([noise, torch.rand(())]))
    rank = processes.rank()
    photos = Shared("photos")
    photos.sampler = srlab.PatchSampler(images((20, 24), (20, 24 + rank)), patch=16, batch=4)
    code = Shared("code")
    code.step = other_step if rank else code.step
    layers = Shared("weights")
    next(layers.network.parameters()).data += 1e-6 * rank
    batch = Shared("batch", batch=5)
    for little in (photos, Shared("seed", seed=rank), code, layers, batch):
        with pytest.raises(SrlabError) as caught:
            little.fit()
        assert not Run(LAB, little.run.name).load_checkpoint()
        say(str(caught.value))


def test_different_processes_are_refused(two):
    lives = two(try_to_train)
    assert ends(lives) == [0, 0], [life.said for life in lives]
    (first, *refusals), (second, *others) = (life.said for life in lives)
    (noise, after), (other_noise, other_after) = (text.split("], ") for text in (first, second))
    assert noise != other_noise
    assert after == other_after
    assert refusals == others
    reasons = [text.partition(". ")[0].removeprefix("Process 1 differs from process 0 in ") for text in refusals]
    assert reasons[0].startswith("settings.sampler.images")
    assert reasons[1:] == ["settings.seed", "code", "weights", "2 processes cannot share a batch of 5 equally"]


# --- Recorded steps ------------------------------------------------------------------------------------------------


all_reduce = dist.all_reduce


@torch.library.custom_op("srlab_tests::exchange", mutates_args=("values",))
def exchange(values: torch.Tensor) -> None:
    """Exchange as one operation, which the simulated GPU can record; a recording exchanges nothing."""
    if not torch.cuda.is_current_stream_capturing():
        all_reduce(values)


def train_recorded(say, run, launch, reading):
    """Train on a simulated GPU; process `reading` reads a number in its step, which cannot be recorded."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        cuda = FakeCuda(monkeypatch)
        both = lambda values, *kind: all_reduce(values, *kind) if kind else exchange(values)  # noqa: E731
        monkeypatch.setattr(dist, "all_reduce", both)
        little = Recorded(run, launch)
        little.extra = lambda lr: 0 * lr.sum().item() if processes.rank() == reading else 0.0
        little.fit(12)
        say(str(cuda.replays))
        say(fingerprint(little))


def test_all_processes_record_their_step_or_none(two):
    cases = [("written", "python", -1), ("recorded", "graph", -1), ("refused", "graph", 1)]
    groups = {case[0]: two(train_recorded, *case) for case in cases}
    for lives in groups.values():
        assert ends(lives) == [0, 0], [life.said for life in lives]
    said = {name: [life.said for life in lives] for name, lives in groups.items()}
    replays = 1 + 12 - cuda_graph.AS_WRITTEN - 1  # one for the comparison
    for name, number in (("written", 0), ("recorded", replays), ("refused", 0)):
        assert said[name] == [[str(number), said["written"][0][1]]] * 2, name
