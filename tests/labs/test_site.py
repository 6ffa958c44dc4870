"""Test that the site contains everything the labs link to."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from tests.conftest import EXTRAS, LABS, ROOT, load_script


@pytest.mark.parametrize("address", ["", "https://github.com/Somebody/course"])
def test_site_links(tmp_path, monkeypatch, address):
    monkeypatch.syspath_prepend(ROOT / "docs" / "book")  # pages.py imports its neighbors
    executed, source = tmp_path / "executed", tmp_path / "source"
    executed.mkdir()
    for lab in [*LABS, *EXTRAS]:
        cells = [cell for cell in nbformat.read(lab, 4).cells if cell.cell_type == "markdown"]
        nbformat.write(new_notebook(cells=cells), executed / lab.name)
    load_script(ROOT / "docs" / "book" / "pages.py").gather(executed, source, address)
    pages = {file: file.read_text(encoding="utf-8") for file in [source / "index.md", *(source / "docs").glob("*.md")]}
    for file in source.glob("notebooks/**/*.ipynb"):
        pages[file] = "\n".join(cell.source for cell in nbformat.read(file, 4).cells)
    assert len(pages) > len(LABS) + len(EXTRAS)
    assert [lab.name for lab in LABS if f"(notebooks/{lab.name})" not in pages[source / "index.md"]] == []
    assert address in pages[source / "index.md"]
    assert {page.name: dead for page, text in pages.items() if (dead := dead_links(page, text))} == {}


@pytest.mark.parametrize("button", ["", "[![Open in Colab](https://a.b/c.svg)](https://a.b/lab.ipynb)\n\n"])
def test_site_leaves_out_the_button_of_the_repository(monkeypatch, button):
    monkeypatch.syspath_prepend(ROOT / "docs" / "book")
    pages = load_script(ROOT / "docs" / "book" / "pages.py")
    lab = new_notebook(cells=[new_markdown_cell(f"# Title\n\n{button}Text.")])
    assert pages.tidy(lab).cells[0].source == "# Title\n\n\n\nText."


def dead_links(page: Path, text: str) -> list[str]:
    """Return the links of a page to missing files or headings."""
    dead = []
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if "://" not in target and not (file.is_file() and (not anchor or anchor in anchors(file))):
            dead.append(target)
    return dead


def anchors(file: Path) -> list[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE) if file.suffix == ".md" else []
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
