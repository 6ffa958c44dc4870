"""Write records of runs: manifest, curve and scores in one small file, and a crop of one photo."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

import srlab
from srlab import files
from srlab.data import datasets
from srlab.data.datasets import ImageSet
from srlab.errors import SrlabError
from srlab.evaluation import perceptual
from srlab.models import loading
from srlab.training import runs
from srlab_course.material import baselines
from studies.shown import bicubic, crop, photo

from .rows import BICUBIC, RECORDS

METRICS = ("psnr", "ssim", "lpips", "gradient_ratio", "energy_error", "color_shift")
LR = srlab.Degradation()  # the same for every set, also for sets with LR files


def image_sets(folders: Iterable[str]) -> list[ImageSet]:
    """Return the bundled validation photos and the benchmark sets."""
    return [datasets.bundled_photos("validation"), *(datasets.load_images(folder) for folder in folders)]


def refuse_known(train: ImageSet, sets: Iterable[ImageSet]) -> None:
    """Reject training photos that are also in a scored set, comparing pixels."""
    known = {_digest(hr) for hr in train.hr}
    for images in sets:
        both = [n for n, hr in zip(images.names, images.hr, strict=True) if _digest(hr) in known]
        if both:
            raise SrlabError(f"{train.name} shares photos with the scored set {images.name}: {', '.join(both[:5])}.")


def write_bicubic(sets: list[ImageSet], folder: Path = RECORDS) -> None:
    """Write the record of bicubic interpolation, unless it exists and has all sets."""
    file = folder / f"{BICUBIC}.json"
    known = json.loads(file.read_text(encoding="utf-8"))["scores"] if file.exists() else {}
    if missing := [images for images in sets if images.name not in known]:
        _write(file, {"row": BICUBIC, "scores": known | scores(bicubic, missing)}, bicubic)


def write(
    file: Path, run: runs.Run, seed: int, sets: list[ImageSet], command: str, start: runs.Run | None = None
) -> Path:
    """Score a finished run and write its record.

    `file` is ``<row>-seed<seed>.json``; the row is ``esrgan-psnr`` for the first stage of ``esrgan``. `command` trains
    the run. `start` is the run whose generator this run continued; then the effect of this run on it is recorded
    too, see `beside`.
    """
    network, manifest = loading.load_generator(run.lab, run.name), run.manifest()
    assert manifest is not None  # the run has weights
    made = manifest["parameters"]
    record = {"row": file.stem.removesuffix(f"-seed{seed}"), "lab": run.lab, "seed": seed, "command": command}
    record |= {"validation": sets[1].name, "start": start.name.replace(f"-seed{seed}", "") if start else ""}
    record |= {"step": manifest["step"], "wall_time_s": manifest["wall_time_s"], "device": manifest["device"]}
    record |= {"precision": manifest["precision"], "peak_memory_mib": manifest["peak_memory_mib"]}
    record |= {"platform": manifest["platform"], "git": manifest["git"], "versions": manifest["versions"]}
    record |= {"threads": torch.get_num_threads(), "sha256": digest(network)}
    record |= {"parameters": srlab.parameter_count(network), "generator": made["generator"]}
    record |= {"batch": made["sampler"]["batch"], "patch": made["sampler"]["patch"]}
    record |= {"images": made["sampler"]["images"], "features": made.get("features", {})}
    record |= {"curve": [[line["step"], line["val_psnr"]] for line in run.metrics() if "val_psnr" in line]}
    record["scores"] = scores(network, sets)
    if start is not None:
        record |= beside(network, loading.load_generator(start.lab, start.name), sets)
    return _write(file, record, network if seed == 0 else None)


def _digest(pixels: torch.Tensor) -> bytes:
    return hashlib.sha256(str(tuple(pixels.shape)).encode() + pixels.contiguous().numpy().tobytes()).digest()


def digest(network: torch.nn.Module) -> str:
    """Return the SHA-256 of the names and bytes of all weights."""
    found = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        found.update(name.encode() + value.contiguous().numpy().tobytes())
    return found.hexdigest()


def scores(upscaler: Any, sets: list[ImageSet]) -> dict[str, dict[str, float]]:
    """Return set -> metric -> mean over its images (PSNR and SSIM on Y, crop 4)."""
    table = srlab.summarize(srlab.evaluate_all({"": upscaler}, sets, degradation=LR, metrics=METRICS))
    return {line.pop("set"): line for line in table.drop(columns="method").to_dict("records")}


def beside(network: Any, start: Any, sets: list[ImageSet]) -> dict[str, dict[str, float]]:
    """Compare a network with the one it started from, photo by photo; return two measures, each set -> number.

    ``gap`` is the share of the sharpness gap that it closes. ``noise`` is the mean energy error of the starting
    network with enough white noise to make each image as sharp as the network's.
    """
    gap, noise = {}, {}
    for images in sets:
        errors, sharp, before = [], [], []
        for _, image in images:
            hr = srlab.mod_crop(image, 4)
            lr = LR(hr, 4)
            sr, begun = srlab.upscale(network, lr), srlab.upscale(start, lr)
            sharp.append(perceptual.gradient_ratio(sr, hr).item())
            before.append(perceptual.gradient_ratio(begun, hr).item())
            errors.append(perceptual.energy_error(baselines.with_noise(begun, hr, sharp[-1]), hr).item())
        gap[images.name] = gap_closed(sharp, before)
        noise[images.name] = sum(errors) / len(errors)
    return {"gap": gap, "noise": noise}


def gap_closed(ratios: list[float], before: list[float]) -> float:
    """Return the share of the gap in sharpness that a method closes: ``1 - sum |1 - r| / sum |1 - r0|``.

    `ratios` (r) and `before` (r0) are the gradient ratios of each image, for the method and for the one to compare
    with. Each image counts by its distance from its own HR, so an image that is too sharp cannot compensate for one
    that is too blurry, as it does in a mean of the ratios.
    """
    return 1 - sum(abs(1 - ratio) for ratio in ratios) / sum(abs(1 - ratio) for ratio in before)


def _write(file: Path, record: dict[str, Any], upscaler: Any = None) -> Path:
    """Write a record, and an upscaler's crop next to it."""
    files.write_atomic(file, (json.dumps(record, indent=1) + "\n").encode())
    if upscaler is not None:
        sr = srlab.upscale(upscaler, LR(photo(), 4))
        srlab.write_image(crop(sr), file.with_suffix(".png"))
    return file


def read_all(folder: Path = RECORDS) -> list[dict[str, Any]]:
    """Return all records, sorted by row and seed."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda record: (record["row"], record.get("seed", 0)))
