"""Test training with two processes: they stay equal, match one process, stop together, and write one run."""

import os
import signal
import socket
import sys
from functools import partial

import pytest
import torch

from srlab.data.degradation import Degradation
from srlab.models import MSRResNet, SRGANDiscriminator
from srlab.models.loading import load_generator
from srlab.training.interrupts import TrainingStopped
from srlab.training.runs import Run
from srlab.training.schedules import constant
from tests.kills import Life

from .fake_cuda import FakeCuda
from .little_run import LAB, LittleRun

STEPS = 20


def train(run, iters=STEPS, gan=None, signal_at=0, launch="python", change=lambda number, losses: losses):
    """Train without random numbers in all processes; only the second one gets a signal."""
    network, options = partial(MSRResNet, 1, 8), {"batch": 8, "degradation": Degradation()}
    adam = partial(torch.optim.Adam, fused=True)
    little = LittleRun(run, network, adam, 2**-10, gan=gan, ema=0, sampler=options, launch=launch)
    little.change, little.note = change, lambda made: None
    little.noise = 0.0
    processes = little.trainer.accelerator

    def before_step(number):
        if number == signal_at and processes.process_index == 1:
            signal.raise_signal(signal.SIGINT)

    little.before_step = before_step
    step, shares = little.step, set()

    def noted(lr, hr):
        shares.add(len(lr))
        return step(lr, hr)

    little.step = noted
    little.fit(iters, schedule=constant, validate=None, validate_every=STEPS)
    assert shares == {8 // processes.num_processes}, "each must get its share of a batch"
    return little.trainer


def work(say, rank, port):
    """Run the work of each process: two training runs, and one that is stopped."""
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for trainer in (train("two"), train("gan", 6, partial(SRGANDiscriminator, 4, 16))):  # D has batch norm
        modules = trainer.networks.items()
        found = {f"{name}.{key}": value for name, module in modules for key, value in module.named_parameters()}
        torch.save(found, trainer.run.path / f"{rank}.pt")
    with pytest.MonkeyPatch.context() as patch:
        FakeCuda(patch)
        own = {"weight": 0.5} if rank == "1" else {}
        train("mixed", launch="graph", change=lambda number, losses: losses | {"weight": losses["loss"]} | own)
    try:
        train("stopped", signal_at=3)
    except TrainingStopped as stop:
        say(str(stop))


def far(weights, run):
    """Return the RMS difference from the weights of a run; the maximum is misleading, because Adam amplifies noise."""
    others = load_generator(LAB, run).state_dict()
    gaps = torch.cat([(weights[name] - others[name]).flatten() for name in others])
    return gaps.square().mean().sqrt()


@pytest.mark.skipif(sys.platform == "win32", reason="forks processes")
def test_two_processes_train_stop_and_resume_in_one(capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    lives = [Life(work, str(rank), port) for rank in range(2)]
    assert [life.end() for life in lives] == [0, 0], [life.said for life in lives]
    for run in ("two", "gan"):
        first, second = (torch.load(Run(LAB, run).path / f"{rank}.pt", weights_only=True) for rank in range(2))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first), "all weights must be bit-identical"
        assert any(name.startswith("discriminator") for name in first) == (run == "gan")

    first, mixed = (load_generator(LAB, run).state_dict() for run in ("two", "mixed"))
    assert all(torch.equal(first[name], mixed[name]) for name in first), "one cannot record, so none does"
    assert Run(LAB, "mixed").manifest()["recorded"] is False

    assert all("Stopped at step 10 of 20" in life.said[0] for life in lives)
    assert Run(LAB, "stopped").load_checkpoint()["step"] == 10, "although only one got the signal"

    one, two = train("one").run, Run(LAB, "two")
    torch.manual_seed(0)
    assert far(MSRResNet(1, 8).state_dict(), "one") > 1e-3, "it must have learned something to compare"
    assert far(load_generator(LAB, "two").state_dict(), "one") < 2e-5
    assert [row["step"] for row in one.metrics()] == [row["step"] for row in two.metrics()]
    means = [[row["loss"] for row in run.metrics() if "loss" in row] for run in (one, two)]
    assert means[0] == pytest.approx(means[1])
    assert (two.manifest()["processes"], two.manifest()["status"]) == (2, "finished")
    assert len(list((two.path / "tensorboard").iterdir())) == 1

    capsys.readouterr()
    for name in ("one", "two"):
        train(name, STEPS + 5)
    assert f"from step {STEPS}, iters={STEPS} (now {STEPS + 5}), processes=2 (now 1)." in capsys.readouterr().out
    assert two.manifest()["processes"] == 1
    assert far(load_generator(LAB, "two").state_dict(), "one") < 2e-5
