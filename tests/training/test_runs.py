"""srlab.training.runs: a run folder survives crashes, full disks, a second process and foreign files."""

import errno
import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from srlab.base import places
from srlab.base.errors import SrlabError
from srlab.base.files import read_safetensors, write_atomic, write_safetensors
from srlab.models import MSRResNet, SRResNet
from srlab.models.weights import load_generator
from srlab.training import runs
from srlab.training.runs import Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run():
    return Run("01_srresnet", "default")


def start_python(script, *arguments):
    """A process of its own that can import srlab and sees the SRLAB_HOME of the test."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


# --- Where runs are ------------------------------------------------------------------------------------------


def test_home_is_srlab_home_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SRLAB_HOME", "elsewhere")
    assert places.home() == tmp_path / "elsewhere"
    monkeypatch.setenv("SRLAB_HOME", "~/sr")
    assert places.home() == Path("~/sr").expanduser()


@pytest.mark.parametrize("unset", [True, False])
@pytest.mark.parametrize("folder", [".", "notebooks", "notebooks/recipes"])
def test_home_is_runs_of_the_course_from_wherever_one_works(tmp_path, monkeypatch, folder, unset):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    if unset:
        monkeypatch.delenv("SRLAB_HOME")
    else:
        monkeypatch.setenv("SRLAB_HOME", "")  # as an empty line in a CI file leaves it
    assert places.home() == tmp_path / "runs"


def test_outside_of_the_course_home_is_runs_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRLAB_HOME")
    assert places.home() == tmp_path / "runs"


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a b", "a\\b", "../up"])
def test_a_name_that_would_leave_the_folder_of_runs_is_refused(name):
    for lab, run in ((name, "default"), ("01_srresnet", name)):
        with pytest.raises(SrlabError, match="no good name for a run"):
            Run(lab, run)


# --- Atomic writing ------------------------------------------------------------------------------------------


def full_disk(*args, **settings):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fails", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.open"])
def test_a_full_disk_leaves_the_old_file_no_part_and_a_sentence_with_the_name(tmp_path, monkeypatch, fails):
    file = tmp_path / "file"
    write_atomic(file, b"old")
    with monkeypatch.context() as broken:
        broken.setattr(fails, full_disk)
        with pytest.raises(SrlabError, match=f"Could not write {file} .No space left on device.*intact"):
            write_atomic(file, b"new and longer")
    assert file.read_bytes() == b"old"
    assert listing(tmp_path) == ["file"]
    write_atomic(file, b"new and longer")
    assert file.read_bytes() == b"new and longer"


def test_only_the_message_of_a_run_speaks_of_srlab_home(tmp_path, run, monkeypatch):
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(SrlabError, match=r"; free some space or choose another folder\. ") as caught:
        write_atomic(tmp_path / "table.csv", b"1,2")
    assert "SRLAB_HOME" not in str(caught.value)
    for write in (
        lambda: run.update(step=1),
        lambda: run.save_state(1, {"x": torch.ones(2)}),
        lambda: run.save_generator(MSRResNet(1, 4), 1),
        lambda: run.forget_after(1),
    ):
        with pytest.raises(SrlabError, match="choose another folder with SRLAB_HOME"):
            write()


def test_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append("fsync"), fsync(number)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (calls.append("replace"), replace(*paths)))
    write_atomic(tmp_path / "new" / "file", b"content")
    assert calls[:2] == ["fsync", "replace"]


def test_a_folder_that_cannot_be_made_gives_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SrlabError, match="Could not write"):
        write_atomic(tmp_path / "file" / "run.json", b"{}")


@pytest.mark.skipif(sys.platform == "win32", reason="needs file-size limits, which Windows lacks")
def test_a_real_limit_on_file_sizes_leaves_the_state_of_before(run):
    script = """if True:
        import resource, torch
        from srlab.base.errors import SrlabError
        from srlab.training.runs import Run
        run = Run("01_srresnet", "default")
        run.save_state(1, {"x": torch.ones(9)})
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            run.save_state(2, {"x": torch.ones(100_000)})
        except SrlabError as error:
            print(error)
    """
    said, _ = start_python(script).communicate(timeout=60)
    assert str(run.path / "state" / "000000002.safetensors") in said
    assert "File too large" in said
    assert listing(run.path / "state") == ["000000001.safetensors"]
    assert torch.equal(run.load_state()["x"], torch.ones(9))


# --- Manifest ------------------------------------------------------------------------------------------------


def test_a_run_that_has_not_begun_has_no_manifest(run):
    assert run.manifest() is None


def test_the_manifest_says_what_was_run_where_and_when(run):
    run.begin({"loss": "L1", "betas": (0.9, 0.99)}, {"device": "cpu"})
    manifest = json.loads((run.path / "run.json").read_text())
    assert manifest["parameters"] == {"loss": "L1", "betas": [0.9, 0.99]}
    assert (manifest["lab"], manifest["name"], manifest["state"]) == ("01_srresnet", "default", "running")
    assert manifest["device"] == "cpu"
    assert manifest["versions"]["torch"] == version("torch")
    assert {"started", "platform", "git", "format"} <= set(manifest)


def test_a_run_goes_on_with_the_same_parameters_and_keeps_what_it_knew(run):
    started = run.begin({"betas": (0.9, 0.99)}, {})["started"]
    run.update(step=7, wall_time_s=3.5, started="before")
    assert started
    again = run.begin({"betas": (0.9, 0.99)}, {"device": "cuda"})
    assert (again["step"], again["wall_time_s"], again["started"], again["device"]) == (7, 3.5, "before", "cuda")


def test_other_parameters_are_refused_and_what_differs_is_named(run):
    run.begin({"loss": "L1", "seed": 0, "old": 1}, {})
    run.save_state(5, {"x": torch.ones(1)})
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(SrlabError) as caught:
        run.begin({"loss": "MSE", "seed": 0, "new": 2}, {})
    assert "loss='L1' (now 'MSE')" in str(caught.value)
    assert "old=1 (now None)" in str(caught.value)
    assert "new=None (now 2)" in str(caught.value)
    assert "seed" not in str(caught.value)
    assert (run.path / "run.json").read_bytes() == before


def test_settings_may_change_while_nothing_is_trained(run):
    run.begin({"loss": "L1"}, {})
    run.save_state(0, {"x": torch.ones(1)})
    assert run.begin({"loss": "MSE"}, {})["parameters"] == {"loss": "MSE"}
    assert run.load_state() is None


def test_a_damaged_line_in_the_log_is_named(run):
    run.begin({}, {})
    (run.path / "metrics.jsonl").write_text('{"step": 1}\nnonsense\n{"step": 2}\n')
    with pytest.raises(SrlabError, match=r"metrics.jsonl is damaged"):
        run.metrics()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": 1, "lab": "03_srgan"}', "belongs to the lab 03_srgan, not to 01_srresnet"),
        ('{"format": 99, "lab": "01_srresnet"}', "another version of srlab .format 99"),
        ('{"something": "else"}', "another version of srlab .format None"),
        ('{"format": 1, "la', "cannot be read as a run's manifest"),
        ("[1, 2]", "cannot be read as a run's manifest"),
        ("", "cannot be read as a run's manifest"),
        ("\0" * 50, "cannot be read as a run's manifest"),
    ],
)
def test_a_damaged_or_foreign_manifest_is_named_with_a_remedy_and_left_alone(run, content, words):
    run.path.mkdir(parents=True)
    (run.path / "run.json").write_text(content)
    for ask in (run.manifest, lambda: run.begin({}, {})):
        with pytest.raises(SrlabError, match=words) as caught:
            ask()
        assert str(run.path) in str(caught.value)
        assert "choose another run name" in str(caught.value)
    assert (run.path / "run.json").read_text() == content


@pytest.mark.parametrize(
    "file", ["generator.safetensors", "generator-best-psnr.safetensors", "state/000000005.safetensors"]
)
def test_weights_without_a_manifest_are_refused_and_left_alone(run, file):
    write_safetensors(run.path / file, {"x": torch.ones(2)}, {})
    with pytest.raises(SrlabError, match=r"has weights but no run\.json"):
        run.begin({}, {})
    assert (run.path / file).exists()
    assert not (run.path / "run.json").exists()


# --- Lock ----------------------------------------------------------------------------------------------------

HOLDER = """if True:
    from srlab.training.runs import Run
    with Run("01_srresnet", "default").lock():
        print("locked", flush=True)
        input()
"""


def test_a_second_process_is_refused_until_the_first_dies_even_by_kill_9(run):
    first = start_python(HOLDER)
    try:
        assert first.stdout.readline() == "locked\n"
        with pytest.raises(SrlabError, match=f"The run {run.path} is in use by another process; wait.*name.$"):
            run.lock().__enter__()
        with Run("01_srresnet", "other").lock():
            pass
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
        with run.lock():
            pass
    finally:
        first.kill()
        first.communicate()


def test_the_lock_is_released_after_an_error(run):
    with pytest.raises(RuntimeError, match="inside"), run.lock():
        raise RuntimeError("inside")
    with run.lock():
        pass


def test_parts_that_a_killed_process_left_are_removed_by_the_next_that_holds_the_run(run):
    (run.path / "state").mkdir(parents=True)
    parts = [run.path / ".run.json.123.part", run.path / "state" / ".000000008.safetensors.123.part"]
    for part in parts:
        part.write_bytes(b"half")
    run.save_state(4, {"x": torch.ones(1)})
    with run.lock():
        assert not any(part.exists() for part in parts)
        assert run.state_steps() == [4]


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() == 0, reason="needs a user whom permissions bind, not root"
)
def test_a_folder_without_permission_gives_a_sentence(home, run):
    home.mkdir(mode=0o500)
    with pytest.raises(SrlabError, match=r"Cannot write into .*SRLAB_HOME"):
        run.lock().__enter__()


def test_a_home_that_is_a_file_gives_a_sentence(home, run):
    home.write_text("in the way")
    with pytest.raises(SrlabError, match=r"Cannot write into .*SRLAB_HOME"):
        run.lock().__enter__()


# --- Metrics -------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(run):
    run.path.mkdir(parents=True)
    for step in (10, 20, 30):
        run.log(step, loss=step / 100, rate=1e-4)
    return run


def test_metrics_come_back_in_order(logged):
    assert logged.metrics() == [{"step": step, "loss": step / 100, "rate": 1e-4} for step in (10, 20, 30)]


def test_a_run_without_a_log_has_no_metrics(run):
    assert run.metrics() == []


@pytest.mark.parametrize("torn", ['{"step": 40, "lo', '{"step": 40, "loss": 0.4, "rate": 0.0001}', "{"])
def test_a_last_line_that_a_crash_cut_short_is_left_out_and_does_not_spoil_the_next(logged, torn):
    with (logged.path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    assert [row["step"] for row in logged.metrics()] == [10, 20, 30]
    logged.forget_after(30)
    logged.log(40, loss=0.5)
    assert [row["step"] for row in logged.metrics()] == [10, 20, 30, 40]
    assert logged.metrics()[-1]["loss"] == 0.5


def test_lines_later_than_a_step_are_forgotten(logged):
    logged.forget_after(20)
    assert [row["step"] for row in logged.metrics()] == [10, 20]
    logged.forget_after(0)
    assert logged.metrics() == []


def test_a_full_disk_while_logging_gives_a_sentence(logged, monkeypatch):
    monkeypatch.setattr("pathlib.Path.open", full_disk)
    with pytest.raises(SrlabError, match=r"Could not write .*metrics\.jsonl .No space left"):
        logged.log(40, loss=0.4)


# --- State ---------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(run):
    for step in (5, 10, 15, 20):
        run.save_state(step, {"x": torch.full((3,), float(step)), "n": torch.tensor(step)})
    return run


def test_only_the_last_two_states_are_kept(saved):
    assert saved.state_steps() == [15, 20]
    assert listing(saved.path / "state") == ["000000015.safetensors", "000000020.safetensors"]


def test_the_newest_state_comes_back_with_its_step(saved, capsys):
    state = saved.load_state()
    assert state["step"] == 20
    assert torch.equal(state["x"], torch.full((3,), 20.0))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "damage", [cut, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"\0" * 500)]
)
def test_a_damaged_newest_state_falls_back_to_the_one_before_and_says_so(saved, capsys, damage):
    damage(saved.path / "state" / "000000020.safetensors")
    assert saved.load_state()["step"] == 15
    said = capsys.readouterr().out
    assert "000000020.safetensors is damaged or cut short" in said
    assert "Falling back to the state before it." in said


def test_two_damaged_states_are_an_error_that_says_what_to_do(saved):
    for step in (15, 20):
        cut(saved.path / "state" / f"{step:09d}.safetensors")
    with pytest.raises(SrlabError, match=r"No state in .* can be read; delete .* to start the run anew"):
        saved.load_state()


def test_a_run_without_a_state_has_none(run):
    assert run.load_state() is None


# --- Weights -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [SRResNet(1, 4, 3), MSRResNet(2, 5)])
def test_a_generator_comes_back_with_its_architecture_and_in_eval_mode(run, network):
    run.save_generator(network, 7)
    loaded = load_generator("01_srresnet")
    assert type(loaded) is type(network)
    assert loaded.config == network.config
    assert not loaded.training
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in loaded.state_dict().items())


def test_the_best_weights_are_another_file(run):
    one, other = MSRResNet(1, 4), MSRResNet(1, 4)
    run.save_generator(one, 7)
    run.save_generator(other, 5, "generator-best-psnr.safetensors")
    assert torch.equal(load_generator("01_srresnet", best="psnr").head.weight, other.head.weight)
    with pytest.raises(SrlabError, match=r"no weights with the best ssim; take those it has: psnr"):
        load_generator("01_srresnet", best="ssim")


def test_a_missing_run_says_to_run_its_lab_first(run):
    with pytest.raises(SrlabError, match=r"no weights file .*01_srresnet.*run the lab that makes it first"):
        load_generator("01_srresnet")


def test_weights_of_another_program_are_named(run):
    run.path.mkdir(parents=True)
    for metadata in (None, {"format": "pt"}):
        save_file({"x": torch.ones(2)}, run.path / "generator.safetensors", metadata)
        with pytest.raises(SrlabError, match=r"generator\.safetensors was not written by srlab"):
            load_generator("01_srresnet")


@pytest.mark.parametrize("damage", [cut, lambda path: path.write_bytes(b"")])
def test_damaged_weights_are_named(run, damage):
    run.save_generator(MSRResNet(1, 4), 7)
    damage(run.path / "generator.safetensors")
    with pytest.raises(SrlabError, match=r"generator\.safetensors is damaged or cut short"):
        load_generator("01_srresnet")


@pytest.mark.parametrize("position", [0.3, 0.6, 0.9, 1])
def test_weights_of_which_one_bit_has_changed_are_refused(run, position):
    run.save_generator(MSRResNet(1, 4), 7)
    file = run.path / "generator.safetensors"
    content = bytearray(file.read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")  # of the numbers, behind the header
    content[begin + int((len(content) - 1 - begin) * position)] ^= 1
    file.write_bytes(content)
    with pytest.raises(SrlabError, match=r"generator\.safetensors is damaged: .*run the lab again") as caught:
        load_generator("01_srresnet")
    assert "\n" not in str(caught.value)


def test_a_state_of_which_one_bit_has_changed_gives_way_to_the_one_before_it(run, capsys):
    for step in (1, 2):
        run.save_state(step, {"x": torch.full((9,), float(step))})
    file = run.path / "state" / "000000002.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert run.load_state()["x"].tolist() == [1.0] * 9
    assert "is damaged: its numbers are not those that were written" in capsys.readouterr().out


def test_the_name_of_a_tensor_and_the_notes_are_part_of_what_is_checked(tmp_path):
    write_safetensors(tmp_path / "a", {"first": torch.ones(2)}, {"scale": 4})
    whole = (tmp_path / "a").read_bytes()
    for old, new in ((b'"first"', b'"fIrst"'), (b'\\"scale\\": 4', b'\\"scale\\": 2')):
        assert whole.count(old) == 1
        (tmp_path / "a").write_bytes(whole.replace(old, new))
        with pytest.raises(SrlabError, match="is damaged"):
            read_safetensors(tmp_path / "a")


def test_weights_from_before_there_was_a_hash_are_read(run):
    network = MSRResNet(1, 4)
    notes = {"network": "MSRResNet", "config": network.config, "step": 7, "lab": run.lab}
    run.path.mkdir(parents=True)
    save_file(network.state_dict(), run.path / "generator.safetensors", {"srlab": json.dumps(notes)})
    loaded = load_generator("01_srresnet").state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in network.state_dict().items())


def test_best_weights_that_are_not_there_are_answered_with_those_that_are(run):
    run.save_generator(MSRResNet(1, 4), 7)
    with pytest.raises(SrlabError, match="no weights with the best lpips; take the last ones, as it has no best ones"):
        load_generator("01_srresnet", best="lpips")
    for score in ("ssim", "psnr"):
        run.save_generator(MSRResNet(1, 4), 7, f"generator-best-{score}.safetensors")
    with pytest.raises(SrlabError, match=r"default has no weights with the best lpips; take those it has: psnr, ssim"):
        load_generator("01_srresnet", best="lpips")


@pytest.mark.parametrize("network", ["Unheard", "nn", "parameter_count", None])
def test_a_network_that_srlab_does_not_know_is_refused(run, network):
    write_safetensors(run.path / "generator.safetensors", {"x": torch.ones(2)}, {"network": network, "config": {}})
    with pytest.raises(SrlabError, match=f"a network '{network}'; srlab knows SRResNet, MSRResNet"):
        load_generator("01_srresnet")


@pytest.mark.parametrize("config", [{"blocks": 2, "features": 4}, {"blocks": 1, "features": 5}, {"colours": 3}, None])
def test_weights_that_do_not_fit_their_architecture_are_refused(run, config):
    notes = {"network": "MSRResNet", "config": config}
    write_safetensors(run.path / "generator.safetensors", MSRResNet(1, 4).state_dict(), notes)
    with pytest.raises(SrlabError, match=r"The weights in .* do not fit MSRResNet"):
        load_generator("01_srresnet")


def test_equal_content_gives_equal_bytes_in_whatever_memory_layout(tmp_path):
    network = MSRResNet(1, 4)
    notes = {"step": 3, "network": "MSRResNet", "config": network.config, "lab": "x"}
    for number in range(5):
        write_safetensors(
            tmp_path / f"{number}", network.state_dict(), dict(reversed(notes.items()) if number else notes)
        )
        network.to(memory_format=torch.channels_last)
    assert len({(tmp_path / f"{number}").read_bytes() for number in range(5)}) == 1


def test_tensors_of_every_kind_come_back_exactly(tmp_path):
    tensors = {
        "float": torch.tensor([1.0, float("nan"), -0.0]),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "rng": torch.get_rng_state(),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 2),
        "double": torch.rand(2, dtype=torch.float64),
        "parameter": torch.nn.Parameter(torch.rand(2)),
    }
    write_safetensors(tmp_path / "all", tensors, {"note": 1})
    back, notes = read_safetensors(tmp_path / "all")
    assert notes == {"note": 1}
    for key, value in tensors.items():
        assert back[key].dtype == value.dtype
        assert torch.equal(back[key].nan_to_num(7), value.nan_to_num(7))


def test_a_foreign_folder_is_refused_before_anything_in_it_is_touched(run):
    run.path.mkdir(parents=True)
    (run.path / "run.json").write_text('{"format": 99}')
    mine = [run.path / ".mydownload.part", run.path / ".rsync.99.part"]
    for file in mine:
        file.write_text("precious")
    with pytest.raises(SrlabError, match="another version"), run.lock():
        pass
    assert all(file.read_text() == "precious" for file in mine)


def test_only_parts_of_killed_writers_are_swept(run):
    run.begin({}, {})
    left, kept = run.path / ".run.json.12345.part", run.path / ".mydownload.part"
    for file in (left, kept):
        file.write_text("x")
    with run.lock():
        assert not left.exists()
        assert kept.exists()


def test_checking_alone_leaves_the_manifest_as_it_is(run):
    run.begin({"loss": "L1"}, {"precision": "no"})
    before = (run.path / "run.json").read_bytes()
    assert run.begin({"loss": "L1"}, None)["precision"] == "no"
    assert (run.path / "run.json").read_bytes() == before


def test_a_start_is_the_shortest_finished_run_that_will_do_and_no_side_run(home):
    """The network of six crops, trained to overfit, is nothing to begin with."""
    parameters = {"generator": {"network": "MSRResNet"}, "loss": "mse"}
    for name, step, state, more in (
        ("long", 900, "finished", {}),
        ("short", 100, "finished", {}),
        ("fits", 400, "finished", {"seed": 1}),
        ("stopped", 350, "stopped", {}),
        ("ruined", 350, "failed", {}),
        ("other", 350, "finished", {"loss": "l1"}),
        ("gan", 350, "finished", {"discriminator": {}}),
        ("default-ablation-six", 350, "finished", {}),
    ):
        run = runs.Run("01_srresnet", name)
        with run.lock():
            run.begin(parameters | more, {})
            run.update(state=state, step=step)

    def found(steps):
        one = runs.find_trained("01_srresnet", steps, parameters, without="discriminator")
        return one and one.name

    assert (found(300), found(401), found(901)) == ("fits", "long", None)
