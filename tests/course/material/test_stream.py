"""A stream draws the same batches again from the same state, so that a run resumes where it stopped."""

import pytest
import torch

import srlab
from srlab.errors import SrlabError
from srlab_course.material.stream import Stream


def draw(random):
    noise = torch.randn(2, 6, 8, 8, generator=random)
    return noise[:, :3, ::4, ::4], noise


def test_state_determines_next_batches():
    stream = Stream(draw, batch=2, patch=8, seed=3, pool=5)
    first, state = next(stream)[1], stream.state_dict()
    second = next(stream)[1]
    stream.load_state_dict(state)
    assert torch.equal(next(stream)[1], second)
    stream.restart()
    assert torch.equal(next(stream)[1], first)
    assert not torch.equal(first, second)
    assert stream.describe() == {"batch": 2, "patch": 8, "seed": 3, "pool": 5}


def test_several_processes_are_rejected():
    stream = Stream(draw, batch=2, patch=8)
    stream.share(0, 1)
    with pytest.raises(SrlabError, match="without torchrun"):
        stream.share(0, 2)


def test_trainer_resumes_a_stream(home):
    def train(run, iters):
        torch.manual_seed(0)
        network = srlab.FlowNet(1, 4, detail_std=0.1, steps=1)
        trainer = srlab.Trainer("07_one_step", run, device="cpu", precision="fp32", ema=0)
        optimizer = torch.optim.SGD(network.parameters(), 0.01)
        network, optimizer = trainer.prepare(generator=network, optimizer=optimizer)

        def step(lr, pair):
            noise, end = pair.chunk(2, dim=1)
            loss = (noise + network(lr, noise, torch.zeros(len(noise))) - end).square().mean()
            optimizer.zero_grad()
            trainer.backward(loss)
            optimizer.step()
            return {"loss": loss}

        return trainer.fit(step, Stream(draw, batch=2, patch=8), iters)

    train("stopped", 2)
    again, whole = train("stopped", 4), train("whole", 4)
    assert all(map(torch.equal, again.parameters(), whole.parameters()))
    assert srlab.load_generator("07_one_step", "whole").steps == 1
