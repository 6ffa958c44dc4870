"""Writes ``RESULTS.md``, and prints the README's table, from records: ``python -m benchmarks.reference.report``."""

import argparse
from pathlib import Path

from studies.report import Page, markdown, number, spread

from . import figures, record
from .published import PUBLISHED
from .rows import BICUBIC, HERE, RECORDS, read_rows
from .summary import TITLES, Record, claim, of_row

SETS = ("Set5", "Set14", "BSD100", "photos/validation")
BENCHMARKS = SETS[:3]
README = (BICUBIC, "mse", "esrgan")  # rows of the table there
MEASURES = {  # in addition to PSNR and SSIM: title and decimals
    "gradient_ratio": ("Gradient ratio", 3),
    "energy_error": ("Energy error", 3),
    "color_shift": ("Color shift", 2),
    "lpips": ("LPIPS", 3),
}
READ_SHORT = (
    "PSNR in dB on luma, four border pixels cropped; means over the seeds, ± half of the 95 % interval of the mean. "
    "A row of one seed has no interval, and its numbers are one throw of dice. Sharpness: the mean gradient, "
    "relative to that of the photos. Energy error: how far fine structure is from being where the photo has it, "
    "lower is better. SRGAN goes on from the row with MSE, ESRGAN from RRDB, SRGAN (16x64) from the short MSRResNet, "
    "and its relativistic form from the long one; the two MSRResNets were trained on the absolute error. Times are by "
    "the clock; those on one core had other trainings beside them on the same machine, so they are upper bounds."
)
READ_FIDELITY = (
    "PSNR in dB / SSIM on luma, four border pixels cropped, LR made by the MATLAB-compatible bicubic; means over the "
    "seeds ± half of the 95 % interval of the mean, n the number of seeds. Below a row that has a published "
    "counterpart stands what its authors reported and what that took: read no difference without the last column. "
    "SSIM is taken here on luma as it is computed. MATLAB rounds luma to whole levels first, and so did who made most"
    " published tables: that gives bicubic .8103, .7024 and .6674 in the place of our .8113, .7031 and .6682 (measured"
    " with `git show acafbcc:benchmarks/reference/rounded.py`). SSIM of Ledig et al."
    " is another implementation than either (bicubic has .8211 there on Set5)."
)
READ_PERCEPTION = (
    "Gradient ratio: 1 is as sharp as the photo. Energy error: how far fine structure is from being where the "
    "photo has it, lower is better. Color shift: the tint over the whole image, in 8-bit levels. All three look "
    "at the whole image. Means and intervals as above. Sharp is not the same as right: a content loss alone leaves a "
    "pattern that repeats with the pixels of LR (lab 02 says why, the crops show it), and it counts as sharpness too."
)
READ_CLAIMS = (
    "Gap: the share of the gap in sharpness between the start and the photos that is closed, photo by photo, so that "
    "one that is too sharp doesn't make up for another that is too soft. Of older records only the means are known, "
    "and ≤ or at most stands before what they give: photo by photo it is as much or less. The energy error must be "
    "below that of the start, and below that of the start with white noise that makes it as sharp. Bounds: half of the "
    "gap, both errors, and at most 2.5 dB of PSNR; each seed is held to them for itself."
)


def report(records: list[Record], crops: Path) -> Page:
    """Return the whole page, with the crops in a folder."""
    rows, page = [row for row in TITLES if of_row(records, row)], Page()
    trained = [row for row in rows if row != BICUBIC]
    sets = [name for name in SETS if name in of_row(records, BICUBIC)[0]["scores"]]
    figures.front(page, records, crops)  # for the README of the course
    page.add("# Reference runs", opening(records, trained))
    page.add("## In short", READ_SHORT, short(records))
    page.add("## What each row scores", READ_FIDELITY, fidelity(records, rows, sets))
    page.add("## What PSNR does not see", READ_PERCEPTION, *perception(records, rows, sets))
    figures.crops(page, records, crops)
    figures.plane(page, records, [name for name in sets if name.startswith("Set")])
    page.add(*claims_section(records, trained, sets))
    page.add("## While training")
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
    note = f"LPIPS was not measured{everywhere}: the weights of its AlexNet were not there. " if without else ""
    if twice := [f"seed {one['seed']} of `{one['row']}`" for one in found if one.get("again")]:
        note += f"Trained twice, with the same weights bit for bit: {', '.join(twice)}. "
    return (
        "The labs on real training photos. `mse`, `hybrid`, `vgg22` and `resnet18` are one network, set of photos, "
        "schedule and number of steps, from scratch: only the loss changes. The others go on from one of them, or are "
        "larger; the column on the right says what each took. Made by `python -m benchmarks.reference.report` from the "
        f"{len(records)} records in [records](records), which `python -m benchmarks.reference.run` wrote; the README "
        f"beside this file has both commands. Trained on {', '.join(images)}; {'; '.join(machine)}; torch "
        f"{', '.join(torch)}. {note}Networks named 16x64 have 16 blocks of 64 features, the others the laptop sizes of "
        "the labs."
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


def short(records: list[Record], only: tuple[str, ...] = ()) -> str:
    """Return the table of means and spreads over the seeds, for all rows or for the rows in `only`.

    For all rows it includes the published counterparts, each once, below its last row.
    """
    rows = [row for row in only or TITLES if of_row(records, row)]
    counterparts = {PUBLISHED[row].name: row for row in rows if row in PUBLISHED and row != BICUBIC and not only}
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
    for metric, (name, digits) in MEASURES.items():
        if any(values(records, row, images, metric) for row in rows for images in sets):
            lines = []
            for row in rows:
                lines.append([title(records, row), *(cell(records, row, images, metric, digits) for images in sets)])
            parts += [f"### {name}", markdown(["row", *sets], lines)]
    return parts


def claims_section(records: list[Record], trained: list[str], sets: list[str]) -> list[str]:
    """Return a line per GAN and set, over the seeds whose start has a record; empty without a GAN."""
    lines = []
    for row in trained:
        gans = [one for one in of_row(records, row) if "noise" in one]
        pairs = [(one, start) for one in gans for start in starts(records, one)]
        if gans and not pairs:
            lines.append([title(records, row), "its start has no record", *[""] * 6])
        for name in sets:
            if found := [claim(one, start, name) for one, start in pairs if name in one["noise"]]:
                energy = [number([each.energy[i] for each in found], 3) for i in range(3)]
                most = "" if all("gap" in one for one, _ in pairs) else "≤ "
                held = sum(each.holds for each in found)
                count = f"{'at most ' if most and held else ''}{held} of {len(found)}"
                gap, loss = (number([getattr(each, key) for each in found], 2) for key in ("gap", "loss"))
                lines.append([title(records, row), name, f"{most}{gap}", *energy, f"{loss} dB", count])
    head = ["row", "set", "gap closed", "energy error of the start", "of the start with noise", "of the row"]
    table = markdown([*head, "PSNR given up", "seeds that hold all bounds"], lines)
    return ["## What the discriminator adds to its start", READ_CLAIMS, table] if lines else []


def starts(records: list[Record], one: Record) -> list[Record]:
    """Return the record of the run that a GAN continued, in a list that may be empty."""
    return [start for start in of_row(records, one["start"]) if start["seed"] == one["seed"]]


def curved(trained: list[str]) -> list[str]:
    """Return the rows whose PSNR curve is meaningful: those without a discriminator."""
    return [row for row in ("mse", "esrgan-psnr", "srresnet", "srresnet-short") if row in trained]


def commands(records: list[Record]) -> str:
    """Return the papermill command of the first seed of each row."""
    found = [of_row(records, row.name) for row in read_rows()]
    return "```\n" + "\n".join(one[0]["command"] for one in found if one) + "\n```"


def main() -> None:
    """Write the report from a folder of records."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="benchmarks.reference.report")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder that the rows have written into")
    parser.add_argument("--to", type=Path, default=HERE / "RESULTS.md", help="the file; its figures go beside it")
    options = parser.parse_args()
    records = record.read_all(options.records)
    report(records, options.records).write(options.to)
    print(short(records, README))


if __name__ == "__main__":
    main()
