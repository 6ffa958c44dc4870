"""Test that the commands of the teaching guide, for grading and for handouts, run as written."""

import base64
import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.conftest import ROOT, left, make_link

TEACHING = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")


def blocks(heading):
    """Return the command blocks between a heading and the next one."""
    section = re.split(r"^##+ ", TEACHING.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.M)[0]
    return re.findall(r"^```bash\n(.*?)^```$", section, re.M | re.S)


def run(block, folder, code=0, **variables):
    """Run a block as in an activated environment; `code` is the expected exit code."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | variables
    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr


ANSWER = "def psnr(sr, hr, crop):\n    return srlab.psnr(sr, hr)"
SUBMISSIONS = {  # file -> answer, name of the kernel, and result of an execution; "": the notebook is not executed
    "Anna Li/00_degradation.ipynb": (ANSWER, "python3", "incorrect"),
    "Bo Ek/00 [1].ipynb": ("1 / 0", "python3", "not run"),
    "Cy/00.IPYNB": (ANSWER, "ir", "incorrect"),
    "Di/00.ipynb": (ANSWER, "python3", ""),  # with a byte order mark, which Jupyter rejects
    "Ed/00.ipynb": ("import os; os._exit(1)", "python3", "not run"),
    "Fay/00.json": (ANSWER, "python3", ""),
}


@pytest.mark.nightly
def test_regrading_counts_only_what_it_executed(tmp_path, home):
    for name, (answer, kernel, _) in SUBMISSIONS.items():
        imports, check = "import srlab\nimport srlab_course as course", 'psnr = course.check("degradation.psnr", psnr)'
        cells = [nbformat.v4.new_code_cell(source) for source in ('recipe = "auto"', imports, answer, check)]
        cells[0].metadata["tags"] = ["parameters"]
        cells[-1].outputs = [left("degradation.psnr", "correct")]  # forged
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        text = nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata))
        file = tmp_path / "handed_in" / name
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8-sig" if name.startswith("Di") else "utf-8")
    (tmp_path / "outside.ipynb").write_bytes(file.read_bytes())
    make_link(tmp_path / "handed_in" / "Fay" / "00.ipynb", tmp_path / "outside.ipynb")
    (tmp_path / "names.txt").write_text(
        "".join(f"{name.partition('/')[0]}\n" for name in SUBMISSIONS), encoding="utf-8"
    )
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (again,) = blocks("Execute submissions again")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "regrade.sh", tmp_path / "docs")
    run(again, tmp_path, code=2, SRLAB_HOME=str(home))  # because Di's notebook is not counted
    with (tmp_path / "executed.csv").open(encoding="utf-8-sig") as file:
        found = {row["student"]: row["degradation.psnr (exercise 3)"] for row in csv.DictReader(file)}
    assert found == {name.partition("/")[0]: result for name, (*_, result) in SUBMISSIONS.items()}
    assert {path: path.read_bytes() for path in before} == before
    executed = nbformat.read(tmp_path / "executed" / "Anna Li" / "00_degradation.ipynb", 4)
    assert 'recipe = "smoke"' in executed.cells[1].source


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
