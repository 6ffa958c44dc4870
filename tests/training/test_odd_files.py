"""Run folders and weights files that are damaged or of another program: one sentence, and no more."""

import json

import pytest
from safetensors.torch import save

from srlab.base.errors import SrlabError
from srlab.cli.main import main
from srlab.models import MSRResNet
from srlab.models.weights import load_generator, read_generator
from srlab.training.runs import Run
from srlab.training.starts import find_trained
from tests.conftest import leave_run

LAB = "01_srresnet"
TEXTS = {
    "empty": b"",
    "zeros": bytes(50),
    "cut short": b'{"step": 1, "state',
    "not UTF-8": b'{"step": "\xe9"}\n',
    "a list": b"[]\n",
}


@pytest.fixture
def run():
    return leave_run(LAB, "default", 4)


def one_line(capsys):
    """What was printed, on one line."""
    shown = capsys.readouterr()
    (line,) = (shown.out + shown.err).splitlines()
    return line


def without_one(good):
    """The JSON of a dictionary, each of its entries missing in turn."""
    return {key: json.dumps({name: value for name, value in good.items() if name != key}).encode() for key in good}


def test_odd_manifests_are_one_sentence_for_whoever_reads_them(run, capsys):
    needed = {name: value for name, value in run.manifest().items() if name != "name"}
    for content in (TEXTS | without_one(needed)).values():
        (run.path / "run.json").write_bytes(content)
        with pytest.raises(SrlabError, match=str(run.path)):
            run.is_trained()
        assert find_trained(LAB, 1, {"loss": "mse"}) == []
        assert one_line(capsys).startswith("Passed over: ")
        assert main(["doctor", str(run.path)]) == 2
        assert str(run.path) in one_line(capsys)


def test_odd_lines_of_a_log_are_one_sentence_for_the_doctor(run, capsys):
    for content in (TEXTS["not UTF-8"], TEXTS["a list"], b'{"loss": 0.5}\n'):
        (run.path / "metrics.jsonl").write_bytes(content)
        assert main(["doctor", str(run.path)]) == 2
        assert "metrics.jsonl is damaged" in one_line(capsys)


def test_odd_weights_files_are_one_sentence_for_whoever_reads_them(run):
    network = MSRResNet(1, 4)
    good = {"network": "MSRResNet", "config": network.config}
    odd = [*without_one(good).values(), *(json.dumps(good | {"config": value}).encode() for value in (None, [], 1))]
    files = [save(network.state_dict(), {"srlab": text.decode("latin")}) for text in (*TEXTS.values(), *odd)]
    file = run.path / "generator.safetensors"
    for content in (*files, b"", b"<!doctype html><html>404 Not Found</html>"):
        file.write_bytes(content)
        for read in (lambda: load_generator(LAB), lambda: read_generator(file)):
            with pytest.raises(SrlabError, match=r"generator\.safetensors"):
                read()


def test_the_name_of_a_copy_that_is_none_of_a_run_does_not_stop_the_search(run, capsys):
    run.path.rename(run.path.with_name("default (copy)"))
    leave_run(LAB, "good", 7)
    assert find_trained(LAB, 1, {}) == [f"{LAB}/good"]
    assert one_line(capsys).startswith("Passed over: 'default (copy)' is no good name for a run")


def test_a_run_whose_manifest_is_lost_is_found_by_its_state(run):
    manifest = run.manifest()
    run.save_state({"step": 4, "manifest": manifest})
    (run.path / "run.json").unlink()
    assert main(["doctor", f"{LAB}/default"]) == 0
    assert find_trained(LAB, 1, {}) == [f"{LAB}/default"]
    assert Run(LAB, "default").manifest() == manifest
