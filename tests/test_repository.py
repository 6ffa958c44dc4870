"""Test what other programs read, such as workflows and the citation, and the subjects of commits."""

import json
import re
import shutil
import subprocess
import tomllib
from html import unescape

import check_jsonschema
import pytest
import yaml
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook, new_output

import srlab
from tests.conftest import ROOT, load_script

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", sorted((ROOT / ".github" / "workflows").glob("*.yml"))),
        ("vendor.github-issue-forms", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))),
        ("vendor.citation-file-format", [ROOT / "CITATION.cff"]),
    ],
    ids=["workflows", "issues", "citation"],
)
def test_files_match_their_schemas(schema, paths):
    done = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, *map(str, paths)])
    assert done.exit_code == 0, done.output


def test_version_is_consistent():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] == srlab.__version__
    assert citation["abstract"].rstrip(".") == PROJECT["description"]


@pytest.fixture
def course(tmp_path):
    """Create the files that contain the URL of the course, with a lab of each kind."""
    for name in ("pyproject.toml", "CITATION.cff", "README.md", "docs/colab.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for lab in ("lab.ipynb", "workshops/1_network.ipynb", "extras/more.ipynb"):
        (tmp_path / "notebooks" / lab).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notebooks" / lab).write_text(json.dumps({"source": ['repository = ""  # the address']}))
    return tmp_path


def test_set_url_updates_all_files(course):
    for address in ("https://github.com/somebody/course", "https://example.org/else/where"):
        load_script(ROOT / "docs" / "book" / "set_address.py").set_address(course, address)
        project = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["urls"]["Repository"] == address
        assert yaml.safe_load((course / "CITATION.cff").read_text(encoding="utf-8"))["repository-code"] == address
        for lab in (course / "notebooks").rglob("*.ipynb"):
            assert json.loads(lab.read_text()) == {"source": [f'repository = "{address}"  # the address']}
        assert f"git clone {address} srlab\n" in (course / "README.md").read_text(encoding="utf-8")
        page = (course / "docs/colab.md").read_text(encoding="utf-8")
        assert page.count(f"git clone -q {address} ") == 2
        on_github = address.startswith("https://github.com/")
        for site in ("https://colab.research.google.com/github/", "?src=https://github.com/"):
            assert (f"{site}somebody/course/blob/main/notebooks/extras/more.ipynb)" in page) == on_github


@pytest.mark.parametrize("alt", ['A "figure" & <more>.', ""])
def test_html_export_has_alternative_texts(alt):
    lab = re.search(r"^lab:.*\n(?:\t.*\n)+", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[0]
    template = re.search(r"--HTMLExporter.template_name=(\w+)", lab)[1]
    folder = re.search(r'--HTMLExporter.extra_template_basedirs="\$\(CURDIR\)/([\w/]+)"', lab)[1]
    exporter = pytest.importorskip("nbconvert").HTMLExporter(
        template_name=template, extra_template_basedirs=[str(ROOT / folder)]
    )
    figure = new_output("display_data", {"image/png": "AAAA"}, metadata={"image/png": {"alt": alt} if alt else {}})
    html, _ = exporter.from_notebook_node(new_notebook(cells=[new_code_cell("draw()", outputs=[figure])]))
    pictures = re.findall(r"<img[^>]*AAAA[^>]*>", html)
    assert [(alt or "No description") in unescape(picture) for picture in pictures] == [True]


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_commit_subjects():
    command = ["git", "log", "--format=%s", "-n", "30"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("needs the history of the repository")
    assert [subject for subject in run.stdout.splitlines() if len(subject) > 72] == []
