"""The reference files of the workshops."""

from pathlib import Path

FILES = Path(__file__).parent


def joined(workshops: int) -> str:
    """Return the text of ``mine.py`` as it is after some workshops."""
    files = ["mine.py", *(f"mine_{number}.py" for number in range(2, workshops + 1))]
    return "\n\n".join((FILES / file).read_text(encoding="utf-8") for file in files)
