"""Reference solution of `notebooks/capstone.ipynb`, written with torch, torchvision and Pillow.

Each ``# %%`` begins the code for one of the notebook's answer cells, in order. The tests add the calls that train.
"""

# %% photos
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torchvision.transforms.functional import pil_to_tensor

SCALE = 4
HELD_OUT = {"astronaut", "brick", "chelsea", "text"}  # the course's networks have not seen these either


def load_photos(folder):
    files = sorted(file for file in Path(folder).iterdir() if file.suffix.lower() in {".png", ".jpg", ".jpeg"})
    held_out = [file for file in files if file.stem in HELD_OUT] or files[::4]

    def read(file):
        return pil_to_tensor(ImageOps.exif_transpose(Image.open(file)).convert("RGB")).float() / 255

    train = {file.name: read(file) for file in files if file not in held_out}
    return train, {file.name: read(file) for file in held_out}


# %% pairs
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


# %% generator
class Block(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class Generator(nn.Module):
    def __init__(self, num_blocks=4, features=32):
        super().__init__()
        self.head = nn.Conv2d(3, features, 3, padding=1)
        self.blocks = nn.Sequential(*[Block(features) for _ in range(num_blocks)])
        self.up1 = nn.Conv2d(features, 4 * features, 3, padding=1)
        self.up2 = nn.Conv2d(features, 4 * features, 3, padding=1)
        self.last = nn.Conv2d(features, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # training starts at bicubic
        nn.init.zeros_(self.last.bias)

    def forward(self, lr):
        x = F.leaky_relu(self.head(lr), 0.1)
        x = x + self.blocks(x)
        for up in (self.up1, self.up2):
            x = F.leaky_relu(F.pixel_shuffle(up(x), 2), 0.1)
        return self.last(x) + F.interpolate(lr, scale_factor=SCALE, mode="bicubic")


# %% score
def psnr(sr, hr, crop):
    error = sr - hr
    height, width = error.shape[-2:]
    error = error[..., crop : height - crop, crop : width - crop]
    return -10 * error.double().square().mean((1, 2, 3)).log10()


def validate(generator, pairs):
    was_training = generator.training
    generator.eval()
    with torch.no_grad():
        scores = [psnr(generator(lr), hr, 4).item() for lr, hr in pairs]
    generator.train(was_training)
    return sum(scores) / len(scores)


# %% training
def train(photos, iters, seed, checkpoint=None, stop=None):
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    generator = Generator()
    optimizer = torch.optim.Adam(generator.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=iters)
    done, losses = 0, []
    if checkpoint and Path(checkpoint).is_file():
        saved = torch.load(checkpoint, weights_only=True)
        generator.load_state_dict(saved["generator"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        random.set_state(saved["random"])
        done = saved["done"]

    def save():
        parts = {"generator": generator, "optimizer": optimizer, "schedule": schedule}
        states = {name: part.state_dict() for name, part in parts.items()}
        torch.save(states | {"random": random.get_state(), "done": done}, checkpoint)

    while done < (stop or iters):
        lr, hr = sample_pairs(photos, 8, 16, random)
        loss = F.l1_loss(generator(lr), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        done += 1
        if checkpoint and done % 200 == 0:
            save()
    if checkpoint:
        save()
    return generator, losses


# %% adversary
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


# %% train the gan
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
