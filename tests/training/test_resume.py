"""Test that a run that stops for any reason and is restarted ends bit-identical to an undisturbed run."""

import shutil
import signal
from dataclasses import replace
from functools import partial

import pytest
import torch

from srlab.data.sampler import PatchSampler
from srlab.models import PatchDiscriminator
from srlab.models.features import FeatureExtractor
from srlab.training.interrupts import Interrupts, TrainingStopped
from srlab.training.runs import Run
from srlab.training.trainer import Trainer

from .little_run import LAB, NOISY, LittleRun, half_done, refusal, undisturbed, what_is_left


def fused(parameters, lr):
    return torch.optim.Adam(parameters, lr=lr, fused=True)


KINDS = {
    "Adam and batch norm": {},
    "fused Adam, and a sampler that blurs": {
        "optimizer": fused,
        "sampler": {"degradation": replace(NOISY, blur=(0.2, 2))},
    },
    "a GAN with spectral norm in bf16, not averaged": {
        "gan": partial(PatchDiscriminator, 4),
        "precision": "bf16",
        "ema": 0,
    },
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


# --- In the same kernel --------------------------------------------------------------------------------------


def test_rerun_after_failed_step_leaves_no_trace():
    """Fail in the first step, after a checkpoint, and with Ctrl-C; only rerun the cell each time."""
    little = LittleRun()
    for number, error in ((1, NameError("a slip")), (3, NameError("another")), (5, KeyboardInterrupt())):
        little.fail_at(number, error)
    little.fit()
    assert what_is_left() == undisturbed()


def test_prepare_twice_changes_nothing():
    little = LittleRun(precision="bf16")
    little.fail_at(5, KeyboardInterrupt())
    little.network, little.raw_optimizer = little.things["generator"], little.things["optimizer"]
    little.trainer = Trainer(LAB, "default", device="cpu", precision="bf16", ema=0.9)
    little.prepare()
    little.fit()
    assert what_is_left() == undisturbed(precision="bf16")


def test_features_stay_frozen_and_out_of_checkpoints():
    little = LittleRun()
    little.prepare(features=FeatureExtractor("vgg19 relu1_2", "random"))
    little.fit(2)
    features = little.things["features"]
    assert set(little.run.load_checkpoint()["networks"]) == {"generator", "ema", "sampler"}
    assert little.run.manifest()["parameters"]["features"].items() >= features.config.items()
    assert not any(module.training for module in features.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in features.parameters())


def test_trainer_with_deleted_folder_stops():
    little = LittleRun()
    little.fit(3)
    shutil.rmtree(little.run.path)
    refusal("No checkpoint to resume from.*re-run the cells", little.fit)


def test_second_ctrl_c_stops_at_once():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with Interrupts():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
    assert not isinstance(caught.value, TrainingStopped)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


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


@pytest.mark.parametrize(("rotate", "words"), [(0.0, ""), (5.0, r"made with sampler\.rotate=5\.0 \(now 0\.0\)")])
def test_run_whose_sampler_could_rotate_resumes_if_rotation_was_off(monkeypatch, rotate, words):
    """Earlier samplers had settings for a rotation, which are in the manifests of their runs."""
    describe, settings = PatchSampler.describe, {"rotate": rotate, "black_corners": False}
    with monkeypatch.context() as earlier:
        earlier.setattr(PatchSampler, "describe", lambda sampler: describe(sampler) | settings)
        half_done()
    if words:
        refusal(words, LittleRun().fit)
    else:
        LittleRun().fit()
        expected = undisturbed()
        assert {name for name, value in what_is_left().items() if value != expected[name]} == {"parameters"}


def test_run_of_earlier_version_with_precision_no_resumes(capsys):
    half_done()
    run = Run(LAB, "default")
    state = run.load_checkpoint()
    state["manifest"]["precision"] = "no"  # float32 was called "no"
    run.save_checkpoint(state)
    run.write_manifest(state["manifest"])
    little = LittleRun()
    little.fit()
    assert "Resuming the run 'default' from step 4.\n" in capsys.readouterr().out
    assert (little.trainer.steps_done, little.run.manifest()["precision"]) == (6, "fp32")


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


def scaler(start):
    made = torch.amp.GradScaler("cpu", init_scale=start)
    made.scale(torch.ones(()))  # only float16 has a scale
    return made


def test_float16_loss_scale_is_resumed():
    for saved, scale in ((scaler(1234.5678), 1234.5678), (None, 2)):
        little, resumed = LittleRun(), scaler(2.0)
        little.trainer.accelerator.scaler = saved
        state = little.trainer._state_dict(little.sampler) | {"step": 1}
        little.trainer.accelerator.scaler = resumed
        little.trainer._load_state_dict(state, little.sampler)
        assert resumed.get_scale() == pytest.approx(scale)
