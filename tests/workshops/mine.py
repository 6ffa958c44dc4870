"""Upscale photos by four with a network of my own: `python mine.py photo.jpg`."""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import nn
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

SCALE = 4
HELD_OUT = {"astronaut", "brick", "chelsea", "text"}  # the course's networks have not seen these either


def read(file):
    return pil_to_tensor(ImageOps.exif_transpose(Image.open(file)).convert("RGB")).float() / 255


def load_photos(folder):
    files = sorted(file for file in Path(folder).iterdir() if file.suffix.lower() in {".png", ".jpg", ".jpeg"})
    held_out = [file for file in files if file.stem in HELD_OUT] or files[::4]
    train = {file.name: read(file) for file in files if file not in held_out}
    return train, {file.name: read(file) for file in held_out}


def downscale(hr):
    return F.interpolate(hr, scale_factor=1 / SCALE, mode="bicubic", antialias=True)


def sample_pairs(photos, count, side, random):
    def below(limit):
        return torch.randint(limit, (), generator=random).item()

    known, patches = list(photos.values()), []
    for _ in range(count):
        photo = known[below(len(known))]
        top, left = (below(size - SCALE * side + 1) for size in photo.shape[1:])
        patch = photo[:, top : top + SCALE * side, left : left + SCALE * side]
        patch = patch.flip(2) if below(2) else patch
        patches.append(patch.transpose(1, 2) if below(2) else patch)
    hr = torch.stack(patches)
    return downscale(hr), hr


class Block(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class Generator(nn.Module):
    def __init__(self, num_blocks=5, features=32):
        super().__init__()
        self.head = nn.Conv2d(3, features, 3, padding=1)
        self.blocks = nn.Sequential(*[Block(features) for _ in range(num_blocks)])
        self.last = nn.Conv2d(features, 3 * SCALE**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # training starts at bicubic
        nn.init.zeros_(self.last.bias)

    def forward(self, lr):
        detail = F.pixel_shuffle(self.last(self.blocks(self.head(lr))), SCALE)
        return detail + F.interpolate(lr, scale_factor=SCALE, mode="bicubic")


def train_step(generator, optimizer, lr, hr):
    loss = F.l1_loss(generator(lr), hr)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def fit(step, iters, checkpoint=None, stop=None):
    done = checkpoint.load() if checkpoint else 0
    end = iters if stop is None else min(stop, iters)
    results = []
    try:
        while done < end:
            results.append(step())
            done += 1
    finally:
        if checkpoint:
            checkpoint.save(done)
    return results


def train(photos, iters, seed):
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    generator = Generator()
    optimizer = torch.optim.Adam(generator.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=iters)

    def step():
        loss = train_step(generator, optimizer, *sample_pairs(photos, 8, 24, random))
        schedule.step()
        return loss

    return generator, fit(step, iters)


def main(photo):
    generator = Generator()
    generator.load_state_dict(torch.load(Path(__file__).parent / "network.pt", weights_only=True))
    with torch.no_grad():
        sr = generator.eval()(read(photo)[None])[0]
    to_pil_image(sr.clamp(0, 1)).save(Path(photo).with_suffix(".x4.png"))


if __name__ == "__main__":
    main(sys.argv[1])
