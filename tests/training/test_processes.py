"""Training with two processes: they stay the same, follow one process, stop together, and leave one run."""

import functools
import os
import signal
import socket
import sys

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses
from srlab.training.signals import TrainingStopped
from tests.kills import Life

from .little_run import images

LAB, STEPS = "processes", 20
NOISE = images(*[(48, 48)] * 3)


def train(run, steps=STEPS, batch=8, before=None):
    """Train a small network with the squared error, in as many processes as there are; returns the trainer."""
    torch.manual_seed(0)
    net = srlab.MSRResNet(blocks=1, features=8)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    trainer = srlab.Trainer(LAB, run, "cpu", "no", ema=0.0)
    generator, optimizer = trainer.prepare(generator=net, optimizer=optimizer)

    def step(lr, hr):
        if before:
            before(trainer)
        assert len(lr) * trainer.accelerator.num_processes == batch, "each has its share of a batch"
        loss = F.mse_loss(generator(lr), hr)
        optimizer.zero_grad()
        trainer.backward(loss)
        optimizer.step()
        return {"loss": loss}

    sampler = srlab.PatchSampler(NOISE, 4, 16, batch)
    trainer.fit(step, sampler, steps, validate_every=STEPS)
    return trainer


def train_gan(run):
    """A GAN as in lab 03: D with batch norm looks at a batch twice, and G learns from it while it is frozen."""
    torch.manual_seed(0)
    net, judge = srlab.MSRResNet(blocks=1, features=8), srlab.models.SRGANDiscriminator(features=4, size=16)
    trainer = srlab.Trainer(LAB, run, "cpu", "no")
    players = {
        "generator": net,
        "discriminator": judge,
        "g_optimizer": torch.optim.Adam(net.parameters(), 1e-3),
        "d_optimizer": torch.optim.Adam(judge.parameters(), 1e-3),
    }
    players = dict(zip(players, trainer.prepare(**players), strict=True))
    goals = {
        "d_loss": losses.discriminator_loss,
        "g_loss": lambda sr, hr, look: F.mse_loss(sr, hr) + 0.1 * losses.generator_loss(look(sr)),
    }
    step = functools.partial(srlab.gan_step, trainer, **players, **goals)
    trainer.fit(step, srlab.PatchSampler(NOISE, 4, 16, 4), 6, validate_every=6)
    return trainer


def interrupt_second(trainer):
    """Ctrl-C that reaches the second process alone, in its third step."""
    if trainer.accelerator.process_index == 1 and trainer.step == 2:
        signal.raise_signal(signal.SIGINT)


def work(say, rank, port):
    """What each of the two processes does: two trainings, and one that is stopped."""
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for trainer in (train("two"), train_gan("gan")):
        modules = trainer.modules.items()
        found = {f"{name}.{key}": value for name, module in modules for key, value in module.named_parameters()}
        torch.save(found, trainer.run.path / f"{rank}.pt")
    try:
        train("stopped", before=interrupt_second)
    except TrainingStopped as stop:
        say(str(stop))


def far(weights, run):
    """Root mean square of the differences to the weights of a run; the largest tells little: Adam blows up noise."""
    others = srlab.load_generator(LAB, run).state_dict()
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
        folder = srlab.Run(LAB, run).path
        first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first), "the same weights in all, bit for bit"
        assert any(name.startswith("discriminator") for name in first) == (run == "gan")

    assert all("Stopped at step 10 of 20" in life.said[0] for life in lives)
    assert srlab.Run(LAB, "stopped").load_state()["step"] == 10, "although one alone had the signal"

    one, two = train("one").run, srlab.Run(LAB, "two")
    torch.manual_seed(0)
    start = srlab.MSRResNet(blocks=1, features=8).state_dict()
    assert far(start, "one") > 1e-3, "it has learned something to compare"
    assert far(srlab.load_generator(LAB, "two").state_dict(), "one") < 2e-5
    assert [row["step"] for row in one.metrics()] == [row["step"] for row in two.metrics()]
    means = [[row["loss"] for row in run.metrics() if "loss" in row] for run in (one, two)]
    assert means[0] == pytest.approx(means[1])
    assert (two.manifest()["processes"], two.manifest()["state"]) == (2, "finished")
    assert len(list((two.path / "tensorboard").iterdir())) == 1

    capsys.readouterr()
    for name in ("one", "two"):
        train(name, steps=STEPS + 5)
    assert "was trained by 2 process(es) so far and goes on with 1" in capsys.readouterr().out
    assert two.manifest()["processes"] == 1
    assert far(srlab.load_generator(LAB, "two").state_dict(), "one") < 2e-5
