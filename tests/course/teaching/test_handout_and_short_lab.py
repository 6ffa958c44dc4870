"""Test srlab handout and srlab short."""

import base64
import json
import re
import shutil
from html import unescape

import nbformat
import pytest
from PIL import Image

from srlab.cli.main import main
from srlab_course.teaching import handout
from srlab_course.teaching.handout import FOLDED
from tests.conftest import LABS, ROOT, left, make_link


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Copy the labs, as for a teacher who has worked in lab 02 and pasted a picture twice, and change to the copy."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "course" / "notebooks")
    lab = tmp_path / "course" / "notebooks" / "02_content_loss.ipynb"
    notebook = nbformat.read(lab, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                nbformat.v4.new_output("stream", text="printed then"),
                left("content_loss.balance", "correct"),
            ]
    pasted = {"a.png": {"image/png": "cGFzdGVk"}}
    text = '![pasted](attachment:a.png)\n\n<img src="attachment:a.png" width="200">'
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(text, attachments=pasted))
    nbformat.write(notebook, lab)
    monkeypatch.chdir(tmp_path / "course")
    return tmp_path / "course"


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_handout_is_one_page_without_code_outputs_and_answers(lab, course, home, capsys):
    assert main(["handout", lab.stem.partition("_")[2]]) == 0
    file = home / "handouts" / f"{lab.stem}.html"
    assert (course / capsys.readouterr().out.strip()).samefile(file)
    page = file.read_text(encoding="utf-8")
    for part in ("import srlab", "return course.TODO", "printed then", "data-srlab-check", "<details", "Open in Colab"):
        assert part not in page
    assert re.findall(r"Exercise (\d)\.</strong>", page)[:3] == ["1", "2", "3"]
    assert page.count('src="data:image/png;base64,cGFzdGVk"') == (2 if lab == LABS[2] else 0)
    assert not re.findall(r'<script|<(?:img|link)[^>]* (?:src|href)="(?!data:)', page), "it needs the internet"
    text = "\n".join(cell.source for cell in nbformat.read(lab, 4).cells if cell.cell_type == "markdown")
    formulas = re.findall(r"(\$\$?)([^$]+)\1", re.sub("<details>.*?</details>", "", text, flags=re.S))
    drawn = {unescape(alt) for alt in re.findall(r'<img alt="([^"]*)" src="data:image/svg', page)}
    assert {formula.strip() for _, formula in formulas} == drawn
    assert main(["handout", lab.stem]) == 2
    assert "already exists" in capsys.readouterr().err


def test_handout_runs_no_template_of_the_working_directory(course, monkeypatch, tmp_path):
    planted = tmp_path / "lab" / "lab" / "index.html.j2"  # where nbconvert looks first unless it is told not to
    planted.parent.mkdir(parents=True)
    planted.write_text("{{ 1 / 0 }}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["handout", str(course / "notebooks" / "00_degradation.ipynb")]) == 0


def test_short_lab_has_the_other_sections(course, capsys):
    before = nbformat.read(course / "notebooks" / "02_content_loss.ipynb", 4)
    assert main(["short", "02", "--without", "8", "12"]) == 2
    assert "02_content_loss has no section 12." in capsys.readouterr().err
    assert main(["short", "02", "--without", "8", "6"]) == 2
    assert "Section 6 of 02_content_loss is not optional" in (said := capsys.readouterr().err)
    assert "Pass --without 6 7 8 9." in said
    assert main(["short", "02", "--without", "9", "7", "8"]) == 0
    file = course / "notebooks" / "02_content_loss.short.ipynb"
    path, advice, *sentences = capsys.readouterr().out.splitlines()
    assert (course / path).samefile(file)
    assert "mention a section that was dropped" in advice
    assert "8 and 9 are optional" in " ".join(sentences)
    assert "loss of section 2" not in " ".join(sentences)
    assert main(["short", "02", "--without", "99"]) == 2
    assert "no section 99" in capsys.readouterr().err, "the copy exists, but that isn't the mistake"
    assert main(["short", "02", "--without", "8"]) == 2
    assert "already exists" in capsys.readouterr().err
    short = nbformat.read(file, 4)
    headings = re.findall(r"^## (\d)\.", "\n".join(cell.source for cell in short.cells), re.M)
    assert headings == list("123456")
    dropped = {"section-7", "section-8", "section-9"}
    assert short.cells == [cell for cell in before.cells if not dropped & {*cell.metadata.get("tags", [])}]
    assert main(["short", "02", "--without", "8", "--force"]) == 0
    assert nbformat.read(file, 4) != short


@pytest.mark.parametrize("name", ["02_content_loss.short", "notebooks/02_content_loss.short.ipynb"])
def test_handout_of_a_short_lab(name, course, home):
    assert main(["short", "02", "--without", "7", "8", "9"]) == 0
    assert main(["handout", name]) == 0
    page = (home / "handouts" / "02_content_loss.short.html").read_text(encoding="utf-8")
    assert "<h2" in page
    assert "8. " not in " ".join(re.findall(r"<h2[^>]*>(.*?)</h2>", page, re.S))


def handout_of(text, folder, home, **metadata):
    """Return the body of the handout of a notebook with this text, with its own metadata."""
    folder.mkdir(exist_ok=True)
    cells = [nbformat.v4.new_markdown_cell(text)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "lab.ipynb")
    assert main(["handout", str(folder / "lab.ipynb"), "--force"]) == 0
    page = (home / "handouts" / "lab.html").read_text(encoding="utf-8")
    assert page.count("<meta") == 3, "the encoding, the width, and what the page may load"
    return page[page.index("<body") :]


def test_handout_of_a_foreign_notebook_shows_no_other_file(tmp_path, home):
    """Test that it has only pictures, and none from elsewhere."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    for name, color in (("elsewhere.png", "red"), ("foreign/own.png", "blue")):
        Image.new("RGB", (2, 2), color).save(tmp_path / name)
    make_link(folder / "link.png", tmp_path / "elsewhere.png")
    make_link(folder / "loop.png", folder / "loop.png")
    for name in ("grades.csv", "key.png"):
        (folder / name).write_text("secret", encoding="utf-8")
    places = ["own.png", "link.png", "loop.png", "../elsewhere.png", f"{tmp_path}/elsewhere.png"]
    places += ["grades.csv", "key.png", ".", "a" * 5000]
    text = "\n\n".join(f'![]({place}) <img src="{place}">' for place in places)
    page = handout_of(f"# Lab\n\n{text}\n\n${'{' * 1000}$", folder, home)
    shown = [base64.b64decode(data) for data in re.findall('src="data:[^,]*,([^"]*)"', page)]
    assert shown == [(folder / "own.png").read_bytes()] * 2
    assert f"<code>{'{' * 1000}</code>" in page


USUAL = """<table align="center"><tbody><tr><td colspan="2" style="color: red;">v</td></tr></tbody></table>

A <b>bold</b> word, H<sub>2</sub>O, <code>x&lt;y</code> and <a href="https://example.org/#x">a link</a>."""


def test_handout_keeps_usual_html(tmp_path, home):
    table, words = USUAL.split("\n\n")
    page = handout_of(USUAL, tmp_path, home)
    assert table in page
    assert f"<p>{words}</p>" in page
    assert 'src="data:image/png;base64,eA==" width="40"' in handout_of(
        '<p>a <img src="data:image/png;base64,eA==" width=40></p>', tmp_path, home
    )


@pytest.mark.parametrize(
    "attack",
    [
        '<meta http-equiv="refresh" content="0;url=https://example.org">',
        'In a line <meta http-equiv="refresh" content="0;url=https://example.org">',
        '<base href="https://example.org"><link rel="dns-prefetch" href="//example.org">',
        '<script src="x"></script><style>@import url(https://example.org)</style>',
        '<iframe srcdoc="x"></iframe><object data="x"></object><form action="x"><button>x</button></form>',
        '<b onclick="x">b</b><svg onload="x"></svg><img onerror="x">',
        '<a href="javascript:x">a</a> <a href="javascript&colon;x">b</a>',
        '<a href="data:text/html,script:x">a</a> <a href="da&Tab;ta:text/html,script:x">a</a>',
        "[a](data:text/html,script:x)",
        '<img src="data:text/html,script:x"> <img src="https://example.org/?script:x">',
        '<b style="position: fixed; background: url(https://example.org)">b</b>',
    ],
)
def test_handout_has_no_other_html(attack, tmp_path, home):
    """Test that a list of tags and attributes decides; tests/browser/test_foreign_text.py opens the page."""
    page = handout_of(attack, tmp_path, home, title="</title><script>", widgets={"x": {"state": {"<script>": {}}}})
    other = r"<(meta|base|link|script|style|iframe|object|form|button|svg)|<[^>]* on\w+=|<[^>]*(script:|position|url)"
    assert not re.search(other, page, re.IGNORECASE)


def test_large_handout_is_rejected(tmp_path, home, monkeypatch, capsys):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    decoded, opened = [], handout.open_upright
    monkeypatch.setattr(handout, "open_upright", lambda file: decoded.append(file) or opened(file))
    monkeypatch.setattr(handout, "LARGEST_PAGE", 10_000)
    monkeypatch.setattr(handout, "LETTER", 1)
    pasted = {"a": {"image/png": "A" * 1000}}
    repeated = "".join(f"<b id={number}>" for number in range(100)) + "<p>x" * 120  # 24,000 tags in the page
    for text in ("![](attachment:a) " * 100, "![](a.png) " * 100, "$a$ " * 100, "a" * 11_000, repeated):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, attachments=pasted)])
        nbformat.write(notebook, tmp_path / "lab.ipynb")
        assert main(["handout", str(tmp_path / "lab.ipynb")]) == 2
        assert "too large for a handout: it needs more than 0.01 MB" in capsys.readouterr().err
    assert decoded == [tmp_path / "a.png"]
    assert handout.draw("a" * 5000, "") == f"<code>{'a' * 5000}</code>"


def test_long_text_and_code_are_shown_as_they_are(tmp_path, home, monkeypatch):
    """Test what would take the square of its length, or much more in some highlighters."""
    long = "**[" * 10_000
    assert f"<pre>{long}</pre>" in handout_of(long, tmp_path, home)
    assert "<strong>a</strong>" in handout_of(f"**a** {'a' * 5000}", tmp_path, home)
    left_open = "".join(f"<b id={number}>" for number in range(100))  # html5lib repeats each in each paragraph
    for paragraphs in ("<p>x" * 1000, "\n\nx" * 1000):
        assert "<pre>&lt;b id=0&gt;" in handout_of(left_open + paragraphs, tmp_path, home)
    assert "<pre><code>\t\na = 1\n</code></pre>" in handout_of("```easytrieve\n\t\na = 1\n```", tmp_path, home)


def test_handout_uses_only_the_text_and_pictures_of_a_foreign_cell(tmp_path, home, capsys):
    content = {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "markdown", "source": "Text \ud800"}]}
    content["cells"][0] |= {"id": ["a"], "metadata": {"tags": 7}, "attachments": {"a": {}}}
    (tmp_path / "lab.ipynb").write_text(json.dumps(content), encoding="utf-8")
    assert main(["handout", str(tmp_path / "lab.ipynb")]) == 0
    assert "<p>Text ?</p>" in (home / "handouts" / "lab.html").read_text(encoding="utf-8")
    content["cells"][0]["attachments"] = 7
    (tmp_path / "lab.ipynb").write_text(json.dumps(content), encoding="utf-8")
    assert main(["handout", str(tmp_path / "lab.ipynb"), "--force"]) == 2
    assert "lab.ipynb is not a valid Jupyter notebook." in capsys.readouterr().err


def test_what_is_folded_goes_on_to_its_end_or_to_that_of_the_cell():
    """So each tag is looked at once, and many of them do not take the square of their number."""
    assert FOLDED.sub("", "a<details>b</details>c<details>d\n<details>e") == "ac"
