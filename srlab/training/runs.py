"""The run folder: what a training run leaves behind, written so that a crash at any moment loses nothing.

``runs/<lab>/<name>/`` holds ``run.json`` (what was run, on what, with which result), ``metrics.jsonl``,
``generator.safetensors`` (EMA weights; the architecture is in the metadata), ``generator-best-<score>.safetensors``,
``state/`` (the last two full states, for resuming), ``samples/`` and TensorBoard events.
"""

import json
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import srlab
from srlab.base import disk, files
from srlab.base.errors import SrlabError
from srlab.base.places import home, run_folder

if TYPE_CHECKING:
    import torch

FORMAT = 1  # of the run folder; a folder of another format is not touched
ADVICE = f"{files.ADVICE} with SRLAB_HOME"  # where a file of a run cannot be written
SIDE = "-ablation-"  # in the names of a lab's side runs, which stand for nothing by themselves
PACKAGES = ("torch", "accelerate", "numpy", "scikit-image", "matplotlib")


class Run:
    """One run folder.

    Parameters
    ----------
    lab
        Name of the lab, for example ``"01_srresnet"``.
    name
        Name of the run: letters, digits, ``. _ -``.
    """

    def __init__(self, lab: str, name: str) -> None:
        self.lab, self.name, self.path = lab, name, run_folder(lab, name)

    # --- manifest ---

    def manifest(self) -> dict[str, Any] | None:
        """Content of ``run.json``, or None for a run that has not begun.

        Raises
        ------
        SrlabError
            The file is damaged, or belongs to another lab or another version of the run folder.
        """
        file = self.path / "run.json"
        if not file.exists():
            return None
        remedy = "move the folder away or choose another run name"
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
            found = manifest.get("format"), manifest.get("lab")
            if found == (FORMAT, self.lab) and not {"parameters", "step", "wall_time_s"} <= set(manifest):
                raise ValueError("entries are missing")
        except (ValueError, AttributeError, OSError) as error:
            raise SrlabError(f"{file} cannot be read as a run's manifest ({error}); {remedy}.") from error
        if found[0] != FORMAT:
            raise SrlabError(f"{self.path} was made by another version of srlab (format {found[0]}); {remedy}.")
        if found[1] != self.lab:
            raise SrlabError(f"{self.path} belongs to the lab {found[1]}, not to {self.lab}; {remedy}.")
        return manifest

    def begin(
        self, parameters: dict[str, Any], facts: dict[str, Any] | None, free: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Start or continue: write the manifest, or check that the one there is of the same run.

        Parameters
        ----------
        parameters
            All that decides the result; a run goes on only with the same ones.
        facts
            What is worth knowing besides (device, precision); None only checks and writes nothing.
        free
            Names of parameters that may have changed: those that follow the length of the run.

        Returns
        -------
        dict
            The manifest.

        Raises
        ------
        SrlabError
            The run was made with other parameters, or the folder holds something else.
        """
        parameters = json.loads(json.dumps(parameters))  # as they will be read back: tuples become lists
        manifest = self.manifest()
        if manifest is None:
            if self.path.is_dir() and any(self.path.rglob("*.safetensors")):
                raise SrlabError(
                    f"{self.path} has weights but no run.json; move the folder away or choose another run name."
                )
            manifest = {"format": FORMAT, "lab": self.lab, "name": self.name, "parameters": parameters, "step": 0}
            manifest |= {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "wall_time_s": 0.0}
        old = manifest["parameters"]
        if old != parameters and not self.trained_steps():  # nothing to lose yet, so settings may still change
            for step in self.state_steps():
                self._state_file(step).unlink()
            old = manifest["parameters"] = parameters
        old = manifest["parameters"] = old | {key: parameters[key] for key in free if key in parameters}
        changed = [key for key in old | parameters if old.get(key) != parameters.get(key)]
        if changed:
            was = ", ".join(f"{key}={old.get(key)!r} (now {parameters.get(key)!r})" for key in changed)
            raise SrlabError(
                f"The run '{self.name}' of {self.lab} was made with {was}; give this one another name with the "
                f"parameter run, or delete {self.path} to start it anew."
            )
        if facts is None:
            return manifest
        return self.update(manifest | facts | environment(), state="running")

    def update(self, manifest: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """Change fields of the manifest and write it."""
        manifest = (manifest or self.manifest() or {}) | fields
        files.write_atomic(self.path / "run.json", json.dumps(manifest, indent=1).encode(), ADVICE)
        return manifest

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises
        ------
        SrlabError
            Another process holds it, its folder cannot be written, or it is of another lab or version.
        """
        busy = f"The run {self.path} is in use by another process; wait for it, or choose another run name."
        with disk.lock(self.path / ".lock", "set SRLAB_HOME to a folder you own", busy):
            self.manifest()  # refuses a folder that is not of this run, before anything in it is touched
            files.sweep_parts(self.path)
            self._keep_two_states()  # a kill may have come between a new state and the end of the oldest one
            yield

    # --- metrics ---

    def log(self, step: int, **values: float) -> None:
        """Append one line to ``metrics.jsonl``."""
        line = json.dumps({"step": step} | values) + "\n"
        file = self.path / "metrics.jsonl"
        with files.writing(file, ADVICE), file.open("a", encoding="utf-8") as log:
            log.write(line)

    def metrics(self) -> list[dict[str, float]]:
        """All logged lines in order; a last line that a crash cut short is left out."""
        file = self.path / "metrics.jsonl"
        if not file.exists():
            return []
        try:
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
            if not all(isinstance(row, dict) and "step" in row for row in rows):
                raise ValueError("a line has no step")
            return rows
        except ValueError as error:
            raise SrlabError(
                f"{file} is damaged ({error}); repair or delete that file, and the run goes on."
            ) from error

    def forget_after(self, step: int) -> None:
        """Drop logged lines later than a step: a resumed run makes them again."""
        kept = [json.dumps(row) + "\n" for row in self.metrics() if row["step"] <= step]
        files.write_atomic(self.path / "metrics.jsonl", "".join(kept).encode(), ADVICE)

    # --- state ---

    def save_state(self, step: int, tensors: dict[str, "torch.Tensor"]) -> None:
        """Write all that resuming needs as one file, and keep the one before it as a spare."""
        files.write_safetensors(self._state_file(step), tensors, {"step": step}, ADVICE)
        self._keep_two_states()

    def _keep_two_states(self) -> None:
        for old in self.state_steps()[:-2]:
            self._state_file(old).unlink()

    def load_state(self) -> dict[str, "torch.Tensor"] | None:
        """Read the newest whole state, with its step as the entry ``"step"``; None where there is none yet.

        Raises
        ------
        SrlabError
            There are states, but none can be read.
        """
        steps = self.state_steps()
        for step in reversed(steps):
            try:
                tensors = files.read_safetensors(self._state_file(step))[0]
                if not files.all_finite(tensors):
                    raise SrlabError(f"{self._state_file(step)} has values that are no numbers (NaN or infinite).")
                return tensors | {"step": step}
            except SrlabError as error:
                print(f"{error} Falling back to the state before it.")
        if steps:
            raise SrlabError(
                f"No state in {self.path / 'state'} can be read; delete {self.path} to start the run anew."
            )
        return None

    def state_steps(self) -> list[int]:
        """Steps of which the full state is kept, in order."""
        names = [file.stem for file in (self.path / "state").glob("*.safetensors")]
        return sorted(int(name) for name in names if name.isdigit())

    def trained_steps(self) -> int:
        """Step of the newest saved state: what a crash could not take away."""
        return max(self.state_steps(), default=0)

    def is_trained(self) -> bool:
        """Whether there is something to begin another training with: a run that has begun, and didn't end in ruin."""
        return bool(self.trained_steps()) and (self.manifest() or {}).get("state") != "failed"

    def _state_file(self, step: int) -> Path:
        return self.path / "state" / f"{step:09d}.safetensors"

    # --- weights ---

    def save_generator(self, generator: "torch.nn.Module", step: int, file: str = "generator.safetensors") -> None:
        """Write the generator's weights with its architecture, so that a later lab can load it by the run's name.

        Parameters
        ----------
        generator
            A network of `srlab.models.GENERATORS`.
        step
            At which it has these weights.
        file
            Name in the run's folder.
        """
        config = getattr(generator, "config", {})
        notes = {"network": type(generator).__name__, "config": config, "step": step, "lab": self.lab}
        files.write_safetensors(self.path / file, generator.state_dict(), notes, ADVICE)


def find_trained(lab: str, steps: int, parameters: dict[str, Any], without: str) -> Run | None:
    """Find a finished run to begin with, rather than train the same again; the shortest that will do.

    Parameters
    ----------
    lab
        Whose runs to look through.
    steps
        That it must have at the least.
    parameters
        What its manifest must say, such as the network and the patches.
    without
        What it must not have been trained with, such as a ``"discriminator"``.
    """
    wanted, found = json.loads(json.dumps(parameters)), {}
    for file in (home() / lab).glob("*/run.json"):
        run = Run(lab, file.parent.name)
        if SIDE in run.name:
            continue
        try:
            manifest = run.manifest()
        except SrlabError as error:
            print(f"Passed over: {error}")
            continue
        said = manifest["parameters"]
        fits = without not in said and all(said.get(key) == value for key, value in wanted.items())
        if fits and manifest.get("state") == "finished" and manifest["step"] >= steps:
            found[manifest["step"], run.name] = run
    return found[min(found)] if found else None


def environment() -> dict[str, Any]:
    """Versions, platform and git revision: what a manifest says of the place where a run was made."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        revision = subprocess.run(git, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        revision = None  # installed from a wheel, or no git on this machine
    versions = {"srlab": srlab.__version__, "python": platform.python_version()} | {
        name: version(name) for name in PACKAGES
    }
    return {"versions": versions, "platform": platform.platform(), "git": revision}
