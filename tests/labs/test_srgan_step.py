"""The training step as it stands in labs 03 and 04: what it runs, and where gradients go."""

from types import SimpleNamespace

import nbformat
import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses, models
from srlab.cli.recipes import read_book

from .conftest import ROOT

RECIPE = {"pixel": "l1", "pixel_weight": 0.5, "content": "l1", "content_weight": 0.5, "relative": True, "shift": 1}
RECIPE |= {"adversarial_weight": 0.1, "gan": "vanilla", "stale_logits": False, "d_steps": 1, "g_every": 1}
RECIPE |= {"noise": 0.0, "label_real": 1.0, "label_flip": 0.0}


class Trainer:
    step = 0

    def backward(self, loss):
        loss.backward()

    def gradient_norm(self, network):
        return torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


class Scene:
    """The functions of the lab's cells with tiny networks, and a record of what they ran."""

    def __init__(self, **changes):
        torch.manual_seed(0)
        self.generator = models.MSRResNet(1, 4)
        self.discriminator = models.PatchDiscriminator(4)
        self.features = srlab.FeatureExtractor("vgg19 relu1_1", "random")
        scope = {"torch": torch, "srlab": srlab, "losses": losses}
        for cell in nbformat.read(ROOT / "notebooks" / "03_srgan.ipynb", 4).cells:
            if any(word in cell.source for word in ("def update_disc", "def generator_obj", "def make_step")):
                exec(cell.source, scope)
        self.runs, self.with_graph, self.seen, self.of_d = 0, [], [], []
        self.generator.register_forward_hook(lambda *_: setattr(self, "runs", self.runs + 1))
        self.features.register_forward_hook(lambda *_: self.with_graph.append(torch.is_grad_enabled()))
        self.features.register_forward_pre_hook(lambda _, images: self.seen.append(tuple(images[0].shape[-2:])))
        self.g_optimizer = torch.optim.SGD(self.generator.parameters(), 0.1)
        self.d_optimizer = torch.optim.SGD(self.discriminator.parameters(), 0.1)
        self.d_optimizer.register_step_post_hook(lambda *_: self.of_d.append(self.gradients(self.discriminator)))
        networks, optimizers = (self.generator, self.discriminator, self.features), (self.g_optimizer, self.d_optimizer)
        self.step = scope["make_step"](Trainer(), *networks, *optimizers, RECIPE | changes, 10)
        self.lr, self.hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)

    @staticmethod
    def gradients(network):
        return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def test_the_generator_runs_once_and_hr_is_seen_without_a_graph():
    scene = Scene()
    scene.step(scene.lr, scene.hr)
    assert scene.runs == 1
    assert sorted(scene.with_graph) == [False, True]


def test_the_features_look_at_both_pictures_from_one_place_that_moves():
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
    for after_its_own, at_the_end in zip(scene.of_d[0], scene.gradients(scene.discriminator), strict=True):
        assert torch.equal(after_its_own, at_the_end)
    assert all(parameter.requires_grad for parameter in scene.discriminator.parameters())


def test_d_is_updated_before_the_generator_hears_it():
    early, late = (Scene(pixel_weight=0.0, content_weight=0.0) for _ in range(2))
    late.d_optimizer.param_groups[0]["lr"] = 0.0  # then D stays as it was
    logs = [scene.step(scene.lr, scene.hr) for scene in (early, late)]
    assert logs[0]["d_loss"] == logs[1]["d_loss"]
    assert logs[0]["g_loss"] != logs[1]["g_loss"]
    assert logs[0]["g_norm"] > 0


def test_the_bug_of_the_study_gives_the_generator_nothing_from_d():
    scene, without = Scene(stale_logits=True), Scene(adversarial_weight=0.0)
    scene.step(scene.lr, scene.hr)
    without.step(without.lr, without.hr)
    for ours, plain in zip(scene.gradients(scene.generator), without.gradients(without.generator), strict=True):
        assert torch.equal(ours, plain)
    assert not without.of_d  # with weight 0 there is no D at all
    with pytest.raises(RuntimeError, match="does not require grad"):
        Scene(stale_logits=True, pixel_weight=0.0, content_weight=0.0).step(scene.lr, scene.hr)


@pytest.mark.parametrize(("changes", "updates"), [({"d_steps": 3}, 3), ({"g_every": 2}, 1)])
def test_how_often_d_and_g_are_updated_is_a_parameter(changes, updates):
    scene = Scene(**changes)
    before = [p.clone() for p in scene.generator.parameters()]
    log = scene.step(scene.lr, scene.hr)
    assert len(scene.of_d) == updates
    moved = any(not torch.equal(a, b) for a, b in zip(before, scene.generator.parameters(), strict=True))
    assert moved == ("g_loss" in log) == ("g_norm" in log) == bool(scene.seen) == ("g_every" not in changes)


@pytest.mark.parametrize(("step", "changes"), [(9, {}), (0, {"adversarial_weight": 0.0})])
def test_g_every_second_step_moves_in_the_tenth_which_is_logged_and_always_without_d(step, changes, monkeypatch):
    monkeypatch.setattr(Trainer, "step", step)
    scene = Scene(g_every=2, **changes)
    assert {"g_loss", "g_norm"} <= scene.step(scene.lr, scene.hr).keys()


class AverageScene(Scene):
    """The same networks, and the step of lab 04: relativistic average, so D judges HR in the generator's half too."""

    def __init__(self, **changes):
        super().__init__()
        scope = {"torch": torch, "F": F, "srlab": srlab, "losses": losses, "models": models}
        numbers = read_book(ROOT / "notebooks" / "recipes" / "04_esrgan.yaml").recipes["laptop"]["values"]
        scope["lab"] = SimpleNamespace(**numbers)
        for cell in nbformat.read(ROOT / "notebooks" / "04_esrgan.ipynb", 4).cells:
            if any(
                word in cell.source
                for word in ("RECIPE = {", "def update_disc", "def generator_obj", "def answers_of", "def make_step")
            ):
                exec(cell.source, scope)
        self.recipe = scope["RECIPE"]
        recipe = self.recipe | {"pixel_weight": 0.5, "content_weight": 0.5, "adversarial_weight": 0.1} | changes
        assert recipe["gan"] == "relativistic average"
        networks, optimizers = (self.generator, self.discriminator), (self.g_optimizer, self.d_optimizer)
        self.step = scope["make_step"](Trainer(), *networks, *optimizers, self.features, recipe, 10)


def test_lab_04_runs_the_generator_once_and_sees_hr_without_a_graph():
    scene = AverageScene()
    scene.step(scene.lr, scene.hr)
    assert scene.runs == 1
    assert sorted(scene.with_graph) == [False, True]


def test_lab_04_leaves_nothing_of_the_generators_half_in_d():
    scene = AverageScene()
    scene.step(scene.lr, scene.hr)
    assert all(map(torch.equal, scene.of_d[0], scene.gradients(scene.discriminator)))
    assert all(parameter.requires_grad for parameter in scene.discriminator.parameters())


def test_lab_04_lets_the_generator_learn_from_d_as_it_is_after_its_update():
    learned = {}
    for rate in (0.1, 0.0):  # with 0 D stays as it was
        scene, without = AverageScene(), AverageScene(adversarial_weight=0.0)
        scene.d_optimizer.param_groups[0]["lr"] = rate
        for each in (scene, without):
            each.step(each.lr, each.hr)
        pairs = zip(scene.gradients(scene.generator), without.gradients(without.generator), strict=True)
        learned[rate] = torch.cat([(ours - plain).flatten() for ours, plain in pairs])
    assert learned[0.1].norm() > 0, "nothing of what D says reaches the generator"
    assert not torch.equal(learned[0.1], learned[0.0])


@pytest.mark.parametrize("made", [Scene, AverageScene])
def test_the_running_statistics_of_the_generator_move_once_a_step(made):
    scene, norm = made(), torch.nn.BatchNorm2d(4)
    scene.generator.head = torch.nn.Sequential(scene.generator.head, norm)
    scene.step(scene.lr, scene.hr)
    assert int(norm.num_batches_tracked) == 1


@pytest.mark.parametrize("made", [Scene, AverageScene])
def test_the_running_statistics_of_d_move_in_its_own_half_alone(made):
    scene, norm = made(), torch.nn.BatchNorm2d(4)
    scene.discriminator.convolutions.insert(1, norm)
    scene.step(scene.lr, scene.hr)
    assert int(norm.num_batches_tracked) == 2  # HR and SR
