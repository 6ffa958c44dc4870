"""Test srlab.models.flow: the velocity, and a sampler that draws the same image in tiles as in one piece."""

import pytest
import torch
from torch import nn

import srlab
from srlab.models import FlowBlock, FlowNet
from srlab.models.flow import LAST, Bicubic, bicubic
from srlab.models.loading import load_generator

LR = torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network():
    """Return a network with weights as large as trained ones."""
    torch.manual_seed(0)
    network = FlowNet(num_blocks=2, num_features=8, detail_std=0.2)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, 0.5)
    network.steps = 2
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(("steps", "way"), [(1, 0), (4, (0.125 + 0.375 + 0.625 + 0.75) / 4)])
def test_steps_use_the_mean_of_the_velocities_at_both_ends(steps, way):
    """Check Heun's method; the last step has no velocity at its end."""

    class Faster(FlowNet):
        def forward(self, lr, x=None, t=None, origin=(0, 0)):
            return self.sample(lr, origin) if x is None else torch.zeros_like(x) + t.view(-1, 1, 1, 1)

    network = Faster(1, 4, detail_std=0.25, steps=steps)
    noise = network.noise(LR, (0, 0), 0)
    torch.testing.assert_close(network(LR), bicubic(LR, 4) + 0.25 * (noise + way))


@pytest.mark.parametrize("steps", [1, 5, 20, 40, 100])
def test_last_step_arrives_at_a_perfect_estimate(steps):
    detail = torch.randn(2, 3, 36, 28)

    class Perfect(FlowNet):
        def forward(self, lr, x=None, t=None, origin=(0, 0)):
            return (detail - x) / (1 - t.view(-1, 1, 1, 1)).clamp(min=LAST)

    found = Perfect(1, 4, detail_std=1.0, steps=steps).detail(LR, torch.randn(2, 3, 36, 28))
    torch.testing.assert_close(found, detail)


def test_last_step_removes_the_noise(network):
    for parameter in network.tail.parameters():
        parameter.data.zero_()  # now the estimate is t**4 x
    x, t = torch.randn(2, 3, 36, 28), torch.tensor([0.0, 0.95])
    end = x + (1 - t).view(-1, 1, 1, 1) * network(LR, x, t)
    torch.testing.assert_close(end[0], torch.zeros_like(x[0]))
    torch.testing.assert_close(end[1], 0.95**4 * x[1])


def test_velocity_sees_time_and_lr(network):
    x, early = torch.randn(2, 3, 36, 28), torch.tensor([0.2, 0.2])
    velocity, later = network(LR, x, early), network(LR, x, torch.tensor([0.2, 0.9]))
    assert torch.equal(later[0], velocity[0])
    assert (later[1] - velocity[1]).abs().max() > 1e-3
    assert (network(LR.flip(0), x, early) - velocity).abs().max() > 1e-3


def test_seed_determines_the_sample(network):
    state, samples = torch.get_rng_state(), []
    for network.seed in (5, 6, 7, -1, 2**31):
        samples.append(network(LR))
        assert torch.equal(samples[-1], network(LR))
        assert all((samples[-1] - other).abs().mean() > 0.02 for other in samples[:-1])
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(network(LR[1:]), samples[-1][1:])  # a batch gives the same as each image alone
    network.seed, network.samples = 5, 3
    torch.testing.assert_close(network(LR), torch.stack(samples[:3]).mean(0))


def test_tiles_get_noise_of_their_position(network):
    lr = torch.rand(1, 3, 40, 26, generator=torch.Generator().manual_seed(1))
    whole = srlab.upscale(network, lr)
    tiled = srlab.upscale(network, lr, tile=16, overlap=network.radius)
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=0)
    network.takes_origin = False  # now each tile gets the noise of the corner of the image
    assert (srlab.upscale(network, lr, tile=16, overlap=network.radius) - whole).abs().max() > 0.1


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_bicubic_by_a_convolution(scale):
    for size in ((9, 7), (1, 1)):
        lr = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))
        torch.testing.assert_close(Bicubic(scale)(lr), bicubic(lr, scale), atol=1e-5, rtol=0)


@pytest.mark.nightly
def test_onnx_file_gives_the_answer_to_a_noise(network, tmp_path):
    pytest.importorskip("onnxscript", reason="needs onnx, onnxruntime and onnxscript, which `make test` installs")
    import onnx
    import onnxruntime

    path, lr = srlab.export(network, tmp_path / "flow.onnx"), torch.rand(2, 3, 21, 34)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["lr", "noise"]
    for network.seed in (0, 2**40):
        noise = network.noise(lr, (0, 0), network.seed)
        (sr,) = session.run(["sr"], {"lr": lr.numpy(), "noise": noise.contiguous().numpy()})
        torch.testing.assert_close(torch.from_numpy(sr), network(lr), atol=1e-4, rtol=0)
    notes = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert (notes["noise"], notes["noise channels"], notes["noise scale"]) == ("standard normal", "3", "4")
    assert (notes["scale"], notes["source"]) == ("4", "FlowNet")


def test_block_starts_from_its_input():
    block, x = FlowBlock(6), torch.randn(1, 6, 5, 5)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    assert torch.equal(block(x, torch.randn(1, 64)), x)


@pytest.mark.parametrize("given", [{}, {"steps": 1}])
def test_run_keeps_config_with_unusual_steps(given):
    network = FlowNet(1, 4, detail_std=0.2, **given)
    assert ("steps" in network.config) == bool(given), "runs from before it was an argument have none"
    srlab.Run("06_flow", "default").save_generator(network, 7)
    again = load_generator("06_flow")
    assert (again.config, again.steps) == (network.config, network.steps)
    with torch.no_grad():
        assert torch.equal(again(LR), network(LR))
