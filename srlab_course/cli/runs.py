"""``srlab runs`` and ``srlab diagnose``: list training runs, or diagnose one of them."""

import argparse
import time

from srlab.paths import runs_home
from srlab.text import printable
from srlab.training.runs import read_runs
from srlab_course.feedback.run_diagnosis import diagnose
from srlab_course.layout import in_columns, seen_from_here


def list_runs(options: argparse.Namespace) -> int:
    """Print one line per run, newest last."""
    rows = []
    for run, manifest in read_runs():
        if options.lab not in run.lab:
            continue
        written = max(file.stat().st_mtime for file in (run.path, *run.path.glob("run.json")))
        metrics = manifest.get("metrics", {})
        scores = [
            f"{metrics[name]:.{digits}f}" if name in metrics else ""
            for name, digits in (("val_psnr", 2), ("val_ssim", 4), ("ms_per_step", 1))
        ]
        steps = f"{manifest['step']:,} of {manifest.get('schedule_total', manifest['step']):,}"
        killed = manifest["status"] == "running" and not run.is_held()
        state = "stopped" if killed else printable(manifest["status"])
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(written))
        rows.append((written, [f"{run.lab}/{run.name}", state, steps, *scores, when]))
    if rows:
        print(
            in_columns(
                [["run", "status", "steps", "psnr", "ssim", "ms/step", "written"], *(row for _, row in sorted(rows))]
            )
        )
    else:
        of_lab = f" of {printable(options.lab)}" if options.lab else ""
        print(f"No runs{of_lab} found in {seen_from_here(runs_home())}.")
    return 0


def diagnose_run(options: argparse.Namespace) -> int:
    """Print the diagnosis; return 1 if something looks wrong."""
    found = diagnose(options.run)
    print(found)
    return 1 if found.findings else 0
