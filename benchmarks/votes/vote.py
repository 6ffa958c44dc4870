"""Which looks more like a photo? Pairs of crops without names, in random order, and a table of what viewers chose.

    python -m benchmarks.votes.vote pairs FOLDER --seed 0
    python -m benchmarks.votes.vote count

The first writes pairs of crops by the labs' runs with that seed, as pictures that say A and B, and appends to
``pairs.csv`` what they are, which no viewer may see. Each viewer's answers go into ``votes.csv`` as lines
``viewer,pair,vote``. The second writes ``README.md`` and its picture of all crops.
"""

import argparse
import random
from pathlib import Path

import pandas as pd
import torch
from PIL import Image, ImageDraw

import srlab
from srlab.data.images import to_uint8
from srlab.evaluation import perception
from studies.report import markdown

HERE = Path(__file__).parent
GANS = {
    "SRGAN": ("03_srgan", "MSRResNet"),
    "ESRGAN": ("04_esrgan", "RRDB"),
}  # its lab, and the start it is shown beside
RIVALS = {"SRGAN": ("start", "noise"), "ESRGAN": ("start", "noise", "SRGAN")}
CROPS = [(top, left) for top in (48, 208, 368) for left in (16, 144)]  # in pixels of the right half; a plain grid
SIDE, SHOWN = 96, 432  # pixels of a crop, and pixels that it is drawn with
PAGE = """# Which looks more like a photo?

{command}

Labs 03 and 04 train on the left half of a photo of gravel. These are crops of its right half: as the start has them,
which was trained for the smallest error; the start with just enough white noise, drawn for each colour by itself, to
be as sharp as the GAN; and the GAN. ESRGAN also stands beside SRGAN, after as many steps. The runs are of the recipe
`laptop`, without the cells that only explore. Five viewers a seed saw each pair once, A beside B without
names, sides and order drawn at random, and were asked one question: *which of the two looks more like a photo?*
{viewers} `pairs.csv` has the pairs, `votes.csv` each vote. The crops are a plain grid. The recipes were chosen
with the help of such votes, also on these crops.

{table}

Votes for the GAN by crop, over the start and over the noise (ESRGAN also over SRGAN), of {times} each:

{crops}

![All crops with seed 0: the start, the start with noise, the GAN and the photo](crops.jpg)
"""
VIEWERS = (
    "The viewers were no people but instances of a model that sees pictures. Each was told nothing else, and none knew "
    "of the others."
)


def pictures(seed: int) -> dict[str, dict[str, torch.Tensor]]:
    """GAN -> what makes the picture -> the whole right half, as ``(1, 3, H, W)`` in [0, 1]."""
    run = f"laptop-seed-{seed}" if seed else "default"  # as the labs name it
    hr = srlab.mod_crop(srlab.halves("gravel")[1]["gravel"], 4)
    lr = srlab.downsample(hr, 4)
    found = {}
    for gan, (lab, start) in GANS.items():
        sr = srlab.quantize(srlab.upscale(srlab.load_generator(lab, run), lr))
        soft = srlab.quantize(srlab.upscale(srlab.load_shipped()[start], lr))
        noisy = perception.with_noise(soft, hr, perception.gradient_ratio(sr, hr).item(), 0)
        found[gan] = {"start": soft, "noise": srlab.quantize(noisy), gan: sr, "HR": hr}
    found["ESRGAN"]["SRGAN"] = found["SRGAN"]["SRGAN"]
    return found


def drawn(picture: torch.Tensor, crop: tuple[int, int]) -> Image.Image:
    """A crop, enlarged for the eye."""
    top, left = crop
    part = to_uint8(picture[..., top : top + SIDE, left : left + SIDE])[0].permute(1, 2, 0).numpy()
    return Image.fromarray(part).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)


def write_pairs(folder: Path, seed: int, only: str = "") -> None:
    """Write the pictures for the viewers, and what they are; of one rival alone, or of all."""
    shown, file = pictures(seed), HERE / "pairs.csv"
    rows = pd.read_csv(file).to_dict("records") if file.exists() else []
    beside = [(gan, rival) for gan, rivals in RIVALS.items() for rival in rivals if only in ("", rival)]
    pairs = [(*names, crop) for names in beside for crop in CROPS]
    order = random.Random(seed)
    order.shuffle(pairs)
    folder.mkdir(parents=True)  # refuses a folder that is there: votes belong to one set of pairs
    for number, (gan, rival, crop) in enumerate(pairs, start=len(rows) + 1):
        side = order.choice("AB")
        sheet = Image.new("RGB", (2 * SHOWN + 36, SHOWN + 48), "white")
        for place, letter in enumerate("AB"):
            at = 12 + place * (SHOWN + 12)
            ImageDraw.Draw(sheet).text((at + SHOWN // 2, 8), letter, fill="black", font_size=24)
            sheet.paste(drawn(shown[gan][gan if letter == side else rival], crop), (at, 40))
        sheet.save(folder / f"pair_{number:02d}.png")
        what = {"pair": number, "seed": seed, "gan": gan, "rival": rival, "top": crop[0], "left": crop[1]}
        rows.append(what | {"gan_is": side})
    pd.DataFrame(rows).to_csv(file, index=False)


def page() -> str:
    """What was voted, as a page."""
    votes = pd.read_csv(HERE / "votes.csv").merge(pd.read_csv(HERE / "pairs.csv"), on="pair", validate="many_to_one")
    votes["won"] = votes.vote == votes.gan_is
    lines, crops = [], []
    for (gan, rival, seed), of in votes.groupby(["gan", "rival", "seed"]):
        over = f"{gan} over " + {"start": "its start", "noise": "its start with noise"}.get(rival, rival)
        lines.append([over, str(seed), f"{of.won.sum()} of {len(of)}", f"{of.won.mean():.0%}"])
    columns = [(gan, seed) for gan in GANS for seed in sorted(votes.seed.unique())]
    for (top, left), here in votes.groupby(["top", "left"]):
        sums = here.groupby(["gan", "seed", "rival"]).won.sum()
        shown = [", ".join(str(sums[gan, seed, rival]) for rival in RIVALS[gan]) for gan, seed in columns]
        crops.append([f"{top}, {left}", *shown])
    heads = ["crop", *(f"{gan}, seed {seed}" for gan, seed in columns)]
    times = len(votes) // votes.pair.nunique()
    words = {"viewers": VIEWERS, "times": times, "command": "    python -m benchmarks.votes.vote count"}
    words |= {"table": markdown(["", "seed", "votes", "share"], lines), "crops": markdown(heads, crops)}
    return PAGE.format(**words)


def draw_crops() -> None:
    """All crops in one picture, half as large as the viewers saw them."""
    shown, side, names = pictures(0), SHOWN // 2, ["MSE", "noise", "SRGAN", "RRDB", "noise", "ESRGAN", "HR"]
    sheet = Image.new("RGB", (len(names) * (side + 6), len(CROPS) * (side + 6) + 26), "white")
    for column, name in enumerate(names):
        gan = "SRGAN" if column < 3 else "ESRGAN"
        key = name if name in ("noise", "HR", gan) else "start"
        ImageDraw.Draw(sheet).text((column * (side + 6) + 4, 2), name, fill="black", font_size=18)
        for row, crop in enumerate(CROPS):
            part = drawn(shown[gan][key], crop).resize((side, side))
            sheet.paste(part, (column * (side + 6), 26 + row * (side + 6)))
    sheet.save(HERE / "crops.jpg", quality=90)


def main() -> None:
    """Write pairs, or count what was said of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="benchmarks.votes.vote")
    commands = parser.add_subparsers(dest="command", required=True)
    pairs = commands.add_parser("pairs", help="write the pairs")
    pairs.add_argument("folder", type=Path)
    pairs.add_argument("--seed", type=int, default=0, help="of the runs")
    pairs.add_argument("--only", default="", help="one rival: start, noise or SRGAN; default: all")
    commands.add_parser("count", help="write the table")
    options = parser.parse_args()
    if options.command == "pairs":
        write_pairs(options.folder, options.seed, options.only)
    else:
        (HERE / "README.md").write_text(page(), encoding="utf-8")
        draw_crops()


if __name__ == "__main__":
    main()
