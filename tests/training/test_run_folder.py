"""A run folder whose files are lost, damaged, moved or of somebody else: going on, or one sentence and all stays."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from srlab.base.files import write_safetensors
from srlab.data.degradation import Degradation
from srlab.models import MSRResNet
from srlab.models.weights import load_generator, read_generator
from srlab.training.format_1 import lift
from srlab.training.runs import FORMAT, Run, find_run

from .little_run import LAB, LittleRun, half_done, refusal, undisturbed, what_is_left

STATES = ("state/000000002.pt", "state/000000004.pt")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run that was killed at step 4 of 6."""
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("SRLAB_HOME", str(tmp_path_factory.mktemp("killed")))
        half_done()
        return Run(LAB, "default").path


@pytest.fixture
def run(killed):
    run = Run(LAB, "default")
    shutil.copytree(killed, run.path)
    return run


def content_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- What can happen to a file -------------------------------------------------------------------------------


def cut(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 + 1])


def one_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [Path.unlink, cut])
def test_a_run_goes_on_without_its_run_json(run, damage):
    damage(run.path / "run.json")
    assert run.manifest()["step"] == 4
    LittleRun().fit()
    assert what_is_left() == undisturbed()


@pytest.mark.parametrize("damage", [Path.unlink, one_bit])
def test_a_run_goes_on_from_the_state_before_a_damaged_one(run, capsys, damage):
    damage(run.path / STATES[1])
    LittleRun().fit()
    said = capsys.readouterr().out
    assert "from step 2." in said
    assert (f"{run.path / STATES[1]} is damaged" in said) == (damage != Path.unlink)
    assert what_is_left() == undisturbed()


def test_without_any_state_that_can_be_read_nothing_is_changed(run):
    for state in STATES:
        cut(run.path / state)
    before = content_of(run.path)
    refusal("No state in .* can be read; delete .* to start the run anew", LittleRun().fit)
    assert content_of(run.path) == before


def test_weights_without_a_state_are_not_trained_over(run):
    shutil.rmtree(run.path / "state")
    before = content_of(run.path)
    refusal("no state in .* to go on from, and its weights of step 4 stay; choose another run name", LittleRun().fit)
    assert content_of(run.path) == before
    (run.path / "run.json").unlink()
    refusal(r"has weights but no run\.json; move the folder away or choose another run name", LittleRun().fit)
    assert content_of(run.path) == {path: content for path, content in before.items() if path.name != "run.json"}


def test_a_run_without_its_log_keeps_its_weights_and_its_best_score(run):
    file = run.path / "metrics.jsonl"
    file.write_text('{"colour": "red"}\n')
    refusal(r"metrics\.jsonl is damaged .*; repair or delete that file, and the run goes on", LittleRun().fit)
    file.unlink()
    LittleRun().fit()
    left, expected = what_is_left(), undisturbed()
    assert {name for name in left if left[name] != expected[name]} <= {"metrics.jsonl", "metrics"}


@pytest.mark.parametrize("torn", ['{"step": 5, "lo', '{"step": 5, "loss": 0.4}', "{"])
def test_a_last_line_of_the_log_that_a_crash_cut_short_is_written_again(run, torn):
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    LittleRun().fit()
    assert what_is_left() == undisturbed()


@pytest.mark.parametrize("damage", [Path.unlink, cut])
@pytest.mark.parametrize("iters", [4, 6])
def test_damaged_weights_are_named_and_written_anew_by_the_next_call(run, damage, iters):
    file = run.path / "generator.safetensors"
    damage(file)
    assert str(file) in refusal("damaged|no network that|no weights file", load_generator, LAB)
    LittleRun().fit(iters)
    assert what_is_left()["generator.safetensors"] == undisturbed()["generator.safetensors"] or iters == 4
    assert refusal("network 'Sequential'", load_generator, LAB)


def test_only_that_a_lock_is_held_counts_and_what_cannot_be_locked_is_said(run, home):
    lock = run.path / ".lock"
    lock.unlink()
    lock.mkdir()
    assert str(run.path) in refusal("Cannot write into .*SRLAB_HOME", LittleRun().fit)
    lock.rmdir()
    lock.write_bytes(b"anything")
    LittleRun().fit()
    assert what_is_left() == undisturbed()
    shutil.rmtree(home)
    home.write_text("in the way")
    refusal("Cannot write into .*SRLAB_HOME", LittleRun().fit)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"lab": "03_srgan"}, "belongs to the lab 03_srgan, not to 01_srresnet"),
        ({"format": 99}, "another version of srlab .99"),
    ],
)
@pytest.mark.parametrize("states", [True, False])
def test_a_folder_of_another_lab_or_version_is_named_and_left_alone(run, content, words, states):
    manifest = run.manifest() | content
    if states:
        state = run.load_state()
        run.save_state(state | {"manifest": state["manifest"] | content})
    else:
        shutil.rmtree(run.path / "state")
        run.write_manifest(manifest)
    before = content_of(run.path)
    said = refusal(f"{words}.*; move the folder away or choose another run name", LittleRun().fit)
    assert str(run.path) in said
    assert content_of(run.path) == before


# --- From the version before ---------------------------------------------------------------------------------


@pytest.fixture
def old(killed):
    """A finished run as srlab left it when states were safetensors."""
    run = Run(LAB, "default")
    state = {"rng/cpu": torch.get_rng_state(), "generator/head.weight": torch.ones(4, 3, 9, 9)}
    write_safetensors(run.path / "state" / "000000600.safetensors", state, {"step": 600})
    run.save_generator(MSRResNet(1, 4), 600)
    run.save_generator(MSRResNet(1, 4), 300, best="psnr", score=28.0)
    manifest = json.loads((killed / "run.json").read_text()) | {"step": 600, "state": "finished"}
    (run.path / "run.json").write_text(json.dumps(manifest))
    (run.path / "metrics.jsonl").write_text('{"step": 600, "loss": 0.1}\n')
    return run


def test_a_run_of_the_version_before_can_be_read_and_is_never_overwritten(old):
    before = content_of(old.path)
    for file in ("generator.safetensors", "generator-best-psnr.safetensors"):
        assert isinstance(read_generator(old.path / file), MSRResNet)
    assert (old.manifest()["step"], old.is_trained(), len(old.metrics())) == (600, True, 1)
    assert find_run(Path(f"{LAB}/default")).manifest() == old.manifest()
    for iters in (6, 600, 900):
        refusal("There is no state in .* and its weights of step 600 stay; choose another run", LittleRun().fit, iters)
    assert {path: text for path, text in content_of(old.path).items() if path.name != ".lock"} == before


FORMAT_1 = Path(__file__).with_name("run_of_format_1.json")  # of half a `LittleRun`, as format 1 wrote it


def test_a_run_of_format_1_goes_on_to_the_same_bits_and_is_held_to_its_settings(run, capsys):
    run.save_state(run.load_state() | {"manifest": json.loads(FORMAT_1.read_bytes())})
    shutil.copy(FORMAT_1, run.path / "run.json")
    other = LittleRun(sampler={"degradation": Degradation(noise=0.1)})
    refusal(r"was made with sampler.degradation.noise=\[0.0, 0.1\] \(now 0.1\); give", other.fit)
    LittleRun().fit()
    assert "code of the training" not in capsys.readouterr().out  # whose hash was of another kind
    left, expected = what_is_left(), dict(undisturbed())
    made, described = left.pop("parameters"), expected.pop("parameters")
    assert left == expected
    assert made["sampler"] == described["sampler"], "Adam's settings depend on the version of torch"
    assert json.loads((run.path / "run.json").read_text())["format"] == FORMAT


BLIND = "Degradation(method='bicubic', blur=(0.2, 3.0), anisotropic=False, noise=(0.0, 0.05), photons=0.0, jpeg=0.0)"
STARTS = {"01_srresnet/default": "01_srresnet/default", "shipped": "shipped", "": "", "random weights": ""}
STAGES = {"own-psnr": "04_esrgan/own-psnr", "01_srresnet/own": "01_srresnet/own", "shipped": "shipped", "": ""}


def test_what_format_1_had_in_words_is_read_as_facts():
    sampler = {"patch": 32, "images": "left (half) of gravel (1 images, 166ea56e1a9f594a)", "degradation": BLIND}
    old = {"format": 1, "lab": "04_esrgan", "parameters": {"sampler": sampler}}
    made = lift(old)["parameters"]["sampler"]
    assert made["images"] == {"name": "left (half) of gravel", "count": 1, "fingerprint": "166ea56e1a9f594a"}
    assert made["degradation"] == Degradation(blur=(0.2, 3), noise=(0, 0.05)).describe()
    photons = {"sampler": sampler | {"degradation": BLIND.replace("photons=0.0", "photons=9.0")}}
    assert lift(old | {"parameters": photons})["parameters"]["sampler"]["degradation"]["photons"] == 9.0, (
        "it did something"
    )
    assert {start: lift(old | {"parameters": {"start": start}})["parameters"]["start"] for start in STARTS} == STARTS
    of_a_game = [old | {"parameters": {"psnr_stage": bool(stage)}, "psnr_stage": stage} for stage in STAGES]
    assert [lift(one) for one in of_a_game] == [
        {"format": FORMAT, "lab": "04_esrgan", "parameters": {"start": start}} for start in STAGES.values()
    ]
