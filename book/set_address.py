"""Set the address of the course's repository, as in ``make address URL=https://github.com/OWNER/NAME``.

``pyproject.toml`` has it, and the book reads it there. ``CITATION.cff``, the cells for Colab, and the commands of the
README and ``docs/`` that clone get copies.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The address is what the group holds, or is to hold.
IN_PROJECT = re.compile(r'^(?:# )?\[project\.urls\]\n(?:# )?Repository = "(.*)"$', re.M)
IN_CITATION = re.compile(r'^repository-code: "(.*)"$', re.M)
IN_LAB = re.compile(r"repository = \\\"(.*?)\\\"")  # JSON escapes the quotes
IN_PAGES = re.compile(r"(?<=git clone )(-q )?(REPOSITORY|https://\S+)")


def main() -> int:
    """Run the command; returns the exit code."""
    address = sys.argv[1] if len(sys.argv) == 2 else ""
    if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+){2,}", address):
        print("Say which, as in: make address URL=https://github.com/OWNER/NAME", file=sys.stderr)
        return 2
    set_address(ROOT, address.removesuffix(".git"))
    return 0


def set_address(course: Path, address: str) -> None:
    """Write the address into the files of a course.

    Raises
    ------
    ValueError
        ``pyproject.toml`` has no place for it.
    """
    project, citation = course / "pyproject.toml", course / "CITATION.cff"
    text, places = IN_PROJECT.subn(f'[project.urls]\nRepository = "{address}"', project.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{project} has {places} places for the address, not one: [project.urls] with Repository")
    project.write_text(text, encoding="utf-8")
    text, line = citation.read_text(encoding="utf-8"), f'repository-code: "{address}"'
    text = IN_CITATION.sub(line, text) if IN_CITATION.search(text) else f"{text}{line}\n"
    citation.write_text(text, encoding="utf-8")
    for page in (course / "README.md", *(course / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if IN_PAGES.search(text):
            page.write_text(IN_PAGES.sub(rf"\g<1>{address}", text), encoding="utf-8")
    for lab in (course / "notebooks").glob("*.ipynb"):
        text = lab.read_text(encoding="utf-8")
        if IN_LAB.search(text):
            lab.write_text(IN_LAB.sub(rf'repository = \\"{address}\\"', text), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
