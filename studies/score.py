"""Score one row of a study on the validation photos and on benchmark sets.

The Snakefile calls ``python -m studies.score FACTS OUTPUT`` (FACTS is JSON from `studies.presets.Job`). It writes a
table with one line per image and kind of LR, and a crop of the SR image for each kind of LR. The generator is the copy
that ``train.py`` made in ``notebooks/<row>/``, because the run itself may have continued. The table of a row that broke
down has one line with the reason.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import srlab
from srlab.data import datasets
from srlab.errors import SrlabError
from srlab.evaluation.metrics import STUDY
from srlab.models import loading
from srlab.training.manifests import Manifest
from srlab.training.runs import Run

from .content_loss import as_coded
from .content_loss.ms_ssim import ms_ssim
from .content_loss.saturation import saturation_ratio
from .shown import bicubic, crop, photo
from .train import LOST

FIDELITY = ("psnr", "ssim")  # on Y, 4 pixels cropped
PERCEPTION = ("gradient_ratio", "energy_error", "color_shift", "checkerboard")
PLAIN = "bicubic"  # the kind of LR that every row is scored on


def main(facts: str, output: str) -> None:
    """Write `output` (CSV), and the crops as PNGs named after it and the kind of LR."""
    about, table = json.loads(facts), Path(output)
    as_coded.register()  # rows of that study may have its networks
    copies = table.parents[1] / "notebooks" / table.stem
    known = {"row": table.stem} | about["known"]
    if (note := copies / LOST).is_file():
        found = pd.DataFrame([known | {"lost": note.read_text(encoding="utf-8")}])
    else:
        network, more = load(about, copies)
        found = pd.concat([score(network, about, settings) for settings in about["degradations"]], ignore_index=True)
        found = pd.concat([pd.DataFrame([known | more] * len(found)), found], axis=1)
        for settings in about["degradations"]:
            lr = srlab.Degradation(**settings)(photo(), 4, torch.Generator().manual_seed(0))
            srlab.write_image(crop(srlab.upscale(network, lr)), crop_file(table, label(settings)))
    srlab.save_table(found, output, force=True)


def load(about: dict[str, Any], folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return the upscaler to score, and what its manifest reports.

    `about` are the facts of a job: without ``layers``, load the run ``LAB/NAME`` itself, and without ``run``, use
    bicubic. `folder` has the copies of the row.
    """
    if "run" not in about:
        return bicubic, {}
    if "layers" not in about:
        return loading.load_generator(*about["run"].split("/")), {"backbone": "no features"}
    manifest = Run("", folder.name, folder).manifest()
    if manifest is None or manifest["step"] != about["iters"]:
        raise SrlabError(
            f"{folder} has no copies of step {about['iters']}. Delete {folder}.ipynb and run the study again."
        )
    features, real = backbone_of(manifest, about["layers"])
    known = {"backbone": features, "real": real, "iters": about["iters"], "wall_time_s": manifest["wall_time_s"]}
    for key, part in {"network": "generator", "discriminator": "discriminator"}.items():
        known[key] = manifest["parameters"].get(part, {}).get("network", "")
    return loading.load_generator_file(folder), known


def backbone_of(manifest: Manifest, layers: str) -> tuple[str, bool | None]:
    """Return the label of a run's features, and whether they were trained; None for a row without features."""
    if not layers:
        return "no features", None
    made = manifest["parameters"].get("features", {})
    if made.get("layers") != layers or "weights" not in made:
        raise SrlabError(f"The run {manifest['name']} does not use {layers}. Delete it and run the study again.")
    real = not made["weights"].startswith("random")
    note = made["weights"] if real else "random"
    return f"{layers} ({note}{'' if made.get('normalize', True) else ', not normalized'})", real


def score(network: Any, about: dict[str, Any], settings: dict[str, Any]) -> pd.DataFrame:
    """Return one line per image. A random degradation has the same seed for every row, so all get the same LR."""
    sets = [datasets.bundled_photos("validation").subset(*about["scored"].split())]
    sets += [datasets.load_images(folder) for folder in about["benchmarks"]]
    made = srlab.Degradation(**settings) if settings else None  # None uses the LR images of a benchmark set
    color = (saturation_ratio,) if about.get("rgb") else ()
    metrics = (*FIDELITY, *PERCEPTION, *color)
    table = srlab.evaluate_all({"": network}, sets, degradation=made, metrics=metrics).drop(columns="method")
    if about.get("rgb"):  # without a crop, for a study of color
        rgb = srlab.evaluate_all({"": network}, sets, degradation=made, protocol=STUDY, metrics=(*FIDELITY, ms_ssim))
        names = [*FIDELITY, "ms_ssim"]
        table[[f"{name}_rgb" for name in names]] = rgb[names]
    table.insert(0, "lr", label(settings))
    return table


def label(settings: dict[str, Any]) -> str:
    """Return the name of a kind of LR: ``bicubic``, ``nearest``, ``bicubic, noise 0.01``."""
    parts = [settings.get("method", PLAIN)]
    for name in ("blur", "noise", "jpeg"):
        if name in settings:
            parts.append(f"{name} {' to '.join(f'{end:g}' for end in dict.fromkeys(settings[name]))}")
    return ", ".join(parts)


def crop_file(table: Path, kind: str = PLAIN) -> Path:
    """Return the file of the crop for a table of scores and a kind of LR."""
    return table.with_name(f"{table.stem} {kind}.png")


def read_scores(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all tables of a folder as one, and the rows that broke down, with the reason in ``lost``."""
    tables = [pd.read_csv(file) for file in sorted(folder.glob("*.csv"))]
    lost = [table for table in tables if "lost" in table]
    scores = pd.concat([table for table in tables if "lost" not in table], ignore_index=True)
    return scores, pd.concat(lost, ignore_index=True) if lost else pd.DataFrame()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
