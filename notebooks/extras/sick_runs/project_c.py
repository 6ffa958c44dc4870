"""Project C: upscale photos by 4 with a plain stack of convolutions.

python project_c.py my_photos/
"""

import functools
import pathlib
import sys

import PIL.Image
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision.transforms.functional as TF


class Data:
    """Photos of a folder; every fifth is held out."""

    def __init__(self, folder):
        files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() == ".png")
        images = {p.name: TF.to_tensor(PIL.Image.open(p).convert("RGB")) for p in files}
        self.train = {name: images[name] for i, name in enumerate(images) if i % 5}
        self.held_out = {name: images[name] for i, name in enumerate(images) if i % 5 == 0}


def low_resolution(hr):
    """A quarter of the height and the width, antialiased."""
    size = (hr.shape[-2] // 4, hr.shape[-1] // 4)
    mode = TF.InterpolationMode.BICUBIC
    return TF.resize(hr, size, mode, antialias=True).clamp(0, 1)


def draw(random, end):
    return torch.randint(0, end, (1,), generator=random).item()


def crop(photos, side, random):
    """One random place of one random photo: LR and HR."""
    name = sorted(photos)[draw(random, len(photos))]
    photo = photos[name]
    _, height, width = photo.shape
    top, left = draw(random, height - 4 * side + 1), draw(random, width - 4 * side + 1)
    hr = photo[:, top : top + 4 * side, left : left + 4 * side]
    return low_resolution(hr), hr


def augment(image, random):
    """Each photo counts eight times: mirrored, and turned by a quarter."""
    if draw(random, 2):
        image = image.flip(2)
    if draw(random, 2):
        image = image.flip(1)
    if draw(random, 2):
        image = image.transpose(1, 2)
    return image


def sample_pairs(photos, count, side, random):
    lrs, hrs = [], []
    for _ in range(count):
        lr, hr = crop(photos, side, random)
        lrs.append(augment(lr, random))
        hrs.append(augment(hr, random))
    return torch.stack(lrs), torch.stack(hrs)


class Generator(nn.Module):
    """Six convolutions on LR, with leaky ReLUs; their sum with the upscaled image is SR."""

    def __init__(self, width=28, depth=6):
        super().__init__()
        layers = [nn.Conv2d(3, width, 3, padding=1)]
        for _ in range(depth - 2):
            layers += [nn.LeakyReLU(0.1), nn.Conv2d(width, width, 3, padding=1)]
        layers += [nn.LeakyReLU(0.1), nn.Conv2d(width, 3 * 16, 3, padding=1)]
        self.layers = nn.Sequential(*layers, nn.PixelShuffle(4))

    def forward(self, lr):
        up = F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False)
        return up + 0.1 * self.layers(lr)


def psnr(sr, hr, crop):
    sr = sr.clamp(0, 1)[..., crop:-crop, crop:-crop]
    hr = hr[..., crop:-crop, crop:-crop]
    mse = F.mse_loss(sr, hr, reduction="none").mean((1, 2, 3))
    return -10 * torch.log10(mse)


@torch.inference_mode()
def validate(generator, pairs):
    training = generator.training
    generator.eval()
    total = sum(psnr(generator(lr), hr, 4).item() for lr, hr in pairs)
    generator.train(training)
    return total / len(pairs)


def train_step(generator, optimizer, lr, hr):
    sr = generator(lr)
    loss = (sr - hr).abs().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach().item()


def train(photos, pairs, steps, seed, watch=None):
    """`watch(network, log, step)`, if there is one, runs the steps, so that it can look at them."""
    torch.manual_seed(seed)
    random = torch.Generator()
    random.manual_seed(seed)
    generator = Generator()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3)
    log = []
    for number in range(steps):
        lr, hr = sample_pairs(photos, 16, 12, random)
        step = functools.partial(train_step, generator, optimizer, lr, hr)
        row = {"step": number + 1, "loss": watch(generator, log, step) if watch else step()}
        if (number + 1) % 20 == 0:
            row["psnr"] = validate(generator, pairs)
        log.append(row)
    return generator, log


if __name__ == "__main__":
    data = Data(sys.argv[1])
    pairs = [(low_resolution(hr[None]), hr[None]) for hr in data.held_out.values()]
    generator, log = train(data.train, pairs, 400, seed=1)
    torch.save(generator.state_dict(), "project_c.pt")
    for row in log[19::20]:
        print(row)
