"""Test the smallest lab of docs/extending.md: two files that all commands accept."""

import re

import nbformat
import pytest

from srlab.cli.main import main
from tests.conftest import ROOT


def notebook_of(text):
    """Return a notebook from text with a cell below each ``# %%``."""
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    )
    for head, body in re.findall(r"^# %%([^\n]*)\n(.*?)(?=^# %%|\Z)", text, re.MULTILINE | re.DOTALL):
        if "markdown" in head:
            notebook.cells.append(nbformat.v4.new_markdown_cell(body))
        else:
            tags = {"tags": ["parameters"]} if "parameters" in head else {}
            notebook.cells.append(nbformat.v4.new_code_cell(body.strip(), metadata=tags))
    return notebook


@pytest.mark.nightly
def test_smallest_lab(tmp_path, home, monkeypatch, capsys):
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    recipes, cells = (re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)[1] for kind in ("yaml", "py"))
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    (tmp_path / "notebooks" / "recipes" / "08_my_lab.yaml").write_text(recipes, encoding="utf-8")
    nbformat.write(notebook_of(cells), tmp_path / "notebooks" / "08_my_lab.ipynb")
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "08", "-p", "batch", "2"]) == 0
    assert main(["execute", "08", "--recipe", "smoke"]) == 0
    assert "PSNR of the validation photos" in capsys.readouterr().out
    (tmp_path / "notebooks" / "recipes" / "08_my_lab.yaml").rename(tmp_path / "other.yaml")
    for command in ("plan", "execute"):
        assert main([command, "08"]) == 2
        assert "notebooks/recipes/08_my_lab.yaml is missing" in capsys.readouterr().err
    assert (home / "08_my_lab" / "smoke" / "generator.safetensors").is_file()
