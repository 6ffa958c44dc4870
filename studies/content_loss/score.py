"""Scores one row: its generators (last, best PSNR, best SSIM) on the unseen photos and on benchmark sets.

The Snakefile calls it: ``python -m studies.content_loss.score ROW OUTPUT`` with the row as JSON; one without a run is
bicubic. It writes a table with one line per image and weights, and beside it one crop of the SR photo. The generators
are those that ``train.py`` copied into ``notebooks/<row>/``, because the run itself may have gone on since.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

import srlab
from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.base.places import generator_file
from srlab.data import datasets
from srlab.evaluation.metrics import PAPER, STUDY
from srlab.evaluation.scoring import METRICS
from srlab.models.weights import read_generator
from studies.copies import backbone_of, read_manifest
from studies.shown import bicubic, crop, photo

EXTRA = ("gradient_ratio", "energy_error", "colour_shift", "saturation_ratio", "checkerboard")
FILES = {"last": "", "best PSNR": "psnr", "best SSIM": "ssim"}


def main(row: str, output: str) -> None:
    """Write ``output`` (CSV) and the crop as a PNG of the same name."""
    facts = json.loads(row)
    folder = Path(output).parents[1] / "notebooks"
    table, network = score_run(facts, folder / facts["row"]) if facts.get("run") else score_bicubic(facts)
    sr = srlab.upscale(network, srlab.downsample(photo(), 4))
    srlab.write_image(crop(sr), Path(output).with_suffix(".png"))
    srlab.save_table(table, output, force=True)


def score_run(facts: dict[str, Any], folder: Path) -> tuple[pd.DataFrame, Any]:
    """Scores of the row's generators with the facts of the row in front, and the last generator.

    Parameters
    ----------
    facts
        The row.
    folder
        The copies of it that ``train.py`` made.

    Raises
    ------
    SrlabError
        There are no copies, they are not of the steps that the row asks for, or do not say what its features were.
    """
    manifest = read_manifest(folder, facts["iters"])
    label, real = backbone_of(manifest, facts["layers"])
    last = read_generator(folder)
    tables: dict[str, pd.DataFrame] = {}
    for weights, best in FILES.items():
        file = folder / generator_file(best)
        step = files.read_safetensors(file)[1]["step"]
        same = next((table for table in tables.values() if table["step"].iloc[0] == step), None)  # often it is the last
        if same is None:
            table = score(read_generator(file) if best else last, facts, full=not best)
            table.insert(0, "step", step)
        tables[weights] = (table if same is None else same).assign(weights=weights)
    known = {name: facts[name] for name in ("row", "lab", "run", "variant", "method", "loss", "epochs", "seed")}
    known |= {"backbone": label, "real": real, "iters": facts["iters"], "wall_time_s": manifest["wall_time_s"]}
    networks = {"network": "generator", "discriminator": "discriminator"}
    known |= {name: manifest["parameters"].get(key, {}).get("network", "") for name, key in networks.items()}
    found = pd.concat(tables.values(), ignore_index=True)
    return pd.concat([pd.DataFrame([known] * len(found)), found], axis=1), last


def score_bicubic(facts: dict[str, Any]) -> tuple[pd.DataFrame, Any]:
    """The same for bicubic interpolation, the line that each network should beat."""
    table = score(bicubic, facts, full=True)
    table.insert(0, "row", "bicubic")
    table.insert(1, "weights", "last")
    return table, bicubic


def score(network: Any, facts: dict[str, Any], full: bool) -> pd.DataFrame:
    """One line per image: under the study's protocol, and if `full` under that of the papers and by perception."""
    sets = [datasets.photos("validation").subset(*facts["scored"].split())]
    sets += [datasets.benchmark(folder) for folder in facts["benchmarks"]]
    fidelity = ("psnr", "ssim", "ms_ssim")
    chosen = (*fidelity, *(name for name in EXTRA if full and name in METRICS))
    table = srlab.evaluate_all({"": network}, sets, protocol=STUDY, metrics=chosen).drop(columns="method")
    table = table.rename(columns={name: f"{name}_rgb" for name in fidelity})
    if full:
        paper = srlab.evaluate_all({"": network}, sets, protocol=PAPER, metrics=("psnr", "ssim"))
        table[["psnr_y", "ssim_y"]] = paper[["psnr", "ssim"]]
    return table


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
