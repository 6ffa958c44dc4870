"""Run folders: what a training run writes, when, and how it recovers from a crash.

``runs/<lab>/<name>/`` contains:

- ``checkpoints/``: the last two checkpoints, with everything needed to resume
- ``run.json``, the manifest: networks, settings, progress and results
- ``metrics.jsonl`` and ``tensorboard/``: the log, of which each checkpoint has a copy
- ``generator.safetensors``: EMA weights, with the architecture in the metadata;
  ``generator-best-<score>.safetensors``
- ``samples/``: images saved by a monitor

`srlab.Trainer` writes all the others. It calls `Run.resume` and `Run.begin`, then `Run.log`, `Run.keep_best` and
`Run.save` during training and at its end, or `Run.fail`. If nothing is left to train, it calls `Run.repair_finished`.

The newest checkpoint is the truth. The trainer reads nothing else back: ``run.json``, the weights and the log are
exports of it, for people and other programs.

After a kill -9 only the steps since the last checkpoint are lost. Each file except the log is written under another
name, flushed to disk and then renamed (`srlab.files.open_atomic`). A checkpoint contains the manifest and is written
before the weights and ``run.json``, so both can be restored from it. If the newest checkpoint is damaged, a resumed run
falls back to the previous one. It writes the log as it was at the checkpoint. The lock is released when its process
ends.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from torch import nn

from srlab import files, tensor_files
from srlab.devices import peak_memory_mib
from srlab.errors import SrlabError
from srlab.paths import exists, generator_file, locate, run_folder, runs_home
from srlab.text import printable
from srlab.training.checkpoints import find_checkpoints, read_newest_checkpoint, write_checkpoint
from srlab.training.log_rows import Rows, as_lines, parse_lines
from srlab.training.manifests import FORMAT, Facts, Manifest, parse_manifest
from srlab.training.settings import FOLLOW_LENGTH, as_read_back, differences, environment

WHERE = "with SRLAB_HOME"  # for errors when a file cannot be written
REMEDY = "Move the folder elsewhere or choose another run name"
LARGEST_MANIFEST = 2**20  # bytes; it usually has a few thousand
LARGEST_LOG = 2**25  # bytes; a million steps have 100,000 rows of about 250 bytes
SIDE_RUN = "-ablation-"  # part of the names of a lab's side runs, which later labs do not use


class Run:
    """A run folder that you can read; `srlab.Trainer` also writes to it.

    Parameters
    ----------
    lab
        Name of the lab, for example ``"01_srresnet"``.
    name
        Name of the run: letters, digits, ``. _ -``.
    path
        Folder of the run (default: ``runs/<lab>/<name>``).
    """

    def __init__(self, lab: str, name: str, path: Path | None = None) -> None:
        self.lab, self.name, self.path = lab, name, path or run_folder(lab, name)
        self.history: Rows = []  # all logged rows, during training
        self.best: dict[str, float] = {}  # highest validation scores so far
        self._draft: Manifest  # during training: the manifest as it will be written next
        self._started_at = 0.0  # time.perf_counter(), less the seconds of earlier calls of `begin`
        self._events: Any = None  # TensorBoard's writer

    # --- Reading ---

    def manifest(self) -> Manifest | None:
        """Read ``run.json``, or the checkpoint's copy if it is lost or damaged; return None for a new run."""
        file = self.path / "run.json"
        try:
            manifest = parse_manifest(files.read_regular(file, LARGEST_MANIFEST))
        except (ValueError, OSError, RecursionError) as error:  # the last one only in malicious files
            if state := self.load_checkpoint():
                return state["manifest"]
            if isinstance(error, FileNotFoundError):
                return None
            raise SrlabError(f"{file} is not a valid run manifest ({error}). {REMEDY}.") from error
        return self._ours(manifest)

    def parameters(self) -> dict[str, Any]:
        """Return the settings that the run was made with; {} for a new run."""
        manifest = self.manifest()
        return manifest["parameters"] if manifest else {}

    def _ours(self, manifest: Manifest) -> Manifest:
        """Return the manifest if it belongs to this lab and has the current format; raise otherwise."""
        if manifest["format"] != FORMAT:
            raise SrlabError(f"{self.path} was made by another version of srlab ({manifest['format']}). {REMEDY}.")
        if self.lab and manifest["lab"] != self.lab:
            raise SrlabError(f"{self.path} belongs to the lab {manifest['lab']}, not to {self.lab}. {REMEDY}.")
        return manifest

    def metrics(self) -> Rows:
        """Return all rows of ``metrics.jsonl``, without a last row that a crash has truncated."""
        file = self.path / "metrics.jsonl"
        if not exists(file):
            return []
        try:
            return parse_lines(files.read_regular(file, LARGEST_LOG))
        except (ValueError, OSError, RecursionError) as error:
            raise SrlabError(f"{file} is damaged ({error}). Run the lab again, which restores it.") from error

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Load the newest readable checkpoint on the CPU; return None if there are no checkpoints."""
        state = read_newest_checkpoint(self.path)
        return state and state | {"manifest": self._ours(state["manifest"])}

    def is_usable(self) -> bool:
        """Return whether another training run can start from this one: it has begun and has not failed."""
        manifest = self.manifest() or {"step": 0}
        return manifest["step"] > 0 and manifest["status"] != "failed"

    def is_held(self) -> bool:
        """Return whether a process is training this run; True also if the lock cannot be checked."""
        lock = self.path / ".lock"
        if lock.is_symlink() or not lock.is_file():  # not one that training holds
            return False
        try:
            with files.lock(lock, busy="yes"):
                return False
        except SrlabError:
            return True

    # --- Training ---

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the run for this process inside the block; raise if another process has the lock."""
        busy = f"Another process is using the run {self.path}. Wait for it to finish, or choose another run name."
        # Wait a second, because `is_held` acquires the lock briefly.
        with files.lock(self.path / ".lock", busy, patience=1.0, where=WHERE):
            for folder in (self.path, self.path / "checkpoints", self.path / "samples"):
                for part in folder.glob(".srlab-*.part"):  # left by a killed process
                    with suppress(OSError):
                        part.unlink()
            yield

    def resume(self, parameters: dict[str, Any], iters: int, trained: int) -> dict[str, Any] | None:
        """Return the checkpoint to resume from, or None for a new run; write nothing yet.

        `parameters` determine the result and must equal those of the checkpoint, as `srlab.training.settings` defines.
        `iters` is the total number of steps. `trained` is the number of steps that the networks in
        memory have done; it must be 0 without a checkpoint.
        """
        manifest, parameters = self.manifest(), as_read_back(parameters)  # first, because it names another version
        state = self.load_checkpoint()
        if state and not state["step"] and state["manifest"]["parameters"] != parameters:
            state = None  # nothing is trained yet, so settings may still change
        if state:
            self._draft, self.best, self.history = state["manifest"], state["best"], state["log"]
            earlier = self._draft["parameters"]
            if self._draft["schedule_total"] != iters:
                earlier = earlier | {name: parameters[name] for name in FOLLOW_LENGTH}
            if changed := differences(earlier, parameters):
                raise SrlabError(
                    f"The run '{self.name}' of {self.lab} was made with {', '.join(changed)}. Choose another run name, "
                    "or use the earlier settings to continue it."
                )
            if 0 < state["step"] < iters:  # a finished run keeps the parameters it was trained with
                self._draft["parameters"] = earlier
            return state
        if trained or (manifest["step"] if manifest else self._has_results()):
            raise SrlabError(
                f"No checkpoint to resume from in {self.path} (existing files are left untouched). Choose another run "
                "name, and re-run the cells that create the networks."
            )
        self.best, self.history = {}, []
        self._draft = {
            "format": FORMAT,
            "lab": self.lab,
            "name": self.name,
            "parameters": parameters,
            "step": 0,
            "schedule_total": iters,
            "status": "running",
            "failure": "",
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "wall_time_s": 0.0,
            "continued": [],
            "metrics": {},
            "precision": "",  # `begin` adds the facts
            "code_of_step": "",
        }
        return None

    def _has_results(self) -> bool:
        """Return whether the folder has weights or a log with content; a run killed at its start leaves it empty."""
        log = self.path / "metrics.jsonl"
        return any(self.path.rglob("*.safetensors")) or (exists(log) and log.stat().st_size > 0)

    def begin(self, step: int, iters: int, facts: Facts, notes: Mapping[str, Any]) -> None:
        """Restore the log as it was at the checkpoint, print what has changed since then, and write the manifest.

        The `facts` and `notes`, which are any others, go into the manifest.
        """
        if step:
            self._note_resumed(step, iters, facts)
        files.write_atomic(self.path / "metrics.jsonl", as_lines(self.history).encode(), WHERE)
        for later in find_checkpoints(self.path):  # damaged, so the run continues from an earlier one
            if int(later.stem) > step:
                with files.writing(later, WHERE):
                    files.patiently(later.unlink)
        if step < iters:
            self._draft.update(notes)  # type: ignore[typeddict-item]  # a lab's, or those of a script
            self._draft.update(facts)
            self._draft.update(environment())
            self._draft["schedule_total"] = iters
            self._write_status("running")
        self._started_at = time.perf_counter() - self._draft["wall_time_s"]

    def _note_resumed(self, step: int, iters: int, facts: Facts) -> None:
        """Print what has changed since the checkpoint, and note another number of steps in the manifest."""
        code, total = self._draft["code_of_step"], self._draft["schedule_total"]
        if facts["code_of_step"] and code not in ("", facts["code_of_step"]):
            now = f"steps after {step:,} use the new code" if step < iters else "these weights are from the old code"
            print(f"The code of the training step or of the degradation has changed since this run was made: {now}.")
        if step >= iters:
            return
        if total != iters:
            self._draft["continued"].append({"step": step, "from": total, "to": iters})
        before = {"iters": total, "precision": self._draft["precision"]}
        after = {"iters": iters, "precision": facts["precision"]}
        changes = "".join(f", {change}" for change in differences(before, after))
        print(f"Resuming the run '{self.name}' from step {step}{changes}.")

    @contextmanager
    def tensorboard(self, step: int) -> Iterator[None]:
        """Also log to TensorBoard inside the block, after discarding its events after `step`."""
        from torch.utils.tensorboard import SummaryWriter  # slow to import

        folder = self.path / "tensorboard"
        with files.writing(folder, WHERE):
            self._events = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
        try:
            yield
        finally:
            with files.writing(folder, WHERE):
                self._events.close()
            self._events = None

    def log(self, step: int, **values: float) -> None:
        """Append a row to the history and to ``metrics.jsonl``, and inside a `tensorboard` block also to its events."""
        row = {"step": step} | values
        self.history.append(row)
        file = self.path / "metrics.jsonl"
        with files.writing(file, WHERE):
            with file.open("a", encoding="utf-8") as log:
                log.write(as_lines([row]))
            for name, value in values.items() if self._events else ():
                self._events.add_scalar(name, value, step)

    def keep_best(self, step: int, generator: nn.Module) -> None:
        """Save the weights if the newest row has the highest validation PSNR or SSIM so far."""
        for name in ("psnr", "ssim"):
            score = self.history[-1].get(f"val_{name}", float("-inf"))
            if score > self.best.get(name, float("-inf")):
                self.best[name] = score
                self.save_generator(generator, step, best=name, score=score)

    def save(self, step: int, parts: dict[str, Any], generator: nn.Module, status: str, recorded: bool = False) -> None:
        """Write the checkpoint, the weights and the manifest, in this order.

        `parts` are the networks, optimizers and random states; `generator` has the averaged weights; `status` is
        "running", "stopped" or "finished"; `recorded` is whether steps are replayed from a CUDA graph.
        """
        metrics = {name: value for row in self.history for name, value in row.items() if name != "step"}
        seconds = round(time.perf_counter() - self._started_at, 1)
        self._draft.update({"metrics": metrics, "wall_time_s": seconds, "peak_memory_mib": peak_memory_mib()})
        self._draft.update({"recorded": recorded, "step": step, "status": status})
        self.save_checkpoint(parts | {"step": step, "manifest": self._draft, "best": self.best, "log": self.history})
        self._export(step, generator)

    def _export(self, step: int, generator: nn.Module) -> None:
        """Write what other programs read from the newest checkpoint: its weights, and its manifest as ``run.json``."""
        if step:  # before the first step there is nothing to use
            self.save_generator(generator, step)
        self.write_manifest(self._draft)

    def repair_finished(self, step: int, generator: nn.Module) -> None:
        """Export the newest checkpoint again, which a crash may have prevented.

        A run that was stopped early, or failed after this checkpoint, keeps its ``run.json``, even if fewer steps are
        requested now.
        """
        self.save_generator(generator, step)
        if self._draft["status"] == "finished":
            self.write_manifest(self._draft)

    def fail(self, what: str) -> None:
        """Mark the run as failed and raise `SrlabError` with the reason and what to try."""
        self._draft["failure"] = what
        self._write_status("failed")
        wider = "" if self._draft["precision"] == "fp32" else " or set precision to fp32"
        raise SrlabError(
            f"Training stopped: {what}. The checkpoint of step {self._draft['step']} is kept in {self.path}. Lower "
            f"the learning rate{wider}, and choose another run name."
        )

    def _write_status(self, status: str) -> None:
        self._draft["status"] = status
        self.write_manifest(self._draft)

    # --- Files ---

    def write_manifest(self, manifest: Manifest) -> None:
        """Write ``run.json``."""
        files.write_atomic(self.path / "run.json", json.dumps(manifest, indent=1).encode(), WHERE)

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write a checkpoint, as `write_checkpoint` describes, and keep the previous one."""
        write_checkpoint(self.path, state, WHERE)

    def save_generator(self, generator: nn.Module, step: int, best: str = "", **notes: Any) -> None:
        """Write the generator's weights with its architecture, so that a later lab can load them by the run's name.

        `best` names the score for which these weights are the best, or is "" for the latest; `notes` are extra
        metadata.
        """
        about = notes | {"network": type(generator).__name__, "config": getattr(generator, "config", {})}
        about |= {"step": step, "lab": self.lab}
        tensor_files.write_safetensors(self.path / generator_file(best), generator.state_dict(), about, WHERE)


# --- Finding runs --------------------------------------------------------------------------------------------


def run_called(origin: str) -> Run:
    """Return the run ``<lab>/<name>``, which may not exist yet."""
    lab, _, name = origin.partition("/")
    return Run(lab, name)


def find_run(typed: str | os.PathLike) -> Run:
    """Find a run from ``<lab>/<name>``, or from the path of its folder or of a file in it, anywhere on disk."""
    place = locate(typed)
    folder = (place if place.is_dir() else place.parent).resolve()
    run = Run("", folder.name, folder)
    if not _is_run(folder) or (manifest := run.manifest()) is None:
        raise SrlabError(f"No run found in {folder}. Pass a run folder or <lab>/<name>.")
    run.lab = manifest["lab"]  # the folder may have been copied elsewhere
    return run


def read_runs(labs: str = "*") -> Iterator[tuple[Run, Manifest]]:
    """Yield runs and manifests of all labs that match a pattern, without side runs; print and skip damaged runs."""
    for folder in sorted(runs_home().glob("*/*")):
        if not fnmatch(folder.parent.name, labs) or SIDE_RUN in folder.name or not _is_run(folder):
            continue
        try:
            run = Run(folder.parent.name, folder.name)  # rejects names of copies, such as "default (copy)"
            if (manifest := run.manifest()) is not None:
                yield run, manifest
        except Exception as error:  # also MemoryError
            print_skipped(folder, error)


def print_skipped(folder: Path, error: Exception) -> None:
    """Print in one line why a run is left out of a list: whatever is wrong with it, the others are listed."""
    known = isinstance(error, SrlabError)
    print(printable(f"Skipped: {error if known else f'{folder} ({type(error).__name__}: {error})'}"))


def _is_run(folder: Path) -> bool:
    """Return whether a folder has a manifest, or a checkpoint, which contains one."""
    return exists(folder / "run.json") or bool(find_checkpoints(folder))
