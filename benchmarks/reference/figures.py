"""Draw the figures of the report."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import srlab
from srlab_course.figures import perception_plot, plots
from studies.report import Page
from studies.shown import crop, photo

from .rows import BICUBIC
from .summary import TITLES, Record, minutes_a_step, of_row

FRONT = (BICUBIC, "srresnet-short", "srresnet-srgan")


def curves(page: Page, records: list[Record], rows: list[str]) -> None:
    """Plot PSNR on the validation set against minutes of training, a line per seed."""
    figure, axis = plt.subplots(figsize=(9, 4.6), layout="constrained")
    dashes = iter(("-", "--", ":", "-."))
    validation = next(one["validation"] for row in rows for one in of_row(records, row))
    for row in rows:
        style, color = next(dashes), plots.COLORS.get(TITLES[row].partition(" (")[0])
        for i, record in enumerate(r for r in of_row(records, row) if r["validation"] == validation):
            minutes = minutes_a_step(record)
            x, y = zip(*[(step * minutes, psnr) for step, psnr in record["curve"] if step], strict=True)
            axis.plot(x, y, style, color=color, label=None if i else TITLES[row])
    bicubic = of_row(records, BICUBIC)[0]["scores"].get(validation, {}).get("psnr")
    if bicubic:
        axis.axhline(bicubic, color=plots.COLORS["bicubic"], linewidth=0.8, linestyle=":", label="bicubic")
        axis.set_ylim(bottom=bicubic - 1)
    axis.set(xscale="log", xlabel="minutes of training", ylabel="PSNR in dB (Y)", title=f"{validation}, while training")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
    page.figure("curves.png", figure, f"PSNR on {validation} over training time; one line per seed.")


def plane(page: Page, records: list[Record], sets: list[str]) -> None:
    """Plot mean PSNR against the energy error, a point per row."""
    lines = [
        {"set": images, "image": str(record.get("seed", 0)), "method": TITLES[record["row"]]} | record["scores"][images]
        for images in sets
        for row in TITLES
        for record in of_row(records, row)
        if images in record["scores"]
    ]
    figure = perception_plot.draw_perception_distortion(pd.DataFrame(lines), "energy_error")
    caption = (
        "Distortion and perception, means over seeds. The energy error measures where structure is, not how it looks. "
        "So use it to compare networks of one family, not as a proof of quality."
    )
    page.figure("plane.png", figure, caption)


def crops(page: Page, records: list[Record], pictures_of: Path) -> None:
    """Show the same crop for all rows."""
    figure = _crops([row for row in TITLES if of_row(records, row)], pictures_of, columns=3)
    page.figure("crops.png", figure, "One crop of a held-out photo, seed 0.")


def front(page: Page, records: list[Record], pictures_of: Path) -> None:
    """Draw the first figure of the README: bicubic, a network trained for PSNR, the GAN that continues it, and HR."""
    if all(of_row(records, row) for row in FRONT):
        page.keep("front.png", _crops(FRONT, pictures_of, columns=4))


def _crops(rows: Sequence[str], pictures_of: Path, columns: int) -> plt.Figure:
    pictures = {}
    for row in rows:
        file = pictures_of / (f"{row}.png" if row == BICUBIC else f"{row}-seed0.png")
        if file.is_file():
            pictures[TITLES[row]] = srlab.read_image(file)
    return plots.draw_images(pictures | {"HR": crop(photo())}, columns=columns)
