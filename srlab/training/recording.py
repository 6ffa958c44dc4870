"""Record a training step as a CUDA graph. A replay launches all of its kernels at once, without Python in between."""

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from srlab.errors import SrlabError

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, Any]]
AS_WRITTEN = 3  # steps before the recording, which create the optimizers' states and choose cuDNN's algorithms
WITH_PROCESSES = 11  # the same with several processes, as PyTorch's notes on CUDA graphs require
CLOSE = 0.1  # largest relative difference of a replay; the GPU may add in another order, which Adam amplifies
WAITS = "called a synchronizing CUDA operation"  # in torch's warning


class NotRecordable(SrlabError):
    """The reason why a step cannot be recorded."""


class RecordedStep:
    """A training step that runs as written a few times, is then recorded, and is replayed from then on.

    Each call is one step of training on its own batch. A replay repeats the recorded kernels, so everything that they
    read must be on the GPU: weights, random numbers and learning rates, which the trainer writes there. If a step waits
    for a number from the GPU, draws random numbers on the CPU, reads `Trainer.step`, returns something that is not on
    the GPU, or uses an optimizer with a fixed learning rate or without a state, it runs as written to the end. The same
    happens if the recording needs too much memory. `reason` then has the reason, which is also printed.

    The first replay is compared with the step as written, on the same batch and from the same state. So a number of
    Python's that changes from call to call, such as a counter, is detected if it changes the losses or the update of
    the weights by more than `CLOSE`. What cannot be detected: a number that changes later or by less, and everything
    else that a step does in Python, such as printing or appending to a list. After the recording, which calls the step
    once more than there are steps, it does not happen again.

    Parameters
    ----------
    step
        ``step(lr, hr)``, which updates the networks and returns its losses by name.
    networks, optimizers
        All networks that the step uses and all optimizers, without wrappers.
    stream
        Stream for the recording, and for the steps before it.
    scaler
        The gradient scaler, in float16.
    common
        ``common(reason)``, which returns the reason of any process that has one, or "". If one process runs as written,
        all must.
    as_written
        Number of steps before the recording.
    """

    def __init__(
        self,
        step: Step,
        networks: Sequence[nn.Module],
        optimizers: Sequence[torch.optim.Optimizer],
        stream: torch.cuda.Stream,
        scaler: torch.amp.GradScaler | None = None,
        common: Callable[[str], str] = str,
        as_written: int = AS_WRITTEN,
    ) -> None:
        self.step, self.networks, self.optimizers, self.stream = step, networks, optimizers, stream
        self.scaler, self.common, self.as_written = scaler, common, as_written
        self.parameters = [parameter for network in networks for parameter in network.parameters()]
        self.groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.calls, self.reason, self.graph = 0, "", None

    def __call__(self, lr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
        """Do one step of training."""
        self.calls += 1
        if self.graph is not None:
            return self._replay(lr, hr)
        return self._record(lr, hr) if self.calls == self.as_written + 1 else self._as_written(lr, hr)

    def _as_written(self, lr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
        main = torch.cuda.current_stream()
        self.stream.wait_stream(main)  # a recording needs another stream, and so do the steps that prepare it
        with torch.cuda.stream(self.stream):
            losses = self.step(lr, hr)
        main.wait_stream(self.stream)
        return losses

    def _replay(self, lr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
        self.lr.copy_(lr)
        self.hr.copy_(hr)
        self.graph.replay()
        return self.losses

    def _record(self, lr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
        """Do a step as written, record it, and repeat it as a replay to compare the two."""
        reason, before = self._move_settings(lr.device), self._save()
        with _noting_waits() as waits:
            losses = dict(self._as_written(lr, hr))
        after, gradients = self._save(), [parameter.grad for parameter in self.parameters]
        reason = self.common(reason or "".join(waits[:1]) or self._capture(lr, hr))
        if not reason:
            self._load(before)
            reason = self.common(self._difference(before, after, losses, self._replay(lr, hr)))
        if not reason:
            return self.losses
        self._load(after)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient  # instead of the recording's, whose memory is given back
        self.graph, self.losses, self.reason = None, {}, reason
        self.release()
        torch.cuda.empty_cache()
        print(f"Each step is trained as written, not as a CUDA graph, because {reason}.")
        return losses

    def _move_settings(self, device: torch.device) -> str:
        """Move learning rates and counts of steps to the GPU, where a replay reads them. Return "", or why not."""
        for optimizer in self.optimizers:
            name = type(optimizer).__name__
            if "capturable" not in optimizer.param_groups[0]:
                return f"{name}, which has no option capturable, would keep its first learning rate"
            if not optimizer.state:  # each replay would create it again
                return f"{name} has no state so far"
        for group in self.groups:
            group |= {"capturable": True, "lr": torch.as_tensor(group["lr"], dtype=torch.float32, device=device)}
        for slots in self._slots():
            slots["step"] = slots["step"].to(device)
        return ""

    def release(self) -> None:
        """Give the optimizers numbers as learning rates again."""
        for group in self.groups:
            group["lr"] = float(group["lr"])

    def _capture(self, lr: torch.Tensor, hr: torch.Tensor) -> str:
        """Record the step, which computes nothing. Return "", or the reason why it cannot be recorded."""
        self.lr, self.hr = lr.clone(), hr.clone()
        graph, chances = torch.cuda.CUDAGraph(), _cpu_randomness()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                losses = self.step(self.lr, self.hr)
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
        self.graph, self.losses = graph, {name: value.detach() for name, value in losses.items()}
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

    def _difference(self, before: Any, after: Any, losses: dict[str, Any], replayed: dict[str, Any]) -> str:
        """Return how the first replay differs from the step as written, or "" if the two are close."""
        for name, value in losses.items():
            if _far(replayed[name], value, value):
                return f"a replay returns a different {name} than the step itself, which depends on a value in Python"
        count = len(self.parameters)
        was, wanted, found = (
            torch.cat([copy.flatten() for _, copy in state[0][:count]]) for state in (before, after, self._save())
        )
        if _far(found, wanted, wanted - was):
            return "a replay updates weights differently than the step itself, which depends on a value in Python"
        return ""


def _far(found: torch.Tensor, wanted: torch.Tensor, size: torch.Tensor) -> bool:
    return bool((found - wanted).norm() > CLOSE * size.norm())


@contextmanager
def _noting_waits() -> Iterator[list[str]]:
    """Yield a list that gets a reason if the CPU waits for the GPU in the block; pass on all other warnings.

    In a recording, waiting is an error, after which older versions of torch cannot free memory
    (pytorch/pytorch#180395). So it must be found before.
    """
    reasons: list[str] = []
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield reasons
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    for warning in caught:
        if WAITS in str(warning.message):
            reasons.append("it waits for a number from the GPU, as .item() does")
        elif "Synchronization debug mode" not in str(warning.message):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _cpu_randomness() -> tuple[Any, ...]:
    keys, position = np.random.get_state()[1:3]  # noqa: NPY002 - a step may draw from it
    return torch.get_rng_state().tolist(), random.getstate(), keys.tolist(), position
