"""Test training on a GPU: location of tensors, synchronization, and recorded steps. Skipped without a GPU."""

import contextlib
from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses
from srlab.data.degradation import Degradation
from srlab.models import FlowNet, MSRResNet, PatchDiscriminator
from srlab.models.features import FeatureExtractor
from srlab.models.flow import bicubic
from srlab.training import launch
from srlab_course.exercises.flow.flow_loss import flow_loss
from srlab_course.lab import gan_plumbing
from studies.content_loss.rotated import RotatedSampler

from .little_run import LittleRun, images, tensors_in, timeless

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
PHOTOS = images((60, 50), (41, 80))
BLIND = Degradation(blur=(0.2, 3.0), noise=(0.0, 0.05))


@contextlib.contextmanager
def no_waits():
    """Raise an error if the CPU waits for the GPU in the block."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture(autouse=True)
def waits_allowed_again():
    yield
    torch.cuda.set_sync_debug_mode("default")


class GanOnGpu(LittleRun):
    """Set up lab 04's GAN training with all losses that a recipe may use."""

    def __init__(self, sampler=None, **settings):
        networks = {"network": lambda: MSRResNet(2, 4), "gan": lambda: PatchDiscriminator(4)}
        settings = {"device": "cuda"} | settings | networks | {"optimizer": partial(torch.optim.Adam, fused=True)}
        super().__init__(sampler={"device": settings["device"]} | (sampler or {}), **settings)
        self.prepare(features=FeatureExtractor("vgg19 relu2_1", "random"))
        labels = {"label_real": 0.9, "label_flip": 0.1}
        lab = SimpleNamespace(**labels, pixel="l1", gan="ragan", instance_noise=0.1, parameters={})
        weights = {"pixel": 1.0, "content": 1.0, "adversary": 0.1}
        both_losses = gan_plumbing.losses_of(lab, weights, self.content)
        self.as_in_lab_04 = gan_plumbing.step_of(lab, self.trainer, *both_losses)

    def validate(self, averaged):
        return {"psnr": float(-averaged(torch.full((1, 3, 4, 4), 0.3, device=self.trainer.device)).square().mean())}

    def content(self, sr, hr):
        return losses.content_loss(self.things["features"], sr, hr, F.l1_loss, relative=True, max_shift=3)

    def step(self, lr, hr):
        self.before_step(self.trainer._steps_done + 1)
        return self.as_in_lab_04(lr, hr)


class FlowOnGpu(LittleRun):
    """Set up lab 06's training."""

    def __init__(self, sampler=None, **settings):
        settings = {"device": "cuda"} | settings
        settings |= {"network": lambda: FlowNet(2, 8), "optimizer": partial(torch.optim.Adam, fused=True)}
        super().__init__(sampler={"device": settings["device"]} | (sampler or {}), **settings)
        self.step = self.flow_step

    validate = GanOnGpu.validate

    def flow_step(self, lr, hr):
        self.before_step(self.trainer._steps_done + 1)
        generator, optimizer = self.things["generator"], self.things["optimizer"]
        loss = flow_loss(lambda x, t: generator(lr, x, t), (hr - bicubic(lr, 4)) / 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss}


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("lab", [GanOnGpu, FlowOnGpu])
def test_gpu_step_does_not_synchronize(lab, precision):
    little = lab(precision=precision, sampler={"batch": 4})
    trainer = little.trainer
    # The loop runs from step 8 to step 10 without a validation, a log or a checkpoint, which wait on purpose.
    modes = {8: "error", 10: "default"}
    little.before_step = lambda step: step in modes and torch.cuda.set_sync_debug_mode(modes[step])
    little.fit(12, validate_every=12)
    assert trainer.run.manifest()["status"] == "finished"
    state = trainer._state_dict(little.sampler)
    del state["networks"]["sampler"]
    assert {value.device.type for key, value in tensors_in(state).items() if not key.endswith("step")} == {"cuda"}


@pytest.mark.parametrize(
    ("kind", "degradation"), [(RotatedSampler, BLIND), (srlab.PatchSampler, Degradation(blur=2.0))]
)
def test_gpu_batch_does_not_synchronize(kind, degradation):
    sampler = kind(PHOTOS, 4, 32, 16, degradation, device="cuda")
    next(sampler)
    with no_waits():
        batch = next(sampler)
    assert {part.device.type for part in batch} == {"cuda"}


@pytest.mark.parametrize(("free", "kept", "place"), [(2**34, 0, "cuda"), (0, 0, "cpu"), (0, 2**34, "cuda")])
def test_photos_are_on_gpu_if_they_fit_half_of_free_memory(monkeypatch, free, kept, place):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (free, 2**35))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda *_: kept)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda *_: 0)
    sampler = srlab.PatchSampler(PHOTOS, 4, 32, 16, device="cuda")
    assert sampler._pixels.device.type == place
    assert next(sampler)[1].device.type == "cuda"


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("lab", [GanOnGpu, FlowOnGpu])
def test_recorded_run_equals_run_as_written(lab, precision, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    runs = [lab(run=f"run-{kind}", launch=kind, precision=precision) for kind in ("python", "graph")]
    for little in runs:
        little.fit(30, schedule=lambda step: 1.0 if step < 20 else 0.5, validate_every=15)
    assert [little.run.manifest()["recorded"] for little in runs] == [False, True]
    states = [tensors_in(little.trainer._state_dict(little.sampler)) for little in runs]
    assert [name for name, value in states[0].items() if not torch.equal(value, states[1][name])] == []
    rows = [[timeless(row) for row in little.run.metrics()] for little in runs]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("lab", [GanOnGpu, FlowOnGpu])
def test_blocks_are_compiled_and_recorded(lab, monkeypatch):
    monkeypatch.setattr(launch, "PAYS_FROM", 10)
    little = lab(launch="auto")
    little.fit(12, validate_every=12)
    manifest = little.run.manifest()
    assert (manifest["compiled"], manifest["recorded"], manifest["status"]) == ("blocks", True, "finished")
