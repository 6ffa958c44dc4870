"""`Trainer`: the loop around the reader's own `step`. It never sees a loss function or a network's insides.

What it leaves in a run folder, and how a run survives a crash, is all in `srlab.training.runs`.
"""

import copy
import hashlib
import inspect
import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import is_dataclass
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from srlab.base.devices import convolutions, explaining_lack_of_memory, pick_device, pick_precision
from srlab.base.errors import SrlabError
from srlab.base.files import all_finite
from srlab.data.patches import PatchSampler
from srlab.training.progress import Progress
from srlab.training.ruin import find_ruin
from srlab.training.runs import LOG_EVERY, RunWriter
from srlab.training.schedules import Schedule, constant
from srlab.training.signals import Interrupts
from srlab.training.wrapping import bare, compile_networks, make_accelerator

Losses = dict[str, torch.Tensor]
SAVE_EVERY_S = 300  # seconds after which the state is saved even between validations


class Trainer:
    """Trains whatever the reader's `step` updates.

    It gives a device, mixed precision and many processes (Hugging Face accelerate), a moving average of the
    generator, a learning-rate schedule, validation, a progress bar, TensorBoard events, a guard against NaN,
    and runs that can be stopped at any moment and go on: on a CPU bit for bit, as long as a step draws its random
    numbers from PyTorch, on a GPU as nearly as its operations repeat themselves.

    Under ``torchrun`` each process trains on its share of every batch, and PyTorch averages the gradients, so a loss
    that is a mean over patches is that of one process with the whole batch. What looks at several patches at once sees
    those of one process: batch norm, and the average of a relativistic average loss. Random numbers that a step draws
    are the same in all processes. The first process alone writes, and losses are logged as means over all.

    Parameters
    ----------
    lab, run
        Where the run is kept: ``runs/<lab>/<run>/``.
    device, precision
        See `srlab.pick_device` and `srlab.pick_precision`.
    ema
        Decay of the moving average of the generator's weights; 0 keeps the weights themselves. It is warmed up
        as ``min(ema, (1 + step) / (ramp + step))``, so that a short run is not held at its start.
    seed
        Of PyTorch's global random numbers when the run begins.
    recipe
        What else decides the result and cannot be seen from the objects, such as the name of the loss; among the
        ``parameters`` of the manifest. A run is resumed only with the same recipe.
    compiled
        ``""``, or a mode of `srlab.training.wrapping.compile_networks` for all networks. Where torch.compile does not
        work, a line says why and the run goes on without. Sums may then be rounded in another order.
    ramp
        Of that formula: 10 averages over a ninth of the steps so far, for a random start; 3 over half of them, for a
        GAN that begins with a trained generator.

    Examples
    --------
    >>> trainer = Trainer("01_srresnet", "default")
    >>> generator, optimizer = trainer.prepare(generator=generator, optimizer=optimizer)
    >>> def step(lr, hr):
    ...     loss = F.mse_loss(generator(lr), hr)
    ...     optimizer.zero_grad()
    ...     trainer.backward(loss)
    ...     optimizer.step()
    ...     return {"loss": loss}
    >>> averaged = trainer.fit(step, sampler, iters=600)
    """

    def __init__(
        self,
        lab: str,
        run: str,
        device: str = "auto",
        precision: str = "auto",
        ema: float = 0.999,
        seed: int = 0,
        recipe: dict[str, Any] | None = None,
        compiled: str = "",
        ramp: int = 10,
    ) -> None:
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.accelerator = make_accelerator(self.device, self.precision)
        self.device = self.accelerator.device
        self.run = RunWriter(lab, run, writes=self.accelerator.is_main_process)
        self.ema_decay, self.ramp, self.seed = ema, ramp, seed
        self.recipe, self.compiled = recipe or {}, compiled
        self.modules: dict[str, nn.Module] = {}
        self.fixed: dict[str, nn.Module] = {}  # without a parameter that learns
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.step = 0
        self._rates: dict[str, list[float]] = {}  # of each optimiser's groups, as the last step had them

    @property
    def history(self) -> list[dict[str, float]]:
        """All logged rows, those of earlier calls included."""
        return self.run.history

    def prepare(self, **objects: nn.Module | torch.optim.Optimizer) -> Any:
        """Move networks and optimisers to the device and wrap them for precision and many processes.

        Called again, it begins anew: what is not among the objects then is neither trained nor kept.

        Parameters
        ----------
        **objects
            Networks and optimisers by name; the network to validate and keep is called ``generator``. One without
            a parameter that learns, such as a feature extractor, gets device and precision, but is not saved.

        Returns
        -------
        tuple
            The objects to use in `step`, in the same order.
        """
        objects = {name: bare(thing) for name, thing in objects.items()}
        self.modules, self.fixed, self.optimizers, self._rates = {}, {}, {}, {}
        for name, thing in objects.items():
            if name in ("ema", "sampler", "scaler"):
                raise SrlabError(f"The trainer itself uses the name {name}; choose another one in prepare.")
            if isinstance(thing, nn.Module):
                thing.to(self.device, memory_format=torch.channels_last)
                learns = any(parameter.requires_grad for parameter in thing.parameters())
                (self.modules if learns else self.fixed)[name] = thing
            elif isinstance(thing, torch.optim.Optimizer):
                self.optimizers[name] = thing
            else:
                raise SrlabError(f"prepare takes networks and optimisers, but {name} is a {type(thing).__name__}.")
        if "generator" not in self.modules:
            raise SrlabError("One of the networks must be passed as generator=..., the one to validate and keep.")
        # Copied before it is wrapped: accelerate binds the wrapped forward to the network it wraps.
        self.ema = copy.deepcopy(self.modules["generator"]).eval().requires_grad_(False)
        # A frozen network has nothing to exchange with the other processes, and accelerate refuses to try.
        prepared = tuple(
            self.accelerator.prepare_optimizer(thing)
            if name in self.optimizers
            else self.accelerator.prepare_model(thing, evaluation_mode=name in self.fixed)
            for name, thing in objects.items()
        )
        if self.compiled:
            networks = (*self.modules.values(), *self.fixed.values())
            if reason := compile_networks(networks, self.compiled, self.device):
                print(f"torch.compile does not work here ({reason}); going on without it.")
                self.compiled = ""
        return prepared if len(prepared) > 1 else prepared[0]

    def backward(self, loss: torch.Tensor) -> None:
        """``loss.backward()``, scaled where the precision asks for it.

        In float16 the gradients stay scaled until the optimiser steps. Before you clip them, call
        ``trainer.accelerator.unscale_gradients(optimizer)``.
        """
        self.accelerator.backward(loss)

    def gradient_norm(self, network: nn.Module) -> torch.Tensor:
        """Norm of a network's gradients after `backward`, free of the scale of float16: ``()``.

        It is 0 in a step whose gradients overflow, which the scaler of float16 will leave out: that is no failure.
        """
        norm = torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
        if self.accelerator.scaler is None:
            return norm
        norm = norm / self.accelerator.scaler.scale(torch.ones_like(norm))  # get_scale would wait for the GPU
        return torch.where(norm.isfinite(), norm, 0.0)

    def fit(
        self,
        step: Callable[[torch.Tensor, torch.Tensor], Losses],
        sampler: PatchSampler,
        iters: int,
        schedule: Schedule = constant,
        validate: Callable[[nn.Module], dict[str, float]] | None = None,
        validate_every: int = 1000,
        monitor: Callable[["Trainer"], None] | None = None,
        best: tuple[str, ...] = ("psnr",),
        floor: float = float("-inf"),
    ) -> nn.Module:
        """Train to a total of `iters` steps, going on where an earlier call or a crash left the run.

        A run that was laid out for another total goes on by the schedule that it is given now, which the manifest says.

        Parameters
        ----------
        step
            ``step(lr, hr)`` updates the networks once and returns its losses by name.
        sampler
            Gives the batches.
        iters
            Total number of steps of the run, those of earlier calls included.
        schedule
            Factor on every optimiser's learning rate as a function of the step.
        validate
            ``validate(generator)`` scores the averaged generator, for example ``{"psnr": 28.1}``.
        validate_every
            Steps between validations, each of which also saves the state. Two early ones come at a quarter
            and at half of it.
        monitor
            Called with the trainer after each validation, to draw.
        best
            Names among `validate`'s scores; the weights with the highest are kept as
            ``generator-best-<name>.safetensors``.
        floor
            Training stops when ``psnr`` among the scores falls below this, and far below its best: a ruin that no
            later stage should begin with. A sensible one lies some dB below bicubic.

        Returns
        -------
        torch.nn.Module
            The averaged generator, in eval mode and float32.

        Raises
        ------
        SrlabError
            `iters` is below 1, the run belongs to other settings or is in use, a loss is NaN, infinite or a hundred
            times what it was, the picture is ruined, or the disk is full. The last good state stays.
        TrainingStopped
            Interrupted; the state was saved.
        """
        if "generator" not in self.modules or not self.optimizers:
            raise SrlabError("Call prepare(generator=..., optimizer=...) before fit.")
        if not isinstance(iters, int) or iters < 1:
            raise SrlabError(f"iters is the total number of training steps and must be at least 1, but is {iters}.")
        if validate_every < 1:
            raise SrlabError(f"validate_every must be at least 1 step, but is {validate_every}.")

        def draw() -> None:
            if monitor is not None and self.accelerator.is_main_process:
                monitor(self)

        def score() -> None:
            if validate is not None:
                self._require_finite(self.ema.state_dict())  # here, or the score would be what fails
                self.run.add(self.step, self._scores(validate, best))
                self._stop_if_ruined(floor)
                self.run.keep_best(best, self.step, self.ema)
            draw()

        crowd = f"batches of {sampler.batch} patches of {sampler.patch} pixels"
        advice = (
            "close other programs and run the same again to go on, or lower batch or patch under another run name. "
            f"What was saved before is intact in {self.run.path}"
        )
        lock = self.run.lock() if self.accelerator.is_main_process else nullcontext()
        cudnn = convolutions(whole=self.precision == "no", fastest=True)
        with lock, cudnn, explaining_lack_of_memory(crowd, advice):
            self._begin(step, sampler, schedule, iters)
            if self.step < iters:
                self._train(step, sampler, iters, schedule, score, validate_every)
            else:
                print(f"The run '{self.run.name}' has already done {self.step} of {iters} steps; nothing to train.")
                self.run.finish(self.step, self.ema)
                draw()
            self.accelerator.wait_for_everyone()  # what the first process saves is there for all
        return self.ema

    def _train(
        self,
        step: Callable[..., Losses],
        sampler: PatchSampler,
        iters: int,
        schedule: Schedule,
        score: Callable[[], None],
        validate_every: int,
    ) -> None:
        """The loop: a step, and as often as it is due a row of the log, a validation and a saved state."""
        main = self.accelerator.is_main_process
        early = {max(1, validate_every // 4), max(1, validate_every // 2)}
        saved_at = time.monotonic()
        bar = Progress(total=iters, initial=self.step, desc=self.run.name, mininterval=1, disable=not main)
        with Interrupts() as interrupts, self.run.events(self.step), bar:
            if self.step == 0:
                score()
            while self.step < iters:
                losses = self._advance(step, sampler, schedule)
                late = self.step % LOG_EVERY == 0 and time.monotonic() - saved_at > SAVE_EVERY_S
                due = self.step in early or self.step % validate_every == 0 or self.step == iters
                stopping = self._stopping(interrupts)
                if due or stopping or self.step % LOG_EVERY == 0:
                    self._log(losses, bar)
                if due:
                    score()
                if due or late or stopping:
                    saved_at = time.monotonic()
                    self._save(sampler, "finished" if self.step == iters else "stopped" if stopping else "running")
                if stopping:
                    interrupts.leave(
                        f"Stopped at step {self.step} of {iters}; everything is saved in {self.run.path}. "
                        "Run the same cell or command again to go on."
                    )

    def _stopping(self, interrupts: Interrupts) -> bool:
        """Whether to stop after this step. Several processes agree on it, and not at each step: it takes a wait."""
        if self.accelerator.num_processes > 1:
            if self.step % LOG_EVERY:
                return False
            signals = self._everywhere(torch.tensor(interrupts.caught or 0, device=self.device))
            interrupts.caught = int(signals.max()) or None
        return bool(interrupts.caught)

    def _everywhere(self, values: torch.Tensor) -> torch.Tensor:
        """What each process has, stacked: ``(processes, ...)``."""
        return self.accelerator.gather(values[None]) if self.accelerator.num_processes > 1 else values[None]

    def _advance(self, update: Callable[..., Losses], sampler: PatchSampler, schedule: Schedule) -> Losses:
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * schedule(self.step)
            self._rates[name] = [group["lr"] for group in optimizer.param_groups]
        lr, hr = (batch.contiguous(memory_format=torch.channels_last) for batch in next(sampler))
        if self.compiled:
            torch.compiler.cudagraph_mark_step_begin()  # what CUDA graphs made in the last step is no longer needed
        losses = update(lr, hr)
        if not isinstance(losses, dict) or not losses:
            raise SrlabError('The function step must return its losses by name, such as {"loss": loss}.')
        losses = {name: torch.as_tensor(value, device=self.device).detach() for name, value in losses.items()}
        for name, value in losses.items():
            if value.numel() != 1:
                raise SrlabError(f"The loss '{name}' of step has {tuple(value.shape)} numbers; take its mean().")
        if reserved := {"step", "rate"} & losses.keys():
            raise SrlabError(f"The log itself has a column {min(reserved)}; give that loss of step another name.")
        losses = {name: value.reshape(()) for name, value in losses.items()}
        self.step += 1
        # Which step was the first to go wrong is noted on the device, without waiting for it.
        healthy = torch.stack([value.isfinite() for value in losses.values()]).all()
        self._first_bad = torch.where(healthy | (self._first_bad > 0), self._first_bad, self.step)
        decay = min(self.ema_decay, (1 + self.step) / (self.ramp + self.step))
        generator = self.modules["generator"]
        with torch.no_grad():
            get_ema_multi_avg_fn(decay)(list(self.ema.parameters()), list(generator.parameters()), None)
            if buffers := list(self.ema.buffers()):
                torch._foreach_copy_(buffers, list(generator.buffers()))  # one launch for all; no public name does that
        return losses

    def _log(self, losses: Losses, bar: Progress) -> None:
        first_bad = int(self._everywhere(self._first_bad).max())
        if first_bad:
            self.run.fail(f"a loss became NaN or infinite at step {first_bad}")
        values = self._everywhere(torch.stack([value.float() for value in losses.values()])).mean(0)
        row = dict(zip(losses, values.tolist(), strict=True))
        bar.set_postfix({name: f"{value:.4f}" for name, value in row.items()}, refresh=False)
        bar.update(self.step - bar.n)
        self.run.add(self.step, row | {"rate": float(next(iter(self.optimizers.values())).param_groups[0]["lr"])})
        self._stop_if_ruined()

    def _scores(self, validate: Callable, best: tuple[str, ...]) -> dict[str, float]:
        """A row for the log, the same in all processes: the first finds it, and the others wait for it anyway."""
        rows: list[Any] = [None]
        if self.accelerator.is_main_process:
            found = validate(self.ema)
            if not hasattr(found, "items"):
                raise SrlabError(f'validate must return its scores by name, such as {{"psnr": 28.1}}, not {found}.')
            missing = [name for name in best if name not in found]
            if missing and best != ("psnr",):  # that is not asked for, but the default
                raise SrlabError(f"best names {', '.join(missing)}, but validate gives {', '.join(found)}.")
            rows = [{f"val_{name}": float(value) for name, value in found.items()}]
        return broadcast_object_list(rows)[0]

    def _begin(self, step: Callable, sampler: PatchSampler, schedule: Schedule, iters: int) -> None:
        """Take up the run where its newest state left it, or begin it."""
        sampler.share(self.accelerator.process_index, self.accelerator.num_processes)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
            for group, rate in zip(optimizer.param_groups, self._rates.get(name, ()), strict=False):
                if group["lr"] != rate:
                    raise SrlabError(
                        f"The learning rate was set to {group['lr']:g} between two calls of fit, which would overwrite "
                        "it; make the optimiser with that rate, and give the run another name."
                    )
        self._first_bad = torch.zeros((), dtype=torch.long, device=self.device)
        torch.manual_seed(self.seed)
        state = self.run.find_state(self._full_recipe(sampler, schedule, iters), iters, self.step)
        self.accelerator.wait_for_everyone()  # all have read before the first process writes
        if state:
            self._compare_with(state)
            self._put_back(state, sampler)
        facts = {"device": str(self.device), "precision": self.precision, "compiled": self.compiled}
        facts |= {"processes": self.accelerator.num_processes, "code_of_step": _hash_of_source(step)}
        self.run.begin(self.step, iters, facts)
        if not state:
            # Should a step raise, a second try in the same kernel begins where this one does.
            self._save(sampler, "running")

    def _full_recipe(self, sampler: PatchSampler, schedule: Schedule, iters: int) -> dict[str, Any]:
        """All that decides the result, for the manifest."""
        recipe = self.recipe | {"seed": self.seed, "ema": self.ema_decay, "sampler": sampler.describe()}
        for name, module in (self.modules | self.fixed).items():
            recipe[name] = {"network": type(module).__name__} | getattr(module, "config", {})
        for name, optimizer in self.optimizers.items():
            recipe[name] = {"optimizer": type(optimizer).__name__} | _settings(optimizer.param_groups)
        return recipe | {"schedule": _said(schedule, iters)}

    def _save(self, sampler: PatchSampler, status: str) -> None:
        state = self._state(sampler)
        slots = [slot for slots in state["optimizers"].values() for slot in slots.values()]
        for tensors in (*state["networks"].values(), *slots):
            self._require_finite(tensors)
        self.run.save(self.step, state, self.ema, status)

    def _state(self, sampler: PatchSampler) -> dict[str, Any]:
        """What a resumed run needs to go on as if nothing had happened; learning rates follow from the step."""
        random = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            "networks": {name: thing.state_dict() for name, thing in self._stateful(sampler).items()},
            "optimizers": {name: optimizer.state_dict()["state"] for name, optimizer in self.optimizers.items()},
            "random": random,
        }

    def _compare_with(self, state: dict[str, Any]) -> None:
        """Refuse networks that the weights of a state don't fit, and say if it has others before the first step.

        Before anything is put back, as `load_state_dict` would have filled a part by the time it refuses.
        """
        for name, module in self.modules.items():
            kept, given = state["networks"][name], module.state_dict()
            if {key: value.shape for key, value in given.items()} != {key: value.shape for key, value in kept.items()}:
                raise SrlabError(
                    f"The {name} has other layers than that of the run '{self.run.name}'; give this run another name, "
                    f"or delete {self.run.path} to start it anew."
                )
        kept, given = state["networks"]["generator"], self.modules["generator"].state_dict()
        if not state["step"] and not all(torch.equal(given[name].cpu(), value) for name, value in kept.items()):
            print(
                "This run begins with the weights of its first try, not with those that it was given now; for "
                f"these, delete {self.run.path}, or take another run name."
            )

    def _put_back(self, state: dict[str, Any], sampler: PatchSampler) -> None:
        """Put back what `_state` collected, and go on at its step."""
        for name, thing in self._stateful(sampler).items():
            if name in state["networks"] or name != "scaler":  # one that begins to train in float16 has a new scaler
                thing.load_state_dict(state["networks"][name])
        for name, optimizer in self.optimizers.items():
            groups = optimizer.state_dict()["param_groups"]  # its settings are those of the run that goes on
            optimizer.load_state_dict({"state": state["optimizers"][name], "param_groups": groups})
        torch.set_rng_state(state["random"]["cpu"])
        if self.device.type == "cuda" and "cuda" in state["random"]:
            torch.cuda.set_rng_state(state["random"]["cuda"], self.device)
        self.step = state["step"]

    def _stateful(self, sampler: PatchSampler) -> dict[str, Any]:
        """By name, what has a state dict: networks, their average, the sampler and the scaler of float16."""
        scaler = {"scaler": self.accelerator.scaler} if self.accelerator.scaler else {}
        return self.modules | {"ema": self.ema, "sampler": sampler} | scaler

    def _require_finite(self, values: dict[str, Any]) -> None:
        if not all_finite({name: value for name, value in values.items() if isinstance(value, torch.Tensor)}):
            self.run.fail(f"a weight became NaN or infinite by step {self.step}")

    def _stop_if_ruined(self, floor: float = float("-inf")) -> None:
        if ruin := find_ruin(self.history, floor):
            self.run.fail(ruin)


def _hash_of_source(step: Callable) -> str:
    """A short hash of the text of a training step; "" where there is none, as for what was typed into an interpreter.

    What the step calls is not looked at.
    """
    try:
        return hashlib.sha256(inspect.getsource(step).encode()).hexdigest()[:16]
    except (OSError, TypeError):
        return ""


def _said(schedule: Schedule, iters: int) -> str:
    """What a schedule is called, and where that doesn't say all, a short hash of its curve over the run."""
    if is_dataclass(schedule):
        return repr(schedule)
    curve = [f"{float(schedule(round(share * (iters - 1) / 50))):.6g}" for share in range(51)]
    name = re.sub(" at 0x[0-9a-fA-F]+", "", getattr(schedule, "__name__", repr(schedule)))
    return f"{name} (curve {hashlib.sha256(' '.join(curve).encode()).hexdigest()[:8]})"


def _settings(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """An optimiser's settings; one that its groups of parameters don't share is a list, as is how many each has."""
    settings = {key: [group[key] for group in groups] for key in groups[0] if key not in ("params", "lr")}
    settings = {key: found[0] if found.count(found[0]) == len(found) else found for key, found in settings.items()}
    return settings | ({"tensors": [len(group["params"]) for group in groups]} if len(groups) > 1 else {})
