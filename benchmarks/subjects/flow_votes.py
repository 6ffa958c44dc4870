"""Draw pairs of a flow's samples and Real-ESRGAN for viewers, and count their votes.

``python -m benchmarks.subjects.flow_votes draw FOLDER NAME=SUBJECT ...`` draws a sheet per question, viewer and
subject: three places, each with another sample, sides and order at random. Each subject needs its run (see `flow`).
``python -m benchmarks.subjects.flow_votes count FOLDER`` reads ``FOLDER/answers.txt``, where a line such as ``looks1``
(question and viewer) comes before lines such as ``01: A B A`` (sheet, and the answers for its three pairs), and writes
``flow_votes.csv``.
"""

import random
import re
import sys
from pathlib import Path

import pandas as pd
import torch
from PIL import Image, ImageDraw

import srlab

QUESTIONS, VIEWERS = ("looks", "truth"), range(1, 6)
PLACES = (0.0, 0.5, 1.0)  # how far down the right half, for the samples with seeds 0, 1 and 2
SIDE, SHOWN = 160, 400  # pixels of a crop, and of its enlargement


def images_of(name: str, subject: str, real_esrgan: torch.nn.Module) -> dict[str, list[torch.Tensor]]:
    """Return three samples, Real-ESRGAN's image and HR, three times each."""
    network = srlab.load_generator("06_flow", name)
    unseen = srlab.split_photo(subject)[1]
    hr = srlab.mod_crop(unseen[unseen.names[0]], 4)
    lr, samples = srlab.downsample(hr, 4), []
    for network.seed in range(3):
        samples.append(srlab.upscale(network, lr))
    return {"flow": samples, "RealESRGAN": [srlab.upscale(real_esrgan, lr)] * 3, "HR": [hr] * 3}


def crop(image: torch.Tensor, down: float) -> Image.Image:
    """Return an enlarged crop from the middle column."""
    top, left = round(down * (image.shape[-2] - SIDE)), max(0, (image.shape[-1] - SIDE) // 2)
    pixels = srlab.to_uint8(image[..., top : top + SIDE, left : left + SIDE])[0].permute(1, 2, 0).numpy()
    return Image.fromarray(pixels).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)


def draw(folder: Path, subjects: dict[str, str]) -> None:
    """Draw all sheets, and write which side is the flow's into ``key.csv``."""
    order, real_esrgan, rows = random.Random(31), srlab.load_realesrgan(), []
    images = {name: images_of(name, subject, real_esrgan) for name, subject in subjects.items()}
    for question in QUESTIONS:
        for viewer in VIEWERS:
            here = folder / f"{question}{viewer}"
            here.mkdir(parents=True)
            for number, name in enumerate(order.sample(list(subjects), len(subjects)), 1):
                columns = ("A", "photo", "B") if question == "truth" else ("A", "B")
                sheet = Image.new("RGB", (len(columns) * (SHOWN + 12) + 12, 3 * (SHOWN + 44) + 8), "white")
                for place, down in enumerate(PLACES):
                    side = order.choice("AB")
                    who = {"photo": "HR", side: "flow", "BA"["AB".index(side)]: "RealESRGAN"}
                    for column, label in enumerate(columns):
                        x, y = 12 + column * (SHOWN + 12), 8 + place * (SHOWN + 44)
                        middle = (x + SHOWN // 2, y + 16)
                        ImageDraw.Draw(sheet).text(middle, f"{place + 1} {label}", "black", font_size=24, anchor="mm")
                        sheet.paste(crop(images[name][who[label]][place], down), (x, y + 34))
                    rows.append((question, viewer, number, name, place, down, side))
                sheet.save(here / f"{number:02d}.png")
    pd.DataFrame(rows, columns=["question", "viewer", "sheet", "subject", "seed", "down", "flow_is"]).to_csv(
        folder / "key.csv", index=False
    )


def count(folder: Path) -> pd.DataFrame:
    """Return all votes with their pairs."""
    rows, question, viewer = [], "", 0
    for line in (folder / "answers.txt").read_text().splitlines():
        if start := re.fullmatch(r"([a-z]+)(\d)", line):
            question, viewer = start[1], int(start[2])
            continue
        sheet, _, answers = line.partition(": ")
        rows += [(question, viewer, int(sheet), seed, vote) for seed, vote in enumerate(answers.split())]
    votes = pd.DataFrame(rows, columns=["question", "viewer", "sheet", "seed", "vote"])
    return votes.merge(pd.read_csv(folder / "key.csv"), on=["question", "viewer", "sheet", "seed"])


if __name__ == "__main__":
    command, place, *given = sys.argv[1:]
    if command == "draw":
        draw(Path(place), dict(argument.split("=", 1) for argument in given))
    else:
        votes = count(Path(place))
        votes.to_csv(Path(__file__).with_name("flow_votes.csv"), index=False)
        votes["flow"] = votes.vote == votes.flow_is
        print(votes.groupby(["subject", "question"]).flow.agg(["sum", "count"]).unstack())
