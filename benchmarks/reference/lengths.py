"""Does lab 04 drift when it trains for longer? The command of its reader at several lengths, side by side.

    python -m benchmarks.reference.lengths 280 1000 3000 10000

Each length is one ``papermill notebooks/04_esrgan.ipynb ... -p recipe photos -p iters N -p backbone random`` without
the cells that only explore, on the embedded photos; a run that is there already is taken. Writes ``LENGTHS.md`` and its
figure.
"""

import argparse
import sys
from pathlib import Path
from statistics import fmean

import matplotlib.pyplot as plt
import pandas as pd

import srlab
from srlab.base import places
from srlab.base.errors import SrlabError
from srlab.cli.papermill import execute
from srlab.data import datasets
from srlab.training import runs
from studies.report import markdown

HERE = Path(__file__).parent
LAB = "04_esrgan"
METRICS = ("psnr", "energy_error", "gradient_ratio", "colour_shift")


def name_of(iters: int) -> str:
    """Of the run, as the lab makes it from the command."""
    return f"photos-{iters}-backbone-random"


def train(iters: int) -> None:
    """Run the lab, unless its run is finished."""
    if (runs.Run(LAB, name_of(iters)).manifest() or {}).get("state") == "finished":
        return
    out = places.home() / "notebooks" / f"{name_of(iters)}.ipynb"
    out.parent.mkdir(parents=True, exist_ok=True)
    given = {"recipe": "photos", "iters": iters, "backbone": "random"}
    execute(HERE.parents[1] / "notebooks" / f"{LAB}.ipynb", out, given, "explore")


def measure(iters: int) -> dict[str, float]:
    """Means over the unseen photos of the GAN and of its start, and what D said in the last quarter."""
    run, unseen = runs.Run(LAB, name_of(iters)), datasets.photos("validation")
    start = runs.Run(LAB, run.manifest()["psnr_stage"])
    row = {"steps": iters, "PSNR stage": start.manifest()["step"]}
    for which, one in (("start", start), ("GAN", run)):
        scores = srlab.evaluate(srlab.load_generator(LAB, one.name), unseen, metrics=METRICS)
        row |= {f"{which} {metric}": scores[metric].mean() for metric in METRICS}
    late = [line["d_real"] for line in run.metrics() if line.get("d_real") and line["step"] > 0.75 * iters]
    minutes = sum(one.manifest()["wall_time_s"] for one in (start, run)) / 60
    return row | {"D(HR)": fmean(late), "minutes": minutes}


def draw(table: pd.DataFrame, bicubic: pd.Series, file: Path) -> None:
    """PSNR and energy error against the steps of the GAN stage."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axis, metric, label in zip(axes, METRICS, ("PSNR in dB (Y)", "energy error (0 is right)"), strict=False):
        for which, style in (("start", "s--"), ("GAN", "o-")):
            axis.plot(table.steps, table[f"{which} {metric}"], style, label="PSNR stage" if which == "start" else "GAN")
        axis.axhline(bicubic[metric], color="grey", linestyle=":", label="bicubic")
        axis.set(xscale="log", xlabel="steps of the GAN stage", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(file, dpi=110, metadata={"Software": None})


def main(arguments: list[str]) -> int:
    """Train what is not there, and write the report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="benchmarks.reference.lengths")
    parser.add_argument("iters", nargs="+", type=int, help="lengths of the GAN stage")
    lengths = sorted(parser.parse_args(arguments).iters)
    try:
        for iters in lengths:
            train(iters)
        table = pd.DataFrame([measure(iters) for iters in lengths])
    except SrlabError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    scores = srlab.evaluate(lambda lr: srlab.upsample(lr, 4), datasets.photos("validation"), metrics=METRICS)
    draw(table, scores[[*METRICS]].mean(), HERE / "figures" / "lengths_esrgan.png")
    digits = dict.fromkeys(table, "{:.2f}".format) | dict.fromkeys(("steps", "PSNR stage"), "{:,.0f}".format)
    cells = [[digits[name](row[name]) for name in table] for _, row in table.iterrows()]
    text = (
        "# Lab 04 at several lengths\n\n"
        f"    python -m benchmarks.reference.lengths {' '.join(map(str, lengths))}\n\n"
        "The recipe `photos` on the twelve embedded photos, with random features and one seed; means over the four\n"
        "unseen photos. One row is one training, laid out for its length. Minutes are wall time on a machine that had\n"
        "other work beside it, so they are upper bounds.\n\n"
        + markdown([*table], cells)
        + "\n\n![PSNR and energy error against the length of the GAN stage](figures/lengths_esrgan.png)\n"
    )
    (HERE / "LENGTHS.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
