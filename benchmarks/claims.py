"""Measure the margins of the labs' claims over seeds: read executed labs and write a table.

``make seeds SEEDS="20 21 22"`` executes the labs, one folder per seed, and then runs

    python -m benchmarks.claims runs/seeds 20 21 22 --out notebooks/claims/seeds.md
"""

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

import srlab
from srlab_course.notebook_files.editable import read_notebook
from srlab_course.notebook_files.finding import find_notebooks, outputs_of
from srlab_course.notebook_files.marks import CLAIM

ENOUGH = 12  # seeds; with fewer, the standard deviation is too uncertain for the rule
MARGIN = 4  # standard deviations between the mean and the bound
COLUMNS = (
    "| claim | mean | standard deviation | lowest | highest | bound | distance | true |\n" + "| --- |" + 7 * " ---: |"
)

INTRODUCTION = """# Claims of the labs over seeds

Each row is a claim that a lab makes about a random quantity: the measured values, its bound, and the distance between
the mean and the nearer bound in standard deviations (of the logarithm, where the quantity is a ratio). Over at least
twelve seeds the distance must be four or more; a claim marked *usually* is counted instead, and the text gives the
count. Exact claims are checked as well, but not listed.

Made with `make seeds SEEDS="{}" TABLE=notebooks/claims/seeds.md` on a CPU, in the precision `{}`."""

Record = dict[str, str | float | bool]


def read_records(notebook: Path) -> list[Record]:
    """Return the claims that an executed lab left in its outputs, in order."""
    return outputs_of(read_notebook(notebook), CLAIM)


def distance(values: Sequence[float], record: Record) -> float:
    """Return the distance between the mean and the nearer bound in standard deviations; negative on the wrong side.

    Ratios are compared by their logarithms. A value that is the same for every seed is infinitely far from its bound.
    """
    if record.get("ratio"):
        record = record | {word: math.log(record[word]) for word in ("above", "below") if word in record}
        values = [math.log(value) for value in values]
    mean, spread = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else math.nan
    margins = [mean - record["above"]] if "above" in record else []
    margins += [record["below"] - mean] if "below" in record else []
    nearest = min(margins)
    return nearest / spread if spread else math.copysign(math.inf, nearest)


def rows_of(lab: str, folders: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Return the table of one lab as Markdown lines, and a message for each claim that breaks the rule.

    Each folder is for one seed and has the executed labs in ``notebooks/``.
    """
    found: dict[str, list[Record]] = {}
    executed = [file for folder in folders if (file := folder / "notebooks" / lab).is_file()]
    for file in executed:
        for record in read_records(file):
            found.setdefault(record["claim"], []).append(record)
    lines, broken, exact = [], [], 0
    for claim, records in found.items():
        values = [record["value"] for record in records]
        held = sum(record["holds"] for record in records)
        if held < len(records) and not records[0].get("usually"):
            broken.append(f"{lab}: {claim}: false for {len(records) - held} of {len(records)} seeds.")
        if records[0]["exact"]:
            exact += 1
            continue
        far = distance(values, records[0])
        if far < MARGIN and not records[0].get("usually"):
            broken.append(f"{lab}: {claim}: {far:.1f} standard deviations from its bound.")
        signs = {"above": ">", "below": "<"}
        bound = " and ".join(f"{sign} {records[0][word]:.4g}" for word, sign in signs.items() if word in records[0])
        spread = statistics.stdev(values) if len(values) > 1 else 0
        numbers = (f"{number:.4g}" for number in (statistics.fmean(values), spread, min(values), max(values)))
        far = "usually" if records[0].get("usually") else "over 100" if far > 100 else f"{far:.1f}"
        cells = [claim.replace("|", r"\|"), *numbers, bound, far, f"{held} of {len(records)}"]
        lines.append(f"| {' | '.join(cells)} |")
    if not found:
        return [], []
    seeds = f"{len(executed)} seeds" + (f"; {exact} exact claims are not listed" if exact else "")
    return [f"## {Path(lab).stem}", "", f"{seeds}.", "", COLUMNS, *lines, ""], broken


def main() -> int:
    """Write the table; return 1 if a claim is false, or nearer to its bound than the rule allows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", type=Path, help="folder with one subfolder per seed")
    parser.add_argument("seeds", nargs="+", help="names of the subfolders")
    parser.add_argument("--out", type=Path, help="Markdown file to write (default: print it)")
    options = parser.parse_args()
    precision = srlab.pick_precision("auto", torch.device("cpu"))
    page, broken = [INTRODUCTION.format(" ".join(options.seeds), precision), ""], []
    for lab in find_notebooks():
        lines, failures = rows_of(lab.name, [options.runs / seed for seed in options.seeds])
        page += lines
        broken += failures
    text = "\n".join(page)
    print(text) if options.out is None else options.out.write_text(text, encoding="utf-8")
    rule = [line for line in broken if len(options.seeds) >= ENOUGH or "false" in line]
    print("\n".join(rule), file=sys.stderr)
    return 1 if rule else 0


if __name__ == "__main__":
    sys.exit(main())
