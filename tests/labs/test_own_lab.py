"""Test the smallest lab, in docs/own_lab/: two files that all commands accept."""

import shutil

import pytest

from srlab.cli.main import main
from tests.conftest import ROOT


@pytest.mark.nightly
def test_smallest_lab(tmp_path, home, monkeypatch, capsys):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "own_lab" / "09_my_lab.ipynb", tmp_path / "notebooks")
    shutil.copy(ROOT / "docs" / "own_lab" / "09_my_lab.py", tmp_path / "notebooks" / "recipes")
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "09", "-p", "batch", "2"]) == 0
    assert main(["execute", "09", "--recipe", "smoke"]) == 0
    assert "PSNR of the validation photos" in capsys.readouterr().out
    (tmp_path / "notebooks" / "recipes" / "09_my_lab.py").rename(tmp_path / "other.yaml")
    for command in ("plan", "execute"):
        assert main([command, "09"]) == 2
        assert "notebooks/recipes/09_my_lab.py is missing" in capsys.readouterr().err
    assert (home / "09_my_lab" / "smoke" / "generator.safetensors").is_file()
