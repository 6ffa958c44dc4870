"""Text for a page or a terminal: names in Markdown and figures, lines, tables, and short paths."""

import os
import re
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from srlab.text import escaped, printable

WIDTH = 100  # characters per line
# Code, calls, lists, formulas and options, which stay on one line.
UNBROKEN = re.compile(r"`[^`]+`|[\w)\]]\([^()]*\)|\[[^][]*\]| [-+*/%@=<>|]{1,2} |-p \S+ \S+")
SPACES = re.compile(r"[\t\n\v\f\r]")
NO_BREAK = "\u00a0"  # textwrap does not break a line at this space


def in_markdown(text: str) -> str:
    """Escape a text with names in it for one line of Markdown; emphasis, code and ``<br>`` keep their meaning."""
    line = escaped(" ".join(text.split()))
    for sign, meaning in (("<br>", "<br>"), ("*", "*")):
        line = line.replace(escaped(sign), meaning)
    return re.sub(f"{escaped('`')}(.+?){escaped('`')}", _code, line)


def _code(found: re.Match[str]) -> str:
    """Return escaped code for Markdown, which reads no entities between backticks."""
    return f"<code>{found[1]}</code>" if "&" in found[1] else f"`{found[1]}`"


def in_figure(text: str) -> str:
    """Escape dollar signs in a name, so that matplotlib does not typeset a formula between two of them."""
    return text.replace("$", r"\$")


def in_lines(label: str, text: str, width: int = WIDTH) -> str:
    """Wrap a text after its label, with the next lines indented as far, and never inside code or a formula.

    Control characters, which a name from a file may have, become ``?``.
    """
    text = printable(SPACES.sub(" ", text))
    text = UNBROKEN.sub(lambda code: code[0].replace(" ", NO_BREAK), text)
    indent = {"initial_indent": label, "subsequent_indent": " " * len(label)}
    lines = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False, **indent)
    return lines.replace(NO_BREAK, " ")


def in_columns(rows: Sequence[Sequence[str]], width: int = 0) -> str:
    """Join rows of cells into lines, with each column as wide as its longest cell.

    If they need more than `width` characters (0: any number), the widest columns are narrowed and their cells wrapped.
    Control characters become ``?``.
    """
    rows = [[printable(SPACES.sub(" ", cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while 0 < width < sum(widths) + 2 * (len(widths) - 1):
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in rows:
        cells = [textwrap.wrap(*cell) if cell[0] else [""] for cell in zip(row, widths, strict=True)]
        lines += zip_longest(*cells, fillvalue="")
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def seen_from_here(path: Path) -> str:
    """Return a path to print, relative to the working directory if that is shorter."""
    try:
        return printable(min(str(path), os.path.relpath(path), key=len))
    except ValueError:  # on Windows from one drive to another
        return printable(path)
