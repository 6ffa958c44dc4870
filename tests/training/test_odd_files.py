"""Run folders and weights files of somebody else, with JSON that nobody would write: one sentence, and no more."""

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
NASTY = "\x1b[31mred\nand \u202egreen"
DEEP = "[" * 100_000
ODD = (None, True, -1, 1.5, float("nan"), -(2**70), "9" * 5000, NASTY, [], [[]], {}, {"a": 1})
TEXTS = {
    "empty": b"",
    "zeros": bytes(50),
    "no JSON": b"{",
    "deep": DEEP.encode(),
    "not UTF-8": b'{"step": "\xe9"}\n',
    "UTF-16": '{"step": 1}\n'.encode("utf-16"),
    "a number too long to be one": b'{"step": ' + b"9" * 5000 + b"}\n",
    "a list": b"[]\n",
    "a list of the names": b'["format", "lab", "parameters", "step", "state", "wall_time_s"]\n',
    "half a character": b'{"step": "\\ud800"}\n',
}


@pytest.fixture
def run():
    return leave_run(LAB, "default", 4)


def said(capsys):
    """What was printed, line by line; a terminal can show it, and it does not scroll away."""
    shown = capsys.readouterr()
    lines = [line for line in (shown.out + shown.err).splitlines() if not line.startswith("  ")]
    assert all(line.isprintable() for line in lines)
    assert all(len(line) < 2500 for line in lines)
    return lines


def odd(good):
    """The JSON of a dictionary with each of its entries missing or odd."""
    for key in good:
        yield f"no {key}", json.dumps({name: value for name, value in good.items() if name != key})
        yield f"{key} deep", json.dumps(good | {key: "deep"}).replace('"deep"', "[" * 99_999 + "]" * 99_999)
        for value in ODD:
            yield f"{key}={value!r:.20}", json.dumps(good | {key: value})


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
    whole = noted(json.dumps(good))
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    own = {"srlab": json.dumps(good)}
    for name, header in {
        "metadata a list": {"__metadata__": []},
        "metadata of metadata": {"__metadata__": {"srlab": {}}},
        "a nasty tensor": {"__metadata__": own, NASTY: tensor},
        "a nasty type": {"__metadata__": own, "a": tensor | {"dtype": NASTY}},
        "no notes, and a nasty tensor": {NASTY: tensor},
    }.items():
        text = json.dumps(header).encode()
        yield name, struct.pack("<Q", len(text)) + text + bytes(4)
    yield "deep header", struct.pack("<Q", len(DEEP)) + DEEP.encode()
    yield "endless header", struct.pack("<Q", 2**63) + whole[8:]
    yield "no header", b""


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
        assert said(capsys)


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
