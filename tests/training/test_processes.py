"""Training with two processes: they stay the same, follow one process, stop together, and leave one run."""

import os
import signal
import socket
import sys
from functools import partial

import pytest
import torch

from srlab.data.degradation import Degradation
from srlab.models import MSRResNet, SRGANDiscriminator
from srlab.models.weights import load_generator
from srlab.training.interrupts import TrainingStopped
from srlab.training.runs import Run
from srlab.training.schedules import constant
from tests.kills import Life

from .little_run import LAB, LittleRun

STEPS = 20


def train(run, iters=STEPS, gan=None, signal_at=0):
    """Train without random numbers in as many processes as there are; one signal is for the second alone."""
    network = partial(MSRResNet, 1, 8)
    little = LittleRun(run, network, gan=gan, ema=0, sampler={"batch": 8, "degradation": Degradation()})
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
    assert shares == {8 // processes.num_processes}, "each has its share of a batch"
    return little.trainer


def work(say, rank, port):
    """What each of the two processes does: two trainings, and one that is stopped."""
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for trainer in (train("two"), train("gan", 6, partial(SRGANDiscriminator, 4, 16))):  # D has batch norm
        modules = trainer.networks.items()
        found = {f"{name}.{key}": value for name, module in modules for key, value in module.named_parameters()}
        torch.save(found, trainer.run.path / f"{rank}.pt")
    try:
        train("stopped", signal_at=3)
    except TrainingStopped as stop:
        say(str(stop))


def far(weights, run):
    """Root mean square of the differences to the weights of a run; the largest tells little: Adam blows up noise."""
    others = load_generator(LAB, run).state_dict()
    gaps = torch.cat([(weights[name] - others[name]).flatten() for name in others])
    return gaps.square().mean().sqrt()


@pytest.mark.skipif(sys.platform == "win32", reason="the processes are forked")
def test_two_processes_stay_the_same_follow_one_stop_together_and_one_goes_on(capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    lives = [Life(work, str(rank), port) for rank in range(2)]
    assert [life.end() for life in lives] == [0, 0], [life.said for life in lives]
    for run in ("two", "gan"):
        first, second = (torch.load(Run(LAB, run).path / f"{rank}.pt", weights_only=True) for rank in range(2))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first), "the same weights in all, bit for bit"
        assert any(name.startswith("discriminator") for name in first) == (run == "gan")

    assert all("Stopped at step 10 of 20" in life.said[0] for life in lives)
    assert Run(LAB, "stopped").load_checkpoint()["step"] == 10, "although one alone had the signal"

    one, two = train("one").run, Run(LAB, "two")
    torch.manual_seed(0)
    assert far(MSRResNet(1, 8).state_dict(), "one") > 1e-3, "it has learned something to compare"
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
