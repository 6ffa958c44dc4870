"""Project D: sharp textures with a GAN.

First the generator learns with L1, then it plays against a discriminator.
"""

import argparse
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.io import decode_image

BATCH, SIDE = 8, 12
WARM_UP = 120  # steps with L1 only
WEIGHT = 0.02  # of the adversarial loss


def load(folder):
    images = [decode_image(str(file), "RGB") / 255 for file in sorted(Path(folder).glob("*.jpg"))]
    left = {f"left {i}": image[..., : image.shape[-1] // 2] for i, image in enumerate(images)}
    right = {f"right {i}": image[..., image.shape[-1] // 2 :] for i, image in enumerate(images)}
    return left, right  # train with the left halves, look at the right ones


def quarter(hr):
    return F.interpolate(
        hr, size=(hr.shape[-2] // 4, hr.shape[-1] // 4), mode="bicubic", antialias=True
    ).clamp(0, 1)


def sample_pairs(photos, count, side, random):
    keys, patches, big = list(photos), [], 4 * side
    picks = torch.randint(len(keys), (count,), generator=random).tolist()
    for photo in (photos[keys[pick]] for pick in picks):
        rows, columns = photo.shape[1] - big, photo.shape[2] - big
        y = torch.randint(rows + 1, (), generator=random)
        x = torch.randint(columns + 1, (), generator=random)
        patches.append(photo[:, y : y + big, x : x + big])
    hr = torch.stack(patches)
    return quarter(hr), hr


class Generator(nn.Module):
    def __init__(self, features=32):
        super().__init__()
        self.first = nn.Conv2d(3, features, 3, padding=1)
        self.middle = nn.ModuleList(nn.Conv2d(features, features, 3, padding=1) for _ in range(4))
        self.last = nn.Conv2d(features, 48, 3, padding=1)
        self.act = nn.LeakyReLU(0.2)

    def forward(self, lr):
        x = self.act(self.first(lr))
        for conv in self.middle:
            x = x + self.act(conv(x))
        detail = F.pixel_shuffle(self.last(x), 4)
        return F.interpolate(lr, scale_factor=4, mode="bilinear") + 0.2 * detail


class Discriminator(nn.Module):
    """Logits, one for each patch of about 20 pixels."""

    def __init__(self, features=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(features, 2 * features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * features, 2 * features, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * features, 1, 3, padding=1),
        )

    def forward(self, image):
        return self.layers(2 * image - 1)


def psnr(sr, hr, crop):
    error = (sr.clamp(0, 1) - hr)[:, :, crop:-crop, crop:-crop] ** 2
    return -10 * error.mean((1, 2, 3)).log10()


@torch.no_grad()
def validate(generator, pairs):
    mode, scores = generator.training, []
    generator.eval()
    for lr, hr in pairs:
        scores.append(psnr(generator(lr), hr, 4).mean())
    generator.train(mode)
    return float(sum(scores) / len(scores))


def d_loss(real, fake):
    real = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    fake = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return real + fake


def g_loss(sr, hr, discriminator):
    logits = discriminator(sr)
    fooled = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    return F.l1_loss(sr, hr) + WEIGHT * fooled


def train_step(generator, optimizer, lr, hr):
    loss = F.l1_loss(generator(lr), hr)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def gan_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss):
    sr = generator(lr)

    # the discriminator's turn
    d = d_loss(discriminator(hr), discriminator(sr.detach()))
    d_optimizer.zero_grad()
    d.backward()
    d_optimizer.step()

    # the generator's turn, with the updated discriminator as its judge
    def judge(image):
        return discriminator(image.detach())

    g = g_loss(sr, hr, judge)
    g_optimizer.zero_grad()
    g.backward()
    g_optimizer.step()
    return d.item(), g.item()


def train(photos, pairs, steps, seed, watch=None):
    """Train; `watch(network, log, step)` runs each step if you want to look at the network."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    generator, discriminator = Generator(), Discriminator()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3)
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.99))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=5e-4, betas=(0.5, 0.99))
    log = []
    for number in range(1, steps + 1):
        lr, hr = sample_pairs(photos, BATCH, SIDE, random)
        if number <= WARM_UP:
            step = partial(train_step, generator, optimizer, lr, hr)
        else:
            networks = (generator, discriminator, g_optimizer, d_optimizer)
            step = partial(gan_step, *networks, lr, hr, d_loss, g_loss)
        out = watch(generator, log, step) if watch else step()
        row = {"step": number} | (
            {"loss": out} if number <= WARM_UP else {"d": out[0], "g": out[1]}
        )
        if number % 20 == 0:
            row["psnr"] = validate(generator, pairs)
        log.append(row)
    return generator, log


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    photos, held_out = load(options.folder)
    pairs = [(quarter(hr[None]), hr[None]) for hr in held_out.values()]
    generator, log = train(photos, pairs, options.steps, seed=0)
    torch.save(generator.state_dict(), "generator.pt")
