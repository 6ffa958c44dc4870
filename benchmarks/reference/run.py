"""Train and score the rows of the reference runs, and write a record of each into ``records/``.

    python -m benchmarks.reference.run --images path/to/BSDS400 --sets path/to/Set5 path/to/Set14 --seeds 0 1 2
    python -m benchmarks.reference.run srresnet --images path/to/BSDS400 --sets path/to/Set5 path/to/Set14

Each row is one papermill command, which is printed and recorded. Cells tagged ``not-in-studies`` are left out, because
they do not affect training. A row that has a record is skipped, and an interrupted row resumes.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from srlab.data import datasets
from srlab.data.catalog import is_named
from srlab.errors import SrlabError
from srlab.paths import runs_home
from srlab.training.runs import Run, run_called
from srlab_course.lab.earlier.start import begun_with
from srlab_course.notebook_files.execute import execute
from studies.content_loss.jobs import has_layers
from studies.train import failed

from . import record
from .rows import HERE, RECORDS, Row, read_rows

LABS = HERE.parents[1] / "notebooks"
POLICIES = ("auto", "random", "imagenet")
STAGE = "psnr"  # suffix of the first stage of lab 04, which has its own record


def main(arguments: list[str]) -> int:
    """Train and score everything without a record; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="benchmarks.reference.run")
    parser.add_argument("rows", nargs="*", help="presets in rows/, such as mse or 'srresnet-*' (default: all)")
    parser.add_argument("--images", required=True, help="folder of photos to train on")
    parser.add_argument("--sets", nargs="+", required=True, help="sets to score on; the first is the validation set")
    parser.add_argument("--backbone", default="auto", help="feature weights: auto, imagenet, random or a file")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="seeds to train each row with (default: 0)")
    parser.add_argument("--anew", action="store_true", help="also train rows that have a record, and replace it")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    parser.add_argument(
        "--runs",
        type=Path,
        default=runs_home() / "reference",
        help="folder for the runs, separate from those of the labs",
    )
    options = parser.parse_args(arguments)
    os.environ["SRLAB_HOME"] = str(options.runs.absolute())
    rows = read_rows(options.rows)
    options.images, *options.sets = (
        name if is_named(name) and not Path(name).exists() else str(Path(name).absolute())
        for name in (options.images, *options.sets)
    )
    if options.backbone not in POLICIES:
        options.backbone = str(Path(options.backbone).absolute())
    sets = record.image_sets(options.sets)
    record.refuse_known(datasets.load_images(options.images), sets)
    record.write_bicubic(sets, options.records)
    failures = 0
    for seed in options.seeds:
        for row in rows:
            try:
                train(row, seed, options, sets)
            except SrlabError as error:
                failures += 1
                print(f"{row.run(seed)} failed: {error}", file=sys.stderr, flush=True)
    return 1 if failures else 0


def train(row: Row, seed: int, options: argparse.Namespace, sets: list[record.ImageSet]) -> None:
    """Train and score one row, unless it has a record."""
    file = options.records / f"{row.run(seed)}.json"
    if file.exists() and not options.anew:
        print(f"{row.run(seed)} has a record already.", flush=True)
        return
    given = given_to(row, seed, options)
    command = row.command(given)
    print(command, flush=True)
    learn(row, given)
    run = Run(row.lab, given["run"])
    start = run_called(given["start"]) if row.start else None
    if row.lab == "04_esrgan" and (stage := begun_with(run)):  # trained by this run, or found by the lab
        start = run_called(stage)
        record.write(file.with_name(f"{row.name}-{STAGE}-seed{seed}.json"), start, seed, sets, command)
    print(record.write(file, run, seed, sets, command, start), flush=True)


def given_to(row: Row, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of a row in addition to its preset.

    A weights file is only used for rows whose layers it has; other rows get "auto".
    """
    backbone, layers = options.backbone, row.preset.get("features")
    if backbone not in POLICIES and layers and not has_layers(Path(backbone), layers):
        backbone = "auto"
    return row.given(seed, options.images, options.sets[0], backbone)


def learn(row: Row, given: dict[str, Any]) -> None:
    """Run the lab of a row without its ``not-in-studies`` cells."""
    if row.start:
        start = run_called(given["start"])
        if not (manifest := start.manifest()) or manifest["status"] != "finished":
            raise SrlabError(
                f"the run that it continues, {given['start']}, is not finished in {runs_home()}. Train the row "
                f"{row.start} there first (with --anew if it has a record already)."
            )
    done = runs_home() / "notebooks" / f"{given['run']}.ipynb"
    done.parent.mkdir(parents=True, exist_ok=True)
    execute(LABS / f"{row.lab}.ipynb", failed(done), row.preset | given, without="not-in-studies")
    failed(done).replace(done)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SrlabError as error:
        sys.exit(f"Error: {error}")
