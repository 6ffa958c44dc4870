"""Scores one row on the unseen photos and on benchmark sets: on LR made by bicubic, and on LR made as for its training.

The Snakefile calls it: ``python -m studies.esrdgan_tricks.score ROW OUTPUT`` with the row as JSON. ``kind`` says what
is scored: ``"row"``, ``"stage"`` (the PSNR stage of a base) or ``"bicubic"``. It writes a table with one line per image
and kind of LR, and beside it a crop of the SR photo for each kind of LR. The generator is the last one, averaged over
steps, that ``studies.train`` copied into ``notebooks/<row>/``. A row that ran away gets a table of one
line, which says so.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import srlab
from srlab.base.errors import SrlabError
from srlab.data import datasets
from srlab.models import weights
from studies.copies import backbone_of, read_manifest
from studies.shown import bicubic, crop, photo

from .train import LOST

METRICS = ("psnr", "ssim", "gradient_ratio", "energy_error", "colour_shift", "checkerboard")
PLAIN = "bicubic"  # kind of LR that everybody is scored on


def main(row: str, output: str) -> None:
    """Write ``output`` (CSV) and the crops as PNGs named after it and the kind of LR."""
    facts = json.loads(row)
    copies = Path(output).parents[1] / "notebooks" / facts["row"]
    known = {name: facts[name] for name in ("row", "trick", "seed")}
    if (note := copies / LOST).is_file():
        table = pd.DataFrame([known | {"lost": note.read_text(encoding="utf-8")}])
        srlab.save_table(table, output, force=True)
        return
    network, more = load(facts, copies)
    tables = []
    for settings in facts["degradations"]:
        kind = label(settings)
        table = score(network, facts, settings)
        table.insert(0, "lr", kind)
        tables.append(table)
        lr = degraded(photo(), settings)
        srlab.write_image(crop(srlab.upscale(network, lr)), crop_file(Path(output), kind))
    found = pd.concat(tables, ignore_index=True)
    srlab.save_table(pd.concat([pd.DataFrame([known | more] * len(found)), found], axis=1), output, force=True)


def load(facts: dict[str, Any], folder: Path) -> tuple[Any, dict[str, Any]]:
    """What is scored, and what its manifest says of it.

    Parameters
    ----------
    facts
        The row.
    folder
        The copies of it.

    Raises
    ------
    SrlabError
        There are no copies, they are of other steps, or do not say what the features were.
    """
    if facts["kind"] == "bicubic":
        return bicubic, {}
    if facts["kind"] == "stage":
        return weights.load_generator(facts["lab"], facts["run"]), {"iters": facts["iters"], "backbone": "no features"}
    manifest = read_manifest(folder, facts["iters"])
    features, real = backbone_of(manifest, facts["layers"])
    networks = {"network": "generator", "discriminator": "discriminator"}
    known = {name: manifest["parameters"].get(key, {}).get("network", "") for name, key in networks.items()}
    known |= {"backbone": features, "real": real, "iters": facts["iters"], "wall_time_s": manifest["wall_time_s"]}
    return weights.read_generator(folder), known


def score(network: Any, facts: dict[str, Any], settings: dict[str, Any]) -> pd.DataFrame:
    """One line per image: fidelity as the papers have it (Y, 4 pixels cropped), and perception on the whole image.

    A random degradation draws from the same seed for every row, so all get the same LR images.
    """
    sets = [datasets.photos("validation").subset(*facts["scored"].split())]
    sets += [datasets.benchmark(folder) for folder in facts["benchmarks"]]
    made = srlab.Degradation(**settings) if settings else None  # None takes the LR images of a benchmark set
    return srlab.evaluate_all({"": network}, sets, degradation=made, metrics=METRICS).drop(columns="method")


def degraded(hr: Any, settings: dict[str, Any]) -> Any:
    """The LR image of a photo."""
    random = torch.Generator().manual_seed(0)
    return srlab.Degradation(**settings)(srlab.mod_crop(hr, 4), 4, random)


def label(settings: dict[str, Any]) -> str:
    """Name of a kind of LR: ``bicubic``, ``nearest``, ``bicubic, noise 0.01``."""
    parts = [settings.get("method", PLAIN)]
    for name in ("blur", "noise", "jpeg"):
        if name in settings:
            parts.append(f"{name} {' to '.join(f'{end:g}' for end in dict.fromkeys(settings[name]))}")
    return ", ".join(parts)


def crop_file(table: Path, kind: str) -> Path:
    """The crop that belongs to a table of scores and a kind of LR."""
    return table.with_name(f"{table.stem} {kind}.png")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
