"""Find the finished runs of earlier labs, and load networks to compare, labeled with their methods."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import nn

from srlab import paths
from srlab.errors import SrlabError
from srlab.models.loading import load_generator
from srlab.text import printable
from srlab.training.runs import Run, read_runs
from srlab_course.lab.earlier.whose_code import without_code
from srlab_course.labs import LABS, METHODS

TAUGHT = {lab.name: lab.methods[0].label for lab in LABS if lab.methods}  # lab -> label of the method it is about


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
            found |= _load(Run(lab, name or "default"), name or "default", scale)
        return found
    finished = list(finished_runs())
    for run, manifest in finished:
        origin, learned = f"{run.lab}/{run.name}", manifest["parameters"].get("subject") or ""
        plain = without_code(run.name, manifest)
        newest = _newest(finished, run.lab, plain)
        if learned != subject:
            if not subject:
                print(f"Skipping {origin} for other photos: it was trained only on {printable(learned)}.")
        elif run.name != newest:
            print(f"Skipping {origin}: {run.lab}/{newest} was trained later, with other code.")
        else:
            try:
                found |= _load(run, plain, scale)
            except SrlabError as error:
                print(f"Skipping the run {origin}: {error}")
    if not (found or subject):
        print(f"No finished general-purpose runs found in {paths.runs_home()}. Run the labs first.")
    return found


def newest_run(lab: str, name: str = "default") -> str | None:
    """Return which finished run was started last: `name`, or one that the lab trained with other code; None if none is.

    A lab with changed code trains another run, such as "default-4f0c21", and lab 07 also does with another teacher
    (`srlab_course.lab.earlier.whose_code.run_of`).
    """
    return _newest(finished_runs(lab), lab, name)


def finished_runs(labs: str = "*") -> Iterator[tuple[Run, dict[str, Any]]]:
    """Yield finished runs with weights and their manifests, without side runs, of all labs that match a pattern."""
    for run, manifest in read_runs(labs):
        if manifest["status"] == "finished" and (run.path / paths.generator_file()).is_file():
            yield run, manifest


def _newest(finished: Iterable[tuple[Run, dict[str, Any]]], lab: str, name: str) -> str | None:
    """Return which of these runs was started last, of those with this name when code is left out of theirs."""
    same = [one for one in finished if (one[0].lab, without_code(one[0].name, one[1])) == (lab, name)]
    return max(same, key=lambda one: one[1].get("started", ""))[0].name if same else None


def _load(run: Run, name: str, scale: int | None) -> dict[str, nn.Module]:
    """Load the network of a run, as a dict with its label, which contains `name` if that is not "default"."""
    lab, network = run.lab, load_generator(run.lab, run.name)
    network.origin = f"{lab}/{run.name}"  # for `srlab_course.lab.earlier.whose_code.credit`
    if scale not in (None, network.config["scale"]):
        raise SrlabError(f"The network of {network.origin} upscales by {network.config['scale']}, not by {scale}.")
    parameters = (run.manifest() or {"parameters": {}})["parameters"]
    weights = parameters.get("weights", {})
    method = type(network).__name__ if lab == "01_srresnet" else TAUGHT.get(lab, lab)  # lab 01 has two networks
    if lab == "02_content_loss" and weights.get("pixel") and weights.get("content"):
        method = "hybrid"
    if lab == "04_esrgan" and "discriminator" not in parameters:  # the stage before the GAN
        method = "RRDB"
    usual = METHODS[method].run if method in METHODS else "default"
    return {method if name == usual else f"{method} ({name})": network}
