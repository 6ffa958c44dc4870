"""``srlab runs`` and ``srlab diagnose``: list training runs, or diagnose one of them."""

import argparse
import time
from datetime import timedelta

from srlab.paths import runs_home
from srlab.text import printable
from srlab.training.manifests import Manifest
from srlab.training.runs import Run, print_skipped, read_runs
from srlab_course.feedback.run_diagnosis import diagnose
from srlab_course.layout import in_columns, seen_from_here

LONGEST = 1e8  # seconds; a time left that is longer is not shown


def list_runs(options: argparse.Namespace) -> int:
    """Print one line per run, newest last."""
    rows = []
    for run, manifest in read_runs():
        if options.lab in run.lab:
            try:
                rows.append(_row(run, manifest))
            except Exception as error:  # a stranger's log may have any number, or any size
                print_skipped(run.path, error)
    if rows:
        names = ["run", "status", "steps", "psnr", "ssim", "ms/step", "left", "written"]
        print(in_columns([names, *(row for _, row in sorted(rows))]))
    else:
        of_lab = f" of {printable(options.lab)}" if options.lab else ""
        print(f"No runs{of_lab} found in {seen_from_here(runs_home())}.")
    return 0


def _row(run: Run, manifest: Manifest) -> tuple[float, list[str]]:
    """Return when a run was written, and its cells."""
    written = max(file.lstat().st_mtime for file in (run.path, *run.path.glob("run.json")))
    step, metrics = manifest["step"], manifest["metrics"]
    total = manifest["schedule_total"]
    state, left = printable(manifest["status"]), ""
    if manifest["status"] == "running" and not run.is_held():
        state = "stopped"  # it was killed
    elif manifest["status"] == "running":  # the log is ahead of the last checkpoint
        metrics = {name: value for row in run.metrics() for name, value in row.items()}
        step = int(metrics.get("step", step))
        seconds = metrics.get("ms_per_step", 0) / 1000 * (total - step)
        left = str(timedelta(seconds=round(seconds))) if 0 < seconds < LONGEST else ""
    scores = [
        f"{metrics[name]:.{digits}f}" if name in metrics else ""
        for name, digits in (("val_psnr", 2), ("val_ssim", 4), ("ms_per_step", 1))
    ]
    try:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(written))
    except (OverflowError, OSError, ValueError):  # a file of another machine may have any time
        when = "?"
    return written, [f"{run.lab}/{run.name}", state, f"{step:,} of {total:,}", *scores, left, when]


def diagnose_run(options: argparse.Namespace) -> int:
    """Print the diagnosis; return 1 if something looks wrong."""
    found = diagnose(options.run)
    print(found)
    return 1 if found.findings else 0
