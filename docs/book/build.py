"""The course as a site that needs no network: ``make book``, or ``python docs/book/build.py``.

The pages are the executed copies that ``make labs`` leaves. A lab without one, or changed since, is run first.
"""

import os
import shutil
import sys
import tomllib
from pathlib import Path

import nbformat
from pages import BOOK, GITHUB, ROOT, gather
from sphinx.cmd.build import main as sphinx

from srlab.course.cli.execute_command import run_labs
from srlab.course.notebooks import find_notebooks
from srlab.errors import SrlabError
from srlab.paths import home


def main() -> int:
    """Run the labs that need it and build the site; returns the exit code."""
    os.chdir(ROOT)
    executed = home() / "notebooks"
    old = [lab.stem for lab in find_notebooks() if stale(lab, executed / lab.name)]
    try:
        if old and run_labs(labs=old):
            return 1
    except SrlabError as error:
        print(f"srlab: {error}", file=sys.stderr)
        return 2
    if code := build(executed, ROOT / "build" / "book", repository()):
        return code
    print("open build/book/html/index.html; the folder html can be copied anywhere")
    return 0


def stale(lab: Path, copy: Path) -> bool:
    """Whether an executed copy is missing, older than its lab, or from a run that did not come to its end."""
    if not copy.is_file() or copy.stat().st_mtime < lab.stat().st_mtime:
        return True
    run = nbformat.read(copy, 4).metadata.get("papermill", {})
    return bool(run.get("exception")) or not run.get("end_time")


def repository() -> str:
    """Address of the course's repository, as ``pyproject.toml`` has it; ``""`` where none is set."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "").removesuffix("/").removesuffix(".git")


def pages(address: str) -> str:
    """Address under which GitHub Pages publishes a repository; ``""`` for one that lies elsewhere."""
    owner, _, name = address.removeprefix(GITHUB).partition("/")
    return f"https://{owner.lower()}.github.io/{name}/" if address.startswith(GITHUB) else ""


def build(executed: Path, target: Path, address: str = "") -> int:
    """Build the site from executed labs.

    Parameters
    ----------
    executed
        Folder of the notebooks.
    target
        Folder that is replaced; the site is ``html/`` in it.
    address
        Of the repository, if it has one.

    Returns
    -------
    int
        The exit code of Sphinx, which is not 0 after a mere warning either.
    """
    shutil.rmtree(target, ignore_errors=True)
    source = target / "source"
    gather(executed, source, address)
    options = ["-q", "-W", "--keep-going", "-c", str(BOOK), "-d", str(target / "doctrees")]
    options += ["-D", f"html_baseurl={pages(address)}"]
    code = sphinx([*options, str(source), str(target / "html")])
    # Beside each page the lab itself, small and not executed.
    pages_of_labs = target / "html" / "notebooks"
    for page in pages_of_labs.rglob("*.html"):
        shutil.copy(ROOT / "notebooks" / page.relative_to(pages_of_labs).with_suffix(".ipynb"), page.parent)
    return code


if __name__ == "__main__":
    sys.exit(main())
