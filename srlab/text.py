"""Names as text: without what would break a terminal or a page, and without addresses in memory."""

import re
import unicodedata
from collections.abc import Callable, Sequence

# What begins a tag, an entity, an attribute, markup, a formula or a link, in HTML or inside a line of Markdown.
SIGNS = re.compile(r"""[&<>"'`\\$|*~@[\]]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.""", re.IGNORECASE)


def escaped(text: object) -> str:
    """Return a text for a page, in one line: it looks the same in HTML, in an attribute and inside a line of Markdown.

    All text from a file goes through this on its way to a page.
    """
    line = printable(re.sub(r"[\t\n\v\f\r]", " ", str(text)))
    return SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", line)


def printable(text: object) -> str:
    """Replace characters that break a line, color a terminal, or change the writing direction with ``?``."""
    # Keep all spaces: macOS puts a narrow one into the names of its screenshots.
    shown = (sign if sign.isprintable() or unicodedata.category(sign) == "Zs" else "?" for sign in str(text))
    return "".join(shown)


def breaks_line(name: str) -> bool:
    """Return whether a file name would break a line or a terminal, or is not text (bytes in another encoding)."""
    return any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in name)


def some(names: Sequence[str]) -> str:
    """Return up to three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def name_of(function: Callable) -> str:
    """Return the name of a function or of a callable object, without its address in memory."""
    return re.sub(" at 0x[0-9a-fA-F]+", "", getattr(function, "__name__", repr(function)))
