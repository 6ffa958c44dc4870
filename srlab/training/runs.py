"""A run folder: what a training leaves behind, who writes it when, and how little a crash costs.

``runs/<lab>/<name>/`` holds:

- ``state/``: the last two full states, all that a run needs to go on
- ``run.json``, the manifest: what was run, on what, how far it is, with which result
- ``metrics.jsonl`` and ``tensorboard/``: what was logged
- ``generator.safetensors``: EMA weights, with the architecture in the metadata; ``generator-best-<score>.safetensors``
- ``samples/``: pictures that a monitor has drawn

Who writes what, when: `RunWriter` alone writes, for the `Trainer`. ``run.json`` is written when a training begins or
goes on (`RunWriter.begin`), after each saved state (`RunWriter.save`), at the end (`RunWriter.finish`) and when it has
failed (`RunWriter.fail`). A line of the log comes every ten steps; a state comes before the first step, with each
validation, every five minutes, and when a training is stopped.

A kill -9 loses the steps since the last state, and nothing else: every file but the log is written whole beside its
place, flushed to the disk and then renamed (`srlab.base.files.open_atomic`). A state has its manifest in it, and is
written before weights and ``run.json``, so whichever of them is missing or older is made anew from it. Going on, the
log is cut back to the state's step, and a damaged state makes way for the one before it. The lock goes with its
process.
"""

import json
import os
import platform
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

import srlab
from srlab.base import files
from srlab.base.devices import out_of_memory, peak_memory_mib
from srlab.base.errors import SrlabError
from srlab.base.places import generator_file, home, locate, run_folder
from srlab.base.text import printable

FORMAT = 2  # of the run folder; one of another is not touched
ADVICE = f"{files.ADVICE} with SRLAB_HOME"  # where a file of a run cannot be written
REMEDY = "move the folder away or choose another run name"
SIDE = "-ablation-"  # in the names of a lab's side runs, which stand for nothing by themselves
IN_EACH_MANIFEST = {"format", "lab", "parameters", "step", "state", "wall_time_s"}
COMPUTED = ("fused", "foreach", "capturable")  # settings of an optimizer: how an update is computed, not which
FOLLOW_LENGTH = ("schedule", "ema")  # parameters that another total number of steps may change in a run that goes on
LOG_EVERY = 10  # steps between two rows of the log; a reading of the losses waits for the device
PACKAGES = ("torch", "accelerate", "numpy", "scikit-image", "matplotlib")


# --- Finding runs --------------------------------------------------------------------------------------------


def find_run(typed: str | os.PathLike) -> "Run":
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


def read_runs(labs: str = "*") -> Iterator[tuple["Run", dict[str, Any]]]:
    """All runs of the labs that a pattern fits, with their manifests, but for side runs; a damaged one is named."""
    found = sorted(folder for folder in home().glob("*/*") if fnmatch(folder.parent.name, labs))
    for folder in filter(_is_run, found):
        if SIDE in folder.name:
            continue
        try:
            run = Run(folder.parent.name, folder.name)  # that of a copy, such as "default (copy)", may be none of a run
            yield run, run.manifest()
        except SrlabError as error:
            print(f"Passed over: {error}")


def _is_run(folder: Path) -> bool:
    """Whether a folder has what is needed to know a run by: its manifest, or a state, which has that too."""
    return (folder / "run.json").is_file() or any((folder / "state").glob("*.pt"))


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


# --- One run -------------------------------------------------------------------------------------------------


class Run:
    """One run folder, to read; and how each of its files is written.

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

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises
        ------
        SrlabError
            Another process holds it, or its folder cannot be written.
        """
        busy = f"The run {self.path} is in use by another process; wait for it, or choose another run name."
        # The second is for `is_held`, which takes the lock for an instant to see whether it could.
        with files.lock(self.path / ".lock", "set SRLAB_HOME to a folder you own", busy, patience=1.0):
            for folder in (self.path, self.path / "state", self.path / "samples"):
                for part in folder.glob(".*.part"):  # of a process that was killed
                    part.unlink()
            yield

    # --- run.json ---

    def manifest(self) -> dict[str, Any] | None:
        """Content of ``run.json``, or None for a run that has not begun. A lost or damaged one is taken from the state.

        Raises
        ------
        SrlabError
            It is damaged and there is no state, or the run is of another lab or another version of the run folder.
        """
        file = self.path / "run.json"
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
            whole = isinstance(manifest, dict) and manifest.keys() >= IN_EACH_MANIFEST
            if not whole or not isinstance(manifest["step"], int):
                raise ValueError("entries are missing or damaged")
        except (ValueError, OSError) as error:
            if state := self.load_state():
                return state["manifest"]
            if isinstance(error, FileNotFoundError):
                return None
            raise SrlabError(f"{file} cannot be read as a run's manifest ({error}); {REMEDY}.") from error
        return self._ours(manifest)

    def _ours(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """A manifest, if it is one of this run; whatever reads one gets it from here."""
        if manifest["format"] != FORMAT:
            raise SrlabError(f"{self.path} was made by another version of srlab ({manifest['format']}); {REMEDY}.")
        if self.lab and manifest["lab"] != self.lab:
            raise SrlabError(f"{self.path} belongs to the lab {manifest['lab']}, not to {self.lab}; {REMEDY}.")
        return manifest

    def is_held(self) -> bool:
        """Whether a process is training it; where that cannot be found out, its manifest is believed."""
        if not (self.path / ".lock").exists():
            return False
        try:
            with files.lock(self.path / ".lock", "", "busy"):
                return False
        except SrlabError:
            return True

    def is_trained(self) -> bool:
        """Whether there is something to begin another training with: a run that has begun, and didn't end in ruin."""
        manifest = self.manifest() or {"step": 0}
        return manifest["step"] > 0 and manifest["state"] != "failed"

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write ``run.json``."""
        files.write_atomic(self.path / "run.json", json.dumps(manifest, indent=1).encode(), ADVICE)

    # --- metrics.jsonl ---

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

    def log(self, step: int, **values: float) -> None:
        """Append one line to ``metrics.jsonl``."""
        line = json.dumps({"step": step} | values) + "\n"
        file = self.path / "metrics.jsonl"
        with files.writing(file, ADVICE), file.open("a", encoding="utf-8") as log:
            log.write(line)

    # --- state/ ---

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
            return state | {"manifest": self._ours(state["manifest"])}
        if self._states():
            raise SrlabError(
                f"No state in {self.path / 'state'} can be read; delete {self.path} to start the run anew."
            )
        return None

    def save_state(self, state: dict[str, Any]) -> None:
        """Write all that going on needs as one file, and keep the one before it as a spare.

        Parameters
        ----------
        state
            With entries ``step`` and ``manifest``; made of tensors, numbers, texts, lists and dicts.
        """
        with files.open_atomic(self.path / "state" / f"{state['step']:09d}.pt", ADVICE) as file:
            torch.save(state, file)
        for old in self._states()[:-2]:
            old.unlink()

    def _states(self) -> list[Path]:
        return sorted(file for file in (self.path / "state").glob("*.pt") if file.stem.isdecimal())

    # --- generator.safetensors ---

    def save_generator(self, generator: nn.Module, step: int, best: str = "", **notes: float) -> None:
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


def _read_state(file: Path) -> dict[str, Any]:
    """A state, if it is whole; nothing in it is executed."""
    try:
        with zipfile.ZipFile(file) as archive:  # torch.load passes over checksums
            if archive.testzip():
                raise ValueError("its content is not what was written")
        state = torch.load(file, map_location="cpu", weights_only=True)
        if not (state["manifest"].keys() >= IN_EACH_MANIFEST and "step" in state):
            raise ValueError("entries are missing")
    except Exception as error:  # there is hardly one that a damaged file cannot raise
        if out_of_memory(error):
            raise
        raise SrlabError(f"{file} is damaged or no state of a run.") from error
    return state


# --- A run in training ---------------------------------------------------------------------------------------


class RunWriter(Run):
    """A run that is being trained: the one place that decides what goes into its folder, and when.

    Each process of a training has one, and knows the manifest, the log and the best scores; the first alone writes.

    Parameters
    ----------
    lab, name
        As for `Run`.
    writes
        Whether this process is the one that writes.
    """

    def __init__(self, lab: str, name: str, writes: bool) -> None:
        super().__init__(lab, name)
        self.writes = writes
        self.history: list[dict[str, float]] = []  # all logged rows
        self.best: dict[str, float] = {}  # highest validation scores so far
        self._manifest: dict[str, Any] = {}

    def find_state(self, parameters: dict[str, Any], iters: int, trained: int) -> dict[str, Any] | None:
        """Read the state to go on from, or None for a run that begins; nothing is written yet.

        Parameters
        ----------
        parameters
            All that decides the result.
        iters
            Total number of steps that is asked for.
        trained
            Steps that the networks in memory have done already.

        Raises
        ------
        SrlabError
            The run was made with other parameters, or what it has trained cannot be gone on with.
        """
        parameters = json.loads(json.dumps(parameters, default=_plain))  # as they are read back: tuples become lists
        state = self.load_state()
        if state and not state["step"] and state["manifest"]["parameters"] != parameters:
            state = None  # nothing is lost yet, so settings may still change
        if state is None:
            manifest = self.manifest()
            if trained or (manifest["step"] if manifest else any(self.path.rglob("*.safetensors"))):
                raise SrlabError(
                    f"There is no state in {self.path} to go on from, and what was trained there stays; choose another "
                    "run name, and run the cells that make the networks again."
                )
            facts = {"format": FORMAT, "lab": self.lab, "name": self.name, "parameters": parameters, "step": 0}
            facts |= {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "wall_time_s": 0.0, "continued": []}
            self._manifest, self.best = facts, {}
        else:
            self._manifest, self.best = state["manifest"], state["best"]
            self._refuse_other_parameters(parameters, iters)
        return state

    def _refuse_other_parameters(self, parameters: dict[str, Any], iters: int) -> None:
        """Refuse to go on with other parameters than those of the run, but for what follows its length."""
        earlier = self._manifest["parameters"]
        if self._manifest["schedule_total"] != iters:
            earlier = earlier | {name: parameters[name] for name in FOLLOW_LENGTH}
        if changed := _differences(earlier, parameters):
            raise SrlabError(
                f"The run '{self.name}' of {self.lab} was made with {', '.join(changed)}; give this "
                f"one another name with the parameter run, or delete {self.path} to start it anew."
            )
        if 0 < self._manifest["step"] < iters:
            self._manifest["parameters"] = earlier

    def begin(self, step: int, iters: int, facts: dict[str, Any]) -> None:
        """Cut the log back to a state, say what has changed since, and write where the run stands now.

        Parameters
        ----------
        step, iters
            Done, and asked for.
        facts
            Of this machine and the code, for the manifest: device, precision, processes ...
        """
        if step:
            self._say_what_changes(step, iters, facts)
        self.history = [row for row in self.metrics() if row["step"] <= step] if step else []
        if self.writes:
            rows = [json.dumps(row) + "\n" for row in self.history]
            files.write_atomic(self.path / "metrics.jsonl", "".join(rows).encode(), ADVICE)
        if step < iters:
            self._manifest |= facts | {"schedule_total": iters} | environment()
            self._write_manifest("running")
        self._began, self._seconds_before = time.perf_counter(), self._manifest["wall_time_s"]

    def _say_what_changes(self, step: int, iters: int, facts: dict[str, Any]) -> None:
        before, total, code = self._manifest, self._manifest["schedule_total"], facts["code_of_step"]
        if code and before["code_of_step"] not in ("", code):
            now = f"from step {step:,} on it is the new one."
            if step >= iters:
                now = "what you see is the work of the code before. Another name (the parameter run) trains anew."
            print(f"The code of the training has changed since this run was made: {now}")
        if step >= iters:
            return
        if before["precision"] != facts["precision"]:
            print(
                f"This run was trained in {printable(before['precision'])} so far and goes on in {facts['precision']}."
            )
        if before["processes"] != facts["processes"]:
            print(
                f"This run was trained by {printable(before['processes'])} process(es) so far and goes on with "
                f"{facts['processes']}. The patches of a batch stay the same; batch norm, a relativistic average "
                "and a random degradation see other shares."
            )
        if total != iters:
            before["continued"].append({"step": step, "from": total, "to": iters})
            print(
                f"This run was laid out for {total:,} steps and goes on to {iters:,}: from step {step:,} on its "
                "learning rate follows the schedule of the new length."
            )
        print(f"Going on with the run '{self.name}' from step {step}.")

    @contextmanager
    def events(self, step: int) -> Iterator[None]:
        """While the block runs, what is logged goes to TensorBoard as well, which forgets what it had after `step`."""
        if not self.writes:
            yield
            return
        from torch.utils.tensorboard import SummaryWriter  # slow to import

        folder = self.path / "tensorboard"
        with files.writing(folder, ADVICE):
            self._events = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
        try:
            yield
        finally:
            with files.writing(folder, ADVICE):
                self._events.close()

    def add(self, step: int, row: dict[str, float]) -> None:
        """Log what was measured at a step; within `events`."""
        self.history.append({"step": step} | row)
        if self.writes:
            self.log(step, **row)
            with files.writing(self.path / "tensorboard", ADVICE):
                for name, value in row.items():
                    self._events.add_scalar(name, value, step)

    def keep_best(self, names: tuple[str, ...], step: int, generator: nn.Module) -> None:
        """Save the weights by which a score of the newest row is higher than ever before."""
        for name in names:
            score = self.history[-1].get(f"val_{name}", float("-inf"))
            if score > self.best.get(name, float("-inf")):
                self.best[name] = score
                if self.writes:
                    self.save_generator(generator, step, best=name, score=score)

    def save(self, step: int, parts: dict[str, Any], generator: nn.Module, status: str) -> None:
        """Write the state, the weights and the manifest, in this order.

        Parameters
        ----------
        step
            Done.
        parts
            Of the state: networks, optimisers and random numbers.
        generator
            Its moving average.
        status
            "running", "stopped" or "finished".
        """
        metrics = {name: value for row in self.history for name, value in row.items() if name != "step"}
        seconds = round(self._seconds_before + time.perf_counter() - self._began, 1)
        facts = {"metrics": metrics, "wall_time_s": seconds, "peak_memory_mib": peak_memory_mib()}
        self._manifest |= facts | {"step": step, "state": status}
        if self.writes:
            self.save_state(parts | {"step": step, "manifest": self._manifest, "best": self.best})
            if step:  # there is nothing to use before the first one
                self.save_generator(generator, step)
        self._write_manifest(status)

    def finish(self, step: int, generator: nn.Module) -> None:
        """Write what a crash may have cut off after the last state: the weights, and that the run is finished.

        One that has failed, or was stopped before its end, stays what it is, however few steps are asked for now.
        """
        if self.writes:
            self.save_generator(generator, step)
        failed = (self.manifest() or {}).get("state") == "failed"
        if not failed and step >= self._manifest["schedule_total"]:
            self._write_manifest("finished")

    def fail(self, what: str) -> None:
        """End a run that is past saving.

        Raises
        ------
        SrlabError
            Says what went wrong, which state is kept, and what to try.
        """
        self._manifest["failure"] = what
        self._write_manifest("failed")
        wider = "" if self._manifest["precision"] == "no" else " or set precision to 'no'"
        raise SrlabError(
            f"Training stopped: {what}; the state of step {self._manifest['step']} is kept in {self.path}. Lower "
            f"the learning rate{wider}, and give the run another name."
        )

    def _write_manifest(self, status: str) -> None:
        self._manifest["state"] = status
        if self.writes:
            self.write_manifest(self._manifest)


def _plain(value: Any) -> Any:
    """What JSON can hold of numbers of torch or NumPy, and of a path."""
    return value.tolist() if hasattr(value, "tolist") else os.fspath(value)


def _differences(earlier: dict[str, Any], now: dict[str, Any], within: str = "") -> list[str]:
    """What differs, such as ``sampler.patch=32 (now 64)``, and nothing of what is the same beside it."""
    found = []
    for name in earlier | now:
        was, becomes = earlier.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(becomes, dict):
            if "optimizer" in becomes:  # another version of torch may have settings that this one hasn't
                was = {key: was.get(key, setting) for key, setting in becomes.items() if key not in COMPUTED}
                becomes = {key: becomes[key] for key in was}
            found += _differences(was, becomes, f"{within}{name}.")
        elif was != becomes:
            found.append(f"{within}{name}={was!r} (now {becomes!r})")
    return found
