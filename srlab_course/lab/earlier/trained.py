"""Find the finished runs of earlier labs, and load networks to compare, labeled with their methods."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from srlab import paths
from srlab.errors import SrlabError
from srlab.models.loading import load_generator
from srlab.text import printable
from srlab.training.manifests import Manifest
from srlab.training.runs import Run, print_skipped, read_runs
from srlab_course.lab.run_names import BEFORE
from srlab_course.lab.shared_settings import TrainingLab
from srlab_course.labs import LABS, METHODS

OURS = ("bundled", "precomputed")  # in a label, these mean the course's networks and images
TAUGHT = {lab.name: lab.methods[0].label for lab in LABS if lab.methods}  # lab -> label of the method it is about


def load_trained(
    names: str | Sequence[str] = "all", scale: int | None = None, subject: str = ""
) -> dict[str, nn.Module]:
    """Load the generators of training runs, labeled with their methods.

    Parameters
    ----------
    names
        Names of runs such as ``["01_srresnet/default"]``, all of which must exist and fit; or ``"all"``: every finished
        run except the side runs of a lab and runs that were moved aside. Runs that cannot be read, have another scale
        or were trained on one subject are skipped with a message.
    scale
        Required scale; None accepts any.
    subject
        Name of a subject, such as ``"gravel"``: with ``"all"``, load only the runs trained on it.

    Returns
    -------
    dict
        Label -> network in eval mode on the CPU, sorted by lab and run. The run "default" of a lab is labeled with its
        method ("SRGAN"; in lab 01 the network, "MSRResNet"), and so are the second runs of labs 02 and 04 ("hybrid",
        "RRDB"). Labels of other runs include the run name ("SRGAN (long)"), and those of a lab that is not the
        course's are "runs/LAB/RUN".
    """
    found: dict[str, nn.Module] = {}
    if names != "all":
        for asked in [names] if isinstance(names, str) else names:
            lab, _, name = asked.partition("/")
            found |= _load(Run(lab, name or "default"), name or "default", scale)
        return found
    for run, manifest in list(finished_runs()):
        origin, learned = f"{run.lab}/{run.name}", manifest["parameters"].get("subject") or ""
        if learned != subject:
            if not subject:
                print(f"Skipping {origin} for other photos: it was trained only on {printable(learned)}.")
        else:
            try:
                found |= _load(run, run.name, scale)
            except Exception as error:  # also MemoryError
                print_skipped(run.path, error)
    return found


def run_like(lab: TrainingLab, earlier: str, subject: str | None = None) -> str:
    """Return the finished run of an earlier lab that this lab uses, or "".

    It is the run of the same name, which has the same settings, or else "default"; as a name "LAB/RUN". With a
    `subject`, skip one that was trained on other photos, and print so.
    """
    subjects = {run.name: made["parameters"].get("subject") or "" for run, made in finished_runs(earlier)}
    for name in dict.fromkeys((lab.run, "default")):
        if name in subjects and subject in (None, subjects[name]):
            return f"{earlier}/{name}"
        if name in subjects:
            print(f"{earlier}/{name} was trained on other photos, so it is not used here.")
    return ""


def finished_runs(labs: str = "*") -> Iterator[tuple[Run, Manifest]]:
    """Yield finished runs with weights and their manifests, of all labs that match a pattern.

    Side runs are left out, and so are runs that were moved aside when code had changed.
    """
    for run, manifest in read_runs(labs):
        if run.name.endswith(BEFORE) or manifest["status"] != "finished":
            continue
        if (run.path / paths.generator_file()).is_file():
            yield run, manifest


def _load(run: Run, name: str, scale: int | None) -> dict[str, nn.Module]:
    """Load the network of a run, as a dict with its label, which contains `name` if that is not "default"."""
    lab = run.lab
    network: Any = load_generator(lab, run.name)
    network.origin = f"{lab}/{run.name}"  # for `srlab_course.lab.credit`
    if scale not in (None, network.config["scale"]):
        raise SrlabError(f"The network of {network.origin} upscales by {network.config['scale']}, not by {scale}.")
    parameters = run.parameters()
    weights = parameters.get("weights", {})
    if lab not in TAUGHT:
        return {f"runs/{network.origin}": network}  # a label of no method, so it takes no method's place
    method = type(network).__name__ if lab == "01_srresnet" else TAUGHT[lab]  # lab 01 has two networks
    if lab == "02_content_loss" and weights.get("pixel") and weights.get("content"):
        method = "hybrid"
    if lab == "04_esrgan" and "discriminator" not in parameters:  # the stage before the GAN
        method = "RRDB"
    usual = METHODS[method].run if method in METHODS else "default"
    shown = f"run {name}" if name in OURS else name
    return {method if name == usual else f"{method} ({shown})": network}
