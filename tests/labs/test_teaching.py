"""Test that the blocks marked ``bash`` in teaching.md run as written."""

import base64
import csv
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tests.conftest import ROOT, left

TEACHING = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
# A small course that builds without any package that pip would have to download.
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "build"\nbackend-path = ["."]\n'
BUILD = """\
import shutil
def build_wheel(folder, *_):
    return shutil.copy("srlab-1.0-py3-none-any.whl", folder) and "srlab-1.0-py3-none-any.whl"
build_editable = build_wheel
"""


def blocks(heading):
    """Return the command blocks between a heading and the next one."""
    section = re.split(r"^##+ ", TEACHING.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.M)[0]
    return re.findall(r"^```bash\n(.*?)^```$", section, re.M | re.S)


def run(block, folder, **variables):
    """Run a block as in an activated environment."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | variables
    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def write_wheel(folder, name, metadata=""):
    folder.mkdir(parents=True, exist_ok=True)
    files = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}", "RECORD": ""}
    files["WHEEL"] = "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(f"{name}-1.0.dist-info/{file}", text)


@pytest.mark.nightly
@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_offline_kit(tmp_path):
    fetch, install = blocks("A room without a network")
    index, course, room = tmp_path / "index", tmp_path / "desk" / "srlab", tmp_path / "room"
    for name in ("one", "hatchling", "editables"):
        write_wheel(index, name)
    write_wheel(course, "srlab", "Requires-Dist: one\nProvides-Extra: labs\n")
    for name, text in (("pyproject.toml", PROJECT), ("build.py", BUILD), ("requirements.lock", "one==1.0\n")):
        (course / name).write_text(text)
    git = "git -c user.name=a -c user.email=a@b.c -c commit.gpgsign=false"
    run(f"git init -q; git add .; {git} commit -qm course", course)
    run(fetch, course, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(index))
    assert sorted(path.name for path in course.parent.iterdir()) == ["SHA256SUMS", "course.tar", "srlab", "wheels"]
    shutil.copytree(course.parent, room, ignore=shutil.ignore_patterns("srlab"))
    shutil.rmtree(index)
    run(install, room)
    assert {path.name for path in room.rglob("*-1.0.dist-info")} == {"one-1.0.dist-info", "srlab-1.0.dist-info"}
    (room / "course.tar").write_bytes(b"damaged")
    with pytest.raises(AssertionError, match=r"course\.tar: FAILED"):
        run(install, room)


@pytest.mark.nightly
def test_regrading_submissions(tmp_path, home):
    answers = {"Anna Li": "def psnr(sr, hr, crop):\n    return srlab.psnr(sr, hr)", "Bo Ek": "1 / 0"}
    for student, answer in answers.items():
        imports, check = "import srlab\nfrom srlab import course", 'psnr = course.check("degradation.psnr", psnr)'
        cells = [nbformat.v4.new_code_cell(source) for source in ('recipe = "auto"', imports, answer, check)]
        cells[0].metadata["tags"] = ["parameters"]
        cells[-1].outputs = [left("degradation.psnr", "correct")]  # forged
        file = tmp_path / "handed_in" / student / "00_degradation.ipynb"
        file.parent.mkdir(parents=True)
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), file)
    (tmp_path / "names.txt").write_text("Anna Li\nBo Ek\n")
    before = {path: path.read_bytes() for path in (tmp_path / "handed_in").rglob("*.ipynb")}
    (again,) = blocks("Execute submissions again")
    run(again, tmp_path, SRLAB_HOME=str(home))
    with (tmp_path / "executed.csv").open(encoding="utf-8-sig") as file:
        found = {row["student"]: row["degradation.psnr"] for row in csv.DictReader(file)}
    assert found == {"Anna Li": "incorrect", "Bo Ek": "not run"}
    assert {path: path.read_bytes() for path in before} == before
    executed = nbformat.read(tmp_path / "executed" / "Anna Li" / "00_degradation.ipynb", 4)
    assert 'recipe = "smoke"' in executed.cells[1].source


@pytest.mark.nightly
def test_class_handouts(tmp_path):
    for place, name in (("notebooks", "02_content_loss.ipynb"), ("runs/notebooks", "03_srgan.ipynb")):
        shutil.copytree(ROOT / "notebooks" / "pictures", tmp_path / place / "pictures")
        notebook = nbformat.read(ROOT / "notebooks" / name, 4)
        figure = nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(b"a figure").decode()})
        cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and "section-7" in cell.metadata.tags)
        cell.outputs = [figure]
        nbformat.write(notebook, tmp_path / place / name)
    (commands,) = blocks("Handouts, slides and shorter labs")
    run(commands, tmp_path)
    page = (tmp_path / "class" / "02_content_loss.html").read_text(encoding="utf-8")
    assert [part in page for part in ("import srlab", "Exercise 1.", "data:image/jpeg")] == [False, True, True]
    assert [file.read_bytes() for file in (tmp_path / "class" / "03_srgan_files").iterdir()] == [b"a figure"]
    assert "<section>" in (tmp_path / "class" / "03_srgan.slides.html").read_text(encoding="utf-8")
    short = nbformat.read(tmp_path / "notebooks" / "02_content_loss.short.ipynb", 4)
    headings = re.findall(r"^## (\d)\.", "\n".join(cell.source for cell in short.cells), re.M)
    assert headings == list("123456")
