"""Project B: a small SRResNet for x4.

Usage: python project_b.py FOLDER
"""

import random as python_random
import sys
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.io import ImageReadMode, decode_image

CONFIG = {
    "scale": 4,
    "side": 16,  # of an LR patch
    "batch": 8,
    "features": 24,
    "blocks": 4,
    "rate": 1e-3,
    "every": 20,  # steps between two validations
}


class ResidualBlock(nn.Module):
    """conv, norm, act, conv, norm; then add the input."""

    def __init__(self, features, norm, act):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1, bias=False),
            norm,
            act,
            nn.Conv2d(features, features, 3, padding=1, bias=False),
            norm,
        )

    def forward(self, x):
        return x + self.layers(x)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        features = CONFIG["features"]
        norm, act = nn.BatchNorm2d(features), nn.PReLU()
        self.head = nn.Sequential(nn.Conv2d(3, features, 5, padding=2), nn.PReLU())
        self.body = nn.Sequential(
            *[ResidualBlock(features, norm, act) for _ in range(CONFIG["blocks"])]
        )
        self.tail = nn.Conv2d(features, 3 * CONFIG["scale"] ** 2, 3, padding=1)
        nn.init.normal_(self.tail.weight, std=1e-3)  # so that SR starts as the upscaled LR image
        nn.init.zeros_(self.tail.bias)
        self.shuffle = nn.PixelShuffle(CONFIG["scale"])

    def forward(self, lr):
        first = self.head(lr)
        detail = self.shuffle(self.tail(first + self.body(first)))
        return F.interpolate(lr, scale_factor=CONFIG["scale"], mode="bicubic") + detail


def read_folder(folder):
    files = [f for f in sorted(Path(folder).glob("*")) if f.suffix in {".png", ".jpg"}]
    images = {f.name: decode_image(str(f), ImageReadMode.RGB) / 255 for f in files}
    held_out = set(python_random.Random(0).sample(sorted(images), max(1, len(images) // 5)))
    train = {name: image for name, image in images.items() if name not in held_out}
    return train, {name: images[name] for name in held_out}


def make_lr(hr):
    height, width = hr.shape[-2] // CONFIG["scale"], hr.shape[-1] // CONFIG["scale"]
    lr = F.interpolate(hr, (height, width), mode="bicubic", antialias=True)
    return lr.clamp(0, 1)


def random_number(below, random):
    return int(torch.randint(below, (1,), generator=random))


def sample_pairs(photos, count, side, random):
    size = side * CONFIG["scale"]
    images = list(photos.values())
    crops = []
    for _ in range(count):
        image = images[random_number(len(images), random)]
        y = random_number(image.shape[1] - size + 1, random)
        x = random_number(image.shape[2] - size + 1, random)
        crop = image[:, y : y + size, x : x + size]
        crops.append(torch.rot90(crop, random_number(4, random), (1, 2)))
    hr = torch.stack(crops)
    return make_lr(hr), hr


def psnr(sr, hr, crop):
    inside = slice(crop, -crop)
    mse = (sr.clamp(0, 1) - hr)[..., inside, inside].pow(2).flatten(1).mean(1)
    return 10 * torch.log10(1 / mse)


def validate(generator, pairs):
    """Mean PSNR of the held-out pairs."""
    mode = generator.training
    generator.eval()
    with torch.no_grad():
        values = [psnr(generator(lr), hr, 4) for lr, hr in pairs]
    generator.train(mode)
    return torch.cat(values).mean().item()


def train_step(generator, optimizer, lr, hr):
    optimizer.zero_grad()
    sr = generator(lr)
    loss = F.mse_loss(sr, hr)
    loss.backward()
    optimizer.step()
    return loss.item()


def train(photos, pairs, steps, seed, watch=None):
    """Return the trained network and a log; `watch(network, log, step)` runs a step for us."""
    torch.manual_seed(seed)
    generator = Generator()
    optimizer = torch.optim.Adam(generator.parameters(), CONFIG["rate"])
    random = torch.Generator().manual_seed(seed)
    log = []
    while len(log) < steps:
        batch = sample_pairs(photos, CONFIG["batch"], CONFIG["side"], random)
        step = partial(train_step, generator, optimizer, *batch)
        log.append({"step": len(log) + 1, "loss": watch(generator, log, step) if watch else step()})
        if len(log) % CONFIG["every"] == 0:
            log[-1]["psnr"] = validate(generator, pairs)
    return generator, log


if __name__ == "__main__":
    photos, held_out = read_folder(sys.argv[1])
    pairs = [(make_lr(hr[None]), hr[None]) for hr in held_out.values()]
    trained, log = train(photos, pairs, steps=300, seed=0)
    print("held-out photos:", round(validate(trained, pairs), 2), "dB")
