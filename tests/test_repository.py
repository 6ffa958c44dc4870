"""Test what other programs read: workflows, issue forms, the citation, and the files that `make set-url` changes."""

import json
import os
import re
import subprocess
import tomllib
from html import unescape

import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output

import srlab
from srlab_course.cli import lab_command
from tests.conftest import LABS, ROOT, load_script

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ISSUES = ROOT / ".github" / "ISSUE_TEMPLATE"


@pytest.mark.skipif(os.name == "nt", reason="make is not part of Windows")
def test_workflows_run_scripts_and_scripts_run_targets_that_exist():
    text = "".join(workflow.read_text(encoding="utf-8") for workflow in WORKFLOWS)
    (matrix,) = re.findall(r"script: \[(.*)\]", text)
    scripts = [*re.findall(r"run: \.ci/(\w+)", text), *matrix.split(", ")]
    assert {"run", "nightly", "release"} < set(scripts)
    for file in [ROOT / ".ci" / script for script in scripts]:
        assert os.access(file, os.X_OK), f"{file} cannot be run"
        targets = re.findall(r"^make ([\w-]+)", file.read_text(encoding="utf-8"), re.M)
        assert targets
        subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, check=True)


def test_form_and_citation_are_up_to_date():
    form = yaml.safe_load((ISSUES / "lab.yml").read_text(encoding="utf-8"))
    options = next(field["attributes"]["options"] for field in form["body"] if field.get("id") == "lab")
    assert [option[:2] for option in options if option[:2].isdigit()] == [lab.name[:2] for lab in LABS]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] == srlab.__version__


def test_set_url_updates_all_files(tmp_path):
    pages = ("README.md", "docs/colab.md", "docs/machines.md")
    for name in ("pyproject.toml", "CITATION.cff", *pages, ".github/workflows/tests.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    lab = tmp_path / "notebooks" / "extras" / "more.ipynb"
    lab.parent.mkdir(parents=True)
    cells = [{"source": ["# Title\n", "\n", "Text."]}, {"source": ['repository = ""  # the address']}]
    lab.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    # Another address replaces the first one; only GitHub has badges, and Colab opens only its notebooks.
    for address, published in (("https://github.com/somebody/course", True), ("https://example.org/else/where", False)):
        load_script(ROOT / "docs" / "book" / "set_address.py").set_address(tmp_path, address)
        project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["urls"]["Repository"] == address
        assert yaml.safe_load((tmp_path / "CITATION.cff").read_text(encoding="utf-8"))["repository-code"] == address
        title, cell = ("".join(cell["source"]) for cell in json.loads(lab.read_text(encoding="utf-8"))["cells"])
        assert cell == f'repository = "{address}"  # the address'
        button = r"\[!\[Open in Colab\]\(.*\)\]\(\S+/somebody/course/blob/main/notebooks/extras/more.ipynb\)\n\n"
        assert re.fullmatch(rf"# Title\n\n{button if published else ''}Text\.", title)
        readme, colab, machines = ((tmp_path / page).read_text(encoding="utf-8") for page in pages)
        assert all(f"git clone {address} srlab\n" in page for page in (readme, machines))
        assert ("(https://github.com/somebody/course/actions/workflows/tests.yml/badge.svg)" in readme) == published
        assert ("(https://somebody.github.io/course/)" in readme) == published
        for site in ("https://colab.research.google.com/github/", "?src=https://github.com/"):
            assert (f"{site}somebody/course/blob/main/notebooks/extras/more.ipynb)" in colab) == published


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("https://github.com/ada/srlab", "https://github.com/ada/srlab"),
        ("https://github.com/ada/srlab.git", "https://github.com/ada/srlab"),
        (" https://github.com/ada/srlab/ ", "https://github.com/ada/srlab"),
        ("https://github.com/ada/srlab/tree/main/docs", "https://github.com/ada/srlab"),
        ("https://github.com/ada/srlab?tab=readme-ov-file#install", "https://github.com/ada/srlab"),
        ("https://gitlab.example.org/a/b/srlab/-/tree/main?ref_type=heads", "https://gitlab.example.org/a/b/srlab"),
        ("https://github.com/ada", ""),
        ("git@github.com:ada/srlab.git", ""),
        ("github.com/ada/srlab", ""),
    ],
)
def test_address_of_a_page_becomes_that_of_its_repository(pasted, address):
    assert load_script(ROOT / "docs" / "book" / "set_address.py").repository_of(pasted) == address


def test_html_export_has_alternative_texts():
    chosen = dict(option[2:].split("=", 1) for option in lab_command.settings(ROOT / "notebooks"))
    exporter = pytest.importorskip("nbconvert").HTMLExporter(
        template_name=chosen["HTMLExporter.template_name"],
        extra_template_basedirs=[chosen["TemplateExporter.extra_template_basedirs"]],
    )
    texts = {"AAAA": 'A "figure" & <more>.', "BBBB": "No description"}
    figures = [new_output("display_data", {"image/png": name}) for name in texts]
    figures[0].metadata = {"image/png": {"alt": texts["AAAA"]}}
    html, _ = exporter.from_notebook_node(new_notebook(cells=[new_code_cell("draw()", outputs=figures)]))
    for name, text in texts.items():
        (picture,) = re.findall(f"<img[^>]*{name}[^>]*>", html)
        assert text in unescape(picture)
