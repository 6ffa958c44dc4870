"""NaN and infinity."""

import pytest
import torch
from PIL import Image

from srlab.cli.main import main
from srlab.base.files import read_safetensors, write_safetensors
from srlab.models import MSRResNet
from srlab.models.weights import load_generator
from srlab.training.runs import Run

from .fault import fault
from .little_run import ITERS, LAB, half_done, little_run, refusal, undisturbed, what_is_left

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize(
    "where",
    [
        pytest.param("lr", marks=fault("NaN or infinity in a batch", "stops with a sentence; last good state kept")),
        pytest.param("loss", marks=fault("NaN or infinity as a loss", "stops with a sentence; last good state kept")),
    ],
)
def test_training_stops_and_the_state_before_goes_on_to_the_same_end(where, value):
    little = little_run()
    step = little.step

    def bad_step(lr, hr):
        if little.trainer.step < 3:
            return step(lr, hr)
        return step(lr * value, hr) if where == "lr" else {"loss": step(lr, hr)["loss"] * value}

    little.step = bad_step
    said = refusal("Training stopped: a loss became NaN or infinite at step 4", little.fit)
    run = Run(LAB, "default")
    assert f"the state of step 2 is kept in {run.path}" in said
    assert (run.trained_steps(), run.manifest()["state"]) == (2, "failed")
    little_run().fit()
    assert what_is_left() == undisturbed()


def poison(file, prefix, value):
    """Put a NaN or an infinity into a file of tensors, which then is as whole as any."""
    tensors, notes = read_safetensors(file)
    name = next(name for name in tensors if name.startswith(prefix) and tensors[name].dtype == torch.float32)
    tensors[name].view(-1)[0] = value
    write_safetensors(file, tensors, notes)


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param("generator/", marks=fault("NaN in the weights of a state", "named; the state before goes on")),
        pytest.param("ema/", marks=fault("NaN in the averaged weights of a state", "named; the state before goes on")),
        pytest.param("optimizer/", marks=fault("NaN in the state of an optimiser", "named; the state before goes on")),
    ],
)
@pytest.mark.parametrize(("steps", "value"), [(4, NAN), (ITERS, INF)])
def test_a_state_with_values_that_are_no_numbers_gives_way_to_the_one_before(capsys, prefix, steps, value):
    half_done() if steps < ITERS else little_run().fit()
    run = Run(LAB, "default")
    file = run.path / "state" / f"{steps:09d}.safetensors"
    poison(file, prefix, value)
    little_run().fit()
    said = capsys.readouterr().out
    assert f"{file} has values that are no numbers (NaN or infinite). Falling back to the state before it." in said
    assert what_is_left() == undisturbed()


@pytest.fixture
def broken_weights(tmp_path):
    run = Run(LAB, "broken")
    run.save_generator(MSRResNet(1, 4), 7)
    poison(run.path / "generator.safetensors", "", NAN)
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (24, 24), "grey").save(tmp_path / "photos" / "a.png")
    return run.path / "generator.safetensors"


@fault("NaN in the weights of a generator that is loaded", "refused with a sentence that names the file")
def test_a_generator_with_values_that_are_no_numbers_is_not_loaded(broken_weights):
    assert str(broken_weights) in refusal(
        "no numbers .NaN or infinite.*; take weights from before", load_generator, LAB, "broken"
    )


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            ["upscale", "photos/a.png", "sr.png", "--run"],
            marks=fault("srlab upscale with NaN in the weights", "one line on stderr, no file"),
        ),
        pytest.param(
            ["evaluate", "--hr", "photos", "--csv", "table.csv", "--run"],
            marks=fault("srlab evaluate with NaN in the weights", "one line on stderr, no file"),
        ),
    ],
    ids=["upscale", "evaluate"],
)
def test_a_command_refuses_weights_with_values_that_are_no_numbers(
    broken_weights, tmp_path, monkeypatch, capsys, command
):
    monkeypatch.chdir(tmp_path)
    assert main([*command, str(broken_weights)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("srlab: ")
    assert said.err.count("\n") == 1
    assert "NaN" in said.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["photos", "runs"]
