"""The reference for Workshop 2, which a test appends to `mine.py`."""

# ruff: noqa: F821 - the names of mine.py

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    def __init__(self, features=32):
        super().__init__()
        layers, channels = [], 3
        for width, stride in ((features, 1), (features, 2), (2 * features, 1), (2 * features, 2), (4 * features, 1)):
            layers += [spectral_norm(nn.Conv2d(channels, width, 3, stride, 1)), nn.LeakyReLU(0.2)]
            channels = width
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(channels, 1, 3, padding=1)))

    def forward(self, image):
        return self.layers(image)


def d_loss(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def g_loss(sr, hr, discriminator):
    return F.l1_loss(sr, hr) + 0.1 * F.softplus(-discriminator(sr)).mean()


def gan_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss):
    sr = generator(lr)
    loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))
    d_optimizer.zero_grad()
    loss_of_d.backward()
    d_optimizer.step()

    loss_of_g = g_loss(sr, hr, discriminator)
    g_optimizer.zero_grad()
    loss_of_g.backward()
    g_optimizer.step()
    return loss_of_d.item(), loss_of_g.item()


def train_gan(photos, generator, iters, seed):
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    gan_network, discriminator = Generator(), Discriminator()
    gan_network.load_state_dict(generator.state_dict())
    g_optimizer = torch.optim.Adam(gan_network.parameters(), 2e-4, betas=(0.5, 0.99))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), 4e-4, betas=(0.5, 0.99))
    for _ in range(iters):
        pairs = sample_pairs(photos, 8, 16, random)
        gan_step(gan_network, discriminator, g_optimizer, d_optimizer, *pairs, d_loss, g_loss)
    return gan_network
