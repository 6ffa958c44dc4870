"""srlab figures: the figures of an executed lab as numbered files, and nothing of anybody's is written over."""

import base64

import nbformat
import pytest
import torch

import srlab
from srlab.cli.main import main

PNG = base64.b64encode(b"the bytes of a picture").decode()


@pytest.fixture
def executed(tmp_path, home, monkeypatch):
    """A course with one lab, and its executed copy with a picture in the text, a figure and a slider."""
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    (tmp_path / "notebooks" / "recipes" / "00_a.yaml").touch()
    (tmp_path / "notebooks" / "first.jpg").write_bytes(b"first")
    text = nbformat.v4.new_markdown_cell("# 00 A & B?\n\n![A first picture.](first.jpg)\n\n![Gone.](gone.jpg)")
    output = {"output_type": "display_data", "metadata": {"alt": 'The "slope" of ../both.'}, "data": {"image/png": PNG}}
    compared = srlab.compare({"lr": torch.rand(1, 3, 4, 4), "HR": torch.rand(1, 3, 4, 4)}, caption="Stones & grass.")
    slider = {"output_type": "display_data", "metadata": {}, "data": {"text/html": compared._repr_html_()}}
    table = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<table></table>"}}
    cell = nbformat.v4.new_code_cell("draw()", outputs=list(map(nbformat.from_dict, (output, table, slider))))
    notebook = nbformat.v4.new_notebook(cells=[text, cell])
    nbformat.write(notebook, tmp_path / "notebooks" / "00_a.ipynb")
    (home / "notebooks").mkdir(parents=True)
    nbformat.write(notebook, home / "notebooks" / "00_a.ipynb")
    monkeypatch.chdir(tmp_path)
    return home / "notebooks" / "00_a.ipynb"


def test_figures_are_numbered_files_with_a_page_of_their_captions(executed, tmp_path, capsys):
    assert main(["figures", "00"]) == 0
    assert "00_a_figures: 3 figures of 00_a" in capsys.readouterr().out
    files = {file.name: file.read_bytes() for file in (tmp_path / "00_a_figures").iterdir()}
    page = files.pop("index.html").decode()
    assert sorted(files) == ["01_a_first_picture.jpg", "02_the_slope_of_both.png", "03-01_lr.png", "03-02_hr.png"]
    assert files["02_the_slope_of_both.png"] == base64.b64decode(PNG)
    assert files["03-02_hr.png"].startswith(b"\x89PNG")
    assert all(f'src="{name}"' in page for name in files)
    assert "<h1>00 A &amp; B?</h1>" in page
    assert page.index("Figure 1. A first picture.") < page.index("Figure 3. Stones &amp; grass.")


def test_a_folder_that_is_there_is_refused_and_a_lab_that_was_not_run_is_named(executed, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "slides.txt").write_text("mine")
    assert main(["figures", "00", "-o", "mine"]) == 2
    assert "mine exists already; choose another name, or remove it." in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["slides.txt"]
    executed.unlink()
    assert main(["figures", "00"]) == 2
    assert f"{executed} is missing; run srlab labs 00 first." in capsys.readouterr().err
    assert not (tmp_path / "00_a_figures").exists()
