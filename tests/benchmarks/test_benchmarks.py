"""The benchmarks: both ways of a step compute the same, and what the tables are made of is right."""

import importlib
import itertools
import sys
from dataclasses import replace

import pytest
import torch

import srlab
from tests.conftest import ROOT

pytestmark = pytest.mark.nightly

sys.path.insert(0, str(ROOT / "benchmarks"))  # scripts, and no package
steps, ways, peers, scaling, flops, inference = map(
    importlib.import_module, ("steps", "ways", "peers", "scaling", "flops", "inference")
)
CPU = torch.device("cpu")
FLOAT32 = replace(steps.LABS, bf16=False)


def tiny(name):
    task = steps.resized(steps.TASKS[name], batch=2, patch=32, blocks=1, features=4)
    return replace(task, layers="vgg19 relu2_1" if task.layers else "")


def batch_of(task):
    return next(ways.batches_of(task, steps.LABS, None, CPU))


@pytest.mark.parametrize("name", steps.TASKS)
def test_all_ways_compute_the_same(name):
    task = tiny(name)
    batch = batch_of(task)
    plain, networks = ways.hand_written(task, steps.PLAIN, itertools.repeat(batch), CPU)
    by_hand, _ = ways.hand_written(task, FLOAT32, itertools.repeat(batch), CPU)
    trainer, step = ways.trainer_step(task, CPU, name, "no")
    start = steps.build(task)["generator"].state_dict()
    assert list(networks["generator"].state_dict()) == list(start), "the plain network keeps the names"
    for key, value in networks["generator"].state_dict().items():
        assert torch.equal(value, start[key]), f"{key} starts from another value"
    for tolerance in (1e-4, 0.1):  # the first update of Adam keeps the sign of a gradient alone, so rounding grows
        expected = plain()
        for way, found in {"by hand": by_hand(), "Trainer": step(*batch)}.items():
            for loss, value in expected.items():
                assert found[loss].item() == pytest.approx(value.item(), rel=tolerance), f"{loss}, {way}"
    assert trainer.precision == "no"


def test_loops_are_timed_in_turns_and_those_that_read_files_too(tmp_path):
    task = tiny("laptop")
    srlab.write_image(torch.rand(1, 3, 48, 56), tmp_path / "noise.png")
    batches = ways.batches_of(task, steps.PLAIN, tmp_path, CPU, workers=0)
    assert [tuple(part.shape) for part in next(batches)] == [(2, 3, 8, 8), (2, 3, 32, 32)]
    plain, _ = ways.hand_written(task, steps.PLAIN, batches, CPU)
    both = {"plain": ways.timed(plain, 2, CPU, files=True, rest=0), "srlab": ways.timed_fit(task, 2, CPU, "timed")}
    seconds = ways.alternate(both, repeats=2)
    assert {name: len(values) for name, values in seconds.items()} == {"plain": 2, "srlab": 2}
    assert all(value > 0 for values in seconds.values() for value in values)


def test_budget_is_steps_times_seconds(monkeypatch):
    monkeypatch.setattr(scaling, "timed_fit", lambda *arguments: itertools.repeat(8.64))
    rows = scaling.budget(["srresnet", "esrgan"], CPU, repeats=1, steps=1, devices=10)
    assert [row["days on 10"] for row in rows] == ["10.0", "4.0"], "a million and 400,000 steps"
    assert [row["batch"] for row in rows] == ["16 of 96 px", "16 of 128 px"]


def test_operations_are_counted_forward_and_backward():
    layer = torch.nn.Conv2d(2, 3, 3, padding=1)
    image = torch.rand(1, 2, 5, 7, requires_grad=True)
    forward = 2 * 3 * 2 * 9 * 5 * 7  # a multiplication and an addition per output, input channel and tap
    assert flops.flops_of(lambda: layer(image)) == forward
    assert flops.flops_of(lambda: layer(image).sum().backward()) == 3 * forward, "gradients of input and weights"


def test_fake_tensors_give_the_operations_of_the_real_step():
    task = tiny("esrgan")
    train, _ = ways.hand_written(task, FLOAT32, itertools.repeat(batch_of(task)), CPU)
    counted, kept = flops.counted(task)
    assert counted == flops.flops_of(train)
    assert kept > 2 * task.batch * 3 * task.patch**2, "more than the picture, in bfloat16"


def test_tiles_are_timed_against_the_whole_image_and_a_file_is_measured():
    network = srlab.MSRResNet(1, 4).eval()
    assert inference.photo(600, 700).shape == (1, 3, 700, 600)
    assert inference.size_of(24) == (1500, 1000)
    assert all(value > 0 for value in inference.measure("msrresnet", "no", 40, 30))
    assert all(ratio > 0 for ratio in inference.ratios(network, 40, 30, 2))
