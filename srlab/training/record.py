"""What a training writes into its run folder, and what it finds there when it goes on."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from srlab.base.devices import peak_memory_mib
from srlab.base.errors import SrlabError
from srlab.base.files import writing
from srlab.base.text import printable
from srlab.training.runs import ADVICE, FORMAT, REMEDY, Run, environment

FOLLOW_LENGTH = ("schedule", "ema")  # what another total number of steps may change in a run that goes on


class Record:
    """Manifest, log and best scores of a run, kept by every process and written by the first.

    Parameters
    ----------
    run
        Where.
    writes
        Whether this process is the one that writes.
    """

    def __init__(self, run: Run, writes: bool) -> None:
        self.run, self.writes = run, writes
        self.manifest: dict[str, Any] = {}
        self.history: list[dict[str, float]] = []
        self.best: dict[str, float] = {}  # highest validation scores so far

    def take_up(self, parameters: dict[str, Any], iters: int, trained: int) -> dict[str, Any] | None:
        """Take up the newest state, with its manifest and best scores, to go on from; None for a run that begins.

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
        parameters = json.loads(json.dumps(parameters))  # as they are read back: tuples become lists
        state = self.run.load_state()
        if state and not state["step"] and state["manifest"]["parameters"] != parameters:
            state = None  # nothing is lost yet, so settings may still change
        if state is None:
            self.manifest, self.best = self._new_manifest(parameters, trained), {}
        else:
            self.manifest, self.best = state["manifest"], state["best"]
            self._check(parameters, iters)
        return state

    def _new_manifest(self, parameters: dict[str, Any], trained: int) -> dict[str, Any]:
        path, earlier = self.run.path, self.run.manifest()
        done = trained or (earlier["step"] if earlier else 0)
        if done:  # there are weights with which no state can go on
            raise SrlabError(
                f"There is no state in {path} to go on from, and its weights of step {done} stay; choose "
                "another run name, and run the cells that make the networks again."
            )
        if earlier is None and any(path.rglob("*.safetensors")):
            raise SrlabError(f"{path} has weights but no run.json; {REMEDY}.")
        manifest = {"format": FORMAT, "lab": self.run.lab, "name": self.run.name, "parameters": parameters, "step": 0}
        return manifest | {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "wall_time_s": 0.0, "continued": []}

    def _check(self, parameters: dict[str, Any], iters: int) -> None:
        """Refuse other settings than those the run was made with, but for what follows its length."""
        said, total, step = self.manifest["parameters"], self.manifest["schedule_total"], self.manifest["step"]
        if total != iters:
            said = said | {name: parameters[name] for name in FOLLOW_LENGTH}
        if changed := _differences(said, parameters):
            raise SrlabError(
                f"The run '{self.run.name}' of {self.run.lab} was made with {', '.join(changed)}; give this "
                f"one another name with the parameter run, or delete {self.run.path} to start it anew."
            )
        if 0 < step < iters:
            self.manifest["parameters"] = said

    def go_on(self, step: int, iters: int, facts: dict[str, Any]) -> None:
        """Say what has changed since the state was saved, and write where the run stands now.

        Parameters
        ----------
        step, iters
            Done, and asked for.
        facts
            Of this machine, for the manifest: device, precision, processes ...
        """
        before, total = self.manifest, self.manifest.get("schedule_total", iters)
        if 0 < step < iters:
            if before["precision"] != facts["precision"]:
                was = printable(before["precision"])
                print(f"This run was trained in {was} so far and goes on in {facts['precision']}.")
            if before["processes"] != facts["processes"]:
                print(
                    f"This run was trained by {printable(before['processes'])} process(es) so far and goes on with "
                    f"{facts['processes']}. The patches of a batch stay the same; batch norm, a relativistic average "
                    "and a random degradation see other shares."
                )
            if total != iters:
                self.manifest["continued"].append({"step": step, "from": total, "to": iters})
                print(
                    f"This run was laid out for {total:,} steps and goes on to {iters:,}: from step {step:,} on its "
                    "learning rate follows the schedule of the new length."
                )
            print(f"Going on with the run '{self.run.name}' from step {step}.")
        if self.writes:
            self.run.forget_after(step or -1)  # the scores of step 0 are made again too
        self.history = self.run.metrics()
        if step < iters:
            self.manifest |= facts | {"schedule_total": iters} | environment()
            self.write("running")
        self._started, self._seconds_before = time.perf_counter(), self.manifest["wall_time_s"]

    @contextmanager
    def events(self, step: int) -> Iterator[None]:
        """While the block runs, what is logged goes to TensorBoard as well, which forgets what it had after `step`."""
        if not self.writes:
            yield
            return
        from torch.utils.tensorboard import SummaryWriter  # slow to import

        folder = self.run.path / "tensorboard"
        with writing(folder, ADVICE):
            self._events = SummaryWriter(str(folder), purge_step=step)
        try:
            yield
        finally:
            with writing(folder, ADVICE):
                self._events.close()

    def log(self, step: int, row: dict[str, float]) -> None:
        """Note what was measured at a step; within `events`."""
        self.history.append({"step": step} | row)
        if self.writes:
            self.run.log(step, **row)
            with writing(self.run.path / "tensorboard", ADVICE):
                for name, value in row.items():
                    self._events.add_scalar(name, value, step)

    def keep_best(self, names: tuple[str, ...], step: int, generator: nn.Module) -> None:
        """Save the weights by which a score of the newest row is higher than ever before."""
        for name in names:
            score = self.history[-1].get(f"val_{name}", float("-inf"))
            if score > self.best.get(name, float("-inf")):
                self.best[name] = score
                if self.writes:
                    self.run.save_generator(generator, step, best=name, score=score)

    def save(self, step: int, parts: dict[str, Any], generator: nn.Module, status: str) -> None:
        """Write the state, the weights and the manifest, in this order.

        Parameters
        ----------
        step
            Done.
        parts
            From `srlab.training.checkpoint.collect`.
        generator
            Its moving average.
        status
            "running", "stopped" or "finished".
        """
        metrics = {name: value for row in self.history for name, value in row.items() if name != "step"}
        seconds = round(self._seconds_before + time.perf_counter() - self._started, 1)
        facts = {"metrics": metrics, "wall_time_s": seconds, "peak_memory_mib": peak_memory_mib()}
        self.manifest |= facts | {"step": step, "state": status}
        if self.writes:
            self.run.save_state(parts | {"step": step, "manifest": self.manifest, "best": self.best})
            if step:  # there is nothing to use before the first one
                self.run.save_generator(generator, step)
        self.write(status)

    def write(self, status: str) -> None:
        """Write the manifest, which says "running", "stopped", "finished" or "failed"."""
        self.manifest["state"] = status
        if self.writes:
            self.run.write_manifest(self.manifest)

    def fail(self, what: str) -> None:
        """End a run that is past saving.

        Raises
        ------
        SrlabError
            Says what went wrong, which state is kept, and what to try.
        """
        self.write("failed")
        wider = "" if self.manifest["precision"] == "no" else " or set precision to 'no'"
        raise SrlabError(
            f"Training stopped: {what}; the state of step {self.manifest['step']} is kept in {self.run.path}. Lower "
            f"the learning rate{wider}, and give the run another name."
        )


def _differences(said: dict[str, Any], now: dict[str, Any], within: str = "") -> list[str]:
    """What differs, such as ``sampler.patch=32 (now 64)``, and nothing of what is the same beside it."""
    found = []
    for name in said | now:
        was, becomes = said.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(becomes, dict):
            found += _differences(was, becomes, f"{within}{name}.")
        elif was != becomes:
            found.append(f"{within}{name}={was!r} (now {becomes!r})")
    return found
