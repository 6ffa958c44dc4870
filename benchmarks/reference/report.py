"""Writes ``RESULTS.md`` and its figures from the records: ``python -m benchmarks.reference.report``."""

from pathlib import Path

from studies import reports
from studies.tables import markdown, number, pictures

from . import figures, record
from .published import PUBLISHED
from .rows import BICUBIC, HERE, RECORDS, read_rows
from .summary import STEPS, TITLES, Record, beaten, claim, extrapolate, lengths, of_row, start_of

SETS = ("Set5", "Set14", "BSD100", "photos/validation")
PAPER = 1_000_000  # steps of SRResNet in the paper
READ_FIDELITY = (
    "PSNR in dB / SSIM on luma, four border pixels cropped, LR made by the MATLAB-compatible bicubic; means over the "
    "seeds, with the 95 % interval of the mean where there are several. Below a row that has a published counterpart "
    "stands what its authors reported and what that took: read no difference without the last column. SSIM of Ledig "
    "et al. is another implementation than ours (on Set5 bicubic has .8211 there, and .8104 here)."
)
READ_CLAIMS = (
    "Gap: the share of the difference in mean gradient between the start and the photos that is closed. The energy "
    "error must be below that of the start, and below that of the start with white noise that makes it as sharp. "
    "Bounds: half of the gap, both errors, and at most 2.5 dB of PSNR."
)
FINE = {"gradient_ratio": 3, "energy_error": 3, "colour_shift": 2, "lpips": 3}


def report(records: list[Record], crops: Path, folder: Path) -> str:
    """The whole text; draws the figures into the last folder, with the crops of the first one."""
    rows = [row for row in TITLES if of_row(records, row)]
    trained = [row for row in rows if row != BICUBIC]
    sets = [name for name in SETS if name in of_row(records, BICUBIC)[0]["scores"]]
    parts = [
        "# Reference runs",
        opening(records, trained),
        "## The ladder: what each loss scores",
        READ_FIDELITY,
        fidelity(records, rows, sets),
        "## The ladder: what PSNR does not see",
        perception(records, rows, sets),
        *pictures([figures.crops(records, crops, folder)], folder),
        *pictures([figures.plane(records, folder, [name for name in sets if name.startswith("Set")])], folder),
        "## What the critic adds to its start",
        READ_CLAIMS,
        claims(records, trained, sets),
        "## Time to beat bicubic",
        times(records, trained),
        *pictures([figures.curves(records, curved(trained), folder, SETS[0])], folder),
        *extrapolation(records, folder),
        "## The same seed twice, and other seeds",
        repeats(records),
        "## How each row was trained",
        commands(records, trained),
    ]
    return "\n\n".join(parts) + "\n"


def opening(records: list[Record], trained: list[str]) -> str:
    """What was run, on what."""
    found = [one for row in trained for one in of_row(records, row)]
    images = sorted({one["images"].partition(" (")[0] for one in found})
    machine = sorted({f"{one['device']}, precision {one['precision']}" for one in found})
    lpips = all("lpips" in scores for one in records for scores in one["scores"].values())
    torch = sorted({one["versions"]["torch"] for one in found})
    return (
        "One set of photos and one budget per step of the ladder; only the loss changes. Made by "
        f"`python -m benchmarks.reference.report` from the {len(records)} records in [records](records), which "
        "`python -m benchmarks.reference.run` wrote; the README beside this file has both commands. Trained on "
        f"{', '.join(images)}; {'; '.join(machine)}; torch {', '.join(torch)}. "
        + ("" if lpips else "LPIPS was not measured: the weights of its AlexNet were not there. ")
        + "The networks named 16x64 have 16 blocks of 64 features, the others the laptop sizes of the labs."
    )


def features_of(one: Record) -> str:
    """How a table names the features of a record's content loss."""
    made = one.get("features") or {}
    if not made:
        return "-"
    return f"{made['layers']} ({'random' if made['weights'].startswith('random') else 'ImageNet'})"


def fidelity(records: list[Record], rows: list[str], sets: list[str]) -> str:
    """A line per row, with the published one below it."""
    lines = []
    for row in rows:
        found = of_row(records, row)
        cells = [pair([one["scores"][name] for one in found]) for name in sets]
        lines.append([f"**{TITLES[row]}**", *cells, budget(records, row)])
        if row in PUBLISHED:
            known = PUBLISHED[row]
            lines.append([f"published: {known.name}", *(known.scores.get(name, "-") for name in sets), known.budget])
    return markdown(["row", *sets, "budget"], lines)


def pair(scores: list[dict[str, float]]) -> str:
    """PSNR and SSIM over the seeds."""
    ssim = sum(one["ssim"] for one in scores) / len(scores)
    return f"{number([one['psnr'] for one in scores], 2)} / {ssim:.4f}"


def budget(records: list[Record], row: str) -> str:
    """Steps, batch, network and time of a row."""
    found = of_row(records, row)
    if row == BICUBIC:
        return ""
    one, start = found[0], of_row(records, start_of(row))
    steps = f"{start[0]['step']:,} and {one['step']:,}" if start else f"{one['step']:,}"
    minutes = sum(r["wall_time_s"] for r in found) / len(found) / 60
    return (
        f"{steps} steps of {one['batch']} patches of {one['patch']} px, {one['parameters']:,} parameters, "
        f"{minutes:.0f} min on {one['threads']} core{'s' * (one['threads'] > 1)}{' for the second' if start else ''}"
    )


def perception(records: list[Record], rows: list[str], sets: list[str]) -> str:
    """Sharpness, energy error and tint of each row, on each set."""
    lines = []
    for row in rows:
        found = of_row(records, row)
        cells = []
        for metric, digits in FINE.items():
            for name in sets:
                if metric in found[0]["scores"][name]:
                    mean = sum(one["scores"][name][metric] for one in found) / len(found)
                    cells.append(f"{mean:.{digits}f}")
        lines.append([TITLES[row], features_of(found[0]), *cells])
    names = {
        "gradient_ratio": "gradient ratio",
        "energy_error": "energy error",
        "colour_shift": "tint",
        "lpips": "LPIPS",
    }
    scored = of_row(records, BICUBIC)[0]["scores"][sets[0]]
    head = [f"{names[metric]}, {name}" for metric in FINE if metric in scored for name in sets]
    return markdown(["row", "features", *head], lines)


def claims(records: list[Record], trained: list[str], sets: list[str]) -> str:
    """A line per GAN, seed and set."""
    lines = []
    for row in trained:
        for one in of_row(records, row) if "noise" in (of_row(records, row)[0]) else []:
            start = next(r for r in of_row(records, start_of(row)) if r["seed"] == one["seed"])
            for name in sets:
                found = claim(one, start, name)
                energy = [f"{value:.3f}" for value in found.energy]
                lines.append(
                    [
                        TITLES[row],
                        str(one["seed"]),
                        name,
                        f"{found.gap:.2f}",
                        *energy,
                        f"{found.loss:.2f} dB",
                        "yes" if found.holds else "no",
                    ]
                )
    return markdown(
        [
            "row",
            "seed",
            "set",
            "gap closed",
            "energy error of the start",
            "of the start with noise",
            "of the row",
            "PSNR given up",
            "all bounds",
        ],
        lines,
    )


def curved(trained: list[str]) -> list[str]:
    """Rows whose curve is about PSNR: those without a critic."""
    return [row for row in ("mse", "esrgan-psnr", "srresnet") if row in trained]


def times(records: list[Record], trained: list[str]) -> str:
    """Minutes until a run is above bicubic by so many dB on the validation set."""
    bicubic = of_row(records, BICUBIC)[0]["scores"][SETS[0]]["psnr"]
    lines = []
    for row in curved(trained):
        for one in of_row(records, row):
            found = beaten(one, bicubic)
            cells = [f"{found[gain]:.1f} min" if gain in found else "not reached" for gain in STEPS]
            lines.append(
                [TITLES[row], str(one["seed"]), *cells, f"{one['wall_time_s'] / 60:.1f} min", f"{one['threads']}"]
            )
    return markdown(["row", "seed", *(f"bicubic + {gain:g} dB" for gain in STEPS), "whole run", "threads"], lines)


def extrapolation(records: list[Record], folder: Path) -> list[str]:
    """What trainings of different length say of the length of the paper, where there are enough of them."""
    found = extrapolate(lengths(records, SETS[0]), PAPER)
    if found is None:
        return []
    middle, low, high = found
    lines = [[f"{steps:,}", number(values, 2)] for steps, values in lengths(records, SETS[0]).items()]
    words = (
        f"A saturating power law through the ends of these trainings gives {middle:.2f} dB after {PAPER:,} steps, the "
        "length of the paper; 95 % of the fits to other draws of the seeds, each without one of the lengths, lie "
        f"between {low:.2f} and {high:.2f} dB. The law itself is an assumption, and it is about this small network, "
        "batch and patch: SRResNet of the paper has ten times the parameters."
    )
    drawn = figures.extrapolation(records, folder, SETS[0], PAPER, found)
    return [
        "## At the length of the paper",
        markdown(["steps", f"PSNR on {SETS[0]}"], lines),
        words,
        *pictures([drawn], folder),
    ]


def repeats(records: list[Record]) -> str:
    """Which rows were trained twice, and how far seeds are apart."""
    lines = []
    for row in TITLES:
        found = of_row(records, row)
        if row == BICUBIC or not found:
            continue
        spread = [
            f"{max(v) - min(v):.2f} dB" if len(v) > 1 else "-"
            for v in ([one["scores"][s]["psnr"] for one in found] for s in SETS[:2])
        ]
        twice = "the same weights, bit for bit" if any(one.get("again") for one in found) else "-"
        lines.append([TITLES[row], ", ".join(str(one["seed"]) for one in found), *spread, twice])
    return markdown(
        ["row", "seeds", f"largest difference, {SETS[0]}", f"largest difference, {SETS[1]}", "one seed trained twice"],
        lines,
    )


def commands(records: list[Record], trained: list[str]) -> str:
    """The papermill command of the first seed of each row."""
    found = {row.name: of_row(records, row.name) for row in read_rows()}
    lines = [
        one[0]["command"] for name, one in found.items() if one and (name in trained or name.startswith("length-"))
    ]
    return "```\n" + "\n".join(lines) + "\n```"


if __name__ == "__main__":
    reports.write(HERE / "RESULTS.md", lambda folder: report(record.read_all(), RECORDS, folder))
