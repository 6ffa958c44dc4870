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
from srlab.training import processes

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, Any]]
AS_WRITTEN = 3  # steps before the recording, which create the optimizers' states and choose cuDNN's algorithms
CLOSE = 0.1  # largest relative difference of a replay; where operations are not deterministic, Adam amplifies rounding
WAITS = "called a synchronizing CUDA operation"  # in torch's warning
WARNING = (
    "WARNING: A replay of the recorded step differs slightly from the step itself. If your step uses a number that "
    "changes in Python, it is frozen now: use trainer.progress, or set launch to 'python'."
)


class NotRecordable(SrlabError):
    """A step cannot be recorded; the message is the reason."""


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


class State(NamedTuple):
    """Everything that a step changes, at one moment."""

    copies: dict[torch.Tensor, torch.Tensor]  # of parameters, buffers, gradients and optimizers, on the CPU
    gradients: list[torch.Tensor | None]  # of all parameters, the tensors themselves
    rng: torch.Tensor  # the GPU's random number generator


class RecordedStep:
    """A training step that runs as written a few times, is then recorded, and is replayed from then on.

    Each call is one step of training on its own batch. A replay repeats the recorded kernels, so everything that they
    read must be on the GPU: weights, random numbers and learning rates, which the trainer writes there. If a step waits
    for a number from the GPU, draws random numbers on the CPU, reads `Trainer.steps_done`, returns something that is
    not on the GPU, or uses an optimizer with a fixed learning rate or without a state, it runs as written to the end.
    The same happens if the recording needs too much memory. `reason` then has the reason, which is also printed.

    The first replay is compared with the step as written, on the same batch and from the same state, with deterministic
    convolutions. So a number of Python's that changes from call to call, such as a counter, shows in the losses or in
    the weights. If they differ by more than `CLOSE`, the step runs as written; if they are not equal, a warning is
    printed. What cannot be detected: a number that changes only later, and everything else that a step does in Python,
    such as printing or appending to a list. After the recording, which calls the step more often than there are
    batches, it does not happen again.

    In several processes, the exchange of gradients is part of the recorded step, so either all of them record it or
    none does.

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
    """

    def __init__(
        self,
        step: Step,
        networks: Sequence[nn.Module],
        optimizers: Sequence[torch.optim.Optimizer],
        stream: torch.cuda.Stream,
        turns: int = 1,
    ) -> None:
        self.step, self.networks, self.optimizers, self.stream = step, networks, optimizers, stream
        self.weights = [list(network.parameters()) for network in networks]
        self.parameters = [parameter for weights in self.weights for parameter in weights]
        self.groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.reason, self.calls = "", [0] * turns
        self.recordings: list[Recording | None] = [None] * turns

    def __call__(self, lr: torch.Tensor, hr: torch.Tensor, turn: int = 0) -> dict[str, Any]:
        """Do one step of training."""
        if recording := self.recordings[turn]:
            return recording.replay(lr, hr)
        self.calls[turn] += 1
        if self.reason or self.calls[turn] <= AS_WRITTEN:
            return self._run_as_written(lr, hr)
        return self._record(lr, hr, turn)

    def release(self) -> None:
        """Drop all recordings, and give the optimizers numbers as learning rates again."""
        self.recordings = [None] * len(self.recordings)
        for group in self.groups:
            group["lr"] = float(group["lr"])

    def _run_as_written(self, lr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
        with on_stream(self.stream):  # a recording needs another stream, and so do the steps that prepare it
            return self.step(lr, hr)

    def _record(self, lr: torch.Tensor, hr: torch.Tensor, turn: int) -> dict[str, Any]:
        """Do a step as written, then record it, unless there is a reason why replays would not do the same."""
        reasons = self._move_settings(lr.device)  # before they are saved, because a replay reads the moved tensors
        before = self._save()
        with cudnn_settings(tf32=True, deterministic=True), _noting_waits(reasons):
            losses = dict(self._run_as_written(lr, hr))
        after = self._save()
        recording = None
        with self._refusing_together():
            if reasons:
                raise NotRecordable(reasons[0])
            self._refuse_accumulation(before, after)
            with cudnn_settings(tf32=True, deterministic=True):
                recording = self._capture(lr, hr)
        if not self.reason:  # in any process: a replay exchanges gradients, so all must do it
            with self._refusing_together():
                self._load(before)
                self._compare(before, after, losses, recording.replay(lr, hr))
                self._load(after)  # the step as written counts
                recording = None  # gives back the memory of its gradients
                self.recordings[turn] = self._capture(lr, hr)  # with the fastest convolutions
                self._fill_gradients(after)
        if self.reason:  # after the blocks, in which the exception keeps the memory of a failed recording
            recording = None
            self._load(after)
            self.release()
            torch.cuda.empty_cache()
            print(f"Each step is trained as written, not as a CUDA graph, because {self.reason}.")
        return losses

    @contextmanager
    def _refusing_together(self) -> Iterator[None]:
        """Set `reason` in all processes if one raises NotRecordable in the block."""
        reason = ""
        try:
            yield
        except NotRecordable as refusal:
            reason = str(refusal)
        self.reason = processes.first_reason(reason)

    def _capture(self, lr: torch.Tensor, hr: torch.Tensor) -> Recording:
        """Record the step, which computes nothing. Raise NotRecordable if that is impossible."""
        lr, hr, graph, randomness = lr.clone(), hr.clone(), torch.cuda.CUDAGraph(), _cpu_randomness()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                losses = self.step(lr, hr)
        except Exception as error:  # whatever CUDA or a student's code raises
            while error.__context__ is not None:  # the first error; those of CUDA follow from it
                error = error.__context__  # type: ignore[assignment]  # a name that is deleted, with its tensors
            text = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
            if not isinstance(error, NotRecordable):
                text = f"the recording stopped ({text})"
            raise NotRecordable(text) from None
        if _cpu_randomness() != randomness:
            raise NotRecordable("it draws random numbers on the CPU")
        for name, value in losses.items():
            if not isinstance(value, torch.Tensor) or value.device != lr.device:
                raise NotRecordable(f"'{name}', which it returns, is not a tensor on the GPU")
        return Recording(graph, lr, hr, {name: value.detach() for name, value in losses.items()})

    def _move_settings(self, device: torch.device) -> list[str]:
        """Move learning rates and states of optimizers to the GPU, where a replay reads them, or return why not."""
        for optimizer in self.optimizers:
            name = type(optimizer).__name__
            if "capturable" not in optimizer.param_groups[0]:
                return [f"{name}, which has no option capturable, would keep its first learning rate"]
            if not optimizer.state:  # each replay would create it again
                return [f"{name} has no state so far"]
        for group in self.groups:
            group |= {"capturable": True, "lr": torch.as_tensor(group["lr"], dtype=torch.float32, device=device)}
        for slots in self._slots():
            slots |= {name: value.to(device) for name, value in slots.items() if isinstance(value, torch.Tensor)}
        return []

    def _slots(self) -> list[dict[str, Any]]:
        return [slots for optimizer in self.optimizers for slots in optimizer.state.values()]

    def _refuse_accumulation(self, before: State, after: State) -> None:
        """Raise NotRecordable if turns add up their gradients, whose memory another turn may give back."""
        kept = [now for was, now in zip(before.gradients, after.gradients, strict=True) if was is now is not None]
        same = (torch.allclose(before.copies[one], after.copies[one], 0, 0, equal_nan=True) for one in kept)
        if len(self.recordings) > 1 and not all(same):
            raise NotRecordable("its turns add up gradients")

    def _compare(self, before: State, after: State, losses: dict[str, Any], replayed: dict[str, Any]) -> None:
        """Raise NotRecordable if the first replay differs from the step as written; warn if the difference is small."""
        if losses.keys() != replayed.keys():
            raise NotRecordable("it does not return the same losses each time")
        updates = zip(self._updates(before, self._save()), self._updates(before, after), strict=True)
        pairs = [(name, replayed[name].cpu(), losses[name].detach().cpu(), 0.01) for name in losses]
        pairs += [("update", now, then, 0.0) for now, then in updates]
        for name, now, then, floor in pairs:
            if not (now - then).norm() <= CLOSE * max(then.norm(), floor):  # also false for NaN
                text = f"a replay has a different {name} than the step itself, which depends on a value in Python"
                raise NotRecordable(text)
        if not all(torch.equal(now, then) for _, now, then, _ in pairs):
            print(WARNING)

    def _updates(self, before: State, after: State) -> list[torch.Tensor]:
        """Return the update of each network's parameters, flat."""
        return [
            torch.cat([(after.copies[weight] - before.copies[weight]).flatten() for weight in weights])
            for weights in filter(None, self.weights)
        ]

    def _save(self) -> State:
        """Copy everything that a step changes."""
        gradients = [parameter.grad for parameter in self.parameters]
        tensors = [*self.parameters, *(buffer for network in self.networks for buffer in network.buffers())]
        tensors += [gradient for gradient in gradients if gradient is not None]
        tensors += [value for slots in self._slots() for value in slots.values() if isinstance(value, torch.Tensor)]
        copies = {tensor: tensor.detach().to("cpu", copy=True) for tensor in tensors}
        return State(copies, gradients, torch.cuda.get_rng_state())

    def _load(self, state: State) -> None:
        """Write a saved state into the same memory, which is what a replay reads."""
        for tensor, copy in state.copies.items():
            tensor.detach().copy_(copy)
        for parameter, gradient in zip(self.parameters, state.gradients, strict=True):
            parameter.grad = gradient
        torch.cuda.set_rng_state(state.rng)

    def _fill_gradients(self, state: State) -> None:
        """Copy saved gradients into the memory of the recording's, which is not written before its first replay."""
        for parameter, gradient in zip(self.parameters, state.gradients, strict=True):
            if gradient is not None and parameter.grad is not None:
                parameter.grad.copy_(gradient)


@contextmanager
def on_stream(stream: torch.cuda.Stream) -> Iterator[None]:
    """Launch the block's work on another stream, after all work before it, and before all work after it."""
    main = torch.cuda.current_stream()
    stream.wait_stream(main)
    with torch.cuda.stream(stream):
        yield
    main.wait_stream(stream)


@contextmanager
def _noting_waits(reasons: list[str]) -> Iterator[None]:
    """Add a reason if the CPU waits for the GPU in the block, whose warnings are not shown.

    In a recording, waiting is an error, after which older versions of torch cannot free memory
    (pytorch/pytorch#180395). So it must be found before.
    """
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    if any(WAITS in str(warning.message) for warning in caught):
        reasons.append("it waits for a number from the GPU, as .item() does")


def _cpu_randomness() -> tuple[Any, ...]:
    state: Any = np.random.get_state(legacy=True)  # noqa: NPY002 - a step may draw from it
    keys, position = state[1:3]
    return torch.get_rng_state().tolist(), random.getstate(), keys.tolist(), position
