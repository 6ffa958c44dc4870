"""``srlab runs``: which runs there are."""

import argparse
import time

from srlab.base.places import home, seen_from_here
from srlab.base.text import in_columns, printable
from srlab.training.runs import read_runs

SCORES = (("psnr", 2), ("ssim", 4))  # of the last validation, and their digits


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``."""
    parser = commands.add_parser("runs", help="list the runs: how far each is, and its scores")
    parser.add_argument("lab", nargs="?", default="", metavar="LAB", help="beginning of a lab's name; default: all")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print a line for each run, the newest last."""
    rows = []
    for one, manifest in read_runs(f"{options.lab}*"):
        written = max(file.stat().st_mtime for file in (one.path, *one.path.glob("run.json")))
        metrics = manifest.get("metrics", {})
        scores = [f"{metrics[f'val_{key}']:.{digits}f}" if f"val_{key}" in metrics else "" for key, digits in SCORES]
        steps = f"{manifest['step']:,} of {manifest.get('schedule_total', manifest['step']):,}"
        killed = manifest["state"] == "running" and not one.is_held()
        state = "stopped" if killed else printable(manifest["state"])
        rows.append((written, [f"{one.lab}/{one.name}", state, steps, *scores, _age(written)]))
    if not rows:
        print(f"There are no runs in {seen_from_here(home())}.")
        return 0
    lines = [["run", "state", "steps", *(key for key, _ in SCORES), "age"], *(row for _, row in sorted(rows))]
    print(in_columns(lines))
    return 0


def _age(written: float) -> str:
    seconds = time.time() - written
    for name, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {name}"
    return "now"
