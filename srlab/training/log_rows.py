"""The rows of a run's log, and the JSON lines in which files keep them."""

import json

from srlab.training.manifests import are_numbers

Rows = list[dict[str, float]]


def as_lines(rows: Rows) -> str:
    """Return rows as text with a line of JSON for each."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def parse_lines(text: str) -> Rows:
    """Return the rows of a text, without a last line that a crash has truncated.

    Raises
    ------
    ValueError, RecursionError
        A line isn't JSON, has no step, or has other things than numbers; only malicious files raise the last one.
    """
    rows = [json.loads(line) for line in text.split("\n")[:-1]]
    if not all(isinstance(row, dict) and "step" in row and are_numbers(row) for row in rows):
        raise ValueError("a line has no step, or has text")
    return rows
