"""Check that links between pages and labs lead to files and headings that exist: ``python docs/check_links.py``.

lychee does the work. It runs offline here, so links to other sites are not opened. It reads Markdown, but no notebooks,
so it gets the text of each notebook on its standard input.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("docs", "srlab", "srlab_course", "benchmarks", "studies", "notebooks")
LEFT_OUT = {".ipynb_checkpoints", "own"}
OPTIONS = ("--offline", "--include-fragments", "--no-progress", "--quiet", "--mode", "plain")


def main() -> int:
    """Check all links, print the broken ones, and return 1 if there are any."""
    lychee = find_lychee()
    if not lychee:
        print("lychee is not available for this machine, so links are not checked.")
        return 0
    pages = [*ROOT.glob("*.md"), *files("*.md")]
    pages.remove(ROOT / "docs" / "book" / "index.md")  # its links are those of the site, which tests check
    notebooks = files("*.ipynb")
    found = [check_pages(lychee, sorted(pages)), *(check_notebook(lychee, notebook) for notebook in sorted(notebooks))]
    print("".join(found), end="")
    return 1 if any(found) else 0


def files(pattern: str, root: Path = ROOT) -> list[Path]:
    """Return the files of the course that match, without JupyterLab's checkpoints and students' own labs."""
    found = (file for folder in FOLDERS for file in (root / folder).rglob(pattern))
    return [file for file in found if LEFT_OUT.isdisjoint(file.relative_to(root).parts)]


def find_lychee() -> str | None:
    """Return the path of lychee in this environment or on the path, or None."""
    return shutil.which("lychee", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


def check_pages(lychee: str, pages: list[Path]) -> str:
    """Return lychee's report on the broken links of Markdown files, "" if there are none."""
    return _run([lychee, *OPTIONS, *map(str, pages)])


def check_notebook(lychee: str, notebook: Path) -> str:
    """Return lychee's report on the broken links in the text of a notebook, "" if there are none."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    base = f"{notebook.resolve().parent.as_uri()}/"
    report = _run([lychee, *OPTIONS, "--base-url", base, "--default-extension", "md", "-"], text)
    return report and f"{notebook}\n{report}"


def _run(command: list[str], text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", errors="replace", check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
