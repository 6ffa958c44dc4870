"""Test that the site contains everything the labs link to."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_notebook

from tests.conftest import EXTRAS, LABS, ROOT, load_script

from .test_readme import dead_links


@pytest.mark.parametrize("address", ["", "https://github.com/Somebody/course"])
def test_site_links(tmp_path, address):
    executed, source = tmp_path / "executed", tmp_path / "source"
    executed.mkdir()
    for lab in [*LABS, *EXTRAS]:
        cells = [cell for cell in nbformat.read(lab, 4).cells if cell.cell_type == "markdown"]
        nbformat.write(new_notebook(cells=cells), executed / lab.name)
    load_script(ROOT / "docs" / "book" / "pages.py").gather(executed, source, address)
    pages = {file: file.read_text(encoding="utf-8") for file in (source / "docs").glob("*.md")}
    for file in source.glob("notebooks/**/*.ipynb"):
        pages[file] = "\n".join(cell.source for cell in nbformat.read(file, 4).cells)
    assert len(pages) > len(LABS) + len(EXTRAS)
    assert {page.name: dead for page, text in pages.items() if (dead := dead_links(page, text, Path.is_file))} == {}
