"""The files around the course that other programs read: workflows, citation, container, licences."""

import json
import re
import subprocess
import sys
import tomllib
from html import unescape

import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.conftest import ROOT, load_script

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-issue-forms", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))),
        ("vendor.citation-file-format", [ROOT / "CITATION.cff"]),
    ],
    ids=["workflows", "issues", "citation"],
)
def test_they_have_the_form_that_their_reader_asks_for(schema, paths):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["abstract"].rstrip(".") == PROJECT["description"]


def test_an_address_is_set_in_all_places_and_set_again(tmp_path):
    (tmp_path / "notebooks" / "extras").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    for name in ("pyproject.toml", "CITATION.cff", "README.md", "docs/colab.md"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    labs = [tmp_path / "notebooks" / "lab.ipynb", tmp_path / "notebooks" / "extras" / "more.ipynb"]
    for lab in labs:
        lab.write_text(json.dumps({"source": ['    repository = ""  # the address\n']}), encoding="utf-8")
    for address in ("https://github.com/somebody/course", "https://example.org/else/where"):
        load_script(ROOT / "docs" / "book" / "set_address.py").set_address(tmp_path, address)
        project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["urls"]["Repository"] == address
        citation = yaml.safe_load((tmp_path / "CITATION.cff").read_text(encoding="utf-8"))
        assert citation["repository-code"] == address
        for lab in labs:
            source = json.loads(lab.read_text(encoding="utf-8"))["source"]
            assert source == [f'    repository = "{address}"  # the address\n']
        assert f"git clone {address} srlab\n" in (tmp_path / "README.md").read_text(encoding="utf-8")
        page = (tmp_path / "docs/colab.md").read_text(encoding="utf-8")
        assert page.count(f"git clone -q {address} ") == 2
        assert "know its own address yet" not in page
        for site in (
            "https://colab.research.google.com/github/",
            "https://kaggle.com/kernels/welcome?src=https://github.com/",
        ):
            found = page.count(f"({site}somebody/course/blob/main/notebooks/extras/more.ipynb)")
            assert found == address.startswith("https://github.com/")


@pytest.mark.parametrize("alt", ['A "figure" & <more>.', ""])
def test_what_is_exported_as_html_has_the_alternative_texts_of_its_figures(alt):
    lab = re.search(r"^lab:.*\n(?:\t.*\n)+", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[0]
    template = re.search(r"--HTMLExporter.template_name=(\w+)", lab)[1]
    folder = re.search(r'--HTMLExporter.extra_template_basedirs="\$\(CURDIR\)/([\w/]+)"', lab)[1]
    exporter = pytest.importorskip("nbconvert").HTMLExporter(
        template_name=template, extra_template_basedirs=[str(ROOT / folder)]
    )
    figure = new_output("display_data", {"image/png": "AAAA"}, metadata={"image/png": {"alt": alt} if alt else {}})
    html, _ = exporter.from_notebook_node(new_notebook(cells=[new_code_cell("draw()", outputs=[figure])]))
    pictures = re.findall(r"<img[^>]*AAAA[^>]*>", html)
    assert len(pictures) == 1
    assert (alt or "No description") in unescape(pictures[0])
