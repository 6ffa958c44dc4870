"""What a longer game buys, and what each piece of ESRGAN is worth: labs 03 and 04 on the gravel, measured.

    python -m benchmarks.gravel.measure

Each training is one ``papermill notebooks/LAB.ipynb ... -p recipe laptop`` with the changes of `GAMES`, without the
cells that only explore; one that is there already is taken. They begin with the networks that come with srlab and play
on the left half of the gravel; all numbers are of its right half. Writes ``README.md`` and its figures, and the
pictures that the labs show into ``srlab/view/pictures``: of the longest games, and those of lab 03's generator after
800 steps of either game.
"""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from PIL import Image
from torch import nn

import srlab
from srlab.base import places
from srlab.base.errors import SrlabError
from srlab.data.images import to_uint8
from srlab.evaluation import perception
from srlab.lab.execute import execute
from srlab.training import runs
from srlab.view import plots
from studies.report import markdown

HERE = Path(__file__).parent
PICTURES = HERE.parents[1] / "srlab" / "view" / "pictures"
AVERAGE = {"gan": "relativistic average", "adversarial_weight": 0.001}
VANILLA = {"gan": "vanilla", "adversarial_weight": 0.006}
GAMES = {  # its lab, the start, and what is changed of the recipe
    "SRGAN": ("03_srgan", "MSRResNet", {}),
    "the average game": ("03_srgan", "MSRResNet", AVERAGE),
    "RRDBNet": ("04_esrgan", "RRDB", VANILLA),
    "ESRGAN": ("04_esrgan", "RRDB", {}),
}
WHOLE = ("SRGAN", "ESRGAN")  # trained at all lengths
SHORT = {"SRGAN": "srgan", "the average game": "average"}  # kept after the usual length; lab 04 trains the other two
LENGTHS, USUAL, SEEDS = (200, 800, 4000, 12000), 800, (0, 1)
QUALITY = {LENGTHS[-1]: 92, USUAL: 98}  # of the JPEGs; beside the shorter ones stands PSNR, which 92 costs 0.04 dB
CROP = (208, 144, 96, 96)  # top, left, height, width: one of those that benchmarks/votes shows
SHOWN = {"energy error": "energy error", "gap closed": "share of the gap in sharpness", "PSNR": "PSNR in dB (Y)"}
PAGE = """# Labs 03 and 04 on the gravel

    python -m benchmarks.gravel.measure

The recipe `laptop` on the left half of the gravel, from the networks that come with srlab; all numbers are of its right
half. The energy error says how far fine structure is from being where the photo has it, the gap is that of the start in
sharpness, square by square, and the patch distance compares populations of patches (lab 05). Minutes are those of the
training alone, by the clock, on one core of {machine}.

## A longer game

Seed 0; each line is one training, laid out for its length.

{lengths}

![Energy error, gap closed and PSNR against minutes; dotted lines are the starts](figures/lengths.png)

![The same stones after each length](figures/crops.jpg)

## One piece at a time

{usual} steps. SRGAN has the network and the game of lab 03 (vanilla, weight of D {vanilla}). ESRGAN changes two things:
the game (relativistic average, weight {average}) and the network (RRDBNet). The rows between change one of them. The
third novelty of ESRGAN, features before the activation, both labs have.

{pieces}
"""


def train(game: str, iters: int, seed: int) -> runs.Run:
    """Run the lab, unless its run is finished."""
    lab, _, changes = GAMES[game]
    run = runs.Run(lab, f"{game.replace(' ', '-')}-{iters}-seed-{seed}")
    if (run.manifest() or {}).get("state") != "finished":
        out = places.home() / "notebooks" / f"{run.name}.ipynb"
        out.parent.mkdir(parents=True, exist_ok=True)
        given = {"recipe": "laptop", "iters": iters, "seed": seed, "run": run.name} | changes
        execute(HERE.parents[1] / "notebooks" / f"{lab}.ipynb", out, given, "explore")
    return run


def measure(generator: nn.Module, start: nn.Module) -> dict[str, float]:
    """The numbers of a network on the right half, as the labs have them."""
    _, unseen = srlab.halves("gravel")
    scores = srlab.evaluate(generator, unseen, metrics=("psnr", "energy_error", "patch_distance")).iloc[0]
    sharp, before = (perception.sharpness([(right_half(one), photo())]) for one in (generator, start))
    return {
        "PSNR": scores.psnr,
        "energy error": scores.energy_error,
        "gap closed": perception.gap_closed(sharp, before),
        "patch distance": scores.patch_distance,
    }


def photo() -> torch.Tensor:
    """The right half, HR."""
    return srlab.mod_crop(srlab.halves("gravel")[1]["gravel"], 4)


def right_half(generator: nn.Module) -> torch.Tensor:
    """What a network makes of it, in 8-bit levels."""
    return srlab.quantize(srlab.upscale(generator, srlab.downsample(photo(), 4)))


def table_of(rows: list[dict[str, float]]) -> str:
    """The rows as a table in Markdown."""
    digits = {"steps": "{:,}", "minutes": "{:.1f}", "energy error": "{:.3f}", "patch distance": "{:.1f}"}
    formats = {name: digits.get(name, "{:.2f}") for name in rows[0]} | dict.fromkeys(("game", "seed"), "{}")
    return markdown([*rows[0]], [[formats[name].format(value) for name, value in row.items()] for row in rows])


def keep(picture: torch.Tensor, name: str, iters: int) -> None:
    """Write what a network makes of the right half for the labs, as a JPEG with all its colour."""
    pixels = to_uint8(picture)[0].permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(PICTURES / f"{name}_{iters}.jpg", quality=QUALITY[iters], subsampling=0)


def draw(rows: list[dict[str, float]], file: Path) -> None:
    """Each number against the minutes of training; dotted lines are the starts."""
    table = pd.DataFrame(rows)
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    for axis, (column, label) in zip(axes, SHOWN.items(), strict=True):
        for game in WHOLE:
            start = GAMES[game][1]
            trained, color = table[table.game == game], plots.COLORS[game]
            axis.plot(trained.minutes, trained[column], "o-", color=color, label=game)
            begun = table[table.game == start][column].item()
            axis.axhline(begun, color=color, linestyle=":", label=f"its start, {start}")
        axis.set(xscale="log", xlabel="minutes of training on one core", ylabel=label)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(file, dpi=110, metadata={"Software": None})


def main(arguments: list[str]) -> int:
    """Train what is not there, and write the page; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="benchmarks.gravel.measure")
    parser.add_argument("--machine", default="a CPU", help="what the minutes were taken on, for the page")
    machine = parser.parse_args(arguments).machine
    shipped = srlab.load_shipped()

    def one(game: str, iters: int, seed: int) -> tuple[nn.Module, dict[str, float]]:
        lab, start, _ = GAMES[game]
        run = train(game, iters, seed)
        generator = srlab.load_generator(lab, run.name)
        return generator, {"minutes": run.manifest()["wall_time_s"] / 60} | measure(generator, shipped[start])

    lengths, pieces, crops = [], [], {}
    try:
        for game in WHOLE:
            start = GAMES[game][1]
            crops[start] = right_half(shipped[start])
            begun = measure(shipped[start], shipped[start])
            lengths.append({"game": start, "steps": 0, "minutes": 0.0} | begun)
            for iters in LENGTHS:
                generator, numbers = one(game, iters, 0)
                crops[f"{game}, {iters:,} steps"] = right_half(generator)
                lengths.append({"game": game, "steps": iters} | numbers)
            crops[f"HR, beside {game}"] = photo()  # so that each game has a row
        pieces = [{"game": game, "seed": seed} | one(game, USUAL, seed)[1] for game in GAMES for seed in SEEDS]
    except SrlabError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    for game in WHOLE:
        keep(crops[f"{game}, {LENGTHS[-1]:,} steps"], game.lower(), LENGTHS[-1])
    for game, name in SHORT.items():
        keep(right_half(one(game, USUAL, 0)[0]), name, USUAL)
    draw(lengths, HERE / "figures" / "lengths.png")
    figure = plots.draw_images({n: plots.cut(p, CROP) for n, p in crops.items()}, columns=2 + len(LENGTHS), width=18)
    figure.savefig(HERE / "figures" / "crops.jpg", dpi=110, pil_kwargs={"quality": 90})
    weights = {"vanilla": VANILLA["adversarial_weight"], "average": AVERAGE["adversarial_weight"]}
    tables = {"lengths": table_of(lengths), "pieces": table_of(pieces)}
    page = PAGE.format(machine=machine, usual=USUAL, **weights, **tables)
    (HERE / "README.md").write_text(page, encoding="utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
