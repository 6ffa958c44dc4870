"""Scores of all rows as means over the images, and the tables that the report makes of them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from studies.report import digits, features, markdown, number, numbers

from . import published
from .configurations import EPOCHS, LOSSES, SHALLOW, VARIANTS

TITLES = {
    "gradient_ratio": "Gradient magnitude relative to HR",
    "energy_error": "Error of the local energy map",
    "checkerboard": "Checkerboard",
    "psnr_y": "PSNR in dB on Y, crop 4",
    "ssim_y": "SSIM on Y, crop 4",
    "colour_shift": "Colour shift in 8-bit levels",
    "saturation_ratio": "Saturation relative to HR",
    "psnr_rgb": "PSNR in dB on RGB",
    "ms_ssim_rgb": "MS-SSIM on RGB",
}
METHODS = [(method, epochs) for method, lengths in EPOCHS.items() for epochs in lengths]


def read_scores(folder: Path) -> pd.DataFrame:
    """All tables of ``score.py`` in a folder as one, averaged over the images of each set (NaN does not count)."""
    whole = pd.concat([pd.read_csv(file) for file in sorted(folder.glob("*.csv"))], ignore_index=True)
    keys = ["row", "lab", "run", "variant", "method", "loss", "epochs", "seed", "backbone", "real", "network"]
    keys += ["discriminator", "iters", "wall_time_s", "weights", "step", "set"]
    for key in set(keys) - set(whole):  # a folder with bicubic alone, or from before there was the column
        whole[key] = None
    means = whole.drop(columns="image").groupby(keys, sort=False, dropna=False, as_index=False).mean()
    order = [*VARIANTS, "deeper", "shallow", *EPOCHS, *LOSSES, *SHALLOW]
    places = {name: place for place, name in enumerate(order)}
    keys = ["variant", "method", "epochs", "loss", "seed"]
    by_place = {"key": lambda column: column.map(lambda value: places.get(value, value)), "kind": "stable"}
    return means.sort_values(keys, ignore_index=True, **by_place)


def select(means: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The lines in which each column has the wanted value; the last weights unless others are asked for."""
    wanted = {"weights": "last"} | wanted
    for column, value in wanted.items():
        means = means[means[column] == value]
    return means.sort_values("seed")


def beside_published(means: pd.DataFrame, method: str, epochs: int, name: str) -> str:
    """The study's table beside ours: PSNR, SSIM and MS-SSIM on RGB, one line per loss."""
    sets = [name] if name in published.BICUBIC else list(published.BICUBIC)
    measured = ("psnr_rgb", "ssim_rgb", "ms_ssim_rgb")
    head = ["loss", *(f'published {s}: PSNR / "SSIM"' for s in sets)]
    head += [f"ours, {variant}, {name}: PSNR / SSIM / MS-SSIM" for variant in VARIANTS] + ["features"]
    known = [
        f"{psnr:.2f} / {ssim:.3f} / MS {ms:.3f} (measured here)" for psnr, ssim, ms in map(published.BICUBIC.get, sets)
    ]
    bicubic = select(means, row="bicubic", set=name)
    ours = " / ".join(numbers(bicubic, measured))
    lines = [["bicubic", *known, ours, ours, "-"]]
    for loss in LOSSES:
        rows = select(means, method=method, epochs=epochs, loss=loss, set=name)
        cells = [" / ".join(numbers(rows[rows["variant"] == variant], measured)) for variant in VARIANTS]
        cells = ["-" if set(cell) <= set("-/ ") else cell for cell in cells]
        theirs = [published.cell(method, epochs, s, loss) for s in sets]
        lines.append([loss, *theirs, *cells, features(rows[rows["variant"].isin(VARIANTS)])])
    return markdown(head, lines)


def over_losses(means: pd.DataFrame, metric: str, name: str) -> str:
    """One measure for all losses, methods and variants that were trained."""
    rows = select(means, set=name)
    rows = rows[rows["variant"].isin(VARIANTS)]
    columns = [(v, *m) for v in VARIANTS for m in METHODS]
    columns = [c for c in columns if not select(rows, variant=c[0], method=c[1], epochs=c[2]).empty]
    bicubic = number(select(means, row="bicubic", set=name)[metric], digits(metric))
    lines = [["bicubic", *[bicubic] * len(columns), "-"]]
    for loss in LOSSES:
        found = rows[rows["loss"] == loss]
        if not found.empty:
            cells = [select(found, variant=v, method=m, epochs=e)[metric] for v, m, e in columns]
            lines.append([loss, *(number(values, digits(metric)) for values in cells), features(found)])
    return markdown(["loss", *(f"{v}, {m} {e}" for v, m, e in columns), "features"], lines)


def listed(means: pd.DataFrame, metrics: Sequence[str], names: dict[tuple, str]) -> str:
    """Some measures of some rows, one line per (variant, method, epochs, loss), with the number of seeds."""
    lines = []
    for (variant, method, epochs, loss), label in names.items():
        rows = select(means, variant=variant, method=method, epochs=epochs, loss=loss)
        lines.append([label, *numbers(rows, metrics), str(len(rows)), features(rows)])
    return markdown(["row", *(TITLES[metric] for metric in metrics), "seeds", "features"], lines)


def kept_weights(means: pd.DataFrame, name: str) -> str:
    """PSNR and SSIM of the last weights, of those with the best validation PSNR, and of those with the best SSIM."""
    lines = []
    for row, found in means[(means["set"] == name) & (means["row"] != "bicubic")].groupby("row", sort=False):
        cells = [
            f"{one['psnr_rgb']:.2f} / {one['ssim_rgb']:.4f} (step {one['step']:.0f})"
            for weights in ("last", "best PSNR", "best SSIM")
            for _, one in select(found, weights=weights).iterrows()
        ]
        lines.append([str(row), *cells, features(found)])
    return markdown(["row", "last: PSNR / SSIM", "best PSNR", "best SSIM", "features"], lines)


def costs(means: pd.DataFrame) -> str:
    """Steps and training time of each row, with its network and features."""
    rows = means[means["weights"] == "last"].drop_duplicates("row")
    lines = [
        [
            *(str(one["row"]), f"{one['lab']}/{one['run']}", str(one["network"])),
            *(f"{one['iters']:.0f}", f"{one['wall_time_s']:.0f} s", str(one["backbone"])),
        ]
        for _, one in rows[rows["row"] != "bicubic"].iterrows()
    ]
    return markdown(["row", "run", "network", "steps", "training time", "features"], lines)
