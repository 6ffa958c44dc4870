"""Set the URL of the course's repository, as in ``make set-url URL=https://github.com/OWNER/NAME``.

It is written into ``pyproject.toml`` (which the book reads), ``CITATION.cff``, the Colab and Kaggle cells of the labs,
and the clone commands of the README and ``docs/``. ``docs/colab.md`` gets links that open each lab.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The group of each pattern is the URL, or the place for it.
IN_PROJECT = re.compile(r'^(?:# )?\[project\.urls\]\n(?:# )?Repository = "(.*)"$', re.M)
IN_CITATION = re.compile(r'^repository-code: "(.*)"$', re.M)
IN_LAB = re.compile(r"repository = \\\"(.*?)\\\"")  # JSON escapes the quotes
TABLE = re.compile(r"(?<=<!-- the labs, by make set-url -->\n).*?(?=<!-- end of the labs -->)", re.S)
GITHUB = "https://github.com/"
BADGES = (
    "https://colab.research.google.com/assets/colab-badge.svg",
    "https://kaggle.com/static/images/open-in-kaggle.svg",
)
IN_PAGES = re.compile(r"(?<=git clone )(-q )?(REPOSITORY|https://\S+)")


def main() -> int:
    """Run the command and return its exit code."""
    address = sys.argv[1] if len(sys.argv) == 2 else ""
    if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+){2,}", address):
        print("Pass a repository URL, as in: make set-url URL=https://github.com/OWNER/NAME", file=sys.stderr)
        return 2
    set_address(ROOT, address.removesuffix(".git"))
    return 0


def set_address(course: Path, address: str) -> None:
    """Write the URL into the files of a course.

    Raises
    ------
    ValueError
        ``pyproject.toml`` does not have exactly one place for it.
    """
    project, citation = course / "pyproject.toml", course / "CITATION.cff"
    text, places = IN_PROJECT.subn(f'[project.urls]\nRepository = "{address}"', project.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{project} must have one [project.urls] with Repository, but has {places}.")
    project.write_text(text, encoding="utf-8")
    text, line = citation.read_text(encoding="utf-8"), f'repository-code: "{address}"'
    text = IN_CITATION.sub(line, text) if IN_CITATION.search(text) else f"{text}{line}\n"
    citation.write_text(text, encoding="utf-8")
    for page in (course / "README.md", *(course / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if IN_PAGES.search(text):
            page.write_text(IN_PAGES.sub(rf"\g<1>{address}", text), encoding="utf-8")
    folders = [course / "notebooks", course / "notebooks" / "workshops", course / "notebooks" / "extras"]
    labs = [lab for folder in folders for lab in sorted(folder.glob("*.ipynb"))]
    page = course / "docs" / "colab.md"
    table = links([lab.relative_to(course).as_posix() for lab in labs], address)
    page.write_text(TABLE.sub(lambda _: table, page.read_text(encoding="utf-8")), encoding="utf-8")
    for lab in labs:
        text = lab.read_text(encoding="utf-8")
        if IN_LAB.search(text):
            lab.write_text(IN_LAB.sub(rf'repository = \\"{address}\\"', text), encoding="utf-8")


def links(labs: list[str], address: str) -> str:
    """Return a table with links that open each lab on Colab and Kaggle, or a sentence if the URL is not on GitHub."""
    if not address.startswith(GITHUB):
        return "Colab and Kaggle only open notebooks from GitHub. Upload a lab there instead.\n"
    rows = ["| lab | | |", "|---|---|---|"]
    for lab in labs:
        file = f"{address.removeprefix(GITHUB)}/blob/main/{lab}"
        colab = f"[![Open in Colab]({BADGES[0]})](https://colab.research.google.com/github/{file})"
        kaggle = f"[![Open in Kaggle]({BADGES[1]})](https://kaggle.com/kernels/welcome?src={GITHUB}{file})"
        rows.append(f"| {Path(lab).stem.replace('_', ' ')} | {colab} | {kaggle} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
