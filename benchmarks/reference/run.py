"""Trains the rows of the reference, scores them, and writes what stays of each into ``records/``.

    python -m benchmarks.reference.run --images path/to/BSDS400 --sets path/to/Set5 path/to/Set14 --seeds 0 1 2 --jobs 2
    python -m benchmarks.reference.run srresnet --images path/to/BSDS400 --sets path/to/Set5 path/to/Set14

Each row is one papermill command, which is printed and recorded. Here the lab runs without the cells that only explore;
they have no part in the training. A row that has its record is left alone, and one that was stopped goes on.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srlab.errors import SrlabError
from srlab.papermill import execute
from srlab.runs import Run, home

from . import record
from .rows import BICUBIC, HERE, RECORDS, ROWS, Row, read_rows

LABS = HERE.parents[1] / "notebooks"
STAGE = "psnr"  # suffix of the first stage of lab 04, which gets a record of its own


def main(arguments: list[str]) -> int:
    """Train and score what has no record yet; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="benchmarks.reference.run")
    parser.add_argument("rows", nargs="*", help="names of presets in rows/, such as mse or 'length-*'; default: all")
    parser.add_argument("--images", required=True, help="folder of photos to train on")
    parser.add_argument("--sets", nargs="+", required=True, help="benchmark sets to score on; the first one validates")
    parser.add_argument("--backbone", default="auto", help="weights of the features: auto, imagenet, random or a file")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="one training of each row per seed")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time, which share the cores")
    parser.add_argument("--again", action="store_true", help="train once more and compare the weights with the record")
    parser.add_argument("--presets", type=Path, default=ROWS, help="folder of the rows, for rows of your own")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of what stays of them")
    options = parser.parse_args(arguments)
    rows = read_rows(options.rows, options.presets)
    for name in ("images", "backbone"):
        value = getattr(options, name)
        setattr(options, name, str(Path(value).absolute()) if "/" in value else value)
    options.sets = [str(Path(folder).absolute()) for folder in options.sets]
    if options.jobs > 1 and len(options.seeds) > 1:
        return side_by_side(options)
    sets = record.image_sets(options.sets)
    if not (options.records / f"{BICUBIC}.json").exists():
        record.write_bicubic(sets, options.records)
    failed = 0
    for seed in options.seeds:
        for row in rows:
            try:
                again(row, seed, options) if options.again else train(row, seed, options, sets)
            except SrlabError as error:
                failed += 1
                print(f"{row.run(seed)} failed: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def train(row: Row, seed: int, options: argparse.Namespace, sets: list[record.ImageSet]) -> None:
    """Train and score one row, unless its record is there."""
    file = options.records / f"{row.run(seed)}.json"
    if file.exists():
        print(f"{row.run(seed)} is there", flush=True)
        return
    given = row.given(seed, options.images, options.sets[0], options.backbone)
    command = row.command(given)
    print(command, flush=True)
    learn(row, given)
    run = Run(row.lab, given["run"])
    start = Run(*given["start"].split("/")) if row.start else None
    if row.lab == "04_esrgan":
        start = Run(row.lab, f"{run.name}-{STAGE}")
        record.write(file.with_name(f"{row.name}-{STAGE}-seed{seed}.json"), start, seed, sets, command)
    print(record.write(file, run, seed, sets, command, start), flush=True)


def learn(row: Row, given: dict[str, object]) -> None:
    """Run the lab of a row, without what it only explores."""
    if row.start and not Run(*str(given["start"]).split("/")).trained_steps():
        raise SrlabError(f"Its start, the run {given['start']}, is not in {home()}; train the row {row.start} first.")
    output = home() / "reference" / f"{given['run']}.ipynb"
    output.parent.mkdir(parents=True, exist_ok=True)
    execute(LABS / f"{row.lab}.ipynb", output, row.preset | given, without="explore")


def again(row: Row, seed: int, options: argparse.Namespace) -> None:
    """Train a row a second time under another name, and hold its weights against the recorded ones, bit for bit."""
    file = options.records / f"{row.run(seed)}.json"
    if not file.exists():
        raise SrlabError("it has no record to be compared with; train it first.")
    known = json.loads(file.read_text(encoding="utf-8"))
    given = row.given(seed, options.images, options.sets[0], options.backbone) | {"run": f"{row.run(seed)}-again"}
    learn(row, given)
    run = Run(row.lab, str(given["run"]))
    found = record.digest(record.runs.load_generator(run.lab, run.name))
    if found != known["sha256"]:
        raise SrlabError(f"its weights have the SHA-256 {found}, those of the record {known['sha256']}.")
    record.mark_again(file)
    print(f"{row.run(seed)}: the second training has the same weights, bit for bit", flush=True)


def side_by_side(options: argparse.Namespace) -> int:
    """Run each seed in a process of its own, with its share of the cores."""
    threads = str(max(1, (os.cpu_count() or 1) // options.jobs))
    common = [*options.rows, "--images", options.images, "--backbone", options.backbone, "--sets", *options.sets]
    common += ["--presets", str(options.presets), "--records", str(options.records)]
    common += ["--again"] if options.again else []

    def one(seed: int) -> int:
        command = [sys.executable, "-m", "benchmarks.reference.run", *common, "--seeds", str(seed)]
        return subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": threads}).returncode

    with ThreadPoolExecutor(options.jobs) as pool:
        return max(pool.map(one, options.seeds))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SrlabError as error:
        sys.exit(f"Error: {error}")
