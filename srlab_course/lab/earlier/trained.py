"""Load the networks to compare: generators of training runs, labeled with their methods."""

import glob
import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from srlab import paths
from srlab.errors import SrlabError
from srlab.models.loading import load_generator
from srlab.text import printable
from srlab.training import runs

# Lab -> the method it teaches, spelled as in srlab_course.figures.plots.COLORS.
METHODS = {
    "02_content_loss": "content loss",
    "03_srgan": "SRGAN",
    "04_esrgan": "ESRGAN",
    "06_flow": "flow",
    "07_one_step": "one step",
}
COURSE = (None, "reference", "srlab")  # what a manifest has as its code if none of it is a student's
BESIDE = {"hybrid": "default-hybrid", "RRDB": "default-psnr"}  # the second networks of labs 02 and 04, after "default"


def load_trained(
    names: str | Sequence[str] = "all", scale: int | None = None, subject: str = ""
) -> dict[str, nn.Module]:
    """Load the generators of training runs, labeled with their methods.

    Parameters
    ----------
    names
        Names of runs such as ``["01_srresnet/default"]``, all of which must exist and fit; or ``"all"``: every finished
        run except the side runs of a lab. Of runs that differ only in the student's code, the newest takes part (see
        `newest_run`). Runs that cannot be read, have another scale or were trained on one subject are skipped with a
        message.
    scale
        Required scale; None accepts any.
    subject
        Name of a subject, such as ``"gravel"``: with ``"all"``, load only the runs trained on it.

    Returns
    -------
    dict
        Label -> network in eval mode on the CPU, sorted by lab and run. The run "default" of a lab is labeled with its
        method ("SRGAN"; in lab 01 the network, "MSRResNet"), and so are the second runs of labs 02 and 04 ("hybrid",
        "RRDB"). Labels of other runs include the run name ("SRGAN (long)").
    """
    found: dict[str, nn.Module] = {}
    if names != "all":
        for asked in [names] if isinstance(names, str) else names:
            lab, _, name = asked.partition("/")
            found |= _load(lab, name or "default", scale)
        return found
    for file in sorted(paths.runs_home().glob(f"*/*/{paths.generator_file()}")):
        lab, name = file.parts[-3:-1]
        if runs.SIDE_RUN in name:
            continue
        try:
            manifest = runs.Run(lab, name).manifest() or {}
            if manifest.get("status") == "finished":
                learned, plain = manifest["parameters"].get("subject") or "", _without_code(name, manifest)
                if learned == subject and name == (newest := newest_run(lab, plain)):
                    found |= _load(lab, name, scale, plain)
                elif learned == subject:
                    newer = f"{printable(lab)}/{newest}"
                    print(f"Skipping {printable(lab)}/{name}: {newer} was trained later, with other code.")
                elif not subject:
                    only = printable(learned)
                    print(f'Skipping {printable(lab)}/{printable(name)}, trained only on {only}: use subject="{only}".')
        except SrlabError as error:
            if not subject:
                print(f"Skipping the run {printable(lab)}/{printable(name)}: {error}")
    if not (found or subject):
        print(f"No finished general-purpose runs found in {paths.runs_home()}. Run the labs first.")
    return found


def newest_run(lab: str, name: str = "default") -> str | None:
    """Return which finished run was started last: `name`, or one that the lab trained with other code; None if none is.

    With changed code, labs 02, 03, 06 and 07 train another run, such as "default-4f0c21", and lab 07 also with another
    teacher (`srlab_course.lab.earlier.student_code.run_of`).
    """
    started = {}
    for file in paths.runs_home().glob(f"{glob.escape(lab)}/*/{paths.generator_file()}"):
        try:
            manifest = runs.Run(lab, file.parent.name).manifest() or {}
        except SrlabError:  # damaged, or a copy
            continue
        if manifest.get("status") == "finished" and _without_code(file.parent.name, manifest) == name:
            started[file.parent.name] = manifest.get("started", "")
    return max(started, key=started.get, default=None)


def is_own(origin: str) -> bool:
    """Return whether a network was trained with a student's code, given its origin: "LAB/RUN", or another text."""
    lab, _, run = origin.partition("/")
    manifest = runs.Run(lab, run).manifest() if run else None
    return bool(manifest) and manifest["parameters"].get("code") not in COURSE


def _without_code(name: str, manifest: dict[str, Any]) -> str:
    """Return a run's name without its code, teacher and start, as "default-hybrid" for "default-4f0c21-hybrid"."""
    name = re.sub(r"-from-\w{6}(?=$|-)", "", name, count=1)
    code = re.escape(str(manifest["parameters"].get("code")))
    return re.sub(f"-{code}(?=$|-)", "", re.sub(r"-yours-\w{6}(?=$|-)", "", name, count=1), count=1)


def _load(lab: str, name: str, scale: int | None, plain: str = "") -> dict[str, nn.Module]:
    """Load the network of a run, as a dict with its label; `plain` replaces the run's name in it."""
    network = load_generator(lab, name)
    network.origin = f"{lab}/{name}"  # for `srlab_course.lab.earlier.student_code.credit`
    if scale not in (None, network.config["scale"]):
        raise SrlabError(f"The network of {lab}/{name} upscales by {network.config['scale']}, not by {scale}.")
    parameters = (runs.Run(lab, name).manifest() or {"parameters": {}})["parameters"]
    method = type(network).__name__ if lab == "01_srresnet" else METHODS.get(lab, lab)  # lab 01 has two networks
    weights = parameters.get("weights", {})
    if lab == "02_content_loss" and weights.get("pixel") and weights.get("content"):
        method = "hybrid"
    if lab == "04_esrgan" and "discriminator" not in parameters:  # the stage before the GAN
        method = "RRDB"
    name = plain or name
    return {method if name == BESIDE.get(method, "default") else f"{method} ({name})": network}
