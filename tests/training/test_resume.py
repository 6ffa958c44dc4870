"""Test that a run that stops for any reason and is restarted ends bit-identical to an undisturbed run."""

import math
import signal
import time
from dataclasses import replace
from functools import partial

import pytest
import torch

import srlab
from srlab.models import PatchDiscriminator
from srlab.training import interrupts
from srlab.training.interrupts import TrainingStopped
from srlab.training.trainer import Trainer

from .little_run import LAB, NOISY, LittleRun, half_done, refusal, undisturbed, what_is_left


def fused(parameters, lr):
    return torch.optim.Adam(parameters, lr=lr, fused=True)


BLURRED = {"degradation": replace(NOISY, blur=(0.2, 2))}
KINDS = {
    "Adam and batch norm": {},
    "fused Adam, and a sampler that blurs": {"optimizer": fused, "sampler": BLURRED},
    "a GAN in bf16, not averaged": {"gan": partial(PatchDiscriminator, 4), "precision": "bf16", "ema": 0},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_run_stopped_twice_resumes_bit_identical(kind):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    for stop in (1, 4):
        little = LittleRun(**kind)
        little.before_step = lambda number, stop=stop: signal.raise_signal(signal.SIGINT) if number == stop else None
        with pytest.raises(TrainingStopped, match=f"at step {stop} of 6; everything is saved") as caught:
            little.fit()
        assert caught.value._render_traceback_() == [str(caught.value)]
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    torch.rand(5)  # whatever else happens in the process
    little = LittleRun(**kind)
    little.fit()
    assert len(little.losses) == 2
    weights = [p for p in little.network.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    LittleRun("straight", **kind).fit()
    assert what_is_left() == what_is_left("straight")
    assert not kind or what_is_left() != undisturbed(), "these settings must matter"


def test_exports_of_a_finished_run_are_repaired_from_its_checkpoint():
    LittleRun().fit()
    run, left = LittleRun().run, what_is_left()
    (run.path / "generator.safetensors").unlink()
    run.write_manifest(run.manifest() | {"status": "failed"})  # as a continuation that failed leaves it
    LittleRun().fit()
    assert what_is_left() == left


def test_failed_run_stays_failed_if_fewer_steps_are_requested():
    little = LittleRun()
    little.change = lambda number, made: made | {"loss": made["loss"] * (math.nan if number > 4 else 1)}
    refusal("NaN", little.fit, 12, validate_every=4)
    LittleRun().fit(4, validate_every=4)
    assert little.run.manifest()["status"] == "failed"


# --- In the same kernel --------------------------------------------------------------------------------------


def test_cells_that_run_again_leave_no_trace():
    """Fail in the first step, after a checkpoint, and with Ctrl-C; run the last cell or all cells again."""
    little = LittleRun(precision="bf16")
    for number, error in ((1, NameError("a slip")), (3, NameError("another")), (5, KeyboardInterrupt())):
        little.fail_at(number, error)
    little.network, little.raw_optimizer = little.things["generator"], little.things["optimizer"]
    little.trainer = Trainer(LAB, "default", device="cpu", precision="bf16", ema=0.9)
    little.prepare()
    little.fit()
    assert what_is_left() == undisturbed(precision="bf16")


def send(*signals):
    """Return a function that raises signals; a number waits that many seconds."""
    return lambda *_: [signal.raise_signal(n) if isinstance(n, signal.Signals) else time.sleep(n) for n in signals]


INT, TERM = signal.SIGINT, signal.SIGTERM
LATER = 0.2  # seconds


@pytest.mark.parametrize("during", ["step", "save"])
@pytest.mark.parametrize(
    "signals", [(INT, INT), (INT, LATER, TERM), (TERM, LATER, TERM), (TERM, INT), (INT, LATER, INT)]
)
def test_only_a_second_ctrl_c_stops_at_once_but_not_while_saving(signals, during, monkeypatch):
    """Let a second signal come at once, as from a launcher, and later, as from jupyter_client or a user."""
    monkeypatch.setattr(interrupts, "ECHO", LATER / 2)
    little = LittleRun()
    write = little.run.save_checkpoint
    if during == "step":
        little.before_step = send(*signals)
    else:
        little.before_step = send(signals[0])
        little.run.save_checkpoint = lambda state: (send(*signals[1:])() if state["step"] else None, write(state))
    with pytest.raises(KeyboardInterrupt) as caught:
        little.fit()
    at_once = (signals, during) == ((INT, LATER, INT), "step")
    assert isinstance(caught.value, TrainingStopped) != at_once
    assert (little.run.load_checkpoint()["step"], little.run.manifest()["status"]) == (
        (0, "running") if at_once else (1, "stopped")
    )


def test_signal_ignored_by_the_process_does_not_stop_the_run():
    """Check a run under nohup."""
    little, before = LittleRun(), signal.signal(TERM, signal.SIG_IGN)
    try:
        little.before_step = send(TERM)
        little.fit(2)
    finally:
        signal.signal(TERM, before)


def test_features_stay_frozen_and_out_of_checkpoints():
    little = LittleRun()
    little.prepare(features=srlab.FeatureExtractor("vgg6 relu1_2"))
    little.fit(2)
    features = little.things["features"]
    assert set(little.run.load_checkpoint()["networks"]) == {"generator", "ema", "sampler"}
    assert little.run.manifest()["parameters"]["features"].items() >= features.config.items()
    assert not any(parameter.requires_grad for parameter in features.parameters())


# --- With changed conditions ---------------------------------------------------------------------------------


def test_run_resumes_with_other_precision_and_torch(capsys):
    def newer(parameters, lr):
        optimizer = fused(parameters, lr)
        optimizer.param_groups[0]["a_setting_of_tomorrow"] = True
        return optimizer

    half_done()
    little = LittleRun(optimizer=newer, precision="bf16")
    little.fit()
    assert "from step 4, precision='fp32' (now 'bf16')." in capsys.readouterr().out
    assert (little.trainer.steps_done, little.run.manifest()["precision"]) == (6, "bf16")


def test_notes_are_in_the_manifest_and_may_change():
    LittleRun(notes={"recipe": "laptop"}).fit(4)
    little = LittleRun(notes={"recipe": "photos"})
    little.fit()
    assert little.run.manifest()["recipe"] == "photos"


class Edited(LittleRun):
    def step(self, lr, hr):
        return super().step(lr, hr)


@pytest.mark.parametrize("kind", [LittleRun, Edited])
@pytest.mark.parametrize(("steps", "words"), [(4, "steps after 4 use the new code"), (6, "are from the old code")])
def test_changed_code_of_step_is_reported(capsys, kind, steps, words):
    half_done()
    if steps == 6:
        LittleRun().fit()
    kind().fit()
    assert (words in capsys.readouterr().out) == (kind is Edited)


def test_changed_code_of_own_degradation_is_reported(capsys):
    LittleRun(sampler={"degradation": lambda hr, scale, generator: srlab.downsample(hr, scale)}).fit(2)
    LittleRun(sampler={"degradation": lambda hr, scale, generator: hr[..., ::4, ::4]}).fit(4)
    assert "code of the training step or of the degradation has changed" in capsys.readouterr().out
