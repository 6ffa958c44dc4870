"""Test what other programs read, such as workflows and the citation, and the subjects of commits."""

import json
import os
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
from tests.conftest import LABS, ROOT, load_script

COLAB_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [form for form in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if form.stem != "config"]


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.github-issue-config", [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"]),
        ("vendor.citation-file-format", [ROOT / "CITATION.cff"]),
    ],
    ids=["workflows", "forms", "chooser", "citation"],
)
def test_files_match_their_schemas(schema, paths):
    done = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, *map(str, paths)])
    assert done.exit_code == 0, done.output


def test_workflows_only_run_scripts_that_run_elsewhere():
    """Check that each job is a checkout, a Python and one script, so that it can be tried without GitHub."""
    for workflow in WORKFLOWS:
        jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
        for name, job in jobs.items():
            commands = [step["run"] for step in job["steps"] if "run" in step]
            if name == "publish":
                continue
            (command,) = commands
            scripts = job.get("strategy", {}).get("matrix", {}).get("script", [""])
            for script in scripts:
                program, *rest = command.replace("${{ matrix.script }}", script).split()
                file = ROOT / (rest[0] if program == "python" else program)
                assert file.parent.name == ".ci"
                assert file.is_file()
                assert file.suffix == ".py" or file.stat().st_mode & 0o111 or os.name == "nt", f"{file} cannot be run"


@pytest.mark.parametrize("script", ["run", "labs", "nightly", "site", "release"])
@pytest.mark.skipif(os.name == "nt", reason="make is not part of Windows")
def test_scripts_use_targets_that_exist(script):
    text = (ROOT / ".ci" / script).read_text(encoding="utf-8")
    targets = re.findall(r"^make ([\w-]+)", text, re.M)
    assert targets
    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, check=True)


def test_machine_script_finds_tests_and_versions():
    machine = load_script(ROOT / ".ci" / "machine.py")
    assert [folder for folder in machine.ELSEWHERE if not (ROOT / "tests" / folder).is_dir()] == []
    asked = [line.replace(">=", "==") + ".*" for line in PROJECT["dependencies"] if re.match("torch(vision)?>", line)]
    assert machine.lowest() == asked
    assert len(asked) == 2


def test_form_lists_labs():
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "lab.yml").read_text(encoding="utf-8"))
    options = next(field["attributes"]["options"] for field in form["body"] if field.get("id") == "lab")
    numbers = [option[:2] for option in options if option[:2].isdigit()]
    assert numbers == [lab.name[:2] for lab in LABS]


def test_version_is_consistent():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] == srlab.__version__
    assert citation["abstract"].rstrip(".") == PROJECT["description"]


@pytest.fixture
def course(tmp_path):
    """Create the files that contain the URL of the course, with a lab of each kind."""
    pages = ("README.md", "docs/colab.md", "docs/machines.md")
    for name in ("pyproject.toml", "CITATION.cff", *pages, ".github/workflows/tests.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for lab in ("lab.ipynb", "workshops/1_network.ipynb", "extras/more.ipynb"):
        (tmp_path / "notebooks" / lab).parent.mkdir(parents=True, exist_ok=True)
        cells = [{"source": ["# Title\n", "\n", "Text."]}, {"source": ['repository = ""  # the address']}]
        (tmp_path / "notebooks" / lab).write_text(json.dumps({"cells": cells}))
    return tmp_path


def test_set_url_updates_all_files(course):
    for address in ("https://github.com/somebody/course", "https://example.org/else/where"):
        load_script(ROOT / "docs" / "book" / "set_address.py").set_address(course, address)
        project = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["urls"]["Repository"] == address
        assert yaml.safe_load((course / "CITATION.cff").read_text(encoding="utf-8"))["repository-code"] == address
        on_github = address.startswith("https://github.com/")
        for lab in (course / "notebooks").rglob("*.ipynb"):
            first, second = ("".join(cell["source"]) for cell in json.loads(lab.read_text())["cells"])
            assert second == f'repository = "{address}"  # the address'
            place = f"somebody/course/blob/main/{lab.relative_to(course).as_posix()}"
            button = f"[![Open in Colab]({COLAB_IMAGE})](https://colab.research.google.com/github/{place})\n\n"
            assert first == f"# Title\n\n{button if on_github else ''}Text."
        for page in ("README.md", "docs/machines.md"):
            assert f"git clone {address} srlab\n" in (course / page).read_text(encoding="utf-8")
        readme = (course / "README.md").read_text(encoding="utf-8")
        assert ("(https://github.com/somebody/course/actions/workflows/tests.yml/badge.svg)" in readme) == on_github
        assert "workflows/nightly.yml" not in readme  # this course has no such workflow
        page = (course / "docs/colab.md").read_text(encoding="utf-8")
        assert page.count("\n## Open a lab\n") == 1
        assert "no public address" not in page
        for site in ("https://colab.research.google.com/github/", "?src=https://github.com/"):
            assert (f"{site}somebody/course/blob/main/notebooks/extras/more.ipynb)" in page) == on_github


def test_set_url_twice_changes_nothing_more(course):
    script = load_script(ROOT / "docs" / "book" / "set_address.py")
    files = [*course.rglob("*.md"), *course.rglob("*.ipynb"), course / "pyproject.toml", course / "CITATION.cff"]
    script.set_address(course, "https://github.com/somebody/course")
    once = [file.read_text(encoding="utf-8") for file in files]
    script.set_address(course, "https://example.org/else/where")
    script.set_address(course, "https://github.com/somebody/course")
    assert [file.read_text(encoding="utf-8") for file in files] == once


def test_pages_have_nothing_for_readers_to_replace():
    """Check that the README and docs/ name no repository before `make set-url`, because no such command would run."""
    pages = {ROOT / "README.md", *(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "maintaining.md"}  # sets the address
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    if "urls" in PROJECT:
        pytest.skip("the address is set")
    assert [name for name, text in texts.items() if re.search(r"git clone|REPOSITORY|github\.com/OWNER", text)] == []


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
