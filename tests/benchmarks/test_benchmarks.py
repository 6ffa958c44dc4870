"""The benchmarks: both ways of a step compute the same, and what the tables are made of is right."""

import importlib
import itertools
import json
import sys
import time
from dataclasses import replace

import nbformat
import pytest
import torch

import srlab
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))  # scripts, and no package
steps, ways, peers, levers, profile_step, scaling, startup, roofline, flops = (
    importlib.import_module(name)
    for name in ("steps", "ways", "peers", "levers", "profile_step", "scaling", "startup", "roofline", "flops")
)
CPU = torch.device("cpu")
FLOAT32 = replace(steps.LABS, bf16=False)


def tiny(name, patch=32):
    task = steps.resized(steps.TASKS[name], batch=2, patch=patch, blocks=1, features=4)
    return replace(task, layers="vgg19 relu2_1" if task.layers else "")


def batch_of(task):
    return next(ways.batches_of(task, steps.LABS, None, CPU))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with one small photo as a file."""
    folder = tmp_path_factory.mktemp("photos")
    srlab.write_image(torch.rand(1, 3, 48, 56, generator=torch.Generator().manual_seed(0)), folder / "noise.png")
    return folder


@pytest.mark.parametrize("name", steps.TASKS)
def test_both_ways_compute_the_same(name):
    task = tiny(name)
    batch = batch_of(task)
    plain, networks = ways.hand_written(task, steps.PLAIN, itertools.repeat(batch), CPU)
    trainer, step = ways.trainer_step(task, CPU, name, "no")
    for (key, start), (other, same) in zip(
        networks["generator"].state_dict().items(), steps.build(task)["generator"].state_dict().items(), strict=True
    ):
        assert key == other, "the plain network keeps the names"
        assert torch.equal(start, same), f"{key} starts from another value"
    for turn in range(2):
        theirs, ours = plain(), step(*batch)
        for loss, value in theirs.items():
            # The first update of Adam keeps the sign of a gradient alone, so rounding grows.
            tolerance = 1e-4 if turn == 0 else 0.1
            assert ours[loss].item() == pytest.approx(value.item(), rel=tolerance), f"{loss} of step {turn}"
    assert trainer.precision == "no"


@pytest.mark.parametrize("name", ["srgan", "esrgan", "rrdbnet"])
def test_a_lever_leaves_the_first_loss_alone(name):
    task = tiny(name)
    batch = batch_of(task)
    expected = None
    for lever, pulled in levers.ALONE.items():
        if levers.reason_against(pulled, task, CPU) or pulled.compiled or pulled.bf16:
            continue
        train, _ = ways.hand_written(task, pulled, itertools.repeat(batch), CPU)
        loss = train()["loss"].item()
        expected = expected or loss
        assert loss == pytest.approx(expected, rel=1e-4), lever


def test_layer_by_layer_is_the_same_network():
    network = steps.build(tiny("srresnet"))["generator"].eval()
    lr = torch.rand(1, 3, 9, 7)
    torch.testing.assert_close(steps.layer_by_layer(network)(lr), network(lr), atol=1e-5, rtol=1e-4)


def test_loops_are_timed_in_turns(photos):
    task = tiny("laptop")
    plain, _ = ways.hand_written(task, steps.PLAIN, ways.batches_of(task, steps.PLAIN, photos, CPU, workers=0), CPU)
    both = {
        "plain": ways.timed(plain, 2, CPU, files=True, rest=0),
        "srlab": ways.timed_fit(task, 2, CPU, "timed", "no"),
    }
    seconds = ways.alternate(both, repeats=2)
    assert {name: len(values) for name, values in seconds.items()} == {"plain": 2, "srlab": 2}
    assert all(value > 0 for values in seconds.values() for value in values)


def test_turns_go_there_and_back():
    asked = []

    def way(name):
        for turn in itertools.count():
            asked.append(name)
            yield turn

    seconds = ways.alternate({"a": way("a"), "b": way("b")}, repeats=2)
    assert asked == ["b", "a", "a", "b", "b", "a"]
    assert seconds == {"a": [1, 2], "b": [1, 2]}, "the first turn warms up"


def test_files_are_seeded(photos):
    task = tiny("laptop")
    torch.manual_seed(0)  # without workers the draws are those of this process
    lr, hr = next(ways.batches_of(task, steps.PLAIN, photos, CPU, workers=0))
    assert (lr.shape, hr.shape) == ((2, 3, 8, 8), (2, 3, 32, 32))
    torch.manual_seed(0)
    assert torch.equal(hr, next(ways.batches_of(task, steps.PLAIN, photos, CPU, workers=0))[1])


def test_exponents():
    sizes = [16, 32, 48, 96]
    assert scaling.exponent(sizes, [3e-3 * size**2 for size in sizes]) == pytest.approx(2)
    assert scaling.exponent(sizes, [0.5] * 4) == pytest.approx(0)
    with pytest.raises(ValueError, match="two different sizes"):
        scaling.exponent([16, 16], [1.0, 2.0])
    cells = scaling.row("side of a patch", sizes, lambda size: size**2 / 1000)
    assert cells["exponent"] == "2.00"
    assert cells["ms"].startswith("256.0, 1024.0")


def test_many_photos_take_no_files():
    assert scaling.sampling_seconds(1000, tiny("laptop"), 1, CPU) > 0


def test_budget_is_steps_times_seconds(monkeypatch):
    monkeypatch.setattr(scaling, "timed_fit", lambda *arguments: itertools.repeat(8.64))
    rows = scaling.budget(["srresnet", "esrgan"], CPU, repeats=1, steps=1, devices=10)
    assert [row["days on 10"] for row in rows] == ["10.0", "4.0"], "a million and 400,000 steps"
    assert [row["batch"] for row in rows] == ["16 of 96 px", "16 of 128 px"]


def test_tables():
    assert ways.spread([3.0, 1.0, 2.0]) == "2.00 (1.00 to 3.00)"
    assert ways.ratios([4.0, 6.0], [2.0, 2.0]) == [2.0, 3.0]
    lines = ways.markdown([{"way": "plain", "s": "1"}, {"way": "srlab", "s": "0.5"}]).splitlines()
    assert lines == ["| way   | s   |", "| ----- | --- |", "| plain | 1   |", "| srlab | 0.5 |"]


def test_parts_of_a_step_add_up():
    found = profile_step.profiled("laptop", "srlab", 2, CPU, (2, 32, 1, 4))
    *parts, (name, whole) = profile_step.by_part(found, 2)
    assert name == profile_step.WHOLE
    assert {"data", "G, forward", "backward", "optimisers", "EMA", "rest"} == {part for part, _ in parts}
    assert sum(seconds for _, seconds in parts) == pytest.approx(whole)
    assert len(profile_step.by_operator(found, 2, CPU, count=3)) == 3


def test_levers_that_do_not_apply_say_why():
    assert "GPU" in levers.reason_against(steps.Levers(graph=True), tiny("srresnet"), CPU)
    assert "pixels" in levers.reason_against(steps.Levers(frozen_features=True), tiny("srresnet"), CPU)
    assert "RRDBNet" in levers.reason_against(steps.Levers(checkpointing=True), tiny("srresnet"), CPU)
    assert not levers.reason_against(steps.LABS, tiny("srgan"), torch.device("cuda")) or not torch.cuda.is_available()
    assert levers.ladder(CPU)[levers.TOGETHER] == ways.labs_levers(CPU)


def test_memory_and_psnr_of_a_lever(photos, capsys):
    found = levers.train_alone(tiny("laptop"), FLOAT32, photos, CPU, 2)
    assert found["mib"] >= 0
    assert 10 < found["psnr"] < 40, "two steps leave the bilinear enlargement nearly alone"
    levers.child(tiny("laptop", patch=4096), FLOAT32, photos, CPU, 1)
    assert "smaller than the patch" in json.loads(capsys.readouterr().out)["problem"]


def test_the_psnr_of_a_gan_moves_in_a_few_steps(photos):
    """Else all rows would agree, whatever a lever did. (In SRGAN batch norm moves by itself.)"""
    one, few = (levers.train_alone(tiny("esrgan"), FLOAT32, photos, CPU, iters)["psnr"] for iters in (1, 5))
    assert abs(few - one) > 5e-5


def test_figure(tmp_path):
    levers.draw(tmp_path / "levers.png", {"plain": [1.0], "fused": [1.1, 1.3, 1.2]}, {"plain": 10, "fused": 9}, "tiny")
    assert srlab.read_image(tmp_path / "levers.png").shape[0] == 3


def test_options_for_basicsr(tmp_path, monkeypatch):
    own, notes = peers.basicsr_options(steps.TASKS["esrgan"], tmp_path, CPU)
    assert own["model_type"] == "ESRGANModel"
    assert own["network_d"]["type"] == "VGGStyleDiscriminator"
    assert notes == []
    other, notes = peers.basicsr_options(replace(steps.TASKS["esrgan"], patch=96), tmp_path, CPU)
    assert other["network_d"]["type"] == "PlainVGGDiscriminator"
    assert "96 px" in notes[0]
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert "left out" in peers.import_basicsr()


def executed(folder, seconds):
    """A notebook in which papermill has written down how long each cell took."""
    cells = [
        nbformat.v4.new_code_cell(f"# Cell {i}\n", metadata={"papermill": {"duration": duration}})
        for i, duration in enumerate(seconds)
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "00_lab.ipynb")
    return folder / "00_lab.ipynb"


def test_the_slowest_cells_of_a_lab_are_named(tmp_path):
    row = startup.slowest_cells(executed(tmp_path, [1.0, 6.0, None, 3.0]), 2)
    assert row["s"] == "10"
    assert row["slowest 2 cells"] == "90%"
    assert row["they begin with"] == "`Cell 1` 6 s; `Cell 3` 3 s"


def test_a_lab_that_was_not_executed_has_no_slowest_cells(tmp_path):
    with pytest.raises(srlab.SrlabError, match="execute it first"):
        startup.slowest_cells(executed(tmp_path, [None, None]), 2)


def test_a_program_takes_time():
    assert 0 < startup.timed_program("pass") < 60


def test_operations_are_counted_forward_and_backward():
    layer = torch.nn.Conv2d(2, 3, 3, padding=1)
    image = torch.rand(1, 2, 5, 7, requires_grad=True)
    forward = 2 * 3 * 2 * 9 * 5 * 7  # a multiplication and an addition per output, input channel and tap
    assert roofline.flops_of(lambda: layer(image)) == forward
    assert roofline.flops_of(lambda: layer(image).sum().backward()) == 3 * forward, "gradients of input and weights"


def test_rows_of_the_roofline(monkeypatch):
    row = roofline.row("half of it", 10**9, 2e9, lambda: time.sleep(0.01), 1, CPU)
    assert float(row["of the roof"]) == pytest.approx(0.5 / float(row["seconds"]), rel=0.1)
    assert row["HR megapixels a second"] == "-"
    monkeypatch.setattr(roofline, "roof", lambda *_: 1e8)  # so small a step is nothing beside that of this machine
    assert float(roofline.step_row("laptop", tiny("laptop"), 1, CPU)["of the roof"]) > 0


def test_fake_tensors_give_the_operations_of_the_real_step():
    task = tiny("esrgan")
    train, _ = ways.hand_written(task, FLOAT32, itertools.repeat(batch_of(task)), CPU)
    counted, kept = flops.counted(task)
    assert counted == roofline.flops_of(train)
    twice = flops.counted(replace(task, batch=2 * task.batch))
    assert twice[0] == 2 * counted
    assert 1.5 * kept < twice[1] <= 2 * kept, "all but the weights in bfloat16 belongs to a patch"


def test_what_is_kept_twice_counts_once_and_the_fullest_moment_is_known():
    flops.Kept.times, flops.Kept.now, flops.Kept.peak = {}, 0, 0
    values = torch.zeros(4)
    kept = [flops.Kept(values), flops.Kept(values.view(2, 2)), flops.Kept(torch.zeros(8))]
    assert flops.Kept.now == 4 * 4 + 8 * 4
    del kept[0], kept[1]
    assert (flops.Kept.now, flops.Kept.peak) == (4 * 4, 4 * 4 + 8 * 4)


def test_expected_times_are_arithmetic_at_a_share_of_what_is_promised(monkeypatch):
    monkeypatch.setattr(flops, "counted", lambda task: (int(31.2e12), 2**30))
    row = flops.row("ESRGAN", steps.TASKS["esrgan"], 0.5, 36_000)
    assert row["A100, bf16"] == "200.0 ms, 2.00 h"
    assert row["MiB a patch"] == str(1024 // steps.TASKS["esrgan"].batch)
