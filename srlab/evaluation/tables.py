"""Tables of scores as files and as plain values."""

import json
import math
from pathlib import Path

import pandas as pd

from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic


def save_table(table: pd.DataFrame, path: str | Path, force: bool = False) -> Path:
    """Write a table as CSV or JSON (by the ending); the file appears only when it is complete.

    Parameters
    ----------
    table
        Of numbers and names. In JSON, NaN becomes null and infinity the text ``"inf"``.
    path
        Ends in ``.csv`` or ``.json``.
    force
        Replace a file that is there.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    SrlabError
        Another ending, a file is there, or it cannot be written.
    """
    path = check_path(path, force)
    if path.suffix.lower() == ".csv":
        content = table.to_csv(index=False)
    else:
        content = json.dumps(records(table), indent=1, allow_nan=False) + "\n"
    write_atomic(path, content.encode())
    return path


def check_path(path: str | Path, force: bool = False) -> Path:
    """Refuse a path that `save_table` would refuse, before the work that fills the table."""
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".json"):
        raise SrlabError(f"Cannot tell the format of {path.name}; end it in .csv or .json.")
    if path.exists() and not force:
        raise SrlabError(f"{path} exists already; choose another name, or add --force (force=True) to replace it.")
    return path


def records(table: pd.DataFrame) -> list[dict[str, str | float | None]]:
    """Rows of a table as JSON can hold them: NaN as None, infinity as the text ``"inf"``."""
    return [{key: _plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _plain(value: str | float) -> str | float | None:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
