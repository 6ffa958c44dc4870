"""What comes from outside stays data: no escapes out of names, no code out of parameters, no memory for a claim.

That nothing unpickles, evaluates or goes through a shell is a matter of ruff's S rules, see pyproject.toml.
"""

import pytest
import torch
from PIL import EpsImagePlugin

import srlab
from srlab import files, models
from srlab.course import execute as executing
from srlab.course.cli.main import main
from srlab.course.trained import load_trained
from srlab.data import datasets
from srlab.errors import SrlabError
from srlab.models import weights


def noise():
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))


# --- names and paths ---


def test_messages_are_printable_and_short():
    """A message may quote anything. All spaces stay: macOS puts a narrow one into names of screenshots."""
    nasty = "\x1b[31mred\n\u202eand\udce9 narrow\u202fspace"
    assert str(SrlabError(f"a {nasty}")) == "a ?[31mred ?and? narrow\u202fspace"
    long = str(SrlabError("begin" + "x" * 10**6 + "end"))
    assert len(long) < 2000
    assert long.endswith("xend")


def test_foreign_names_reach_the_terminal_without_escapes(tmp_path, home, capsys):
    turned = tmp_path / "gnp.\u202eb"
    for folder in ("hr", "sr"):
        srlab.write_image(noise(), turned / folder / "\u202ea.png")
        srlab.write_image(noise(), turned / folder / f"{folder}\u202e.png")
    assert main(["evaluate", "--sr", str(turned / "sr"), "--hr", str(turned / "hr")]) == 0
    run = home / "lab" / "\x1b[31mred"
    run.mkdir(parents=True)
    (run / "generator.safetensors").touch()
    load_trained()
    shown = capsys.readouterr()
    assert "red" in shown.out
    assert all(line.isprintable() for line in (shown.out + shown.err).splitlines())


@pytest.mark.parametrize("part", ["a\x1b[31m", "caf\udce9"], ids=ascii)
def test_image_with_an_unprintable_name_is_left_out(part, tmp_path, capsys):
    for name in (part, "good"):
        srlab.write_image(noise(), tmp_path / f"{name}.png")
    assert datasets.load_images(tmp_path).names == ["good"]
    printed = capsys.readouterr().out
    assert "Rename it" in printed
    assert printed.strip().isprintable()


@pytest.mark.parametrize("name", ["x=1; import os #", "x\nimport os\ny", "import"])
def test_a_parameter_is_a_name_and_no_code(name, tmp_path):
    """Papermill writes names into a cell as they stand; values it quotes."""
    with pytest.raises(SrlabError, match="parameter"):
        executing.execute(tmp_path / "lab.ipynb", tmp_path / "out.ipynb", {name: 1})


@pytest.mark.parametrize("config", [{"num_blocks": 10**9}, {"num_blocks": 1, "num_features": 10**6}])
def test_weights_file_cannot_ask_for_a_huge_network(config, tmp_path, monkeypatch):
    real = models.RRDBNet

    def build(**config):
        assert config["num_blocks"] < 1000, "so many modules would be made"
        assert torch.get_default_device().type == "meta", "so much memory would be taken"
        return real(**config)

    files.write_safetensors(tmp_path / "g.safetensors", {"a": noise()}, {"network": "RRDBNet", "config": config})
    monkeypatch.setitem(models.GENERATORS, "RRDBNet", build)
    with pytest.raises(SrlabError, match="do not fit"):
        weights.load_generator_file(tmp_path / "g.safetensors")


# --- files that say they are images; more of them are in tests/data/test_odd_files.py ---


def test_eps_is_refused_before_ghostscript_runs(tmp_path, monkeypatch):
    def ghostscript(*_, **__):
        raise AssertionError("Ghostscript would run what the file says")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", ghostscript)
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nnewpath\nshowpage\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(text)
    with pytest.raises(SrlabError, match="is not a readable image"):
        srlab.read_image(tmp_path / "a.png")
