"""The run folder: what a training run leaves behind, written so that a crash at any moment loses nothing.

``runs/<lab>/<name>/`` holds ``state/`` (the last two full states: all that a run needs to go on), ``run.json`` (what
was run, on what, with which result), ``metrics.jsonl``, ``generator.safetensors`` (EMA weights; the architecture is in
the metadata), ``generator-best-<score>.safetensors``, ``samples/`` and TensorBoard events.
"""

import json
import os
import platform
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import srlab
from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.base.places import generator_file, home, locate, run_folder

if TYPE_CHECKING:
    import torch

FORMAT = 1  # of the run folder; a folder of another format is not touched
ADVICE = f"{files.ADVICE} with SRLAB_HOME"  # where a file of a run cannot be written
REMEDY = "move the folder away or choose another run name"
SIDE = "-ablation-"  # in the names of a lab's side runs, which stand for nothing by themselves
# What stands in a manifest that is whole, and of what kind it is.
ENTRIES = {"format": (int, str), "lab": str, "parameters": dict, "step": int, "state": str, "wall_time_s": (int, float)}
LOG_EVERY = 10  # steps between two rows of the log; a reading of the losses waits for the device
PACKAGES = ("torch", "accelerate", "numpy", "scikit-image", "matplotlib")


class Run:
    """One run folder.

    Parameters
    ----------
    lab
        Name of the lab, for example ``"01_srresnet"``.
    name
        Name of the run: letters, digits, ``. _ -``.
    path
        Its folder, of any name, where that is not in the folder of the runs.
    """

    def __init__(self, lab: str, name: str, path: Path | None = None) -> None:
        self.lab, self.name, self.path = lab, name, path or run_folder(lab, name)

    def manifest(self) -> dict[str, Any] | None:
        """Content of ``run.json``, or None for a run that has not begun. A lost or damaged one is taken from the state.

        Raises
        ------
        SrlabError
            It is damaged and there is no state, or the run is of another lab or another version of the run folder.
        """
        file = self.path / "run.json"
        try:
            manifest = _whole(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, OSError) as error:
            if state := self.load_state():
                return state["manifest"]
            if isinstance(error, FileNotFoundError):
                return None
            raise SrlabError(f"{file} cannot be read as a run's manifest ({error}); {REMEDY}.") from error
        return self._ours(manifest)

    def _ours(self, manifest: dict[str, Any]) -> dict[str, Any]:
        if manifest["format"] != FORMAT:
            raise SrlabError(f"{self.path} was made by another version of srlab ({manifest['format']}); {REMEDY}.")
        if self.lab and manifest["lab"] != self.lab:
            raise SrlabError(f"{self.path} belongs to the lab {manifest['lab']}, not to {self.lab}; {REMEDY}.")
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write ``run.json``."""
        files.write_atomic(self.path / "run.json", json.dumps(manifest, indent=1).encode(), ADVICE)

    def is_trained(self) -> bool:
        """Whether there is something to begin another training with: a run that has begun, and didn't end in ruin."""
        manifest = self.manifest() or {"step": 0}
        return manifest["step"] > 0 and manifest["state"] != "failed"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises
        ------
        SrlabError
            Another process holds it, or its folder cannot be written.
        """
        busy = f"The run {self.path} is in use by another process; wait for it, or choose another run name."
        with files.lock(self.path / ".lock", "set SRLAB_HOME to a folder you own", busy):
            for folder in (self.path, self.path / "state", self.path / "samples"):
                files.sweep_parts(folder)
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
            if not all(isinstance(row, dict) and "step" in row and _numbers(row.values()) for row in rows):
                raise ValueError("a line has no step, or something other than numbers")
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

    def save_state(self, state: dict[str, Any]) -> None:
        """Write all that going on needs as one file, and keep the one before it as a spare.

        Parameters
        ----------
        state
            With entries ``step`` and ``manifest``; made of tensors, numbers, texts, lists and dicts.
        """
        import torch

        with files.open_atomic(self.path / "state" / f"{state['step']:09d}.pt", ADVICE) as file:
            torch.save(state, file)
        self._keep_two_states()

    def load_state(self) -> dict[str, Any] | None:
        """Read the newest whole state, on the CPU; None where there is none yet.

        Raises
        ------
        SrlabError
            There are states, but none can be read; or they are of another lab or version.
        """
        for file in reversed(self._states()):
            try:
                state = _read_state(file)
            except SrlabError as error:
                print(f"{error} Falling back to the state before it.")
                continue
            self._ours(state["manifest"])
            return state
        if self._states():
            raise SrlabError(
                f"No state in {self.path / 'state'} can be read; delete {self.path} to start the run anew."
            )
        return None

    def _keep_two_states(self) -> None:
        for old in self._states()[:-2]:
            old.unlink()

    def _states(self) -> list[Path]:
        return sorted(file for file in (self.path / "state").glob("*.pt") if file.stem.isdecimal())

    # --- weights ---

    def save_generator(self, generator: "torch.nn.Module", step: int, best: str = "", **notes: float) -> None:
        """Write the generator's weights with its architecture, so that a later lab can load it by the run's name.

        Parameters
        ----------
        generator
            A network of `srlab.models.GENERATORS`.
        step
            At which it has these weights.
        best
            Name of the score by which these are the best weights; "" for the last ones.
        **notes
            What else the file is to say.
        """
        file = self.path / generator_file(best)
        config = getattr(generator, "config", {})
        notes |= {"network": type(generator).__name__, "config": config, "step": step, "lab": self.lab}
        files.write_safetensors(file, generator.state_dict(), notes, ADVICE)


def _whole(manifest: Any) -> dict[str, Any]:
    """A manifest, if it has what each one has."""
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(key), ENTRIES[key]) for key in ENTRIES):
        raise ValueError("entries are missing or of another kind")
    return manifest


def _numbers(values: Iterable[Any]) -> bool:
    """Whether all of them are numbers to reckon with; JSON knows integers of any length."""
    return all(isinstance(value, float) or (isinstance(value, int) and value.bit_length() < 64) for value in values)


def _read_state(file: Path) -> dict[str, Any]:
    """A state, if it is whole and what its name says; nothing in it is executed."""
    import torch

    from srlab.base.devices import out_of_memory

    try:
        with zipfile.ZipFile(file) as archive:  # torch.load passes over checksums
            damaged = archive.testzip()
        state = torch.load(file, map_location="cpu", weights_only=True)
        step = state["step"], _whole(state["manifest"])["step"]
    except Exception as error:  # there is hardly one that a damaged file cannot raise
        if out_of_memory(error):
            raise
        raise SrlabError(f"{file} is damaged or no state of a run.") from error
    if damaged:
        raise SrlabError(f"{file} is damaged: its numbers are not those that were written.")
    if step != (int(file.stem),) * 2:
        raise SrlabError(f"{file} holds step {step[0]}, not that of its name; give it its old name.")
    return state


def find_run(typed: str | os.PathLike) -> Run:
    """Find a run by the path of its folder or of a file in it, wherever that is, or by ``<lab>/<name>``.

    Raises
    ------
    SrlabError
        There is none, or as for `Run.manifest`.
    """
    found = locate(typed)
    folder = (found if found.is_dir() else found.parent).resolve()
    if not _is_run(folder):
        raise SrlabError(f"There is no run in {folder}; give the folder of one, or <lab>/<name>.")
    run = Run("", folder.name, folder)
    run.lab = run.manifest()["lab"]  # its folder may have been copied anywhere
    return run


def _is_run(folder: Path) -> bool:
    """Whether a folder has what is needed to know a run by: its manifest, or a state, which has that too."""
    return (folder / "run.json").is_file() or any((folder / "state").glob("*.pt"))


def read_runs(labs: str = "*") -> Iterator[tuple[Run, dict[str, Any]]]:
    """All runs of the labs that a pattern fits, with their manifests, but for side runs; a damaged one is named."""
    for folder in filter(_is_run, home().glob(f"{labs}/*")):
        if SIDE in folder.name:
            continue
        try:
            run = Run(folder.parent.name, folder.name)  # that of a copy, such as "default (copy)", may be none of a run
            yield run, run.manifest()
        except SrlabError as error:
            print(f"Passed over: {error}")


def find_trained(lab: str, steps: int, parameters: dict[str, Any], without: str) -> list[Run]:
    """Find finished runs to begin with, rather than train the same again; the shortest that will do comes first.

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
    for run, manifest in read_runs(lab):
        said = manifest["parameters"]
        fits = without not in said and all(said.get(key) == value for key, value in wanted.items())
        if fits and manifest.get("state") == "finished" and manifest["step"] >= steps:
            found[manifest["step"], run.name] = run
    return [found[key] for key in sorted(found)]


def environment() -> dict[str, Any]:
    """Versions, platform and git revision: what a manifest says of the place where a run was made."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        revision = subprocess.run(git, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        revision = None  # installed from a wheel, or no git on this machine
    versions = {"srlab": srlab.__version__, "python": platform.python_version()} | {
        name: version(name) for name in PACKAGES
    }
    return {"versions": versions, "platform": platform.platform(), "git": revision}
