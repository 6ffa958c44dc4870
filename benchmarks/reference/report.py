"""Write ``RESULTS.md`` from records: ``python -m benchmarks.reference.report``."""

import argparse
from pathlib import Path

from srlab.evaluation.catalog import METRICS
from studies.report import Page, markdown, number, spread

from . import figures, record
from .published import PUBLISHED
from .rows import BICUBIC, HERE, RECORDS, read_rows
from .summary import TITLES, Record, claim, of_row

SETS = ("Set5", "Set14", "BSD100", "photos/validation")
BENCHMARKS = SETS[:3]
MEASURES = {  # in addition to PSNR and SSIM, with their titles
    "gradient_ratio": "Gradient ratio",
    "energy_error": "Energy error",
    "color_shift": "Color shift",
    "lpips": "LPIPS",
}
READ_SHORT = (
    "PSNR in dB on luma, four border pixels cropped; means over the seeds, ± half of the 95 % interval of the mean. "
    "A row with one seed has no interval, so its numbers may be luck. Sharpness: the mean gradient "
    "relative to HR. Energy error: how far fine structure is from its position in the photo; "
    "lower is better. SRGAN continues the row with MSE, ESRGAN continues RRDB, SRGAN (16x64) the short MSRResNet, "
    "and its relativistic variant the long one. Both MSRResNets were trained with L1. Times are wall-clock times. "
    "On one core, other training runs shared the machine, so those times are upper bounds."
)
READ_FIDELITY = (
    "PSNR in dB / SSIM on luma, four border pixels cropped, LR downscaled with MATLAB-compatible bicubic; means over "
    "the seeds ± half of the 95 % interval of the mean, n the number of seeds. Below a row with a published "
    "counterpart is the result that its authors reported, with their budget. Compare the budgets in the last column "
    "before you compare scores. We compute SSIM on unrounded luma. MATLAB rounds luma to whole gray levels first, and "
    "so do most published tables. Rounding gives bicubic .8103, .7024 and .6674 instead of our .8113, .7031 and .6682 "
    "(measured with `git show acafbcc:benchmarks/reference/rounded.py`). Ledig et al. used a third implementation of "
    "SSIM (bicubic has .8211 there on Set5)."
)
READ_PERCEPTION = (
    "Gradient ratio: 1 is as sharp as the photo. Energy error: how far fine structure is from its position in the "
    "photo; lower is better. Color shift: the color cast over the whole image, in gray levels (0–255). All three are "
    "computed on the whole image. Means and intervals as above. Sharp is not the same as correct: using only a content "
    "loss leaves a pattern with the period of the LR pixels (lab 02 explains why, and the crops show it), which also "
    "counts as sharpness."
)
READ_CLAIMS = (
    "Gap closed: the share of the sharpness gap between the starting network and the photos that the GAN closes. It "
    "is computed photo by photo, so that an image that is too sharp can't compensate for one that is too blurry. Older "
    "records only have the means, which give an upper bound, marked with ≤ or *at most*. The energy error must be "
    "lower than that of the starting network, also after white noise has made its output as sharp. The bounds: at "
    "least half of the gap closed, a lower energy error than both, and at most 2.5 dB of PSNR lost. Each seed is "
    "checked separately."
)


def report(records: list[Record], crops: Path) -> Page:
    """Return the whole page, with the crops in a folder."""
    rows, page = [row for row in TITLES if of_row(records, row)], Page()
    trained = [row for row in rows if row != BICUBIC]
    sets = [name for name in SETS if name in of_row(records, BICUBIC)[0]["scores"]]
    figures.front(page, records, crops)  # for the README of the course
    page.add("# Reference runs", opening(records, trained))
    page.add("## Summary", READ_SHORT, short(records))
    page.add("## What each row scores", READ_FIDELITY, fidelity(records, rows, sets))
    page.add("## Sharpness, structure and color", READ_PERCEPTION, *perception(records, rows, sets))
    figures.crops(page, records, crops)
    figures.plane(page, records, [name for name in sets if name.startswith("Set")])
    page.add(*claims_section(records, trained, sets))
    page.add("## PSNR during training")
    figures.curves(page, records, curved(trained))
    page.add("## How each row was trained", commands(records))
    return page


def opening(records: list[Record], trained: list[str]) -> str:
    """Return the introduction: what was trained, on what."""
    found = [one for row in trained for one in of_row(records, row)]
    images = sorted({one["images"]["name"] for one in found})
    machine = sorted({f"{one['device']}, precision {one['precision']}" for one in found})
    torch = sorted({one["versions"]["torch"] for one in found})
    without = [one["row"] for one in records if not all("lpips" in scores for scores in one["scores"].values())]
    everywhere = "" if len(set(without)) < len({one["row"] for one in records}) else " anywhere"
    note = f"LPIPS was not measured{everywhere}, because its AlexNet weights were missing. " if without else ""
    if twice := [f"seed {one['seed']} of `{one['row']}`" for one in found if one.get("again")]:
        note += f"Trained twice, with bit-identical weights: {', '.join(twice)}. "
    return (
        "The labs on real training photos. `mse`, `hybrid`, `vgg22` and `resnet18` train the same network from "
        "scratch, with the same photos, schedule and number of steps; only the loss differs. The others continue one "
        "of them, or are larger; the last column lists the budget of each. `python -m benchmarks.reference.report` "
        f"makes this page from the {len(records)} records in [records](records), which `python -m "
        "benchmarks.reference.run` wrote; see the [README](README.md) for both commands. Trained on "
        f"{', '.join(images)}; {'; '.join(machine)}; torch {', '.join(torch)}. {note}Networks named 16x64 have 16 "
        "blocks with 64 features; the others have the laptop sizes of the labs."
    )


def title(records: list[Record], row: str) -> str:
    """Return the title of a row, with its features and their weights."""
    labels = []
    for made in (one.get("features") or {} for one in of_row(records, row)):
        if made:
            real = "random" if made["weights"].startswith("random") else "trained"
            labels.append(f"{made['layers']} ({real})")
    by = f", by {'; '.join(dict.fromkeys(labels))}" if labels else ""
    return TITLES[row] + by


def values(records: list[Record], row: str, images: str, metric: str) -> list[float]:
    """Return a metric of a row on a set, one value per seed that has it."""
    return [s[metric] for one in of_row(records, row) if metric in (s := one["scores"].get(images, {}))]


def cell(records: list[Record], row: str, images: str, metric: str, digits: int) -> str:
    """Return a metric of a row on a set with its spread over the seeds, or a note that there is one seed."""
    found = values(records, row, images, metric)
    return number(found, digits) + (" (n=1)" if len(found) == 1 and row != BICUBIC else "")


def fidelity(records: list[Record], rows: list[str], sets: list[str]) -> str:
    """Return a table with a line per row, with its published counterpart below."""
    lines = []
    for row in rows:
        pairs = [[cell(records, row, name, *one) for one in (("psnr", 2), ("ssim", 4))] for name in sets]
        cells = [" / ".join(dict.fromkeys(pair)) for pair in pairs]  # one dash if nothing was scored
        lines.append([f"**{title(records, row)}**", *cells, budget(records, row)])
        if row in PUBLISHED:
            known = PUBLISHED[row]
            lines.append([f"published: {known.name}", *(known.scores.get(name, "-") for name in sets), known.budget])
    return markdown(["row", *sets, "budget"], lines)


def short(records: list[Record]) -> str:
    """Return the table of means and spreads over the seeds, with each published counterpart below its last row."""
    rows = [row for row in TITLES if of_row(records, row)]
    counterparts = {PUBLISHED[row].name: row for row in rows if row in PUBLISHED and row != BICUBIC}
    lines = []
    for row in rows:
        columns = [(values(records, row, images, "psnr"), 2) for images in BENCHMARKS]
        columns += [(values(records, row, "Set14", metric), 3) for metric in ("gradient_ratio", "energy_error")]
        means = [spread(each, digits) if each else "" for each, digits in columns]  # n has a column of its own
        found = of_row(records, row)
        cells = [title(records, row), *means, "", ""]
        if row != BICUBIC:
            cells[-2:] = str(len(found)), f"{found[0]['step']:,} steps, {minutes(found)}"
        lines.append(cells)
        if row in counterparts.values():
            known = PUBLISHED[row]
            scores = [known.scores.get(images, "").partition(" ")[0] for images in BENCHMARKS]
            lines.append([f"published: {known.name}", *scores, "", "", "", known.budget.partition(" of ")[0]])
    return markdown(["", *BENCHMARKS, "sharpness, Set14", "energy error, Set14", "seeds", "training"], lines)


def budget(records: list[Record], row: str) -> str:
    """Return steps, batch, network and time of a row."""
    if row == BICUBIC:
        return ""
    found = of_row(records, row)
    one, start = found[0], of_row(records, found[0].get("start", ""))
    stages = [f"{r['step']:,} steps of {r['batch']} patches of {r['patch']} px" for r in [*start[:1], one]]
    return (
        f"{' and '.join(stages)}; {one['parameters']:,} parameters; {minutes(found)}{' (the second)' if start else ''}"
    )


def minutes(found: list[Record]) -> str:
    """Return the mean training time for each kind of machine."""
    times: dict[str, list[float]] = {}
    for one in found:
        cores = f"{one['threads']} {'cores' if one['threads'] > 1 else 'core'}"
        times.setdefault(cores if one["device"] == "cpu" else one["device"], []).append(one["wall_time_s"] / 60)
    return ", ".join(f"{sum(each) / len(each):.0f} min on {cores}" for cores, each in times.items())


def perception(records: list[Record], rows: list[str], sets: list[str]) -> list[str]:
    """Return a table per measure, each row on each set."""
    parts = []
    for metric, name in MEASURES.items():
        if any(values(records, row, images, metric) for row in rows for images in sets):
            lines = []
            for row in rows:
                cells = (cell(records, row, images, metric, METRICS[metric].digits) for images in sets)
                lines.append([title(records, row), *cells])
            parts += [f"### {name}", markdown(["row", *sets], lines)]
    return parts


def claims_section(records: list[Record], trained: list[str], sets: list[str]) -> list[str]:
    """Return a line per GAN and set, over the seeds whose start has a record; empty without a GAN."""
    lines = []
    for row in trained:
        gans = [one for one in of_row(records, row) if "noise" in one]
        pairs = [(one, start) for one in gans for start in starts(records, one)]
        if gans and not pairs:
            lines.append([title(records, row), "no record of the starting network", *[""] * 6])
        for name in sets:
            if found := [claim(one, start, name) for one, start in pairs if name in one["noise"]]:
                energy = [number([each.energy[i] for each in found], 3) for i in range(3)]
                most = "" if all("gap" in one for one, _ in pairs) else "≤ "
                held = sum(each.holds for each in found)
                count = f"{'at most ' if most and held else ''}{held} of {len(found)}"
                gap, loss = (number([getattr(each, key) for each in found], 2) for key in ("gap", "loss"))
                lines.append([title(records, row), name, f"{most}{gap}", *energy, f"{loss} dB", count])
    head = ["row", "set", "gap closed", "energy error: starting network", "starting network with noise", "GAN"]
    table = markdown([*head, "PSNR lost", "seeds within all bounds"], lines)
    return ["## What the discriminator adds", READ_CLAIMS, table] if lines else []


def starts(records: list[Record], one: Record) -> list[Record]:
    """Return the record of the run that a GAN continued, in a list that may be empty."""
    return [start for start in of_row(records, one["start"]) if start["seed"] == one["seed"]]


def curved(trained: list[str]) -> list[str]:
    """Return the rows whose PSNR curve is meaningful: those without a discriminator."""
    return [row for row in ("mse", "esrgan-psnr", "srresnet", "srresnet-short") if row in trained]


def commands(records: list[Record]) -> str:
    """Return the papermill command for the first seed of each row."""
    found = [of_row(records, row.name) for row in read_rows()]
    return "```\n" + "\n".join(one[0]["command"] for one in found if one) + "\n```"


def main() -> None:
    """Write the report from a folder of records."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="benchmarks.reference.report")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    parser.add_argument("--to", type=Path, default=HERE / "RESULTS.md", help="output file (default: RESULTS.md here)")
    options = parser.parse_args()
    records = record.read_all(options.records)
    report(records, options.records).write(options.to)


if __name__ == "__main__":
    main()
