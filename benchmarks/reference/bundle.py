"""Copy the generators of four runs into ``srlab/models/bundled/`` with their manifests, and print their scores.

    papermill notebooks/01_srresnet.ipynb out.ipynb -p recipe laptop -p run bundled -p iters 6000
    papermill notebooks/03_srgan.ipynb out.ipynb -f benchmarks/reference/bundled.yaml
    papermill notebooks/04_esrgan.ipynb out.ipynb -p recipe photos -p run bundled -p pretrain_iters 6000 -p iters 20
    papermill notebooks/07_one_step.ipynb out.ipynb -f benchmarks/reference/one_step.yaml
    python -m benchmarks.reference.bundle_features
    python -m benchmarks.reference.bundle

The networks must be trained on the embedded photos only (for the license) and have at most 1 MB (for the size of the
package); larger weights are stored as float16. From lab 04, only the first stage is used. Lab 07 trains the
teacher of its network itself, on the left half of gravel.
"""

import json
import sys
from pathlib import Path

import torch

import srlab
from srlab import files, tensor_files
from srlab.data import datasets
from srlab.errors import SrlabError
from srlab.models.loading import FOLDER, ONE_STEP, load_bundled, load_generator_file
from srlab.paths import generator_file
from srlab.training.runs import SIDE_RUN, Run
from srlab_course.material.subjects import split_photo
from studies.shown import bicubic

RUNS = {
    "msrresnet": Run("01_srresnet", "bundled"),
    "srgan": Run("03_srgan", "bundled"),
    "rrdb": Run("04_esrgan", "bundled-psnr"),
    ONE_STEP: Run("07_one_step", "bundled"),
}
TEACHER = Run("07_one_step", f"bundled{SIDE_RUN}teacher")
LIMIT = 1_000_000  # bytes
METRICS = ("psnr", "gradient_ratio", "energy_error", "checkerboard", "color_shift")


def main() -> None:
    """Check and copy the networks, and print the scores for the README of their folder."""
    for name, run in RUNS.items():
        ship(run, FOLDER / f"{name}.safetensors")
    networks = {"bicubic": bicubic} | load_bundled() | {"one step": load_generator_file(ONE_STEP)}
    table = srlab.evaluate_all(networks, datasets.bundled_photos("validation"), metrics=METRICS)
    print(table.pivot(index="method", columns="image", values="psnr").round(2).to_string())
    print(srlab.summarize(table).round(2).to_string())


def ship(run: Run, file: Path) -> None:
    """Copy the generator of a run, and its manifest as a JSON file, with that of its teacher if it has one."""
    manifest = run.manifest()
    if manifest is None or manifest["status"] != "finished":
        raise SrlabError(f"No finished run found in {run.path}. Train it with the commands in this script.")
    made = manifest["parameters"]
    teacher = TEACHER.manifest() if made.get("teacher") == f"{TEACHER.lab}/{TEACHER.name}" else None
    images = (teacher["parameters"] if teacher else made)["sampler"].get("images")  # a flow learns from its teacher's
    if images not in [datasets.bundled_photos("train").describe(), split_photo("gravel")[0].describe()]:
        raise SrlabError(f"{run.path} was not trained on the embedded photos only. Other weights cannot be bundled.")
    if made.get("start", "01_srresnet/bundled") != "01_srresnet/bundled" or not of_no_network(made):
        raise SrlabError(
            f"{run.path} started from another network or used trained features. Use the commands in this script."
        )
    weights, notes = tensor_files.read_safetensors(run.path / generator_file())
    if size(weights) > LIMIT:
        weights = {key: value.half() for key, value in weights.items()}
    if size(weights) > LIMIT:
        raise SrlabError(f"The weights of {run.path} have {size(weights):,} bytes, but the limit is {LIMIT:,} bytes.")
    tensor_files.write_safetensors(file, weights, notes)
    kept = {**manifest} | ({"teacher": teacher} if teacher else {})
    files.write_atomic(file.with_suffix(".json"), (json.dumps(kept, indent=1) + "\n").encode())


def size(weights: dict[str, torch.Tensor]) -> int:
    """Return the bytes of all weights."""
    return sum(value.nbytes for value in weights.values())


def of_no_network(made: dict) -> bool:
    """Return whether a run with these parameters used no network trained by others."""
    return "features" not in made or made["features"]["weights"].startswith("random")


if __name__ == "__main__":
    try:
        main()
    except SrlabError as error:
        sys.exit(f"Error: {error}")
