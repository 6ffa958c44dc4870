"""Puts the generators of three runs into ``srlab/models/shipped/``, with their manifests and the page of that folder.

    papermill notebooks/01_srresnet.ipynb out.ipynb -p recipe laptop -p run shipped -p iters 6000
    papermill notebooks/03_srgan.ipynb out.ipynb -f benchmarks/reference/shipped.yaml
    papermill notebooks/04_esrgan.ipynb out.ipynb -p recipe photos -p run shipped -p pretrain_iters 6000 -p iters 20
    python -m benchmarks.reference.ship_features
    python -m benchmarks.reference.ship

Only what was trained on the embedded photos goes in, and nothing larger than 1 MB: licences and size of the package.
Of lab 04 that is its first stage; weights that would be too large go in as float16.
"""

import json
import sys
from pathlib import Path

import torch

import srlab
from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.base.places import generator_file
from srlab.data import datasets
from srlab.models.weights import FOLDER, load_shipped
from srlab.training.runs import Run
from studies.report import markdown
from studies.shown import bicubic

RUNS = {
    "msrresnet": Run("01_srresnet", "shipped"),
    "srgan": Run("03_srgan", "shipped"),
    "rrdb": Run("04_esrgan", "shipped-psnr"),
}
KEPT = ("lab", "parameters", "step", "wall_time_s", "device", "precision", "platform", "git", "versions")
LIMIT = 1_000_000  # bytes
METRICS = ("psnr", "gradient_ratio", "energy_error", "checkerboard", "colour_shift")
# Photo -> what its documentation says of its rights.
RIGHTS = {
    "camera": "CC0 (Lav Varshney)",
    "coffee": "CC0 (Rachel Michetti)",
    "grace_hopper": "a photo of the United States Navy, in the public domain; matplotlib names no licence",
    "grass": "CC0 (DeviantArt, linolafett)",
    "gravel": "CC0 (CC0Textures)",
    "hubble": "public domain (NASA)",
    "ihc": "no known copyright restrictions (Center for Microscopy And Molecular Imaging)",
    "motorcycle_left, motorcycle_right": "Middlebury stereo benchmark 2014 (Scharstein et al.); no licence stated",
    "page": "no licence of its own stated; scikit-image is under BSD-3-Clause",
    "retina": "CC0 (Mikael Häggström)",
    "rocket": "public domain (SpaceX)",
    "astronaut": "public domain (NASA)",
    "chelsea": "CC0 (Stefan van der Walt)",
    "text": "public domain (Wikipedia)",
    "brick": "CC0 (CC0Textures)",
}
WHAT = (
    "Generators for x4: `msrresnet` and `srgan` of 4 blocks and 32 features, and `rrdb`, the first stage of ESRGAN, of "
    "2 blocks and 32 features. Lab 03 starts from `msrresnet`, lab 04 from `rrdb`; `srlab upscale` and lab 05 take "
    "them where nobody has trained anything yet. The JSON files are the manifests of their runs. They were trained on "
    "the embedded training photos and on nothing else: of the gravel its left half, and of the others all; `srgan` "
    "looked at them through random features, so no trained network had a part in it. All of this, and this page, is "
    "made by"
)
FEATURES = (
    "`vgg6` is a VGG of six convolutions, 101,720 weights in float16, through which labs 02 to 04 compare images where "
    "ImageNet's weights are not on the computer. It learned from the same photos to say which of them a patch is "
    "from and how blurred it is, under random tints and a little noise; `benchmarks/reference/ship_features.py` is its "
    "training. Its JSON file has the steps and the share of right answers."
)
READ = (
    "PSNR in dB on luma, four pixels cropped, on the embedded photos that were not trained on; sharpness (1 is "
    "that of the photo), the error of the energy map (0 is right), and in 8-bit levels what repeats on the grid of LR "
    "pixels (checkerboard) and the tint over the whole picture (colour shift), as means over them:"
)
WHOSE = (
    "The photos are not in this repository but inside the packages scikit-image and matplotlib; the last four are for "
    "validation. What is known of their rights, from the documentation of scikit-image where nothing else is said:"
)


def main() -> None:
    """Check, copy, score, and describe.

    Raises
    ------
    SrlabError
        A run is missing, not finished, of other photos, or too large.
    """
    for name, run in RUNS.items():
        ship(run, FOLDER / f"{name}.safetensors")
    files.write_atomic(FOLDER / "README.md", readme().encode())
    print(FOLDER / "README.md")


def ship(run: Run, file: Path) -> None:
    """Copy the generator of a run, and what is worth knowing of it into a JSON file beside it."""
    manifest = run.manifest()
    if manifest is None or manifest.get("state") != "finished":
        raise SrlabError(f"There is no finished run {run.path}; train it with the commands in this script.")
    photos = datasets.photos("train")
    if manifest["parameters"]["sampler"]["images"] != photos.describe():
        raise SrlabError(f"{run.path} was not trained on the embedded photos alone; only such weights may go in.")
    made = manifest["parameters"]
    if made.get("start", "01_srresnet/shipped") != "01_srresnet/shipped" or not of_no_network(made):
        raise SrlabError(
            f"{run.path} has another start or trained features; only what the commands here make may go in."
        )
    weights, notes = files.read_safetensors(run.path / generator_file())
    if size(weights) > LIMIT:
        weights = {key: value.half() for key, value in weights.items()}
    if size(weights) > LIMIT:
        raise SrlabError(f"{run.path} has weights of {size(weights):,} bytes; at most {LIMIT:,} may go in.")
    files.write_safetensors(file, weights, notes)
    kept = {key: manifest[key] for key in KEPT if key in manifest}
    files.write_atomic(file.with_suffix(".json"), (json.dumps(kept, indent=1) + "\n").encode())


def size(weights: dict[str, torch.Tensor]) -> int:
    """Bytes of all numbers."""
    return sum(value.nbytes for value in weights.values())


def of_no_network(made: dict) -> bool:
    """Whether no network that somebody else has trained had a part in a run with these parameters."""
    return "features" not in made or made["features"]["weights"].startswith("random")


def readme() -> str:
    """What the folder holds, how it was made, what it scores, and whose the photos are."""
    networks = {"bicubic": bicubic} | load_shipped()
    table = srlab.evaluate_all(networks, datasets.photos("validation"), metrics=METRICS)
    lines = []
    for method in networks:
        scores = table[table.method == method].set_index("image")
        mean = srlab.summarize(table).set_index("method").loc[method]
        cells = [f"{scores.psnr[name]:.2f}" for name in scores.index]
        lines.append([method, *cells, *(f"{mean[metric]:.2f}" for metric in METRICS)])
    photos = [*dict.fromkeys(table.image)]
    head = ["", *photos, "mean", *(metric.replace("_", " ") for metric in METRICS[1:])]
    commands = "\n".join(line.strip() for line in __doc__.splitlines() if line.startswith("    "))
    parts = ["# Weights that come with srlab", WHAT, f"```\n{commands}\n```", READ, markdown(head, lines), FEATURES]
    return (
        "\n\n".join(
            [*parts, "## The photos", WHOSE, markdown(["photo", "rights"], [list(pair) for pair in RIGHTS.items()])]
        )
        + "\n"
    )


if __name__ == "__main__":
    try:
        main()
    except SrlabError as error:
        sys.exit(f"Error: {error}")
