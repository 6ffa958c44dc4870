"""Build the course as an offline website: ``make book``, or ``python docs/book/build.py``.

The pages are the executed labs from ``make labs``. Labs that were not executed, or have changed since, are run first.
"""

import os
import shutil
import sys
import tomllib
from pathlib import Path

import poster
import try_page
from pages import BOOK, ROOT, gather
from set_address import site_of
from sphinx.cmd.build import main as sphinx

from srlab.errors import SrlabError
from srlab.paths import runs_home
from srlab_course.cli.execute_command import run_labs
from srlab_course.notebook_files.editable import read_notebook
from srlab_course.notebook_files.finding import find_notebooks

INSERTED = {"injected-parameters", "check"}  # tags of cells that papermill and the labs' claims add


def main() -> int:
    """Run outdated labs, build the site, and return the exit code."""
    os.chdir(ROOT)
    executed = runs_home() / "notebooks"
    old = [lab.stem for lab in find_notebooks() if stale(lab, executed / lab.name)]
    try:
        if old:
            print(f"These labs were not executed, or have changed since: {', '.join(old)}", flush=True)
        if old and run_labs(labs=old):
            return 1
    except SrlabError as error:
        print(f"srlab: {error}", file=sys.stderr)
        return 2
    if code := build(executed, ROOT / "build" / "book", repository()):
        return code
    print("Open build/book/html/index.html. You can copy the folder html anywhere.")
    return 0


def stale(lab: Path, copy: Path) -> bool:
    """Return whether an executed copy is missing, from other cells than the lab has now, or from an incomplete run."""
    if not copy.is_file():
        return True
    executed = read_notebook(copy)
    run = executed.metadata.get("papermill", {})
    cells = [cell for cell in executed.cells if INSERTED.isdisjoint(cell.metadata.get("tags", []))]
    changed = [cell.source for cell in cells] != [cell.source for cell in read_notebook(lab).cells]
    return changed or bool(run.get("exception")) or not run.get("end_time")


def repository() -> str:
    """Return the URL of the course's repository from ``pyproject.toml``; "" if not set."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "").removesuffix("/").removesuffix(".git")


def build(executed: Path, target: Path, address: str = "") -> int:
    """Build the site from executed labs. Sphinx prints which lab it reads and writes, because that takes minutes.

    Parameters
    ----------
    executed
        Folder of the notebooks.
    target
        Output folder, which is replaced; the site is in its subfolder ``html/``.
    address
        URL of the repository, or "".

    Returns
    -------
    int
        Exit code of Sphinx, which is nonzero even for warnings.
    """
    shutil.rmtree(target, ignore_errors=True)
    source = target / "source"
    print("gathering the labs ...", flush=True)
    gather(executed, source, address)
    options = ["-W", "--keep-going", "-c", str(BOOK), "-d", str(target / "doctrees")]
    options += ["-D", f"html_baseurl={site_of(address)}"]
    poster.write_crops(target / "html" / "poster")
    poster.write_preview(target / "html" / "poster" / "preview.jpg")
    print("building the page that upscales photos ...", flush=True)
    try:
        try_page.build(target / "html" / "try")
        options += ["-t", "try_it"]  # the start page and the sidebar link to it
    except SrlabError as error:
        print(f"The site is built without the page that upscales photos: {error}", file=sys.stderr)
        shutil.rmtree(target / "html" / "try", ignore_errors=True)
    code = sphinx([*options, str(source), str(target / "html")])
    # The notebook without outputs is next to each page, for download.
    for notebook in (source / "notebooks").rglob("*.ipynb"):
        place = notebook.relative_to(source)
        shutil.copy(ROOT / place, target / "html" / place)
    return code


if __name__ == "__main__":
    sys.exit(main())
