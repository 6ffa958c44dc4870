"""Run a study: ``python studies/run.py esrdgan_tricks laptop``; other options are passed to Snakemake.

You can also call the Snakefile directly; this script only saves typing.
"""

import argparse
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from srlab.errors import SrlabError  # noqa: E402
from srlab.files import lock  # noqa: E402
from srlab.paths import runs_home  # noqa: E402

STUDIES = sorted(file.parent.name for file in (ROOT / "studies").glob("*/jobs.py"))


def main(arguments: list[str]) -> int:
    """Check the arguments, then run Snakemake; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("study", choices=STUDIES, help="name of its folder")
    parser.add_argument("preset", nargs="?", default="laptop", help="smoke, laptop or paper (default: laptop)")
    parser.add_argument("--backbone", help="feature weights: auto, random, imagenet, or a file")
    parser.add_argument("--images", help="folder of photos to train on")
    parser.add_argument("--validation", help="folder of photos to validate on")
    parser.add_argument("--benchmarks", help="sets to score on, comma-separated: path/Set5,path/Set14")
    options, more = parser.parse_known_args(arguments)
    if find_spec("snakemake") is None or find_spec("yaml") is None or find_spec("papermill") is None:
        raise SrlabError('The study needs Snakemake and the labs. Install them with: pip install -e ".[labs,study]"')
    read_preset = import_module(f"studies.{options.study}.jobs").read_preset
    given = {key: value for key, value in vars(options).items() if key not in ("study", "preset") and value}
    for key in ("backbone", "images", "validation"):
        if given.get(key) and (key != "backbone" or given[key] not in ("auto", "random", "imagenet")):
            given[key] = str(Path(given[key]).absolute())
    if options.benchmarks:
        given["benchmarks"] = ",".join(str(Path(folder).absolute()) for folder in options.benchmarks.split(","))
    read_preset(options.preset, **given)  # reports a mistake before Snakemake does, in one line
    folder = runs_home() / "studies" / options.study / options.preset
    settings = {"study": options.study, "preset": options.preset, "out": folder} | given
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "studies" / "Snakefile")]
    # Snakemake's own lock survives a killed process and then needs --unlock; the one here does not.
    command += ["--directory", str(folder), "--rerun-incomplete", "--keep-going", "--nolock"]
    command += ["--cores", str(os.cpu_count())] if not {"--cores", "-c", "--jobs", "-j"} & set(more) else []
    busy = f"The study in {folder} is already running. Wait until it ends."
    with lock(folder / ".lock", busy, where="with SRLAB_HOME"):
        return subprocess.run([*command, *more, "--config", *(f"{k}={v}" for k, v in settings.items())]).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SrlabError as error:
        sys.exit(f"Error: {error}")
