"""The training step as it stands in lab 03: what it runs, and where gradients go."""

import nbformat
import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses, models

from .conftest import ROOT

RECIPE = {"pixel": 0.5, "content": 0.5, "adversarial": 0.1, "noise": 0.0, "real": 1.0, "flip": 0.0, "gan": "vanilla"}
RECIPE |= {"d_steps": 1, "g_every": 1}


class Trainer:
    step = 0

    def backward(self, loss):
        loss.backward()

    def gradient_norm(self, network):
        return torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


class Scene:
    """The functions of the lab's cells with tiny networks, and a record of what they ran."""

    def __init__(self, stale_logits=False, shift=1, **changes):
        torch.manual_seed(0)
        self.generator = models.MSRResNet(1, 4)
        self.judge = models.PatchDiscriminator(4)
        self.eyes = srlab.Features("vgg19 relu1_1", "random")
        scope = {"torch": torch, "F": F, "srlab": srlab, "losses": losses, "eyes": self.eyes}
        scope |= {"CRITERIA": {"l1": F.l1_loss, "mse": F.mse_loss}, "pixel": "l1", "content": "l1", "relative": True}
        scope |= {"stale_logits": stale_logits, "shift": shift}
        for cell in nbformat.read(ROOT / "notebooks" / "03_srgan.ipynb", 4).cells:
            if cell.cell_type == "code" and ("def make_step" in cell.source or "def update_disc" in cell.source):
                exec(cell.source, scope)
        self.runs, self.with_graph, self.seen, self.of_d = 0, [], [], []
        self.generator.register_forward_hook(lambda *_: setattr(self, "runs", self.runs + 1))
        self.eyes.register_forward_hook(lambda *_: self.with_graph.append(torch.is_grad_enabled()))
        self.eyes.register_forward_pre_hook(lambda _, images: self.seen.append(tuple(images[0].shape[-2:])))
        self.g_optimizer = torch.optim.SGD(self.generator.parameters(), 0.1)
        self.d_optimizer = torch.optim.SGD(self.judge.parameters(), 0.1)
        self.d_optimizer.register_step_post_hook(lambda *_: self.of_d.append(self.gradients(self.judge)))
        self.step = scope["make_step"](
            Trainer(), self.generator, self.judge, self.g_optimizer, self.d_optimizer, RECIPE | changes, 10
        )
        self.lr, self.hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)

    @staticmethod
    def gradients(network):
        return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def test_the_generator_runs_once_and_hr_is_seen_without_a_graph():
    scene = Scene()
    scene.step(scene.lr, scene.hr)
    assert scene.runs == 1
    assert sorted(scene.with_graph) == [False, True]


def test_the_eyes_look_at_both_pictures_from_one_place_that_moves():
    scene = Scene(shift=4)
    for _ in range(12):
        scene.step(scene.lr, scene.hr)
    assert scene.seen[::2] == scene.seen[1::2]
    assert len(set(scene.seen)) > 4
    assert {side for shape in scene.seen for side in shape} == {29, 30, 31, 32}


def test_the_generators_half_leaves_no_gradient_in_d():
    scene = Scene()
    scene.step(scene.lr, scene.hr)
    assert len(scene.of_d) == 1
    for after_its_own, at_the_end in zip(scene.of_d[0], scene.gradients(scene.judge), strict=True):
        assert torch.equal(after_its_own, at_the_end)
    assert all(parameter.requires_grad for parameter in scene.judge.parameters())


def test_d_is_updated_before_the_generator_hears_it():
    early, late = Scene(pixel=0.0, content=0.0), Scene(pixel=0.0, content=0.0)
    late.d_optimizer.param_groups[0]["lr"] = 0.0  # then D stays as it was
    logs = [scene.step(scene.lr, scene.hr) for scene in (early, late)]
    assert logs[0]["d_loss"] == logs[1]["d_loss"]
    assert logs[0]["g_loss"] != logs[1]["g_loss"]
    assert logs[0]["g_norm"] > 0


def test_the_bug_of_the_study_gives_the_generator_nothing_from_d():
    scene, without = Scene(stale_logits=True), Scene(adversarial=0.0)
    scene.step(scene.lr, scene.hr)
    without.step(without.lr, without.hr)
    for ours, plain in zip(scene.gradients(scene.generator), without.gradients(without.generator), strict=True):
        assert torch.equal(ours, plain)
    assert not without.of_d  # with weight 0 there is no D at all
    with pytest.raises(RuntimeError, match="does not require grad"):
        Scene(stale_logits=True, pixel=0.0, content=0.0).step(scene.lr, scene.hr)


@pytest.mark.parametrize(("changes", "updates"), [({"d_steps": 3}, 3), ({"g_every": 2}, 1)])
def test_how_often_d_and_g_are_updated_is_a_parameter(changes, updates):
    scene = Scene(**changes)
    before = [p.clone() for p in scene.generator.parameters()]
    Trainer.step = 1
    try:
        scene.step(scene.lr, scene.hr)
    finally:
        Trainer.step = 0
    assert len(scene.of_d) == updates
    moved = any(not torch.equal(a, b) for a, b in zip(before, scene.generator.parameters(), strict=True))
    assert moved == ("g_every" not in changes)
