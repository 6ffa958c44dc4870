"""Escape text for Markdown, figures and terminals."""

import re
import unicodedata
from collections.abc import Sequence


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


def printable(text: object) -> str:
    """Replace characters that break a line, color a terminal, or change the writing direction with ``?``."""
    # Keep all spaces: macOS puts a narrow one into the names of its screenshots.
    shown = (sign if sign.isprintable() or unicodedata.category(sign) == "Zs" else "?" for sign in str(text))
    return "".join(shown)


def in_columns(rows: Sequence[Sequence[str]]) -> str:
    """Join rows of cells into lines, with each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def breaks_line(name: str) -> bool:
    """Return whether a file name would break a line or a terminal, or is not text (bytes in another encoding)."""
    return any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in name)
