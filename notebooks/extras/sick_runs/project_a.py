"""Project A: four times the pixels, with residual blocks and the L1 loss.

python project_a.py FOLDER trains with the photos of a folder and prints the score.
"""

import functools
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

SCALE = 4
SIDE = 16  # LR pixels per side of a patch
BATCH = 8
FEATURES = 32
BLOCKS = 3
RATE = 1e-2
EVERY = 20  # steps from one validation to the next


# --- photos and pairs ---


def load_photos(folder):
    photos = {}
    for file in sorted(Path(folder).iterdir()):
        if file.suffix.lower() in (".png", ".jpg", ".jpeg"):
            pixels = np.array(Image.open(file).convert("RGB"))
            photos[file.name] = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    names = list(photos)
    held_out = names[::5]
    train = {name: photos[name] for name in names if name not in held_out}
    return train, {name: photos[name] for name in held_out}


def downscale(hr):
    size = [side // SCALE for side in hr.shape[-2:]]
    return F.interpolate(hr, size, mode="bicubic", antialias=True).clamp(0, 1)


def sample_pairs(photos, count, side, random):
    patches, names, length = [], list(photos), SCALE * side
    for _ in range(count):
        photo = photos[names[torch.randint(len(names), (), generator=random)]]
        top = torch.randint(photo.shape[1] - length + 1, (), generator=random)
        left = torch.randint(photo.shape[2] - length + 1, (), generator=random)
        patch = photo[:, top : top + length, left : left + length]
        if torch.rand((), generator=random) < 0.5:
            patch = patch.flip(-1)
        patches.append(patch)
    hr = torch.stack(patches)
    return downscale(hr), hr


# --- the network ---


class Block(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, FEATURES, 3, padding=1)
        self.blocks = nn.Sequential(*[Block(FEATURES) for _ in range(BLOCKS)])
        self.after = nn.Conv2d(FEATURES, FEATURES, 3, padding=1)
        self.tail = nn.Conv2d(FEATURES, 3 * SCALE**2, 3, padding=1)
        self.apply(start_small)

    def forward(self, lr):
        x = self.blocks(F.relu(self.head(lr)))
        x = F.relu(self.after(x))
        detail = F.pixel_shuffle(self.tail(x), SCALE)
        return F.interpolate(lr, scale_factor=SCALE, mode="bilinear") + detail


def start_small(layer):
    """A tenth of He's initialization, as in the ESRGAN paper."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight)
        layer.weight.data *= 0.1
        nn.init.zeros_(layer.bias)


# --- training ---


def psnr(sr, hr, crop):
    error = (sr.clamp(0, 1) - hr)[..., crop:-crop, crop:-crop]
    return -10 * error.square().mean(dim=(1, 2, 3)).log10()


@torch.no_grad()
def validate(generator, pairs):
    was_training = generator.training
    generator.eval()
    scores = [psnr(generator(lr), hr, SCALE).item() for lr, hr in pairs]
    generator.train(was_training)
    return sum(scores) / len(scores)


def train_step(generator, optimizer, lr, hr):
    loss = F.l1_loss(generator(lr), hr)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def train(photos, pairs, steps, seed, watch=None):
    """Train; `watch(network, log, step)`, if given, runs each step and may look around it."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    generator = Generator()
    optimizer = torch.optim.Adam(generator.parameters(), lr=RATE)
    log = []
    for number in range(1, steps + 1):
        lr, hr = sample_pairs(photos, BATCH, SIDE, random)
        step = functools.partial(train_step, generator, optimizer, lr, hr)
        loss = watch(generator, log, step) if watch else step()
        log.append({"step": number, "loss": loss})
        if number % EVERY == 0:
            log[-1]["psnr"] = validate(generator, pairs)
    return generator, log


if __name__ == "__main__":
    train_photos, held_out = load_photos(sys.argv[1])
    pairs = [(downscale(hr[None]), hr[None]) for hr in held_out.values()]
    generator, log = train(train_photos, pairs, 300, seed=0)
    print(f"{log[-1]['psnr']:.2f} dB on {', '.join(held_out)}")
