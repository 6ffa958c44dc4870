"""Test srlab.models.flow: the velocity, and a sampler that draws the same image in tiles as in one piece."""

import pytest
import torch
from torch import nn

from srlab import ImageSet, evaluate, export, upscale
from srlab.errors import SrlabError
from srlab.models import FlowBlock, FlowNet
from srlab.models.flow import Bicubic, bicubic, waves
from srlab.models.loading import load_generator
from srlab.training.runs import Run

LR = torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network():
    """Return a network with weights as large as trained ones."""
    torch.manual_seed(0)
    network = FlowNet(num_blocks=2, num_features=8, detail_std=0.2)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, 0.5)
    network.steps = 4
    return network.eval().requires_grad_(False)


class Straight(FlowNet):
    """A flow with a known velocity: from any point, on a straight line to `target`."""

    target = 0.5

    def forward(self, lr, x=None, t=None, origin=(0, 0)):
        """Return the velocity, or a sample."""
        if x is None:
            return self.sample(lr, origin)
        return (self.target - x) / (1 - t).view(-1, 1, 1, 1)


def test_samples_end_at_target_of_a_straight_flow():
    network = Straight(1, 4, detail_std=0.25)
    for network.steps in (1, 7):
        torch.testing.assert_close(network(LR), bicubic(LR, 4) + 0.25 * 0.5)


def test_steps_use_the_mean_of_the_velocities_at_both_ends():
    class Faster(FlowNet):
        def forward(self, lr, x=None, t=None, origin=(0, 0)):
            return self.sample(lr, origin) if x is None else torch.zeros_like(x) + t.view(-1, 1, 1, 1)

    network = Faster(1, 4, detail_std=0.25)
    network.steps = 4
    way = (0.125 + 0.375 + 0.625 + 0.75) / 4  # the last step has no velocity at its end
    noise = network.noise(LR, (0, 0), 0)
    torch.testing.assert_close(network(LR), bicubic(LR, 4) + 0.25 * (noise + way))


def test_last_step_removes_the_noise(network):
    for parameter in network.tail.parameters():
        parameter.data.zero_()  # now the estimate is t**4 x
    x, t = torch.randn(2, 3, 36, 28), torch.tensor([0.0, 0.95])
    end = x + (1 - t).view(-1, 1, 1, 1) * network(LR, x, t)
    torch.testing.assert_close(end[0], torch.zeros_like(x[0]))
    torch.testing.assert_close(end[1], 0.95**4 * x[1])


def test_velocity_sees_time_and_lr(network):
    x = torch.randn(2, 3, 36, 28)
    velocity = network(LR, x, torch.tensor([0.2, 0.2]))
    assert velocity.shape == x.shape
    later = network(LR, x, torch.tensor([0.2, 0.9]))
    assert torch.equal(later[0], velocity[0])
    assert (later[1] - velocity[1]).abs().max() > 1e-3
    assert (network(LR.flip(0), x, torch.tensor([0.2, 0.2])) - velocity).abs().max() > 1e-3


def test_times_have_different_waves():
    described = waves(torch.linspace(0, 1, 201))
    assert torch.cdist(described, described).fill_diagonal_(9).min() > 0.1


def test_seed_determines_the_sample(network):
    state = torch.get_rng_state()
    first = network(LR)
    assert torch.equal(first, network(LR))
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(network(LR[1:]), first[1:])  # a batch gives the same as each image alone


def test_mean_of_samples(network):
    samples = []
    for network.seed in (5, 6, 7):
        samples.append(network(LR))
    network.seed, network.samples = 5, 3
    torch.testing.assert_close(network(LR), torch.stack(samples).mean(0))


def test_tiles_get_noise_of_their_position(network):
    lr = torch.rand(1, 3, 40, 52, generator=torch.Generator().manual_seed(1))
    whole = upscale(network, lr)
    tiled = upscale(network, lr, tile=16, overlap=network.radius)
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=0)
    network.takes_origin = False  # now each tile gets the noise of the corner of the image
    assert (upscale(network, lr, tile=16, overlap=network.radius) - whole).abs().max() > 0.1


def test_texture_of_a_wide_flat_image_does_not_repeat(network):
    sr = upscale(network, torch.full((1, 3, 16, 400), 0.5))[0, 0]
    detail = sr - sr.mean()
    one, far = detail[:, 100:1000], detail[:, 612:1512]
    assert (one * far).sum() / (one.norm() * far.norm()) < 0.5


@pytest.mark.parametrize("seed", [1, 512, 2**31, -1])
def test_every_seed_gives_another_sample(network, seed):
    first = network(LR)
    network.seed = seed
    assert (network(LR) - first).abs().mean() > 0.02


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(9, 7), (1, 1), (2, 30)])
def test_bicubic_by_a_convolution(scale, size):
    lr = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(Bicubic(scale)(lr), bicubic(lr, scale), atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [1, 2])
def test_onnx_file_gives_the_answer_to_a_noise(network, tmp_path, steps):
    pytest.importorskip("onnxscript", reason="needs onnx, onnxruntime and onnxscript, which `make test` installs")
    import onnxruntime

    network.steps = steps
    path, lr = export(network, tmp_path / "flow.onnx"), torch.rand(2, 3, 21, 34)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["lr", "noise"]
    answers = []
    for network.seed in (0, 2**40):
        noise = network.noise(lr, (0, 0), network.seed)
        (sr,) = session.run(["sr"], {"lr": lr.numpy(), "noise": noise.contiguous().numpy()})
        answers.append(torch.from_numpy(sr))
        torch.testing.assert_close(answers[-1], network(lr), atol=1e-4, rtol=0)
    assert (answers[0] - answers[1]).abs().mean() > 0.02


def test_onnx_file_describes_its_noise(tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs onnx, onnxruntime and onnxscript, which `make test` installs")
    pytest.importorskip("onnxscript", reason="needs onnx, onnxruntime and onnxscript, which `make test` installs")
    notes = {
        entry.key: entry.value
        for entry in onnx.load(export(FlowNet(1, 4, scale=2, steps=1), tmp_path / "flow.onnx")).metadata_props
    }
    assert (notes["noise"], notes["noise channels"], notes["noise scale"]) == ("standard normal", "3", "2")
    assert (notes["scale"], notes["source"]) == ("2", "FlowNet")


def test_run_keeps_config_and_is_scored(network):
    Run("06_flow", "default").save_generator(network, 7)
    again = load_generator("06_flow")
    assert again.config == {"num_blocks": 2, "num_features": 8, "scale": 4, "detail_std": 0.2}
    network.steps = again.steps = 2
    lr = LR[:1]
    assert torch.equal(again(lr), network(lr))
    photos = ImageSet.from_images("noise", {"photo": torch.randint(256, (3, 32, 32), dtype=torch.uint8)})
    assert evaluate(again, photos).psnr.notna().all()


def test_block_starts_from_its_input():
    block, x = FlowBlock(6), torch.randn(1, 6, 5, 5)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    assert torch.equal(block(x, torch.randn(1, 64)), x)


def test_steps_are_saved_if_they_are_unusual(home):
    torch.manual_seed(0)
    assert "steps" not in FlowNet(1, 4).config  # as in runs from before it was an argument
    network = FlowNet(1, 4, detail_std=0.2, steps=1)
    Run("07_one_step", "default").save_generator(network, 1)
    again = load_generator("07_one_step")
    assert (again.config["steps"], again.steps) == (1, 1)
    noise = network.noise(LR, (0, 0), 0)
    detail = noise + network(LR, noise, torch.zeros(len(LR)))
    with torch.no_grad():
        torch.testing.assert_close(again(LR), bicubic(LR, 4) + 0.2 * detail)
    with pytest.raises(SrlabError, match="steps must be at least 1"):
        FlowNet(1, 4, steps=0)


@pytest.mark.parametrize("std", [0.0, float("nan"), -1.0])
def test_impossible_detail_std_is_rejected(std):
    with pytest.raises(SrlabError, match="detail_std must be a positive number"):
        FlowNet(1, 4, detail_std=std)
