"""Set the URL of the course's repository, as in ``make set-url URL=https://github.com/OWNER/NAME``.

Without it, no page shows what only a published course has, because readers could not use it. The URL is written into
``pyproject.toml`` (which the book reads), ``CITATION.cff`` and the Colab cells of the labs. The README and pages of
``docs/`` get commands that download the course, badges, and links to the site and to each lab. On GitHub, the first
cell of each lab gets a button that opens it in Colab.
"""

import json
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
# The group of each pattern is the URL, or the place for it.
IN_PROJECT = re.compile(r'^(?:# )?\[project\.urls\]\n(?:# )?Repository = "(.*)"$', re.M)
IN_CITATION = re.compile(r'^repository-code: "(.*)"$', re.M)
IN_LAB = re.compile(r'(repository = ")[^"\n]*(")')
# A place in a page, with the indentation of a list item, which the text below a bullet needs.
PLACE = "(^[ ]*(?:[0-9]+[.] )?)<!-- {}, by make set-url -->\n.*?^[ ]*<!-- end of {} -->\n"
BUTTON = "[![Open in Colab]"  # begins the line that a lab gets
GITHUB = "https://github.com/"
COLAB = "https://colab.research.google.com/github/"
KAGGLE = "https://kaggle.com/kernels/welcome?src="
COLAB_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
KAGGLE_IMAGE = "https://kaggle.com/static/images/open-in-kaggle.svg"
WORKFLOWS = ("tests", "nightly", "machines")  # those with a badge, if the course has them


def main() -> int:
    """Run the command and return its exit code."""
    address = repository_of(sys.argv[1]) if len(sys.argv) == 2 else ""
    if not address:
        print("Pass a repository URL, as in: make set-url URL=https://github.com/OWNER/NAME", file=sys.stderr)
        return 2
    print(f"The address of the course is now {address}")
    set_address(ROOT, address)
    return 0


def repository_of(pasted: str) -> str:
    """Return the URL of a repository, without the page in it that a browser shows; "" if it is not one.

    On GitHub, that is OWNER/NAME. On GitLab, ``/-/`` begins a page, and a repository can be in several groups.
    """
    url = urlsplit(pasted.strip())
    path = url.path.partition("/-/")[0].strip("/")
    if url.netloc == "github.com":
        path = "/".join(path.split("/")[:2])
    address = f"{url.scheme}://{url.netloc}/{path.removesuffix('.git')}"
    return address if re.fullmatch(r"https://[\w.-]+(/[\w.-]+){2,}", address) else ""


def set_address(course: Path, address: str) -> None:
    """Write the URL into the files of a course.

    Raises
    ------
    ValueError
        A file does not have exactly one place for the URL.
    """
    project, citation = course / "pyproject.toml", course / "CITATION.cff"
    text, places = IN_PROJECT.subn(f'[project.urls]\nRepository = "{address}"', project.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{project} must have one [project.urls] with Repository, but has {places}.")
    project.write_text(text, encoding="utf-8")
    text, line = citation.read_text(encoding="utf-8"), f'repository-code: "{address}"'
    text = IN_CITATION.sub(line, text) if IN_CITATION.search(text) else f"{text}{line}\n"
    citation.write_text(text, encoding="utf-8")
    labs = find_labs(course)
    get = f"git clone {address} srlab\ncd srlab\n"
    fill(course / "README.md", "badges", badges(course, address))
    start = "Then run this command on Linux and macOS:"
    fill(course / "README.md", "download", f"Download the course with these commands:\n\n```\n{get}```\n\n{start}\n")
    fill(course / "README.md", "issues", issues(address))
    git = "If git is missing, first run `winget install --source winget Git.Git` and open a new window:"
    fill(course / "docs" / "machines.md", "download", f"Run these commands. {git}\n\n```text\n{get}```\n")
    fill(course / "docs" / "colab.md", "notice", "")
    table = links([lab.relative_to(course).as_posix() for lab in labs], address)
    fill(course / "docs" / "colab.md", "labs", f"## Open a lab\n\n{table}")
    for lab in labs:
        set_address_of_lab(lab, lab.relative_to(course).as_posix(), address)


def find_labs(course: Path) -> list[Path]:
    """Return the labs, workshops and extras."""
    folders = [course / "notebooks", course / "notebooks" / "workshops", course / "notebooks" / "extras"]
    return [lab for folder in folders for lab in sorted(folder.glob("*.ipynb"))]


def fill(page: Path, name: str, content: str) -> None:
    """Replace the text of a place in a page.

    Raises
    ------
    ValueError
        The page does not have exactly one place with this name.
    """

    def replace(place: re.Match) -> str:
        indent = " " * len(place[1])
        lines = [f"<!-- {name}, by make set-url -->", *content.splitlines(), f"<!-- end of {name} -->"]
        return place[1] + "\n".join(f"{indent}{line}" if line else "" for line in lines).lstrip() + "\n"

    pattern = re.compile(PLACE.format(name, name), re.M | re.S)
    text, places = pattern.subn(replace, page.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{page} must have one place for {name}, but has {places}.")
    page.write_text(text, encoding="utf-8")


def badges(course: Path, address: str) -> str:
    """Return the README's badges, the workflows and lab 00 in Colab, and a link to the site. All need GitHub."""
    if not address.startswith(GITHUB):
        return ""
    there = [name for name in WORKFLOWS if (course / ".github" / "workflows" / f"{name}.yml").is_file()]
    flows = [(name, f"{address}/actions/workflows/{name}.yml") for name in there]
    lines = [f"[![{name}]({flow}/badge.svg)]({flow})" for name, flow in flows]
    lines.append(colab_button("notebooks/00_degradation.ipynb", address))
    links = f"[Read the executed labs online]({site_of(address)}) · [Run them in Colab or Kaggle](docs/colab.md)"
    return "\n".join(lines) + f"\n\n**{links}**\n\n"


def site_of(address: str) -> str:
    """Return the GitHub Pages URL of a repository; "" if it is not on GitHub."""
    owner, _, name = address.removeprefix(GITHUB).partition("/")
    return f"https://{owner.lower()}.github.io/{name}/" if address.startswith(GITHUB) else ""


def issues(address: str) -> str:
    """Return a sentence about the issue forms. Other hosts than GitHub have their own."""
    where = f"{address}/issues/new/choose" if address.startswith(GITHUB) else address
    return f"If that doesn't help, [open an issue]({where}). The forms list what we need to know.\n"


def colab_button(lab: str, address: str) -> str:
    """Return a button that opens a lab in Colab, in Markdown."""
    return f"{BUTTON}({COLAB_IMAGE})]({in_colab(lab, address)})"


def in_colab(lab: str, address: str) -> str:
    """Return the URL that opens a lab of a repository on GitHub in Colab."""
    return f"{COLAB}{address.removeprefix(GITHUB)}/blob/main/{lab}"


def in_kaggle(lab: str, address: str) -> str:
    """Return the URL that opens a lab of a repository on GitHub in Kaggle."""
    return f"{KAGGLE}{address}/blob/main/{lab}"


def links(labs: list[str], address: str) -> str:
    """Return a table with links that open each lab on Colab and Kaggle, or a sentence if the URL is not on GitHub."""
    if not address.startswith(GITHUB):
        return "Colab and Kaggle only open notebooks from GitHub. Upload a lab there instead.\n"
    rows = ["| lab | | |", "|---|---|---|"]
    for lab in labs:
        kaggle = f"[![Open in Kaggle]({KAGGLE_IMAGE})]({in_kaggle(lab, address)})"
        rows.append(f"| {Path(lab).stem.replace('_', ' ')} | {colab_button(lab, address)} | {kaggle} |")
    return "\n".join(rows) + "\n"


def set_address_of_lab(lab: Path, place: str, address: str) -> None:
    """Write the URL into the Colab cell of a lab, and a button below its title if the URL is on GitHub.

    Parameters
    ----------
    lab
        Notebook file.
    place
        Its path in the repository.
    address
        URL of the repository.
    """
    notebook = json.loads(lab.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = [IN_LAB.sub(rf"\g<1>{address}\g<2>", line) for line in cell["source"]]
    source = [line for line in notebook["cells"][0]["source"] if not line.startswith(BUTTON)]
    if source[1:3] == ["\n", "\n"]:
        del source[1]  # the empty line above an earlier button
    if address.startswith(GITHUB):
        source[1:1] = ["\n", f"{colab_button(place, address)}\n"]
    notebook["cells"][0]["source"] = source
    lab.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
