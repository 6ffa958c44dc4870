"""`Trainer`: the training loop around your own `step`, independent of losses and architectures.

`srlab.training.runs` describes the run folder and how a run recovers from a crash.
"""

import copy
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from numbers import Integral
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from srlab import private_torch
from srlab.data.patch_sampler import PatchSampler
from srlab.devices import cudnn_settings, explaining_lack_of_memory, pick_device, pick_precision
from srlab.errors import SrlabError
from srlab.models.wrappers import unwrapped
from srlab.tensor_files import all_finite
from srlab.training import processes
from srlab.training.calendar import Calendar
from srlab.training.cuda_graph import NotRecordable, RecordedStep, Step
from srlab.training.divergence import detect_divergence, first_bad_step
from srlab.training.gradients import averaged_and_bounded
from srlab.training.interrupts import Interrupts, TrainingStopped
from srlab.training.launch import LAUNCHES, compiled_if_it_pays, is_recorded
from srlab.training.manifests import Facts
from srlab.training.objects import Losses, as_scalars, sorted_out
from srlab.training.progress import Pace, Progress
from srlab.training.rates import Rates
from srlab.training.runs import Run
from srlab.training.schedules import Schedule, constant
from srlab.training.settings import describe_optimizer, describe_schedule, hash_of_source
from srlab.training.state import State, is_finite, load_state, refuse_other_layers, state_of
from srlab.training.wrapping import in_bfloat16


class Trainer:
    """A training loop that calls your `step` for each batch.

    The trainer handles devices, mixed precision, a moving average of the generator (EMA), the learning rate,
    validation, logging and divergence. You can stop a run at any moment and resume it: on a CPU bit for bit, if the
    step draws its random numbers from PyTorch; on a GPU as exactly as its operations are reproducible.

    Under ``torchrun``, several processes train one run, each on its share of every batch (`processes.py`). A batch is
    the whole batch, on any number of processes, and a run can be resumed with another number. What your step computes
    over a batch is per process, such as batch norm's statistics or the mean logits of RaGAN, as in PyTorch's
    DistributedDataParallel. The step must call its optimizers equally often in each process.

    Parameters
    ----------
    lab, run
        Names of the lab and the run, which give the folder ``runs/<lab>/<run>/``.
    device, precision
        See `srlab.pick_device` and `srlab.pick_precision`.
    ema, ema_warmup
        Decay of the EMA (0: no averaging). It warms up as ``min(ema, (1 + step) / (ema_warmup + step))``. A warm-up of
        10 averages over a ninth of the steps so far, for a random initialization; 3 over half of them, for a GAN that
        starts from a pretrained generator.
    seed
        Seed for PyTorch's global random numbers at the start of the run.
    settings
        Other settings that determine the result, such as the name of the loss. A run is resumed only with the same
        ones.
    launch
        Who launches a GPU's work. With ``"python"`` the step runs as written, and a fast GPU waits for Python most of
        the time. With ``"graph"`` the step is recorded as a CUDA graph and replayed, with the same results
        (`cuda_graph.py`). ``"auto"`` does the same, and in long runs it also compiles the repeated blocks of the
        networks, which may then round differently; on a CPU it does nothing (`launch.py`). Where something does not
        work, the trainer prints why and continues without it.
    notes
        Facts for ``run.json`` that do not affect the result, such as the name of a recipe.
    turns
        Number of steps after which the step does the same again, such as 2 if it updates G in every second step. It may
        depend on `turn`, and each turn is recorded separately.
    max_gradient
        Largest norm of the gradient with which an optimizer steps, over all its parameters. A longer gradient is scaled
        down to it, after averaging over the processes. 0: no limit.

    Attributes
    ----------
    progress
        Share of finished steps, a tensor ``()`` on the device. A recorded step can read it, but not `steps_done`.

    Examples
    --------
    >>> trainer = Trainer("01_srresnet", "default")
    >>> generator, optimizer = trainer.prepare(generator=generator, optimizer=optimizer)
    >>> def step(lr, hr):
    ...     loss = F.mse_loss(generator(lr), hr)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return {"loss": loss}
    >>> averaged = trainer.fit(step, sampler, iters=600)
    """

    stop_on: Collection[str]
    _first_bad: torch.Tensor

    def __init__(
        self,
        lab: str,
        run: str,
        device: str = "auto",
        precision: str = "auto",
        ema: float = 0.999,
        ema_warmup: int = 10,
        seed: int = 0,
        settings: dict[str, Any] | None = None,
        launch: str = "python",
        turns: int = 1,
        notes: dict[str, Any] | None = None,
        max_gradient: float = 0.0,
    ) -> None:
        if turns < 1:
            raise SrlabError(f"turns must be at least 1, but is {turns}.")
        if max_gradient < 0:
            raise SrlabError(f"max_gradient must be at least 0, but is {max_gradient}.")
        if launch not in LAUNCHES:
            raise SrlabError(f"'{launch}' is not a valid launch. Use {', '.join(LAUNCHES)}.")
        processes.join(device)
        self.device = pick_device(device)
        current = torch.cuda.current_device() if self.device.type == "cuda" else 0
        if self.device.type not in ("cpu", "cuda") or self.device.index not in (None, current):
            raise SrlabError(f"Training cannot use {self.device}. Use cpu or cuda (with CUDA_VISIBLE_DEVICES).")
        self.precision = pick_precision(precision, self.device)
        self.run = Run(lab, run)
        self.ema_decay, self.ema_warmup, self.seed, self.max_gradient = ema, ema_warmup, seed, max_gradient
        self.settings, self.launch, self.turns, self.notes = settings or {}, launch, turns, notes or {}
        self.networks: dict[str, nn.Module] = {}  # trainable networks
        self.fixed: dict[str, nn.Module] = {}  # networks without trainable parameters
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.prepared: dict[str, Any] = {}  # all of them, for use in a step
        self._steps_done = 0
        self.progress = torch.zeros((), dtype=torch.float64, device=self.device)
        self._recording: RecordedStep | None = None  # during training
        self._compiled = ""  # what was compiled: "blocks", or nothing
        self._rates = Rates({})

    @property
    def steps_done(self) -> int:
        """Number of finished steps."""
        if self._recording is not None and torch.cuda.is_current_stream_capturing():
            raise NotRecordable("it reads trainer.steps_done, which would never change (use trainer.progress)")
        return self._steps_done

    @property
    def turn(self) -> int:
        """Number of the current step, counted from 0, modulo `turns`."""
        return self._steps_done % self.turns

    @property
    def history(self) -> list[dict[str, float]]:
        """All logged rows, including those of earlier calls."""
        return self.run.history

    def prepare(self, **objects: nn.Module | torch.optim.Optimizer) -> Any:
        """Move networks to the device, and return networks and optimizers for use in a step, in the same order.

        ``trainer.prepared`` has them by name. The network to validate and save must be called ``generator``. A network
        without trainable parameters, such as a feature extractor, is not saved. A second call replaces all objects of
        the first. Networks that you have wrapped, as with `torch.compile`, are unwrapped; `launch` compiles them.
        """
        self.prepared = {
            name: unwrapped(thing) if isinstance(thing, nn.Module) else thing for name, thing in objects.items()
        }
        self.networks, self.fixed, self.optimizers = sorted_out(self.prepared)
        self._rates = Rates(self.optimizers)
        for network in (self.networks | self.fixed).values():
            network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.networks["generator"]).eval().requires_grad_(False)
        self._stream = torch.cuda.Stream(self.device) if self._records() else None  # recordings need a separate one
        return tuple(self.prepared.values())

    def update(self, loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> torch.Tensor:
        """Clear the gradients, call ``loss.backward()``, and step; return the norm of the gradient, shape ``()``."""
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # also averages the gradients over the processes
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])

    # --- The loop ---

    def fit(
        self,
        step: Callable[[torch.Tensor, torch.Tensor], Losses],
        sampler: PatchSampler,
        iters: int,
        schedule: Schedule = constant,
        validate: Callable[[nn.Module], dict[str, float]] | None = None,
        validate_every: int = 1000,
        monitor: Callable[["Trainer"], None] | None = None,
        min_psnr: float = float("-inf"),
        stop_on: Collection[str] = ("loss", "g_loss"),
    ) -> nn.Module:
        """Train until the run has `iters` steps in total, starting where an earlier call or a crash left it.

        Ctrl-C, SIGTERM and SIGHUP take effect after the current step, which is saved, and raise `TrainingStopped`; a
        second Ctrl-C takes effect at once. If training fails, the last good checkpoint is kept.

        Parameters
        ----------
        step
            ``step(lr, hr)``, which updates the networks once and returns its losses by name.
        iters
            Total number of steps, including earlier calls. If it changes, the run continues with the new schedule.
        schedule
            Factor on every optimizer's learning rate as a function of the step.
        validate
            ``validate(generator)``, which scores the averaged generator, for example ``{"psnr": 28.1}``. The weights
            with the highest ``psnr`` and ``ssim`` are saved as ``generator-best-psnr.safetensors`` and ``-ssim``.
        validate_every
            Steps between validations; each also saves a checkpoint and calls `monitor`, to draw. The first interval has
            two extra validations, after a quarter and after half of it.
        monitor
            ``monitor(trainer)``, called after each validation, for example to draw samples.
        min_psnr
            Lowest acceptable ``psnr`` in dB, for example a few dB below bicubic. Training stops if the score falls
            below it and far below its best value, so that no later stage starts from a collapsed network.
        stop_on
            Names of the losses whose explosion stops the training. D's loss is not among them: it is near 0 when D is
            confident, and 100 times that is still harmless.

        Returns
        -------
        torch.nn.Module
            The averaged generator, in eval mode and float32.
        """
        if "generator" not in self.networks or not self.optimizers:
            raise SrlabError("Call prepare(generator=..., optimizer=...) before fit.")
        if not isinstance(iters, Integral) or iters < 1:
            raise SrlabError(f"iters is the total number of training steps and must be at least 1, but is {iters}.")
        if validate_every < 1:
            raise SrlabError(f"validate_every must be at least 1 step, but is {validate_every}.")
        processes.require_shares(sampler.batch)
        self.stop_on = stop_on
        draw = monitor or (lambda trainer: None)
        advice = (
            "Close other programs and run the same again to resume, or lower batch or patch under another run name. "
            f"Everything saved before is intact in {self.run.path}"
        )
        networks = [*self.networks.values(), *self.fixed.values()]
        pays = self.launch == "auto" and self._records()
        with (
            self.run.lock(),
            cudnn_settings(tf32=self.precision != "fp32", autotune=True),
            explaining_lack_of_memory(f"batches of {sampler.batch} patches of {sampler.patch} pixels", advice),
            compiled_if_it_pays(networks, self.device, int(iters)) if pays else nullcontext("") as self._compiled,
            in_bfloat16(networks if self.precision == "bf16" else (), self.device),
            averaged_and_bounded(self.optimizers.values(), self.max_gradient),
        ):
            self._begin(step, sampler, schedule, int(iters))
            if self.steps_done >= iters:
                print(
                    f"The run '{self.run.name}' has already done {self.steps_done} of {iters} steps. Nothing to train."
                )
                self.run.repair_finished(self.steps_done, self.ema)
                draw(self)
                return self.ema
            calendar = Calendar(int(iters), validate_every)
            bar = Progress(total=iters, initial=self.steps_done, desc=self.run.name, mininterval=1)
            log = self.run.tensorboard(self.steps_done)
            with Interrupts() as interrupts, log, bar, self._recorded(step) as advance:
                if self.steps_done == 0:
                    self._validate(validate, min_psnr)
                    draw(self)
                pace = Pace(self.steps_done)
                while self.steps_done < iters:
                    self._rates.set(schedule(self.steps_done))
                    self.progress.fill_(self.steps_done / iters)
                    lr, hr = (
                        processes.share(batch).contiguous(memory_format=torch.channels_last) for batch in next(sampler)
                    )
                    with processes.own_random_numbers(self.seed, self.steps_done):
                        losses = as_scalars(advance(lr, hr, self.turn), self.device)
                    self._first_bad = first_bad_step(self._first_bad, losses, self.steps_done + 1)
                    self._steps_done += 1
                    self._update_average()

                    stopping = bool(interrupts.caught)
                    if processes.count() > 1:  # they agree where they wait for each other anyway
                        stopping = calendar.logs(self.steps_done) and bool(processes.largest(stopping))
                    if calendar.logs(self.steps_done) or stopping:
                        self._log(losses, bar, pace)
                    if calendar.validates(self.steps_done):
                        bar.report(self._validate(validate, min_psnr))
                        draw(self)
                    if calendar.saves(self.steps_done) or stopping:
                        status = "finished" if self.steps_done == iters else "stopped" if stopping else "running"
                        with interrupts.saving():
                            self._save(sampler, status)
                        calendar.note_save()
                        pace.start(self.steps_done)
                    if stopping:
                        raise TrainingStopped(
                            f"Stopped at step {self.steps_done} of {iters}; everything is saved in {self.run.path}. "
                            "Run the same cell or command again to resume."
                        )
        return self.ema

    def _records(self) -> bool:
        return is_recorded(self.launch, self.device)

    @contextmanager
    def _recorded(self, step: Step) -> Iterator[Callable[[torch.Tensor, torch.Tensor, int], Losses]]:
        """Yield the step as a function of the batch and the turn, recorded if `launch` and the device allow it."""
        if not self._records():
            if self.launch == "graph":
                print(f"A CUDA graph needs a GPU. On the {self.device.type}, each step is trained as written.")
            yield lambda lr, hr, turn: step(lr, hr)
            return
        networks, optimizers = [*self.networks.values(), *self.fixed.values()], [*self.optimizers.values()]
        assert self._stream is not None  # `prepare` made it
        self._recording = RecordedStep(step, networks, optimizers, self._stream, self.turns)
        try:
            yield self._recording
        finally:
            self._recording.release()
            self._recording = None

    def _update_average(self) -> None:
        decay = min(self.ema_decay, (1 + self.steps_done) / (self.ema_warmup + self.steps_done))
        generator = self.networks["generator"]
        with torch.no_grad():
            get_ema_multi_avg_fn(decay)(list(self.ema.parameters()), list(generator.parameters()), None)
            if buffers := list(self.ema.buffers()):
                private_torch.copy_all(buffers, list(generator.buffers()))

    def _log(self, losses: Losses, bar: Progress, pace: Pace) -> None:
        if first_bad := processes.largest(int(self._first_bad)):
            self.run.fail(f"a loss became NaN or infinite at step {first_bad}")
        values = torch.stack([value.float() for value in losses.values()])
        processes.average([values])
        row = dict(zip(losses, values.tolist(), strict=True))
        milliseconds = pace.lap(self.steps_done)
        shown = {name: f"{value:.4f}" for name, value in row.items()} | {"ms/step": f"{milliseconds:.1f}"}
        bar.set_postfix(shown, refresh=False)
        bar.update(self.steps_done - bar.n)
        self.run.log(self.steps_done, **row, rate=self._rates.last[0], ms_per_step=milliseconds)
        self._stop_if_ruined()

    def _validate(self, validate: Callable[[nn.Module], dict[str, float]] | None, min_psnr: float) -> dict[str, float]:
        """Log and return the scores of the averaged generator, and keep its weights if they are the best so far."""
        if validate is None:
            return {}
        self._require(all_finite(self.ema.state_dict()))  # otherwise the score would raise a less clear error
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):  # it may draw random numbers
            scores = validate(self.ema)
        if not hasattr(scores, "items"):
            raise SrlabError(f'validate must return its scores by name, such as {{"psnr": 28.1}}, not {scores}.')
        self.run.log(self.steps_done, **{f"val_{name}": float(value) for name, value in scores.items()})
        self._stop_if_ruined(min_psnr)
        self.run.keep_best(self.steps_done, self.ema)
        return scores

    def _require(self, finite: bool) -> None:
        if not finite:
            self.run.fail(f"a weight became NaN or infinite by step {self.steps_done}")

    def _stop_if_ruined(self, min_psnr: float = float("-inf")) -> None:
        if ruin := detect_divergence(self.history, self.stop_on, min_psnr):
            self.run.fail(ruin)

    # --- Saving and loading ---

    def _begin(self, step: Callable, sampler: PatchSampler, schedule: Schedule, iters: int) -> None:
        """Resume from the run's newest checkpoint, or begin the run."""
        self._rates.begin()
        self._first_bad = torch.zeros((), dtype=torch.long, device=self.device)
        torch.manual_seed(self.seed)
        parameters = self._parameters(sampler, schedule, iters)
        state = self.run.resume(parameters, iters, trained=self.steps_done)
        if state:
            refuse_other_layers(state, self.networks, self.run.path)
            self._load_state_dict(state, sampler)
        elif not self._steps_done:
            sampler.restart()  # it may have shown batches, or trained another run
        own = [step] if hasattr(sampler.degradation, "describe") else [step, sampler.degradation]
        facts: Facts = {
            "device": str(self.device),
            "precision": self.precision,
            "compiled": self._compiled,
            "code_of_step": hash_of_source(*own),
        }
        same = {"settings": parameters, "step": self.steps_done, "iters": iters, "code": facts["code_of_step"]}
        processes.require_equal(same | {"device": self.device.type, "launch": self.launch}, self.networks.values())
        self.run.begin(self.steps_done, iters, facts, self.notes)
        if not state:
            self._save(sampler, "running")  # if a step raises, a second attempt in this kernel starts from here

    def _parameters(self, sampler: PatchSampler, schedule: Schedule, iters: int) -> dict[str, Any]:
        """Return the settings that determine the result, for the manifest."""
        parameters: dict[str, Any] = {"seed": self.seed, "ema": self.ema_decay, "ema_warmup": self.ema_warmup}
        parameters["max_gradient"] = self.max_gradient
        parameters["sampler"] = sampler.describe()
        for name, network in (self.networks | self.fixed).items():
            parameters[name] = {"network": type(network).__name__} | getattr(network, "config", {})
        for name, optimizer in self.optimizers.items():
            parameters[name] = describe_optimizer(optimizer)
        parameters["schedule"] = describe_schedule(schedule, iters)
        if clash := parameters.keys() & self.settings.keys():
            raise SrlabError(f"The trainer itself records '{min(clash)}'. Use another name in settings.")
        return self.settings | parameters

    def _stateful(self, sampler: PatchSampler) -> dict[str, Any]:
        """Return the objects with a state dict by name: networks, EMA and sampler."""
        return self.networks | {"ema": self.ema, "sampler": sampler}

    def _state_dict(self, sampler: PatchSampler) -> State:
        """Return the content of a checkpoint."""
        return state_of(self._stateful(sampler), self.optimizers, self.device)

    def _load_state_dict(self, state: State, sampler: PatchSampler) -> None:
        """Load what `_state_dict` returned, and continue at its step."""
        load_state(state, self._stateful(sampler), self.optimizers, self.device)
        self._steps_done = state["step"]

    def _save(self, sampler: PatchSampler, status: str) -> None:
        state = self._state_dict(sampler)
        self._require(is_finite(state))
        recorded = self._recording is not None and any(self._recording.recordings)
        self.run.save(self.steps_done, state, self.ema, status, recorded)
