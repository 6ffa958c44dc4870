"""The reference files of the workshops, whole or with mistakes."""

from pathlib import Path

FILES = Path(__file__).parent


def joined(workshops: int) -> str:
    """Return the text of ``mine.py`` as it is after some workshops."""
    files = ["mine.py", *(f"mine_{number}.py" for number in range(2, workshops + 1))]
    return "\n\n".join((FILES / file).read_text(encoding="utf-8") for file in files)


def written(folder: Path, *replacements: tuple[str, str], workshops: int = 2) -> Path:
    """Write ``mine.py`` as it is after some workshops, with parts of its text replaced, and return its path."""
    text = joined(workshops)
    for old, new in replacements:
        assert text.count(old) >= 1, f"{old!r} does not occur"
        before, _, after = text.rpartition(old)  # a later workshop defines `train` again
        text = before + new + after
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return path
