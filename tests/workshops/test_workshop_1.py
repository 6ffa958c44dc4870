"""Test the checks of Workshop 1: right files of many styles keep each promise, and mistakes break the right ones."""

# ruff: noqa: E501 - a style or a mistake is one line

import random
import re
import shutil

import nbformat
import numpy
import papermill
import pooch
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import srlab
from srlab.data.resampling import upsample
from srlab_course import workshops
from tests.conftest import ROOT

NOTEBOOK = ROOT / "notebooks" / "workshops" / "1_network.ipynb"
PARTS = ("pairs", "generator", "psnr", "validation", "one batch", "fit", "train", "alone")
SMALL = ("num_blocks=5, features=32", "num_blocks=1, features=8")
AGAIN = ('"text"}', '"text", "astronaut_again"}')  # the scene of a held-out photo

SPLIT = "held_out = [file for file in files if file.stem in HELD_OUT] or files[::4]"
READ = 'pil_to_tensor(ImageOps.exif_transpose(Image.open(file)).convert("RGB")).float() / 255'
DOWNSCALE = 'F.interpolate(hr, scale_factor=1 / SCALE, mode="bicubic", antialias=True)'
PLACE = "top, left = (below(size - SCALE * side + 1) for size in photo.shape[1:])"
FORWARD = "detail = F.pixel_shuffle(self.last(self.blocks(self.head(lr))), SCALE)"
SKIP = 'return detail + F.interpolate(lr, scale_factor=SCALE, mode="bicubic")'
BLOCKS = "self.blocks = nn.Sequential(*[Block(features) for _ in range(num_blocks)])"
LAST = "        self.last = nn.Conv2d(features, 3 * SCALE**2, 3, padding=1)\n"
ZERO = (
    "        nn.init.zeros_(self.last.weight)  # training starts at bicubic\n        nn.init.zeros_(self.last.bias)\n"
)
EVAL = "    generator.eval()\n    with torch.no_grad():\n        scores"
SCORES = "scores = [psnr(generator(lr).clamp(0, 1), hr, 4).item() for lr, hr in pairs]"
RESTORE = "    generator.train(was_training)\n"
STEP = "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n    return loss.item()\n"
LOSS = "loss = F.l1_loss(generator(lr), hr)"
TRY = """    try:
        while done < end:
            results.append(step())
            done += 1
    finally:
        if checkpoint:
            checkpoint.save(done)
"""
SEED = "    torch.manual_seed(seed)\n    random = torch.Generator().manual_seed(seed)\n    generator = Generator()\n"
PAIRS = "*sample_pairs(photos, 8, 24, random)"
LOAD = '    generator.load_state_dict(torch.load(Path(__file__).parent / "network.pt", weights_only=True))\n'
SAVE = 'to_pil_image(sr.clamp(0, 1)).save(Path(photo).with_suffix(".x4.png"))'

# Part -> other right styles, each as replacements in the reference.
STYLES = {
    "pairs": {
        "no augmentation": [
            ("patch = patch.flip(2) if below(2) else patch\n", "\n"),
            ("patch.transpose(1, 2) if below(2) else patch", "patch"),
        ],
        "quarter turns": [("patch.flip(2) if below(2) else patch", "patch.rot90(below(4), (1, 2))")],
        "LR clamped": [(DOWNSCALE, f"{DOWNSCALE}.clamp(0, 1)")],
        "torchvision resizes": [
            (
                DOWNSCALE,
                "__import__('torchvision').transforms.functional.resize(hr, [hr.shape[2] // 4, hr.shape[3] // 4], 3, antialias=True)",
            )
        ],
        "Pillow resizes levels": [
            (
                DOWNSCALE,
                "torch.stack([pil_to_tensor(to_pil_image(one).resize((one.shape[2] // 4, one.shape[1] // 4), Image.BICUBIC)).float() / 255 for one in hr])",
            )
        ],
        "crops of downscaled photos": [
            (PLACE, "top, left = (4 * below(size // 4 - side + 1) for size in photo.shape[1:])"),
            (
                "        patch = patch.flip(2) if below(2) else patch\n",
                "        small.append(downscale(photo[None])[0, :, top // 4 : top // 4 + side, left // 4 : left // 4 + side])\n",
            ),
            ("patch.transpose(1, 2) if below(2) else patch", "patch"),
            ("known, patches = list(photos.values()), []", "known, patches, small = list(photos.values()), [], []"),
            ("return downscale(hr), hr", "return torch.stack(small), hr"),
        ],
        "photos drawn by area": [
            (
                "photo = known[below(len(known))]",
                "photo = known[torch.multinomial(torch.tensor([float(p[0].numel()) for p in known]), 1, generator=random).item()]",
            ),
        ],
        "another state, drawn from random": [
            (
                "    known, patches",
                "    own = torch.Generator().manual_seed(torch.randint(2**31, (), generator=random).item())\n    known, patches",
            ),
            ("(), generator=random).item()\n\n", "(), generator=own).item()\n\n"),
        ],
        "places drawn as floats": [
            (
                "below(size - SCALE * side + 1) for",
                "int(torch.rand((), generator=random) * (size - SCALE * side + 1)) for",
            )
        ],
    },
    "generator": {
        "no skip": [(SKIP, "return detail"), (ZERO, "")],
        "bilinear skip, random start": [
            ('scale_factor=SCALE, mode="bicubic")\n\n\ndef psnr', 'scale_factor=SCALE, mode="bilinear")\n\n\ndef psnr'),
            (ZERO, ""),
        ],
        "batch norm": [
            ("F.relu(self.conv1(x))", "F.relu(self.norm(self.conv1(x)))"),
            ("        self.conv1 =", "        self.norm = nn.BatchNorm2d(features)\n        self.conv1 ="),
        ],
        "group norm and channel attention": [
            (
                "return x + self.conv2(F.relu(self.conv1(x)))",
                "y = self.conv2(F.gelu(self.norm(self.conv1(x))))\n        return x + y * y.mean((2, 3), keepdim=True).sigmoid()",
            ),
            ("        self.conv1 =", "        self.norm = nn.GroupNorm(2, features)\n        self.conv1 ="),
        ],
        "channel attention with a dead ReLU": [
            (
                "return x + self.conv2(F.relu(self.conv1(x)))",
                "y = self.conv2(F.relu(self.conv1(x)))\n        return x + y * self.gate(y)",
            ),
            (
                "        self.conv1 =",
                "        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(features, 2, 1), nn.ReLU(), nn.Conv2d(2, features, 1), nn.Sigmoid())\n        nn.init.constant_(self.gate[1].bias, -9)\n        self.conv1 =",
            ),
        ],
        "dropout": [("F.relu(self.conv1(x))", "F.dropout(F.relu(self.conv1(x)), 0.1, self.training)")],
        "transposed convolution": [
            (LAST, "        self.last = nn.ConvTranspose2d(features, 3, 4, 4)\n"),
            ("F.pixel_shuffle(self.last(self.blocks(self.head(lr))), SCALE)", "self.last(self.blocks(self.head(lr)))"),
        ],
        "at HR size": [
            (
                "self.last(self.blocks(self.head(lr)))",
                "self.last(self.blocks(self.head(F.interpolate(lr, scale_factor=4.0))))",
            ),
            ("F.pixel_shuffle(", "("),
            (
                "self.head(F.interpolate(lr, scale_factor=4.0)))), SCALE)",
                "self.head(F.interpolate(lr, scale_factor=4.0)))))",
            ),
            ("3 * SCALE**2", "3"),
        ],
        "U-Net that pads": [
            (
                FORWARD,
                "height, width = lr.shape[-2:]\n        x = self.head(F.pad(lr, (0, -width % 4, 0, -height % 4), mode='replicate'))\n        x = x + F.interpolate(self.blocks(F.avg_pool2d(x, 4)), scale_factor=4)\n        detail = F.pixel_shuffle(self.last(x), SCALE)[..., : 4 * height, : 4 * width]",
            ),
        ],
        "sigmoid": [(SKIP, "return detail.sigmoid()"), (ZERO, "")],
        "weight norm": [(LAST, LAST + "        self.head = nn.utils.parametrizations.weight_norm(self.head)\n")],
        "fixed mean": [
            (LAST, LAST + "        self.mean = nn.Parameter(torch.full((1, 3, 1, 1), 0.4), requires_grad=False)\n"),
            ("self.head(lr)", "self.head(lr - self.mean)"),
        ],
        "ModuleList": [
            (BLOCKS, "self.blocks = nn.ModuleList([Block(features) for _ in range(num_blocks)])"),
            (
                FORWARD,
                "x = self.head(lr)\n        for block in self.blocks:\n            x = block(x)\n        detail = F.pixel_shuffle(self.last(x), SCALE)",
            ),
        ],
        "factory": [
            ("class Generator(nn.Module)", "class Network(nn.Module)"),
            ("def psnr", "def Generator():\n    return Network()\n\n\ndef psnr"),
        ],
    },
    "psnr": {
        "float32": [(".double()", "")],
        "clamped": [("error = (sr - hr)", "error = (sr.clamp(0, 1) - hr)")],
        "flattened": [("mean((1, 2, 3))", "flatten(1).mean(1)")],
        "tiny epsilon": [("mean((1, 2, 3)).log10()", "mean((1, 2, 3)).clamp(min=1e-16).log10()")],
        "rms": [
            (
                "-10 * error.double().square().mean((1, 2, 3)).log10()",
                "-20 * error.double().square().mean((1, 2, 3)).sqrt().log10()",
            )
        ],
    },
    "validation": {
        "detach": [
            ("with torch.no_grad():\n        scores", "if True:\n        scores"),
            ("generator(lr).clamp(0, 1)", "generator(lr).detach()"),
        ],
        "inference mode": [("with torch.no_grad():\n        scores", "with torch.inference_mode():\n        scores")],
        "a copy": [
            (
                EVAL,
                "    copied = __import__('copy').deepcopy(generator).eval().requires_grad_(False)\n    if True:\n        scores",
            ),
            ("psnr(generator(lr)", "psnr(copied(lr)"),
            (RESTORE, ""),
        ],
        "a tensor": [("return sum(scores) / len(scores)", "return torch.tensor(scores).mean()")],
        "modes of all modules": [
            ("was_training = generator.training", "modes = {m: m.training for m in generator.modules()}"),
            (RESTORE, "    for m, mode in modes.items():\n        m.training = mode\n"),
        ],
        "decorator": [
            ("def validate", "@torch.no_grad()\ndef validate"),
            ("    with torch.no_grad():\n        scores", "    if True:\n        scores"),
        ],
    },
    "one batch": {
        "MSE": [(LOSS, "loss = F.mse_loss(generator(lr), hr)")],
        "sum": [(LOSS, "loss = F.l1_loss(generator(lr), hr, reduction='sum')")],
        "Charbonnier": [(LOSS, "loss = ((generator(lr) - hr).square() + 1e-6).sqrt().mean()")],
        "edges count": [
            ("num_blocks=1, features=8", "num_blocks=3, features=16"),
            (LOSS, "sr = generator(lr)\n    loss = F.mse_loss(sr, hr) + F.l1_loss(sr.diff(dim=3), hr.diff(dim=3))"),
        ],
        "clear at the end": [
            (STEP, "    loss.backward()\n    optimizer.step()\n    optimizer.zero_grad()\n    return loss.item()\n")
        ],
        "a closure": [
            (
                f"    {LOSS}\n{STEP}",
                f"    def closure():\n        optimizer.zero_grad()\n        {LOSS}\n        loss.backward()\n        return loss\n\n    return optimizer.step(closure).item()\n",
            )
        ],
        "a detached tensor": [("return loss.item()", "return loss.detach()")],
        "clipped": [
            (
                "    optimizer.step()\n    return",
                "    nn.utils.clip_grad_norm_(generator.parameters(), 1e3)\n    optimizer.step()\n    return",
            )
        ],
        "train mode first": [(f"    {LOSS}", f"    generator.train()\n    {LOSS}")],
    },
    "fit": {
        "for": [
            (
                TRY,
                "    try:\n        for done in range(done, end):\n            results.append(step())\n        done = max(done, end)\n    except KeyboardInterrupt:\n        if checkpoint:\n            checkpoint.save(done)\n        raise\n    if checkpoint:\n        checkpoint.save(done)\n",
            ),
            ("end = iters if stop is None else min(stop, iters)", "end = iters if stop is None else min(stop, iters)"),
        ],
        "save each step": [
            (
                "            done += 1\n",
                "            done += 1\n            if checkpoint:\n                checkpoint.save(done)\n",
            )
        ],
        "save every third": [
            (
                "            done += 1\n",
                "            done += 1\n            if checkpoint and done % 3 == 0:\n                checkpoint.save(done)\n",
            )
        ],
        "except and raise": [
            (
                "    finally:\n        if checkpoint:\n            checkpoint.save(done)\n",
                "    except BaseException:\n        if checkpoint:\n            checkpoint.save(done)\n        raise\n    if checkpoint is not None:\n        checkpoint.save(done)\n",
            )
        ],
        "break": [
            ("        while done < end:\n", "        while True:\n            if done >= end:\n                break\n")
        ],
        "inf": [
            (
                "end = iters if stop is None else min(stop, iters)",
                "end = min(iters, float('inf') if stop is None else stop)",
            )
        ],
        "count results": [
            ("            done += 1\n", ""),
            ("while done < end", "while done + len(results) < end"),
            ("checkpoint.save(done)", "checkpoint.save(done + len(results))"),
        ],
    },
    "train": {
        "no schedule": [("        schedule.step()\n", "")],
        "cosine": [("OneCycleLR(optimizer, 2e-3, total_steps=iters)", "CosineAnnealingLR(optimizer, iters)")],
        "SGD": [
            (
                "torch.optim.Adam(generator.parameters(), 2e-3)",
                "torch.optim.SGD(generator.parameters(), 0.05, momentum=0.9)",
            )
        ],
        "weights averaged": [
            (
                "    return generator, fit(step, iters)",
                "    losses = fit(step, iters)\n    average.train(False)\n    return average, losses",
            ),
            (
                "        schedule.step()\n",
                "        schedule.step()\n        for a, b in zip(average.parameters(), generator.parameters(), strict=True):\n            a.data.lerp_(b.data, 0.05)\n",
            ),
            (
                "    def step():\n        loss",
                "    average = __import__('copy').deepcopy(generator)\n\n    def step():\n        loss",
            ),
        ],
        "eval at the end": [
            (
                "    return generator, fit(step, iters)",
                "    losses = fit(step, iters)\n    return generator.eval(), losses",
            )
        ],
        "a seed per step": [
            (PAIRS, "*sample_pairs(photos, 8, 24, torch.Generator().manual_seed(1000 * seed + len(count)))"),
            (
                "    def step():\n        loss",
                "    count = []\n\n    def step():\n        count.append(0)\n        loss",
            ),
        ],
        "own pairs": [
            (
                PAIRS,
                "*(lambda hr: (downscale(hr), hr))(torch.stack([photo[:, n:n + 64, n:n + 64] for photo in photos.values() for n in torch.randint(60, (2,), generator=random).tolist()]))",
            )
        ],
        "the default generator": [(PAIRS, "*sample_pairs(photos, 8, 24, torch.default_generator)")],
    },
    "alone": {
        "torchvision writes": [(SAVE, "__import__('torchvision').utils.save_image(sr, str(photo) + '_big.png')")],
    },
}

# Part -> mistakes, each as replacements in the reference; last, what the broken promise and its hint contain.
MISTAKES = {
    "pairs": {
        "never the last row": [
            ("(below(size - SCALE * side + 1) for", "(below(max(1, size - SCALE * side)) for"),
            ("to its borders", "never drawn"),
        ],
        "lists": [
            ("return downscale(hr), hr", "return list(downscale(hr)), hr"),
            ("`lr` should be a tensor, but it is a list of 32 items", ""),
        ],
        "HR first": [
            ("return downscale(hr), hr", "return hr, downscale(hr)"),
            ("`lr` should have the shape (32, 3, 16, 16)", ""),
        ],
        "darker HR": [
            ("    hr = torch.stack(patches)", "    hr = torch.stack(patches) * 0.99"),
            ("0 of 256 HR patches", "keep their pixels"),
        ],
        "always the same photo": [
            ("known[below(len(known))]", "known[0]"),
            ("from 1 or more of 4 photos", "Draw a photo"),
        ],
        "photos in turn": [
            ("known[below(len(known))]", "known[len(patches) % len(known)]"),
            ("batches of 2 from 2, and", "Draw a photo"),
        ],
        "columns from the height": [
            (
                PLACE,
                "height = min(photo.shape[1:])\n        top, left = below(height - SCALE * side + 1), below(height - SCALE * side + 1)",
            ),
            ("Patches come from everywhere", "the columns on the width"),
        ],
        "one place": [(PLACE, "top, left = 0, 0"), ("at least 0 %", "for each patch")],
        "global random numbers": [
            ("torch.randint(limit, (), generator=random)", "torch.randint(limit, ())"),
            ("`random` decides: its state draws other pairs", "`random`"),
        ],
        "the same batch in each step": [
            ("torch.randint(limit, (), generator=random).item()", "own.randrange(limit)"),
            ("    known, patches", "    own = __import__('random').Random(random.initial_seed())\n    known, patches"),
            ("a second call draws the same pairs", "doesn't advance"),
        ],
        "LR shifted": [
            ("return downscale(hr), hr", "return downscale(hr.roll((2, -1), (2, 3))), hr"),
            ("with a shift of -2 HR pixels down and 1 to the right", "cropped"),
        ],
        "only HR mirrored": [
            ("return downscale(hr), hr", "return downscale(hr).flip(3), hr"),
            ("LR is HR downscaled by 4, bicubic, antialiased. Yours is nearest to", "flipped and turned"),
        ],
        "every fourth pixel": [
            (DOWNSCALE, "hr[..., ::4, ::4]"),
            ("LR is HR downscaled", "average first"),
        ],
        "no antialiasing": [
            (', mode="bicubic", antialias=True', ', mode="bicubic"'),
            ("Yours is nearest to bicubic-aliased", "average first"),
        ],
        "bilinear": [
            ('mode="bicubic", antialias', 'mode="bilinear", antialias'),
            ("Yours is nearest to bilinear, 0 % away", "average first"),
        ],
        "blocks": [(DOWNSCALE, "F.avg_pool2d(hr, 4)"), ("Yours is nearest to area, 0 % away", "average first")],
        "noise on LR": [
            (
                "return downscale(hr), hr",
                "return downscale(hr) + 0.01 * torch.randn(hr[..., ::4, ::4].shape, generator=random), hr",
            ),
            ("Yours is nearest to bicubic, 1", "without noise"),
        ],
        "an off-by-one": [
            ("SCALE * side + 1)", "SCALE * side)"),
            ("is enough for a patch of this size: random_", "too small"),
        ],
    },
    "generator": {
        "a mean in an attribute": [
            ("        self.blocks = nn", "        self.mean = 0.0\n        self.blocks = nn"),
            (
                "    def forward(self, lr):\n",
                "    def forward(self, lr):\n        if self.training:\n            self.mean = 0.9 * self.mean + 0.1 * lr.mean().item()\n        lr = lr - self.mean\n",
            ),
            ("state_dict contains all of it", "attribute"),
        ],
        "an object": [("def psnr", "Generator = Generator()\n\n\ndef psnr"), ("should be the class", "")],
        "no padding": [
            ("self.head = nn.Conv2d(3, features, 3, padding=1)", "self.head = nn.Conv2d(3, features, 3)"),
            ("SR of (2, 3, 16, 16). Line", ""),
        ],
        "twice as large": [
            (SKIP, "return F.avg_pool2d(detail, 2)"),
            ("Any size becomes four times as large: SR of (2, 3, 16, 16) should", ""),
        ],
        "squeeze": [
            (SKIP, "return (detail + F.interpolate(lr, scale_factor=4)).squeeze(0)"),
            ("SR of (1, 3, 8, 12) should have the shape (1, 3, 32, 48), but it has (3, 32, 48)", ""),
        ],
        "in place": [(FORWARD, f"lr -= 0.5\n        {FORWARD}"), ("`lr` itself is changed", "in place")],
        "noise": [(SKIP, f"{SKIP} + 0.01 * torch.randn(1)"), ("In eval mode", "random")],
        "a gate over the batch, behind a last layer of zeros": [
            (
                "return x + self.conv2(F.relu(self.conv1(x)))",
                "y = self.conv2(F.relu(self.conv1(x)))\n        return x + y * y.mean((0, 2, 3), keepdim=True).sigmoid()",
            ),
            ("In eval mode", "dim=0"),
        ],
        "dropout in eval mode": [
            ("F.relu(self.conv1(x))", "F.dropout(F.relu(self.conv1(x)), 0.1)"),
            ("In eval mode", "random"),
        ],
        "the mean of the batch": [(SKIP, f"{SKIP} + lr.mean(0).mean()"), ("In eval mode", "dim=0")],
        "a layer that is not used": [
            (LAST, LAST + "        self.more = nn.Conv2d(3, 3, 3)\n"),
            ("All parameters can learn", "more.weight"),
        ],
        "a detach": [
            ("self.blocks(self.head(lr))", "self.blocks(self.head(lr)).detach()"),
            ("All parameters can learn", "detach after it"),
        ],
        "no_grad": [
            ("    def forward(self, lr)", "    @torch.no_grad()\n    def forward(self, lr)"),
            ("8 of 8 tensors", "no_grad"),
        ],
        "rounded": [
            (SKIP, "return (255 * (detail + F.interpolate(lr, scale_factor=4))).round() / 255"),
            ("8 of 8 tensors are unused, or have no gradient", "round()"),
        ],
        "two zeros": [
            (LAST, LAST + "        self.gate = nn.Parameter(torch.zeros(()))\n"),
            (SKIP, SKIP.replace("detail", "self.gate * detail")),
            ("9 of 9 tensors are unused", "are multiplied"),
        ],
        "blocks in a list": [
            (BLOCKS, "self.blocks = [Block(features) for _ in range(num_blocks)]"),
            (
                FORWARD,
                "x = self.head(lr)\n        for block in self.blocks:\n            x = block(x)\n        detail = F.pixel_shuffle(self.last(x), SCALE)",
            ),
            ("state_dict contains all of it", "nn.ModuleList"),
        ],
        "reshape": [
            (
                FORWARD,
                "n, _, h, w = lr.shape\n        detail = self.last(self.blocks(self.head(lr))).reshape(n, 3, 4 * h, 4 * w)",
            ),
            ("Pixels stay at their place", "row by row"),
        ],
    },
    "psnr": {
        "HR's maximum as peak": [
            ("mean((1, 2, 3)).log10()", "mean((1, 2, 3)).log10() + 20 * hr.max().log10()"),
            ("PSNR differs", "The peak is the largest value that an image can have"),
        ],
        "no crop": [
            ("error = (sr - hr)[..., crop : height - crop, crop : width - crop]", "error = sr - hr"),
            ("PSNR differs", "`crop`"),
        ],
        "a ceiling": [
            ("mean((1, 2, 3)).log10()", "mean((1, 2, 3)).add(1e-8).log10()"),
            ("PSNR differs", "PSNR is 60 dB"),
        ],
        "a high ceiling": [
            ("mean((1, 2, 3)).log10()", "mean((1, 2, 3)).clamp(min=1e-12).log10()"),
            ("is 140 dB; yours is 120.00 dB", "clamp"),
        ],
        "a float": [("mean((1, 2, 3)).log10()", "mean().log10().item()"), ("should be a tensor (N,)", "")],
    },
    "validation": {
        "frozen weights thawed": [
            ("    generator.train(was_training)\n", "    generator.train(was_training).requires_grad_(True)\n"),
            ("changes requires_grad", ""),
        ],
        "training mode": [("    generator.eval()\n", ""), ("The score is of eval mode", "batch norm")],
        "left in eval mode": [(RESTORE, ""), ("yours changes the mode", "Remember generator.training")],
        "only the top module's mode restored": [
            (RESTORE, "    generator.training = was_training\n"),
            ("yours changes the mode", "every layer"),
        ],
        "always left in training mode": [
            (RESTORE, "    generator.train()\n"),
            ("yours changes the mode", "Remember"),
        ],
        "gradients cleared": [
            (RESTORE, f"{RESTORE}    generator.zero_grad()\n"),
            ("yours changes gradients", "Clear no gradients"),
        ],
        "graphs off for good": [
            (
                "    with torch.no_grad():\n        scores",
                "    torch.set_grad_enabled(False)\n    if True:\n        scores",
            ),
            ("yours changes whether graphs are built", "ends by itself"),
        ],
        "requires_grad off for good": [
            ("    generator.eval()\n    with", "    generator.eval().requires_grad_(False)\n    with"),
            ("yours changes requires_grad", "ends by itself"),
        ],
        "seeded": [
            ("    generator.eval()\n    with", "    torch.manual_seed(0)\n    generator.eval()\n    with"),
            ("yours changes the global random state", "seed nothing"),
        ],
        "a score with its graph": [
            ("    with torch.no_grad():\n        scores", "    if True:\n        scores"),
            (".item() for lr, hr in pairs", ".mean() for lr, hr in pairs"),
            ("a score with its graph", "no_grad"),
        ],
        "a sum": [
            ("return sum(scores) / len(scores)", "return sum(scores)"),
            ("The score is of eval mode", "a mean of decibels"),
        ],
        "mean of MSE": [
            (
                SCORES,
                "scores = [psnr(generator(lr), hr, 4).neg().div(10).exp2().item() for lr, hr in pairs]\n        scores = [(generator(lr) - hr)[..., 4:-4, 4:-4].square().mean() for lr, hr in pairs]",
            ),
            ("return sum(scores) / len(scores)", "return -10 * torch.stack(scores).mean().log10().item()"),
            ("The score is of eval mode", "a mean of decibels"),
        ],
        "rounded to levels": [
            (".clamp(0, 1), hr, 4).item() for", ".mul(255).round().div(255), hr, 4).item() for"),
            ("The score is of eval mode", "without rounding"),
        ],
        "a list": [
            ("return sum(scores) / len(scores)", "return scores"),
            ("should be a number, but it is a list of 2 items", ""),
        ],
    },
    "one batch": {
        "smooth at any price": [
            (LOSS, "sr = generator(lr)\n    loss = F.mse_loss(sr, hr) + 0.2 * sr.diff(dim=3).abs().mean()"),
            ("The loss compares SR with HR", "smallest"),
        ],
        "only the mean": [
            (LOSS, "loss = (generator(lr) - hr).mean().square()"),
            ("The loss compares SR with HR", "only on average"),
        ],
        "nothing returned": [("    return loss.item()\n", ""), ("None", "")],
        "no step": [("    optimizer.step()\n    return", "    return"), ("yours takes 0", "once each")],
        "two steps": [
            ("    optimizer.step()\n    return", "    optimizer.step()\n    optimizer.step()\n    return"),
            ("yours takes 2", "once each"),
        ],
        "cleared too late": [
            (
                "    loss.backward()\n    optimizer.step()\n",
                "    loss.backward()\n    optimizer.zero_grad()\n    optimizer.step()\n",
            ),
            ("with gradient 0.", "then step"),
        ],
        "never cleared": [("    optimizer.zero_grad()\n", ""), ("2.00 times the gradient", "backward adds")],
        "in eval mode": [
            (f"    {LOSS}", f"    generator.eval()\n    {LOSS}"),
            ("yours takes 1 in eval mode", "Only validation"),
        ],
        "with its graph": [("return loss.item()", "return loss"), ("with its graph", "item()")],
        "loss after the step": [
            ("return loss.item()", "return F.l1_loss(generator(lr), hr).item()"),
            ("from before the update", "started from"),
        ],
        "wrong sign": [(LOSS, "loss = -F.l1_loss(generator(lr), hr)"), ("The loss compares SR with HR", "wrong sign")],
        "SR clamped": [(LOSS, LOSS.replace("(lr)", "(lr).clamp(0, 1)")), ("no gradient if HR is 1", "a clamp")],
        "LR as target": [
            (LOSS, "loss = F.l1_loss(generator(lr), F.interpolate(lr, scale_factor=4))"),
            ("The loss compares SR with HR", "hr"),
        ],
        "a generator that can't": [
            ("self.head(lr)", "self.head(0 * lr)"),
            ("learns one batch", "generator's promises first"),
        ],
    },
    "fit": {
        "no save without a step": [
            (
                "        if checkpoint:\n            checkpoint.save",
                "        if checkpoint and results:\n            checkpoint.save",
            ),
            ("after 10 steps: load, 0 steps", "Every call ends"),
        ],
        "stop only with a checkpoint": [
            ("if stop is None else", "if stop is None or not checkpoint else"),
            ("fit(step, 10, stop=4): 10 steps", "early"),
        ],
        "a stop of 0 is none": [("if stop is None else", "if not stop else"), ("stop=0): 10 steps", "take for None")],
        "no results": [("results.append(step())", "step()"), ("without the results", "")],
        "no list": [("    return results\n", "    return len(results)\n"), ("should be a list", "")],
        "stop after iters": [("min(stop, iters)", "stop"), ("fit(step, 10, stop=20): 20 steps", "larger than `iters`")],
        "stop counts this call": [
            (
                "end = iters if stop is None else min(stop, iters)",
                "end = iters if stop is None else min(done + stop, iters)",
            ),
            ("fit(step, 10, checkpoint, stop=8) after 7 steps: load, 3 steps", "all calls"),
        ],
        "starts again": [
            ("done = checkpoint.load() if checkpoint else 0", "done = checkpoint.load() * 0 if checkpoint else 0"),
            ("after 7 steps: load, 10 steps", "`iters` counts"),
        ],
        "save(done) of this call": [("checkpoint.save(done)", "checkpoint.save(len(results))"), ("save(3)", "")],
        "saves only finished runs": [
            ("    finally:\n        if checkpoint:", "    finally:\n        if checkpoint and done == iters:"),
            ("load, 1 step. It should be", "any end"),
        ],
        "interrupted without a save": [
            ("    try:\n", "    if True:\n"),
            (
                "    finally:\n        if checkpoint:\n            checkpoint.save(done)\n",
                "    if checkpoint:\n        checkpoint.save(done)\n",
            ),
            ("load, 3 steps, KeyboardInterrupt. It should", "`finally`"),
        ],
        "interruption swallowed": [
            ("    finally:\n        if", "    except KeyboardInterrupt:\n        pass\n    if True:\n        if"),
            ("save(5). It should be", "`raise`"),
        ],
        "an interrupted step counts": [
            (
                "            results.append(step())\n            done += 1\n",
                "            done += 1\n            results.append(step())\n",
            ),
            ("save(6), KeyboardInterrupt", "complete"),
        ],
    },
    "train": {
        "one batch for all steps": [
            (
                "    def step():\n        loss = train_step(generator, optimizer, *sample_pairs(photos, 8, 24, random))\n",
                "    pairs = sample_pairs(photos, 8, 24, random)\n\n    def step():\n        loss = train_step(generator, optimizer, *pairs)\n",
            ),
            ("the generator gets 1 batches", "before the first step"),
        ],
        "only the network": [
            ("return generator, fit(step, iters)", "fit(step, iters)\n    return generator"),
            ("The result of `train` should be 2 values", ""),
        ],
        "one step fewer": [("fit(step, iters)\n", "fit(step, iters - 1)\n"), ("returns 39 losses", "each step")],
        "the seed comes too late": [
            (
                SEED,
                "    generator = Generator()\n    torch.manual_seed(seed)\n    random = torch.Generator().manual_seed(seed)\n",
            ),
            (ZERO, ""),
            ("The same seed repeats", "before you create"),
        ],
        "own photos": [
            (
                "    generator = Generator()\n    optimizer",
                "    photos = {name: photo.flip(1) for name, photo in photos.items()}\n    generator = Generator()\n    optimizer",
            ),
            ("of 4 other photos", "held out"),
        ],
        "photos of a global": [
            (
                "    generator = Generator()\n    optimizer",
                "    global seen\n    photos = seen = globals().get('seen', photos)\n    generator = Generator()\n    optimizer",
            ),
            ("other photos change the first loss", "held out"),
        ],
        "the same batch in each step": [
            (PAIRS, "*sample_pairs(photos, 8, 24, torch.Generator().manual_seed(seed))"),
            ("the generator gets 1 batches", "before the first step"),
        ],
        "a mean in a global": [
            ("class Generator(nn.Module)", "MEAN = 0.0\n\n\nclass Generator(nn.Module)"),
            ("self.head(lr)", "self.head(lr - MEAN)"),
            ("def train(photos, iters, seed):\n", "def train(photos, iters, seed):\n    global MEAN\n    MEAN = 0.5\n"),
            ("The weights are all that a new process needs", "global variable"),
        ],
        "another generator returned": [
            (
                "return generator, fit(step, iters)",
                "losses = fit(step, iters)\n    torch.manual_seed(seed)\n    return Generator(), losses",
            ),
            ("Training improves the network", "that you return"),
        ],
    },
    "alone": {
        "JPEG": [('with_suffix(".x4.png")', 'with_suffix(".x4.jpg")'), ("photo.x4.jpg", "Write a PNG")],
        "no main": [('if __name__ == "__main__":\n    main(sys.argv[1])', ""), ("writes no image", "__main__")],
        "srlab": [
            ("import sys\n", "import sys\nimport srlab\n"),
            ("In a new process, without srlab, mine.py stopped with ModuleNotFoundError", ""),
        ],
        "hash": [
            (SPLIT, "held_out = [file for file in files if hash(file.name) % 2] or files[:1]"),
            ("splits photos there as here", "differ by process"),
        ],
        "result in the current folder": [
            ('Path(photo).with_suffix(".x4.png")', '"x4.png"'),
            ("writes no image next to the photo", "save next to the photo"),
        ],
        "spandrel": [
            (
                "    generator = Generator()\n    generator.load",
                "    import spandrel\n    generator = Generator()\n    generator.load",
            ),
            ("stopped with ModuleNotFoundError: import of spandrel", ""),
        ],
        "weights in the current folder": [
            ('Path(__file__).parent / "network.pt"', '"network.pt"'),
            ("stopped with FileNotFoundError", ""),
        ],
        "weights not loaded": [(LOAD, ""), ("what network.pt computes", "Load the weights")],
    },
}


def replaced(replacements):
    """Return all replacements for a quick test; a style may replace what makes the reference small."""
    return [SMALL, *([] if SPLIT in dict(replacements) else [AGAIN]), *replacements]


# Each of these starts a process that imports torch; the reference and the other mistakes do, too.
RARE = {
    ("alone", name)
    for name in (
        "torchvision writes",
        "srlab",
        "spandrel",
        "result in the current folder",
        "weights in the current folder",
    )
}


def cases(table):
    """Return (part, name) of each style or mistake, of which the rare and slow ones run at night."""
    pairs = [(part, name) for part in table for name in table[part]]
    return [pytest.param(*pair, marks=pytest.mark.nightly if pair in RARE else ()) for pair in pairs]


@pytest.mark.parametrize("part", PARTS)
def test_reference_keeps_all_promises(part, write, lines):
    found = lines(write(SMALL, AGAIN), part)
    assert {word for word, *_ in found} == {"kept"}, found


@pytest.mark.parametrize(("part", "style"), cases(STYLES))
def test_other_styles_keep_all_promises(part, style, write, lines):
    found = lines(write(*replaced(STYLES[part][style])), part)
    assert {word for word, *_ in found} == {"kept"}, found


@pytest.mark.parametrize(("part", "mistake"), cases(MISTAKES))
def test_mistake_breaks_promise(part, mistake, write, lines):
    *replacements, (promise, wanted) = MISTAKES[part][mistake]
    torch.manual_seed(3)
    found = lines(write(*replaced(replacements)), part)
    if part == "validation":  # by its model tests, whose words test_own_tests.py covers
        assert "broken" in {word for word, *_ in found}
        return
    broken = [(text, hint) for word, text, hint in found if word == "broken" and promise in text]
    assert len(broken) == 1, found
    assert wanted in broken[0][1], found
    assert part != "generator" or found[-1][1] == broken[0][0], found  # what follows would only be confusing


def test_check_leaves_all_random_states(tmp_path, folder):
    file = tmp_path / "mine.py"
    file.write_text("import random, numpy, torch\nrandom.seed(1)\nnumpy.random.seed(1)\ntorch.manual_seed(1)\n")

    def states() -> str:
        return repr((random.getstate(), numpy.random.get_state(), torch.get_rng_state().tolist()))  # noqa: NPY002

    before = states()
    workshops.check(file, "psnr", folder)
    assert states() == before


@pytest.mark.parametrize("part", PARTS)
def test_empty_file(part, lines, tmp_path):
    (tmp_path / "mine.py").write_text("import torch\n")
    [(word, text, _)] = lines(tmp_path / "mine.py", part)
    assert word == "to do"
    assert "mine.py doesn't define" in text


@pytest.mark.parametrize("part", PARTS)
def test_functions_without_a_body(part, lines, tmp_path):
    names = ("load_photos", "sample_pairs", "Generator", "psnr", "validate", "train_step", "fit", "train")
    (tmp_path / "mine.py").write_text("\n".join(f"def {name}(*_, **__): ..." for name in names))
    found = lines(tmp_path / "mine.py", part)
    assert found[0][0] == "broken"
    assert "AttributeError" not in found[0][1]


def test_hidden_files_are_no_photos(folder, write, tmp_path, capsys):
    copy = shutil.copytree(folder, tmp_path / "photos")
    (copy / "._a photo.jpg").write_bytes(b"written by macOS")
    srlab.write_image(torch.rand(3, 80, 80), copy / "another_kind.bmp")  # which load_photos may leave out
    every = "file for file in Path(folder).iterdir() if "
    file = write(AGAIN, (every, f'{every}file.name[0] != "." and '))
    workshops.check(file, "photos", copy)
    assert "broken" not in capsys.readouterr().out


def test_file_that_does_not_exist_yet(tmp_path, capsys):
    workshops.check(tmp_path / "mine.py", "photos")
    assert workshops.written(tmp_path / "mine.py", "load_photos", "psnr") is None
    printed = capsys.readouterr().out
    assert "to do" in printed
    assert "needs load_photos, psnr in mine.py" in printed


class Upscaler(nn.Module):
    def __init__(self, upscale):
        super().__init__()
        self.upscale = upscale

    def forward(self, lr):
        return self.upscale(lr)


def test_result(capsys):
    photos = [
        0.3 + 0.4 * upsample(torch.rand(1, 3, 16, 18, generator=torch.Generator().manual_seed(n)), 4) for n in (0, 1)
    ]
    held_out, train = ({name: photo[0]} for name, photo in zip(("a.png", "b.png"), photos, strict=True))

    def lines(network):
        good = workshops.check_result(network, held_out, train)
        printed = " ".join(capsys.readouterr().out.split())
        assert good == ("broken" not in printed)
        return printed

    def near(*known):  # a network that knows some HR images
        bring = lambda lr: min(known, key=lambda hr: (F.avg_pool2d(hr, 4) - lr).square().mean())  # noqa: E731
        return Upscaler(lambda lr: (upsample(lr, 4) + bring(lr)) / 2)

    assert "a.png +6.0" in lines(near(*photos))
    assert "broken The gain on training photos is" in lines(near(photos[0]))
    assert "by +inf dB" in lines(Upscaler(lambda lr: photos[0]))
    assert "`network` should be a trained network, but it is a tuple of 2 items" in lines((nn.Identity(), [0.1]))
    assert "is the class Upscaler, not an object of it" in lines(Upscaler)


def test_an_untrained_network_does_not_beat_bicubic(capsys):
    photos = {name: photo[0] for name, photo in srlab.bundled_photos("validation")}
    other_kernel = Upscaler(lambda lr: F.interpolate(lr, scale_factor=4, mode="bicubic"))
    assert not workshops.check_result(other_kernel, photos, photos)
    assert "+0.18\n" in capsys.readouterr().out


def test_folder_of_photos(tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path)
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "file"))  # cannot be written, as that of a class hub
    (tmp_path / "file").touch()
    mine = tmp_path / "bundled_photos" / "camera.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert len(list(workshops.photo_folder().iterdir())) == 16
    assert mine.read_bytes() == b"mine"
    assert workshops.photo_folder(str(tmp_path)) == tmp_path
    with pytest.raises(srlab.SrlabError, match=r"none not found\. Correct `images`"):
        workshops.photo_folder("none")


def executed(file, tmp_path, folder):
    """Execute the notebook on a student's file, and return all that it printed."""
    output = tmp_path / "out.ipynb"
    parameters = {"mine": str(file), "images": str(folder), "iters": 12}
    papermill.execute_notebook(str(NOTEBOOK), str(output), parameters, kernel_name="python3", progress_bar=False)
    cells = nbformat.read(output, 4).cells
    text = "\n".join(part.get("text", "") for cell in cells for part in cell.get("outputs", []))
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_notebook_as_handed_out(tmp_path, folder):
    printed = executed(tmp_path / "mine.py", tmp_path, folder)
    assert printed.count("to do ") == len(PARTS)
    assert "broken" not in printed


@pytest.mark.nightly
def test_notebook_with_reference(tmp_path, folder, write):
    printed = executed(write(SMALL, AGAIN), tmp_path, folder)
    before, _, result = printed.partition("The network beats bicubic")
    assert "broken" not in before.removesuffix("  broken  ")
    assert "held-out photos by" in " ".join(result.split())
    assert (tmp_path / "network.pt").is_file()


def test_file_that_was_not_saved_since(write, folder, capsys):
    file = write(SMALL, AGAIN)
    workshops.check(file, "fit", folder)
    assert "Did you save it?" not in capsys.readouterr().out
    workshops.check(file, "psnr", folder)  # another part of the same file
    assert "Did you save it?" not in capsys.readouterr().out
    workshops.check(file, "fit", folder)
    assert "unchanged since the last check.\nDid you save it?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"import torch\n\nfor k in range(3)\n    pass\n",
            "Line 3 of mine.py is not valid Python: expected ':' (`for k in range(3)`)",
        ),
        ("# Größe\n".encode("cp1252"), "mine.py is not saved in UTF-8, which Python expects."),
        ("# my file\n".encode("utf-16"), "mine.py is not saved in UTF-8, which Python expects."),
        (b"# coding: klingon\n", "mine.py is not saved in UTF-8, which Python expects."),
        (
            b"import argparse\nargparse.ArgumentParser().error('no photo')\n",
            "Line 2 of mine.py calls sys.exit, which would end the notebook",
        ),
    ],
)
def test_file_that_is_not_valid(content, words, tmp_path, folder, capsys):
    file = tmp_path / "mine.py"
    file.write_bytes(content)
    workshops.check(file, "fit", folder)
    assert workshops.written(file, "fit") is None
    assert " ".join(capsys.readouterr().out.split()).count(words) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_encodings_of_python_are_read(encoding, tmp_path):
    (tmp_path / "mine.py").write_text(f"# coding: {encoding}\nSIZE = 'Größe'\n", encoding=encoding)
    assert workshops.load(tmp_path / "mine.py").SIZE == "Größe"


def test_what_a_file_prints_is_below_the_lines_of_the_check(tmp_path, folder, capsys):
    file = tmp_path / "mine.py"
    file.write_text("def psnr(*_):\n    for k in range(12):\n        print('step', k)\n    raise SystemExit\n")
    workshops.check(file, "psnr", folder)
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("mine.py printed:")
    assert "Line 4 of mine.py calls sys.exit" in " ".join(lines[1:start])
    assert lines[start + 1 :] == [*(f"step {k}" for k in range(10)), "... and 2 more lines"]


def test_name_that_is_nearly_right(tmp_path, lines):
    (tmp_path / "mine.py").write_text("def load_photo(folder): ...\ndef d_loss(): ...")
    assert lines(tmp_path / "mine.py", "photos")[0][1] == "mine.py doesn't define `load_photos` yet, but `load_photo`."
    assert "but" not in lines(tmp_path / "mine.py", "adversary")[0][1], "d_loss is a part of its own"
