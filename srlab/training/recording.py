"""Record a training step as a CUDA graph. A replay launches all of its kernels at once, without Python in between."""

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from srlab.devices import cudnn_settings
from srlab.errors import SrlabError

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, Any]]
AS_WRITTEN = 3  # steps before the recording, which create the optimizers' states and choose cuDNN's algorithms
WITH_PROCESSES = 11  # the same with several processes, as PyTorch's notes on CUDA graphs require
CLOSE = 0.1  # largest relative difference of a replay; where operations are not deterministic, Adam amplifies rounding
WAITS = "called a synchronizing CUDA operation"  # in torch's warning
WARNING = (
    "WARNING: A replay of the recorded step differs slightly from the step itself. If your step uses a number that "
    "changes in Python, it is frozen now: use trainer.progress, or set launch to 'python'."
)


class NotRecordable(SrlabError):
    """The reason why a step cannot be recorded."""


class Recording(NamedTuple):
    """A recorded step, with the tensors that it reads and returns."""

    graph: torch.cuda.CUDAGraph
    lr: torch.Tensor
    hr: torch.Tensor
    losses: dict[str, torch.Tensor]

    def replay(self, lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        """Do the step with another batch."""
        self.lr.copy_(lr)
        self.hr.copy_(hr)
        self.graph.replay()
        return self.losses


class RecordedStep:
    """A training step that runs as written a few times, is then recorded, and is replayed from then on.

    Each call is one step of training on its own batch. A replay repeats the recorded kernels, so everything that they
    read must be on the GPU: weights, random numbers and learning rates, which the trainer writes there. If a step waits
    for a number from the GPU, draws random numbers on the CPU, reads `Trainer.step`, returns something that is not on
    the GPU, or uses an optimizer with a fixed learning rate or without a state, it runs as written to the end. The same
    happens if the recording needs too much memory. `reason` then has the reason, which is also printed.

    The first replay is compared with the step as written, on the same batch and from the same state, with deterministic
    convolutions. So a number of Python's that changes from call to call, such as a counter, shows in the losses or in
    the weights. If they differ by more than `CLOSE`, the step runs as written; if they are not equal, a warning is
    printed. What cannot be detected: a number that changes only later, and everything else that a step does in Python,
    such as printing or appending to a list. After the recording, which calls the step more often than there are
    batches, it does not happen again.

    Parameters
    ----------
    step
        ``step(lr, hr)``, which updates the networks and returns its losses by name.
    networks, optimizers
        All networks that the step uses and all optimizers, without wrappers.
    stream
        Stream for the recording, and for the steps before it.
    turns
        Number of different steps that take turns; each has its own recording.
    scaler
        The gradient scaler, in float16.
    common
        ``common(reason)``, which returns the reason of any process that has one, or "". If one process runs as written,
        all must.
    as_written
        Number of steps of each turn before its recording.
    """

    def __init__(
        self,
        step: Step,
        networks: Sequence[nn.Module],
        optimizers: Sequence[torch.optim.Optimizer],
        stream: torch.cuda.Stream,
        turns: int = 1,
        scaler: torch.amp.GradScaler | None = None,
        common: Callable[[str], str] = str,
        as_written: int = AS_WRITTEN,
    ) -> None:
        self.step, self.networks, self.optimizers, self.stream = step, networks, optimizers, stream
        self.scaler, self.common, self.as_written = scaler, common, as_written
        self.parameters = [parameter for network in networks for parameter in network.parameters()]
        self.groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.reason, self.calls = "", [0] * turns
        self.recordings: list[Recording | None] = [None] * turns

    def __call__(self, lr: torch.Tensor, hr: torch.Tensor, turn: int = 0) -> dict[str, Any]:
        """Do one step of training."""
        if recording := self.recordings[turn]:
            return recording.replay(lr, hr)
        self.calls[turn] += 1
        if self.reason or self.calls[turn] <= self.as_written:
            return self._as_written(lr, hr)
        return self._record(lr, hr, turn)

    def _as_written(self, lr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
        main = torch.cuda.current_stream()
        self.stream.wait_stream(main)  # a recording needs another stream, and so do the steps that prepare it
        with torch.cuda.stream(self.stream):
            losses = self.step(lr, hr)
        main.wait_stream(self.stream)
        return losses

    def _record(self, lr: torch.Tensor, hr: torch.Tensor, turn: int) -> dict[str, Any]:
        """Do a step as written, and record it. To compare the two, first record it with deterministic convolutions."""
        reason, before, earlier = self._move_settings(lr.device), self._save(), self._gradients()
        with cudnn_settings(tf32=True, deterministic=True):
            with _noting_waits() as waits:
                losses = dict(self._as_written(lr, hr))
            after, gradients = self._save(), [parameter.grad for parameter in self.parameters]
            if self.scaler is not None and not self._updates(before, after):
                return losses  # float16 has overflowed, so there is nothing to compare; try the next step
            reason = self.common(reason or "".join(waits[:1]) or self._adds_up(earlier) or self._capture(lr, hr, turn))
            if not reason:
                self._load(before)
                reason = self.common(self._difference(before, after, losses, self.recordings[turn].replay(lr, hr)))
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient  # instead of the recording's, whose memory is given back
        self.recordings[turn] = None
        reason = reason or self.common(self._capture(lr, hr, turn))  # with the fastest convolutions
        if reason:
            self._load(after)
            self.reason = reason
            self.release()
            torch.cuda.empty_cache()
            print(f"Each step is trained as written, not as a CUDA graph, because {reason}.")
        return losses

    def _move_settings(self, device: torch.device) -> str:
        """Move learning rates and states of optimizers to the GPU, where a replay reads them. Return "", or why not."""
        for optimizer in self.optimizers:
            name = type(optimizer).__name__
            if "capturable" not in optimizer.param_groups[0]:
                return f"{name}, which has no option capturable, would keep its first learning rate"
            if not optimizer.state:  # each replay would create it again
                return f"{name} has no state so far"
        for group in self.groups:
            group |= {"capturable": True, "lr": torch.as_tensor(group["lr"], dtype=torch.float32, device=device)}
        for slots in self._slots():
            slots |= {name: value.to(device) for name, value in slots.items() if isinstance(value, torch.Tensor)}
        return ""

    def release(self) -> None:
        """Drop all recordings, and give the optimizers numbers as learning rates again."""
        self.recordings = [None] * len(self.recordings)
        for group in self.groups:
            group["lr"] = float(group["lr"])

    def _capture(self, lr: torch.Tensor, hr: torch.Tensor, turn: int) -> str:
        """Record the step, which computes nothing. Return "", or the reason why it cannot be recorded."""
        lr, hr, graph, chances = lr.clone(), hr.clone(), torch.cuda.CUDAGraph(), _cpu_randomness()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                losses = self.step(lr, hr)
        except Exception as error:  # whatever CUDA or a student's code raises
            while error.__context__ is not None:  # the first error; those of CUDA follow from it
                error = error.__context__
            if self.scaler is not None:
                self.scaler.update(self.scaler.get_scale())  # it is between two of its stages
            text = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
            return text if isinstance(error, NotRecordable) else f"the recording stopped ({text})"
        if _cpu_randomness() != chances:
            return "it draws random numbers on the CPU"
        for name, value in losses.items():
            if not isinstance(value, torch.Tensor) or value.device != lr.device:
                return f"'{name}', which it returns, is not a tensor on the GPU"
        self.recordings[turn] = Recording(graph, lr, hr, {name: value.detach() for name, value in losses.items()})
        return ""

    def _slots(self) -> list[dict[str, Any]]:
        return [slots for optimizer in self.optimizers for slots in optimizer.state.values()]

    def _save(self) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], torch.Tensor, Any]:
        """Copy the tensors that a step changes to the CPU, parameters first; also the random and scaler states."""
        tensors = [*self.parameters, *(buffer for network in self.networks for buffer in network.buffers())]
        tensors += [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        tensors += [value for slots in self._slots() for value in slots.values() if isinstance(value, torch.Tensor)]
        pairs = [(tensor.detach(), tensor.detach().to("cpu", copy=True)) for tensor in tensors]
        return pairs, torch.cuda.get_rng_state(), self.scaler.state_dict() if self.scaler else None

    def _load(self, state: tuple[list[tuple[torch.Tensor, torch.Tensor]], torch.Tensor, Any]) -> None:
        """Write a saved state into the same memory, which is what a replay reads."""
        for tensor, copy in state[0]:
            tensor.copy_(copy)
        torch.cuda.set_rng_state(state[1])
        if self.scaler is not None:
            self.scaler.load_state_dict(state[2])

    def _gradients(self) -> list[tuple[torch.Tensor | None, int]]:
        grads = [parameter.grad for parameter in self.parameters]
        return [(gradient, 0 if gradient is None else gradient._version) for gradient in grads]

    def _adds_up(self, earlier: list[tuple[torch.Tensor | None, int]]) -> str:
        """Return whether turns add up their gradients, whose memory another turn may give back."""
        both = zip(earlier, self._gradients(), strict=True)
        changed = any(before is now and version != count for (before, version), (now, count) in both)
        return "its turns add up gradients" if changed and len(self.recordings) > 1 else ""

    def _updates(self, before: Any, after: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the flat parameters of each network that a step has changed, before and after it."""
        updates, place = [], 0
        for network in self.networks:
            part = slice(place, place := place + len(list(network.parameters())))
            was, now = (torch.cat([copy.flatten() for _, copy in state[0][part]]) for state in (before, after))
            updates += [] if torch.equal(was, now) else [(was, now)]
        return updates

    def _difference(self, before: Any, after: Any, losses: dict[str, Any], replayed: dict[str, Any]) -> str:
        """Return how the first replay differs from the step as written, or "" if the two are close."""
        if losses.keys() != replayed.keys():
            return "it does not return the same losses each time"
        pairs = [(name, replayed[name].cpu(), losses[name].detach().cpu(), 1.0) for name in losses]
        found, wanted = self._updates(before, self._save()), self._updates(before, after)
        if len(found) != len(wanted):
            return "a replay does not update the same networks as the step itself, which depends on a value in Python"
        pairs += [("update", now - was, then - was, 0.0) for (was, now), (_, then) in zip(found, wanted, strict=True)]
        for name, now, then, least in pairs:
            if not (now - then).norm() <= CLOSE * max(then.norm(), 0.01 * least):  # also false for NaN
                return f"a replay has a different {name} than the step itself, which depends on a value in Python"
        if not all(torch.equal(now, then) for _, now, then, _ in pairs):
            print(WARNING)
        return ""


@contextmanager
def _noting_waits() -> Iterator[list[str]]:
    """Yield a list that gets a reason if the CPU waits for the GPU in the block; pass on all other warnings.

    In a recording, waiting is an error, after which older versions of torch cannot free memory
    (pytorch/pytorch#180395). So it must be found before.
    """
    reasons: list[str] = []
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield reasons
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    for warning in caught:
        if WAITS in str(warning.message):
            reasons.append("it waits for a number from the GPU, as .item() does")
        elif "Synchronization debug mode" not in str(warning.message):  # a note that not all waits are found
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _cpu_randomness() -> tuple[Any, ...]:
    keys, position = np.random.get_state()[1:3]  # noqa: NPY002 - a step may draw from it
    return torch.get_rng_state().tolist(), random.getstate(), keys.tolist(), position
