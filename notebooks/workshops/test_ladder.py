"""The ladder: seven tiny training runs of your own functions, each with a result known on paper.

python -m pytest test_ladder.py --mine my_file.py

The lowest rung that fails is the one to look at. docs/ladder.md explains the numbers.
"""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam


def train(network, step, steps, rate):
    """Take steps with an Adam optimizer whose learning rate falls to 0."""
    optimizer = Adam(network.parameters(), rate, betas=(0.9, 0.99), eps=1e-6)
    for k in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - k / steps) ** 2
        step(optimizer)


class Constant(nn.Module):
    """A network that upscales any image to one color, its bias."""

    def __init__(self, *color):
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(color).view(3, 1, 1))

    def forward(self, lr):
        return self.bias.expand(len(lr), 3, 4 * lr.shape[-2], 4 * lr.shape[-1]).contiguous()


def end_of_training(mine, hr):
    """Train a constant, with the same LR for all images, and return the color it ends at."""
    network, lr = Constant(-0.2, 0.5, 1.2), torch.rand(1, 3, 8, 8).expand(len(hr), -1, -1, -1)
    train(network, lambda optimizer: mine.train_step(network, optimizer, lr, hr), 300, 0.05)
    return network.bias.flatten().tolist()


def test_ladder_1_loss_and_optimizer(mine):
    """HR is 0.3 everywhere, so a network that is only a bias ends at 0.3.

    Does SR get into the loss as it is? Then zero_grad, backward and step, each once, in this order,
    with the optimizer that it gets?
    """
    red, green, blue = end_of_training(mine, torch.full((4, 3, 32, 32), 0.3))
    assert red == pytest.approx(0.3, abs=1e-3)
    assert green == pytest.approx(0.3, abs=1e-3)
    assert blue == pytest.approx(0.3, abs=1e-3)


def test_ladder_2_pairs(mine):
    """Bilinear upscaling of LR recovers a ramp with 56 dB: LR and HR show the same place.

    Plot LR next to HR: the same place, flips, turns, colors and range?
    """
    ramp = (torch.arange(96) + 0.5) / 96
    colors = torch.stack([ramp, 1 - ramp, 0.5 * ramp])[:, None].repeat(1, 96, 1)
    photos = {"right": colors, "down": colors.mT.clone()}
    lr, hr = mine.sample_pairs(photos, 16, 16, torch.Generator().manual_seed(0))
    assert lr.shape == (16, 3, 16, 16)
    error = (F.interpolate(lr, scale_factor=4.0, mode="bilinear") - hr)[..., 12:-12, 12:-12]
    decibels = -10 * math.log10(error.square().mean((1, 2, 3)).max().item() + 1e-12)
    assert decibels > 50


def test_ladder_3_which_loss(mine):
    """HR is 1 in 3 of 10 images, and 0 in the others: a bias ends at the mean, 0.3, with MSE, at
    the median, 0, with L1, or between.

    Is the loss a distance, averaged over all images and pixels?
    """
    white = torch.tensor([1.0, 0, 0, 0, 1, 0, 0, 0, 0, 1]).view(10, 1, 1, 1)
    end = max(end_of_training(mine, white.expand(-1, 3, 32, 32)))
    assert end <= 0.32


def psnr(sr, hr):
    """Return the PSNR of all channels, as in the workshops."""
    return -10 * (sr - hr)[..., 4:-4, 4:-4].square().mean().log10().item()


def psnr_of_brightness(sr, hr):
    """Return the PSNR of luma, of 8 bits, as in the labs."""
    weights = torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1) / 255
    error = ((255 * sr.clamp(0, 1)).round() / 255 - (255 * hr).round() / 255) * weights
    return -10 * error.sum(1)[..., 4:-4, 4:-4].square().mean().log10().item()


def test_ladder_4_modes(mine):
    """After training, training mode and eval mode differ by less than 2 %, and validate returns the
    PSNR of eval mode, twice.

    Who calls eval() and train(), and who restores the mode?
    """
    network = nn.Sequential(
        nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Sigmoid(), nn.Upsample(scale_factor=4)
    )
    lr = 0.2 + 0.3 * torch.rand(8, 3, 8, 8)
    hr = F.interpolate(lr.flip(1), scale_factor=4.0)
    other = torch.rand(1, 3, 8, 12), torch.rand(1, 3, 32, 48)
    pairs = [other, (lr[:1, ..., :6] + 0.3, hr[:1, ..., :24])]
    mine.validate(network, pairs)  # training shows a mode or running statistics that it left
    train(network, lambda optimizer: mine.train_step(network, optimizer, lr, hr), 150, 0.02)
    frozen = copy.deepcopy(network).eval()
    with torch.no_grad():
        sr = copy.deepcopy(network).train()(lr)
        gap = ((sr - frozen(lr)).norm() / (sr - sr.mean()).norm()).item()
        known = [
            sum(score(frozen(a), b) for a, b in pairs) / 2 for score in (psnr, psnr_of_brightness)
        ]
    assert gap < 0.02
    first, second = float(mine.validate(network, pairs)), float(mine.validate(network, pairs))
    wanted = min(known, key=lambda value: abs(value - first))
    assert first == pytest.approx(wanted, abs=0.02)
    assert second == pytest.approx(wanted, abs=0.02)


class Judge(nn.Module):
    """A D whose logit is a weighted sum of an image's mean color, in which gray counts as 0."""

    def __init__(self, *weights):
        super().__init__()
        self.weights, self.bias = nn.Parameter(torch.tensor(weights)), nn.Parameter(torch.zeros(()))

    def forward(self, image):
        return ((image.mean((2, 3)) - 0.5) * self.weights).sum(1, keepdim=True) + self.bias


def logistic(sr, hr, discriminator):
    return F.softplus(-discriminator(sr)).mean()


def step_of_lab_03(generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss):
    """Update D, which is half of a step that is known to be right."""
    d_optimizer.zero_grad()
    d_loss(discriminator(hr), discriminator(generator(lr).detach())).backward()
    d_optimizer.step()


def logits_after(mine, gan_step):
    """Train D on white, of which 3 in 4 images are real, and black, and return its logits."""
    cells = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand(-1, 3, 16, 16)
    lr, hr = cells[[0, 1, 1, 1]], F.interpolate(cells[[0, 0, 0, 1]], scale_factor=4.0)
    generator = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Upsample(scale_factor=4))
    nn.init.dirac_(generator[0].weight)
    frozen, judge = Adam(generator.parameters(), 0.0), Judge(-133.3, -133.3, -133.3)
    scene = lr, hr, mine.d_loss, logistic
    train(judge, lambda optimizer: gan_step(generator, judge, frozen, optimizer, *scene), 200, 4.0)
    return judge(cells).flatten().tolist()


def test_ladder_5_half_of_d(mine):
    """White is real in 3 of 4 images, black in 1: D's logits end above 0.4 and below 0.35, and with
    gan_step at the same (with the logistic loss, white has log 3 = 1.10).

    D begins sure of the opposite, with logits of -200 and 200. Which is real, which is fake? Logits
    or probabilities? Then zero_grad, backward and step, each once, in this order?
    """
    white, black = logits_after(mine, step_of_lab_03)  # d_loss only
    assert white > 0.4
    assert black < 0.35
    white_of_gan_step, black_of_gan_step = logits_after(mine, mine.gan_step)
    assert white_of_gan_step == pytest.approx(white, abs=0.05)
    assert black_of_gan_step == pytest.approx(black, abs=0.05)


def test_ladder_6_half_of_g(mine):
    """SR equals HR, so only D's verdict moves G: by exactly Adam's rate in D's direction, and the
    other way when D turns.

    Where does D's gradient end? The sign? Then zero_grad, backward and step?
    """
    generator, lr, rate = Constant(0.4, 0.5, -0.2), torch.rand(4, 3, 16, 16), 0.01
    for size in (250.0, -0.5):  # with the first, D's logit is -200
        judge, hr = Judge(size, -size, size), generator(lr).detach().clone()
        before = generator.bias.detach().clone()
        adams = Adam(generator.parameters(), rate), Adam(judge.parameters(), 0.0)
        mine.gan_step(
            generator, judge, *adams, lr, hr, lambda real, fake: (fake - real).mean(), mine.g_loss
        )
        red, green, blue = ((generator.bias - before).flatten() * judge.weights.sign()).tolist()
        assert red == pytest.approx(rate, abs=1e-4)
        assert green == pytest.approx(rate, abs=1e-4)
        assert blue == pytest.approx(rate, abs=1e-4)


class Table(nn.Module):
    """A velocity that leads to one image for each quarter of the time, (image - x) / (1 - t)."""

    def __init__(self, *shape):
        super().__init__()
        self.images, self.last = nn.Parameter(torch.zeros(4, *shape)), torch.zeros(0)
        self.images.register_hook(torch.sign)  # near t = 1, gradients are huge

    def forward(self, x, t, lr):
        images = self.images[(4 * t).long().clamp(0, 3)]
        velocity = (images - x) / (1 - t).clamp(min=1e-4).view(-1, 1, 1, 1)
        if not self.training and self.last.shape == x.shape and bool((t > 0.999).all()):
            return self.last  # Heun's method ends at t = 1, where the formula is 0 / 0
        self.last = velocity.detach()
        return velocity


def test_ladder_7_flow(mine):
    """A flow that learns a single photo draws this photo, with any number of steps.

    Print t. Time 0 is noise, 1 is data. The target is data - noise.
    """
    lr, hr, flow = torch.rand(1, 3, 8, 8), 0.2 + 0.6 * torch.rand(1, 3, 32, 32), Table(3, 32, 32)
    batch, random = (
        [image.repeat(8, 1, 1, 1) for image in (lr, hr)],
        torch.Generator().manual_seed(0),
    )

    def step(optimizer):
        optimizer.zero_grad()
        mine.flow_loss(flow, *batch, random).backward()
        optimizer.step()

    train(flow, step, 300, 0.3)
    for steps in (1, 2, 5):
        error = (mine.sample(flow, lr, steps, random) - hr).abs().max().item()
        assert error == pytest.approx(0, abs=1e-2)
