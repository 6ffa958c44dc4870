"""The rows: one papermill preset each, in the folder of its lab in ``rows/``.

A preset names the recipe that it changes, and sets everything that the lab would scale with ``iters``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import Any

import yaml

from srlab.errors import SrlabError

HERE = Path(__file__).parent
ROWS = HERE / "rows"
RECORDS = HERE / "records"
BICUBIC = "bicubic"  # a record without training


@dataclass(frozen=True)
class Row:
    """One row of the report: its preset, and the file ``<lab>/<name>.yaml`` it is read from."""

    file: Path
    preset: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the row; runs add the seed to it."""
        return self.file.stem

    @property
    def lab(self) -> str:
        """Name of the lab that trains it."""
        return self.file.parent.name

    @property
    def start(self) -> str:
        """Name of the row whose generator this one continues; "" for training from scratch."""
        return str(self.preset.get("start", "")).partition("/")[2]

    def run(self, seed: int) -> str:
        """Return the name of the run of a seed."""
        return f"{self.name}-seed{seed}"

    def given(self, seed: int, images: str, validation: str, backbone: str) -> dict[str, Any]:
        """Return what the command line adds to the preset."""
        given: dict[str, Any] = {"images": images, "validation": validation, "seed": seed, "run": self.run(seed)}
        if self.start:
            given["start"] = f"{self.preset['start']}-seed{seed}"
        if "features" in self.preset and "backbone" not in self.preset:
            given["backbone"] = backbone
        return given

    def command(self, given: dict[str, Any]) -> str:
        """Return the papermill command that trains this row, with paths shortened to their last part."""
        preset = self.file.relative_to(HERE.parents[1]) if self.file.is_relative_to(HERE) else self.file.name
        words = ["papermill", f"notebooks/{self.lab}.ipynb", "out.ipynb", "-f", str(preset)]
        for name, value in given.items():
            path = name in ("images", "validation", "backbone") and "/" in str(value)
            words += ["-p", name, f"path/to/{Path(value).name}" if path else str(value)]
        return join(words)


def read_rows(names: Sequence[str] = (), folder: Path = ROWS) -> list[Row]:
    """Return all rows or the named ones, each after its start; ``name*`` selects all rows that begin with ``name``."""
    files = sorted(folder.glob("*/*.yaml"))
    rows = [Row(file, yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files]
    for name in names:
        if not any(_fits(row, name) for row in rows):
            raise SrlabError(f"Row '{name}' not found. Choose from {', '.join(row.name for row in rows)}.")
    return [row for row in rows if not names or any(_fits(row, name) for name in names)]


def _fits(row: Row, name: str) -> bool:
    return row.name.startswith(name[:-1]) if name.endswith("*") else row.name == name
