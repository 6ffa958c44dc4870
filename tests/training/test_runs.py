"""srlab.training.runs: one run folder, the weights it hands on, and finding the right one."""

import re

import pytest
import torch

from srlab.base.errors import SrlabError
from srlab.base.files import write_safetensors
from srlab.cli.main import main
from srlab.models import MSRResNet, SRResNet
from srlab.models.weights import load_generator
from srlab.training.runs import Run, find_run, read_runs
from tests.conftest import leave_run

LAB = "01_srresnet"


@pytest.fixture
def run():
    return Run(LAB, "default")


def test_a_name_that_would_leave_the_folder_of_runs_is_refused():
    for name in ("", ".hidden", "..", "a/b", "a b", "a\\b", "../up"):
        for lab, run in ((name, "default"), (LAB, name)):
            with pytest.raises(SrlabError, match="no good name for a run"):
                Run(lab, run)


def test_metrics_come_back_in_order_and_those_after_a_step_can_be_forgotten(run):
    assert (run.manifest(), run.load_state(), run.metrics(), run.is_trained()) == (None, None, [], False)
    run.path.mkdir(parents=True)
    rows = [{"step": step, "loss": step / 100, "rate": 1e-4} for step in (10, 20, 30)]
    for row in rows:
        run.log(**row)
    assert run.metrics() == rows
    run.forget_after(20)
    assert run.metrics() == rows[:2]


def test_only_parts_of_killed_writers_are_swept_and_two_states_kept(run):
    for step in (1, 2, 3):
        run.save_state({"step": step, "manifest": {"step": step, "format": 1, "lab": LAB}})
    states = sorted((run.path / "state").iterdir())
    assert [file.name for file in states] == ["000000002.pt", "000000003.pt"]
    left = [run.path / ".run.json.123.part", run.path / "state" / ".000000008.pt.123.part"]
    kept = [run.path / ".mydownload.part", run.path / "state" / "000000001.pt.bak"]
    for file in (*left, *kept):
        file.write_bytes(b"x")
    with run.lock():
        assert not any(file.exists() for file in left)
        assert all(file.exists() for file in (*kept, *states))


# --- Weights -------------------------------------------------------------------------------------------------


def test_a_generator_comes_back_with_its_architecture_and_in_eval_mode(run):
    network = SRResNet(1, 4, 3)
    run.save_generator(network, 7)
    loaded = load_generator(LAB)
    assert (type(loaded), loaded.config, loaded.training) == (type(network), network.config, False)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in loaded.state_dict().items())


NETWORK = {"network": "MSRResNet", "config": {"blocks": 1, "features": 4}}
NAN = {name: value * float("nan") for name, value in MSRResNet(1, 4).state_dict().items()}


@pytest.mark.parametrize(
    ("notes", "weights", "words"),
    [
        *(({"network": name}, None, f"a network '{name}'; srlab knows .*RRDBNet") for name in ("Unheard", "nn", None)),
        *(
            (NETWORK | {"config": config}, None, "The weights in .* do not fit MSRResNet")
            for config in ({"blocks": 2, "features": 4}, {"blocks": 1, "features": 5}, {"colours": 3}, None)
        ),
        (NETWORK, NAN, "no numbers .NaN or infinite.*; take weights from before"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(run, notes, weights, words):
    write_safetensors(run.path / "generator.safetensors", weights or MSRResNet(1, 4).state_dict(), notes)
    with pytest.raises(SrlabError, match=words) as caught:
        load_generator(LAB)
    assert str(run.path / "generator.safetensors") in str(caught.value)


# --- Finding -------------------------------------------------------------------------------------------------


def test_a_run_is_found_by_its_folder_or_by_its_name(home, monkeypatch):
    run = leave_run(LAB, "long", 7)
    monkeypatch.chdir(run.path)
    for path in (run.path, run.path.relative_to(home), run.path / "."):
        found = find_run(path)
        assert (found.lab, found.name, found.manifest()["step"]) == (LAB, "long", 7)
    with pytest.raises(SrlabError, match=rf"There is no run in .*{LAB}; give the folder of one, or <lab>/<name>"):
        find_run(home / LAB)


ODD = [b"", bytes(50), b'{"step": 1, "sta', b'{"step": "\xe9"}', b"[]", b'{"step": 4}']
ODD += [b'{"format":1,"lab":"01_srresnet","parameters":{"sampler":{"images":"a"}},"step":4,"state":"","wall_time_s":0}']


@pytest.mark.parametrize("content", ODD)
def test_an_odd_manifest_is_one_sentence_for_whoever_reads_it(capsys, content):
    run = leave_run(LAB, "default", 4)
    (run.path / "run.json").write_bytes(content)
    words = rf"{run.path / 'run.json'} cannot be read as a run's manifest .*; move the folder away"
    with pytest.raises(SrlabError, match=words):
        run.is_trained()
    assert list(read_runs(LAB)) == []
    assert re.match(f"Passed over: {words}", capsys.readouterr().out)
    assert main(["doctor", str(run.path)]) == 2
    assert re.search(words, capsys.readouterr().err)


def test_the_name_of_a_copy_that_is_none_of_a_run_does_not_stop_the_search(capsys):
    run = leave_run(LAB, "default", 4)
    run.path.rename(run.path.with_name("default (copy)"))
    leave_run(LAB, "good", 7)
    assert [run.name for run, _ in read_runs()] == ["good"]
    assert "Passed over: 'default (copy)' is no good name for a run" in capsys.readouterr().out


def test_a_run_whose_manifest_is_lost_is_found_by_its_state():
    run = leave_run(LAB, "default", 4)
    manifest = run.manifest()
    run.save_state({"step": 4, "manifest": manifest})
    (run.path / "run.json").unlink()
    assert main(["doctor", f"{LAB}/default"]) == 0
    assert [(run.name, found) for run, found in read_runs()] == [("default", manifest)]
