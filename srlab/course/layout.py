"""Text for a page or a terminal: names in Markdown and figures, tables, and short paths."""

import os
import re
from collections.abc import Sequence
from pathlib import Path


def in_markdown(text: str) -> str:
    """Escape names for one line of Markdown; emphasis, code and ``<br>`` keep their meaning."""
    parts = re.split(r"((?<!`)`[^`]+`(?!`))", " ".join(text.split()))  # every second one is code
    for place, part in enumerate(parts):
        signs = r"<(?!br>)|[&\[$|]"
        parts[place] = part.replace("|", r"\|") if place % 2 else re.sub(signs, lambda sign: f"&#{ord(sign[0])};", part)
    return "".join(parts)


def in_figure(text: str) -> str:
    """Escape dollar signs in a name, so that matplotlib does not typeset a formula between two of them."""
    return text.replace("$", r"\$")


def in_columns(rows: Sequence[Sequence[str]]) -> str:
    """Join rows of cells into lines, with each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def seen_from_here(path: Path) -> str:
    """Return a path as text, relative to the working directory if that is shorter."""
    try:
        return min(str(path), os.path.relpath(path), key=len)
    except ValueError:  # on Windows from one drive to another
        return str(path)
