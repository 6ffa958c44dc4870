"""Run folders and weights files that are damaged or of another program: one sentence, and no more."""

import json
import struct

import pytest
import torch
from safetensors.torch import save

import srlab
from srlab.base.errors import SrlabError
from srlab.cli.main import main
from srlab.models import MSRResNet
from srlab.models.weights import load_generator, read_generator
from srlab.training.runs import Run, find_trained
from tests.conftest import leave_run

LAB = "01_srresnet"
ODD = (None, True, -1, 1.5, float("nan"), "text", [], {"a": 1})
TEXTS = {
    "empty": b"",
    "zeros": bytes(50),
    "cut short": b'{"step": 1, "state',
    "not UTF-8": b'{"step": "\xe9"}\n',
    "UTF-16": '{"step": 1}\n'.encode("utf-16"),
    "a list": b"[]\n",
}


@pytest.fixture
def run():
    return leave_run(LAB, "default", 4)


def said(capsys):
    """What was printed, line by line."""
    shown = capsys.readouterr()
    return [line for line in (shown.out + shown.err).splitlines() if not line.startswith("  ")]


def odd(good):
    """The JSON of a dictionary with each of its entries missing or odd."""
    for key in good:
        yield f"no {key}", json.dumps({name: value for name, value in good.items() if name != key})
        for value in ODD:
            yield f"{key}={value!r}", json.dumps(good | {key: value})


def test_odd_manifests_are_one_sentence_for_whoever_reads_them(run, capsys):
    manifests = TEXTS | {name: text.encode() for name, text in odd(run.manifest())}
    refused = []
    for content in manifests.values():
        (run.path / "run.json").write_bytes(content)
        try:
            assert isinstance(run.is_trained(), bool)
        except SrlabError as error:
            refused.append(str(error))
        find_trained(LAB, 1, {"loss": "mse"}, without="discriminator")
        code = main(["doctor", str(run.path)])
        assert said(capsys)
        assert code in (0, 1, 2)
    assert len(refused) > len(TEXTS)
    assert all(str(run.path) in sentence for sentence in refused)


def test_odd_lines_of_a_log_are_one_sentence_for_the_doctor(run, capsys):
    good = dict.fromkeys(("step", "loss", "val_psnr", "g_norm", "d_real", "d_fake", "g_loss", "dead_units"), 0.5)
    for content in [*TEXTS.values(), *(f"{text}\n".encode() * 25 for _, text in odd(good))]:
        (run.path / "metrics.jsonl").write_bytes(content)
        code = main(["doctor", str(run.path)])
        assert said(capsys)
        assert code in (0, 1, 2)


def headers():
    """Whole weights files by what is odd in them."""
    network = MSRResNet(1, 4)
    weights = network.state_dict()
    good = {"network": "MSRResNet", "config": network.config}

    def noted(text):
        return save(weights, {"srlab": text})

    yield from ((name, noted(text)) for name, text in odd(good))
    for name, text in odd(network.config):
        yield f"config: {name}", noted(f'{{"network": "MSRResNet", "config": {text}}}')
    yield from ((name, noted(text.decode("latin"))) for name, text in TEXTS.items())
    yield "metadata a list", with_header({"__metadata__": []})
    yield "a type that is none", with_header({"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}})
    yield "no header", b""
    yield "a web page", b"<!doctype html><html>404 Not Found</html>"


def with_header(header):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4)


def test_odd_weights_files_are_one_sentence_for_whoever_reads_them(run, capsys, tmp_path):
    photo = torch.zeros(3, 16, 16)
    (tmp_path / "hr").mkdir()
    srlab.write_image(photo, tmp_path / "hr" / "a.png")
    file = run.path / "generator.safetensors"
    for name, content in headers():
        file.write_bytes(content)
        if name in ("config: no scale", "config: blocks=True"):  # these say the same in other words
            load_generator(LAB)
            continue
        for read in (lambda: load_generator(LAB), lambda: read_generator(file)):
            with pytest.raises(SrlabError, match=r"generator\.safetensors"):
                read()
    assert main(["upscale", str(tmp_path / "hr" / "a.png"), str(tmp_path / "a.png"), "--run", str(run.path)]) == 2
    assert main(["evaluate", "--hr", str(tmp_path / "hr"), "--run", str(file)]) == 2
    assert len(said(capsys)) == 2


def test_the_name_of_a_copy_that_is_none_of_a_run_does_not_stop_the_search(run, capsys):
    run.path.rename(run.path.with_name("default (copy)"))
    leave_run(LAB, "good", 7)
    assert [run.name for run in find_trained(LAB, 1, {}, without="discriminator")] == ["good"]
    assert "Passed over: 'default (copy)' is no good name for a run" in capsys.readouterr().out


def test_a_run_whose_manifest_is_lost_is_found_by_its_state(run):
    manifest = run.manifest()
    run.save_state({"step": 4, "manifest": manifest})
    (run.path / "run.json").unlink()
    assert main(["doctor", f"{LAB}/default"]) == 0
    assert [run.name for run in find_trained(LAB, 1, {}, without="discriminator")] == ["default"]
    assert Run(LAB, "default").manifest() == manifest
