"""Test that text from a file stays text on a page: no tag, attribute or link comes from it, in HTML or Markdown.

`SHOWN` lists each module that shows foreign text on a page, with everything on the page that contains a name.
"""

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
from nbconvert.filters.markdown_mistune import markdown2html_mistune

import srlab
from srlab_course.feedback import run_diagnosis
from srlab_course.figures import plots
from srlab_course.figures.ballot import Ballot
from srlab_course.lab.guesses import FILE, SURE, Guess
from srlab_course.lab.recipes import Recipe
from srlab_course.material.subjects import split_photo
from srlab_course.workshops.kept import Kept
from srlab_course.workshops.page import BICUBIC, _entry
from studies import report
from tests.conftest import ROOT, leave_run, replace_display

HARMLESS = "a name"
HARMLESS_TAGS = ("br", "code", "em", "strong")  # which a text of the course may contain, with a name in it
PAYLOADS = [
    "<img src=x onerror=document.title=1>",
    "</style></title></textarea><script>document.title=1</script>",
    "\" onmouseover=document.title=1 '",
    r"\`<img src=x onerror=document.title=1>\`",
    r"``a\`` <b>x</b> ` <b>y</b>`",
    r"`\` <b>x</b> `<b>y</b>`",
    "[a](javascript:document.title=1) ![b](c) [d][e] [^f]",
    "<javascript:document.title=1> <a@b.org> https://b.org www.b.org a@b.org",
    "a | b\n\n<b>x</b>\n- c\n# d\n\n    e",
    "&lt;b&gt; &#60;b&#62; \u2028<b> \x1b[31m",
    r"$x$ \(y\) \begin{equation}",
    "~~a~~ __b__ \\<b> <!-- c",
]


class Parts(HTMLParser):
    """The tags of a page with the names of their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in HARMLESS_TAGS:
            self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data


def run_with(field: str, name: str) -> Iterator[str]:
    manifest = leave_run("lab", "run", 10, status="failed", code="reference").manifest()
    manifest |= {"failure": "a loss became NaN", "metrics": {"psnr": 1.0}, field: name}
    (srlab.runs_home() / "lab" / "run" / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    yield run_diagnosis.diagnose("lab/run")._repr_markdown_()


def diagnosis(name: str) -> Iterator[str]:
    yield from run_with("failure", name)
    yield from run_with("lab", name)


def figures(name: str) -> Iterator[str]:
    plots.write_caption(f"A crop of {name}, and *HR*.")
    plots.frames(lambda size: plt.figure(figsize=(1, 1)), f"The photo {name}", f"{name} in dB", [name, "other"])
    return iter(())


def slider(name: str) -> Iterator[str]:
    images = {name: torch.zeros(3, 4, 4), "HR": torch.zeros(3, 4, 4)}
    compared = srlab.compare(images, notes={name: name}, caption=name)
    yield compared.html
    yield compared.save(srlab.runs_home() / "page.html").read_text("utf-8")
    (srlab.runs_home() / "page.html").unlink()


def guess(name: str) -> Iterator[str]:
    (srlab.runs_home() / FILE).write_text(json.dumps({"": {name: {"guess": name, "sure": SURE[0]}}}), encoding="utf-8")
    for choices in ([], [name, "other"]):
        asked = Guess(name, choices, unit=name)
        yield from (asked.still(), asked._below.value, asked.children[0].value)
        asked.reveal(name)


def ballot(name: str) -> Iterator[str]:
    crops = {method: torch.zeros(3, 2, 2) for method in (name, "other")}
    votes = srlab.runs_home() / "votes.json"
    votes.write_text(json.dumps([{"image": name, "ranking": [name, "other"]}]), encoding="utf-8")
    made = Ballot({name: crops}, votes)
    yield made._names.value
    made._show(name)
    yield made._title.value
    yield made.still()


def recipe(name: str) -> Iterator[str]:
    yield Recipe(name, name, {name: name}, {name: name}, {name: name}).table()


def student_page(name: str) -> Iterator[str]:
    kept = Kept("network", torch.nn.Conv2d(1, 1, 1), 1, 1.0, subject=name, code=name)
    yield _entry(name, kept, {name: name, BICUBIC: name})


def study(name: str) -> Iterator[str]:
    made = report.Page()
    made.table([name, "b"], [[name, f"`{name}`"]])
    made.figure("figure.png", plt.figure(figsize=(1, 1)), f"The photo {name}")
    made.add(report.made_by("study.py", {"given": {"images": name}, "preset": name}, []))
    yield made.text


SHOWN = {
    "srlab/slider/__init__.py": slider,
    "srlab_course/feedback/run_diagnosis.py": diagnosis,
    "srlab_course/figures/ballot.py": ballot,
    "srlab_course/figures/plots.py": figures,
    "srlab_course/lab/guesses.py": guess,
    "srlab_course/lab/recipes.py": recipe,
    "srlab_course/workshops/page.py": student_page,
    "studies/report.py": study,
}
# Modules that show only text of the course, or text that one of the others has escaped.
OWN = {
    "srlab_course/feedback/checks.py",
    "srlab_course/feedback/quiz.py",
    "srlab_course/figures/diagrams.py",
    "srlab_course/figures/show.py",
    "srlab_course/figures/widgets.py",
    "srlab_course/lab/announce.py",
    "srlab_course/layout.py",
    "srlab_course/notebook_files/finding.py",
    "srlab_course/notebook_files/marks.py",
    "srlab_course/teaching/handout.py",
}
BUILDS_PAGE = re.compile(
    r"text/html|text/markdown|Markdown\(|_repr_html_|_repr_markdown_|widgets\.HTML\(|in_markdown|</\w+>"
)


def test_each_module_that_builds_a_page_is_listed():
    """A new one needs a function above that shows a name with it."""
    files = [file for house in ("srlab", "srlab_course", "studies") for file in (ROOT / house).rglob("*.py")]
    texts = {file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in files}
    assert {name for name, text in texts.items() if BUILDS_PAGE.search(text)} <= {*SHOWN, *OWN}
    other = [name for name, text in texts.items() if re.search(r"html import .*\bescape\b|html\.escape\(", text)]
    assert other == [], "use srlab.text.escaped"


def rendered(show, name, monkeypatch) -> str:
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **_: shown.append(data))
    replace_display(monkeypatch, lambda data, **_: shown.append(data))
    pages = list(show(name))
    pages += [data["text/html"] if isinstance(data, dict) else data._repr_markdown_() for data in shown]
    markdown = show in (diagnosis, study)
    return "\n\n".join(markdown2html_mistune(text) if markdown or not text.startswith("<") else text for text in pages)


@pytest.mark.parametrize("show", SHOWN.values())
def test_foreign_text_stays_text(show, home, monkeypatch):
    home.mkdir()
    monkeypatch.setattr("srlab_course.lab.guesses.on_a_page", lambda: True)
    usual = Parts(rendered(show, HARMLESS, monkeypatch))
    assert HARMLESS in usual.text
    assert PAYLOADS[0] in Parts(rendered(show, PAYLOADS[0], monkeypatch)).text
    for name in PAYLOADS:
        parts = Parts(rendered(show, name, monkeypatch))
        assert parts.tags == usual.tags, name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file names")
def test_name_of_a_photo_is_no_tag_in_a_styled_table(tmp_path):
    """Labs show such tables, and pandas escapes neither their labels nor their captions."""
    file = srlab.write_image(torch.zeros(3, 96, 328), tmp_path / "new.png").rename(tmp_path / f"{PAYLOADS[0]}.png")
    names = [*srlab.load_images(tmp_path).names, *split_photo(file)[1].names]
    html = pd.DataFrame({name: {name: name} for name in names}).style.set_caption(names[0]).to_html()
    assert "img src=x" in html
    assert "<img" not in html
