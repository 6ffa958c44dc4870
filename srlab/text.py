"""Find and replace what would break a terminal."""

import unicodedata


def printable(text: object) -> str:
    """Replace characters that break a line, color a terminal, or change the writing direction with ``?``."""
    # Keep all spaces: macOS puts a narrow one into the names of its screenshots.
    shown = (sign if sign.isprintable() or unicodedata.category(sign) == "Zs" else "?" for sign in str(text))
    return "".join(shown)


def breaks_line(name: str) -> bool:
    """Return whether a file name would break a line or a terminal, or is not text (bytes in another encoding)."""
    return any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in name)
