"""Test that the commands of the teaching guide, for grading and for handouts, run as written."""

import base64
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import psutil
import pytest

from tests.conftest import ROOT, left, make_link

TEACHING = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")


def blocks(heading):
    """Return the command blocks between a heading and the next one."""
    section = re.split(r"^##+ ", TEACHING.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.M)[0]
    return re.findall(r"^```bash\n(.*?)^```$", section, re.M | re.S)


def run(block, folder, code=0, **variables):
    """Run a block as in an activated environment, with stand-ins in `folder`/bin; return its output."""
    places = (folder / "bin", Path(sys.executable).parent, os.environ["PATH"])
    environment = os.environ | {"PATH": os.pathsep.join(map(str, places))} | variables
    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def stand_in(folder, **commands):
    """Write programs that `run` uses in place of the system's."""
    (folder / "bin").mkdir()
    for command, body in commands.items():
        (folder / "bin" / command).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (folder / "bin" / command).chmod(0o755)


ANSWER = "def psnr(sr, hr, crop):\n    return srlab.psnr(sr, hr)"
SUBMISSIONS = {  # file -> answer, name of the kernel, and result of an execution; "": the notebook is not executed
    "Anna Li/00_degradation.ipynb": (ANSWER, "python3", "incorrect"),
    "Bo Ek/00 [1].ipynb": ("1 / 0", "python3", "not run"),
    "Cy/00.IPYNB": (ANSWER, "ir", "incorrect"),
    "Di/00.ipynb": (ANSWER, "python3", "incorrect"),  # with a byte order mark, which Jupyter rejects
    "Ed/00.ipynb": ("import os; os._exit(1)", "python3", "not run"),
    "Ewa/00.ipynb": ("", "python3", ""),  # damaged
    "Fay/00.json": (ANSWER, "python3", ""),
}


# Only root may use another account, which may not be able to run the Python of this machine.
IN_ITS_FOLDER = 'while [ "$1" != -c ]; do shift; done; cd "$3"; shift 4; exec "$@"'


@pytest.mark.nightly
def test_regrading_counts_only_what_it_executed(tmp_path):
    for name, (answer, kernel, _) in SUBMISSIONS.items():
        imports = "import srlab\nimport srlab_course as course\nfrom ipykernel.connect import get_connection_info\n"
        imports += "print(get_connection_info(unpack=True)['transport'])"
        check = 'psnr = course.check("degradation.psnr", psnr)'
        cells = [nbformat.v4.new_code_cell(source) for source in ('recipe = "auto"', imports, answer, check)]
        cells[0].metadata["tags"] = ["parameters"]
        cells[-1].outputs = [left("degradation.psnr", "correct")]  # forged
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        text = nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata))
        file = tmp_path / "handed_in" / name
        file.parent.mkdir(parents=True)
        file.write_text(text if answer else "{", encoding="utf-8-sig" if name.startswith("Di") else "utf-8")
    (tmp_path / "outside.ipynb").write_bytes(file.read_bytes())
    make_link(tmp_path / "handed_in" / "Fay" / "00.ipynb", tmp_path / "outside.ipynb")
    (tmp_path / "names.txt").write_text(
        "".join(f"{name.partition('/')[0]}\n" for name in SUBMISSIONS), encoding="utf-8"
    )
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (again,) = blocks("Execute submissions again")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "regrade.sh", tmp_path / "docs")
    stand_in(tmp_path, unshare=IN_ITS_FOLDER, chown="exit 0")
    run(again, tmp_path, code=2)  # because Ewa's notebook is not counted
    with (tmp_path / "executed.csv").open(encoding="utf-8-sig") as file:
        found = {row["student"]: row["degradation.psnr (exercise 3)"] for row in csv.DictReader(file)}
    assert found == {name.partition("/")[0]: result for name, (*_, result) in SUBMISSIONS.items()}
    assert {path: path.read_bytes() for path in before} == before
    executed = nbformat.read(tmp_path / "executed" / "Anna Li" / "1" / "00_degradation.ipynb", 4)
    assert 'recipe = "smoke"' in executed.cells[1].source
    assert executed.cells[2].outputs[0].text == "ipc\n", "a student could use up all ports"


def test_executed_copy_with_other_cells_does_not_count(tmp_path):
    for student in ("ada", "bo"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("an\nanswer", id=student)])
        (tmp_path / "in").mkdir(exist_ok=True)
        nbformat.write(notebook, tmp_path / "in" / f"{student}.ipynb")
    python = f'[ "$1" = -I ] && exec {sys.executable} "$@"\n[ ! -e submitted.ipynb ] || cp submitted.ipynb empty.ipynb'
    papermill, jupyter = "cp empty.ipynb lab.ipynb", "sed 's/null/1/; /\"bo\"/,$ s/answer/nice one/' lab.ipynb"
    stand_in(tmp_path, unshare=IN_ITS_FOLDER, chown="", papermill=papermill, jupyter=jupyter, python=python, srlab="")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "regrade.sh", tmp_path / "docs")
    run("bash docs/regrade.sh in", tmp_path)
    cells = {path.stem: nbformat.read(path, 4).cells[0] for path in tmp_path.glob("executed/*/*/*.ipynb")}
    assert {(name, cell.source, cell.execution_count) for name, cell in cells.items()} == {
        ("ada", "an\nanswer", 1),
        ("bo", "an\nanswer", None),
    }


@pytest.mark.parametrize(("more", "message"), [("", "executed.csv first"), ("names.txt", "names.txt not found")])
def test_regrading_that_would_fail_at_its_end_fails_before(more, message, tmp_path):
    (tmp_path / "in").mkdir()
    if not more:
        (tmp_path / "executed.csv").touch()
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "regrade.sh", tmp_path / "docs")
    stand_in(tmp_path, unshare=IN_ITS_FOLDER, python="exit 0")
    assert message in run(f"bash docs/regrade.sh in {more}", tmp_path, code=2)
    assert not (tmp_path / "executed").exists()


def test_notebooks_of_a_student_have_a_limit_together(tmp_path):
    for file in ("ada/1", "ada/2", "bo/1"):
        (tmp_path / "in" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / f"{file}.ipynb").write_text('{"cells": []}', encoding="utf-8")
    python = f'[ "$1" = -I ] && exec {sys.executable} "$@"\n[ ! -e submitted.ipynb ] || cp submitted.ipynb empty.ipynb'
    programs = {"papermill": "cp empty.ipynb lab.ipynb", "jupyter": "sleep 1.2; cat lab.ipynb", "python": python}
    stand_in(tmp_path, unshare=IN_ITS_FOLDER, chown="", srlab="", **programs)
    (tmp_path / "docs").mkdir()
    script = (ROOT / "docs" / "regrade.sh").read_text(encoding="utf-8")
    (tmp_path / "docs" / "regrade.sh").write_text(script.replace("per_student=7200", "per_student=0"), encoding="utf-8")
    run("bash docs/regrade.sh in", tmp_path)
    sizes = {path.parent.parent.name + path.stem: path.stat().st_size for path in tmp_path.glob("executed/*/*/*")}
    assert sizes == {"ada1": 13, "ada2": 0, "bo1": 13}


ATTACK = """cat lab.ipynb {{/tmp,/var/tmp,/dev/shm,/run/lock}}/{1} {0}/in/* 2>/dev/null
for file in {{/tmp,/var/tmp,/dev/shm,/run/lock}}/{1} {0}/in/* {0}/executed/*/*/* {0}/work/*/*/*; do
    echo forged >>"$file"
done 2>/dev/null
fork() {{ [ $1 = 3000 ] || fork $(($1 + 1)) & echo >file$1; }}
fork 1 >/dev/null 2>&1"""
# The first path fits into 4096 bytes behind in/, but not behind executed/. The second does not fit at all.
LONG = """name=$(printf %200s | tr ' ' x)
for i in {1..20}; do mkdir $name && cd $name; done
mkdir ${name:138} && printf d >${name:138}/d.ipynb
for i in {1..5}; do mkdir $name && cd $name; done
printf e >e.ipynb"""


def test_executed_notebook_changes_no_other_and_leaves_no_process():
    if subprocess.run("unshare --mount true", shell=True, capture_output=True).returncode:
        pytest.skip("only root may mount")
    with tempfile.TemporaryDirectory(dir="/opt") as name:
        folder = Path(name)  # one that other accounts may enter, also without /tmp
        folder.chmod(0o755)
        attack = ATTACK.format(folder, folder.name)
        programs = {"python": "[ ! -e submitted.ipynb ] || cp submitted.ipynb empty.ipynb", "srlab": "exit 0"}
        stand_in(folder, papermill="cp empty.ipynb lab.ipynb", jupyter=attack, **programs)
        (folder / "in").mkdir()
        (folder / "work").mkdir(mode=0o755)
        subprocess.run(["bash", "-c", LONG], cwd=folder / "in", check=True)
        (folder / "in" / "b" / "line\n").mkdir(parents=True)
        for student, file in {"a": "a.ipynb", "b": "b/line\n/b.ipynb", "c": "c.ipynb"}.items():
            (folder / "in" / file).write_text(student, encoding="utf-8")
        before = {path: path.read_bytes() for path in (folder / "in").glob("*.ipynb")}
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs" / "regrade.sh", folder / "docs")
        run("bash docs/regrade.sh in", folder, TMPDIR=str(folder / "work"))
        found = {path.name: path.read_text(encoding="utf-8") for path in (folder / "executed").glob("*/*/*")}
        assert found == {f"{student}.ipynb": student for student in "abcd"} | {"e.ipynb": ""}
        assert {path: path.read_bytes() for path in before} == before
        assert not [one for one in psutil.process_iter(["uids"]) if one.info["uids"].real == 60706]


@pytest.mark.nightly
def test_class_handouts(tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    notebook = nbformat.read(ROOT / "notebooks" / "03_srgan.ipynb", 4)
    figure = nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(b"a figure").decode()})
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and "section-7" in cell.metadata.tags)
    cell.outputs = [figure]
    shutil.copytree(ROOT / "notebooks" / "pictures", tmp_path / "runs" / "notebooks" / "pictures")
    nbformat.write(notebook, tmp_path / "runs" / "notebooks" / "03_srgan.ipynb")
    for commands in blocks("Handouts, slides and shorter labs"):
        run(commands, tmp_path, SRLAB_HOME=str(tmp_path / "runs"))
    assert (tmp_path / "runs" / "handouts" / "02_content_loss.html").is_file()
    assert (tmp_path / "notebooks" / "02_content_loss.short.ipynb").is_file()
    assert [file.read_bytes() for file in (tmp_path / "class" / "03_srgan_files").iterdir()] == [b"a figure"]
    assert "<section>" in (tmp_path / "class" / "03_srgan.slides.html").read_text(encoding="utf-8")
