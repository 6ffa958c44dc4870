"""Test the checks of Workshop 1: right files of many styles keep each promise, and mistakes break the right ones."""

import shutil

import pytest
import torch
from torch import nn

import srlab
from srlab.course import workshops
from srlab.data.resampling import upsample
from tests.workshops.conftest import in_pairs

PARTS = ("photos", "pairs", "generator", "psnr", "validation", "one batch", "fit", "train", "alone")
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
ZERO = "        nn.init.zeros_(self.last.weight)  # training starts at bicubic\n        nn.init.zeros_(self.last.bias)\n"
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
    "photos": {
        "torchvision reads": [
            ("import pil_to_tensor", "import pil_to_tensor, convert_image_dtype"),
            (READ, "convert_image_dtype(__import__('torchvision').io.read_image(str(file), 'RGB'), torch.float32)"),
        ],
        "numpy": [
            (READ, "torch.tensor(__import__('numpy').asarray(Image.open(file).convert('RGB')) / 255.0).permute(2, 0, 1).float()"),
        ],
        "lists instead of tuples": [("return train, {", "return [train, {"), ("for file in held_out}\n", "for file in held_out}]\n")],
        "one photo held out": [(SPLIT, "held_out = [file for file in files if file.stem == 'chelsea']")],
        "md5 of the scene": [(SPLIT, "digest = lambda file: __import__('hashlib').md5(file.stem.split('_')[0].encode()).digest()[0]\n    held_out = sorted((file for file in files), key=digest)[:2]"), ],
        "shuffled scenes": [(SPLIT, "scenes = sorted({file.stem.split('_')[0] for file in files})\n    __import__('random').Random(1).shuffle(scenes)\n    held_out = [file for file in files if file.stem.split('_')[0] in scenes[:2]]")],
    },
    "pairs": {
        "no augmentation": [("patch = patch.flip(2) if below(2) else patch\n", "\n"), ("patch.transpose(1, 2) if below(2) else patch", "patch")],
        "quarter turns": [("patch.flip(2) if below(2) else patch", "patch.rot90(below(4), (1, 2))")],
        "LR clamped": [(DOWNSCALE, f"{DOWNSCALE}.clamp(0, 1)")],
        "torchvision resizes": [(DOWNSCALE, "__import__('torchvision').transforms.functional.resize(hr, [hr.shape[2] // 4, hr.shape[3] // 4], 3, antialias=True)")],
        "Pillow resizes levels": [(DOWNSCALE, "torch.stack([pil_to_tensor(to_pil_image(one).resize((one.shape[2] // 4, one.shape[1] // 4), Image.BICUBIC)).float() / 255 for one in hr])")],
        "crops of downscaled photos": [
            (PLACE, "top, left = (4 * below(size // 4 - side + 1) for size in photo.shape[1:])"),
            ("        patch = patch.flip(2) if below(2) else patch\n", "        small.append(downscale(photo[None])[0, :, top // 4 : top // 4 + side, left // 4 : left // 4 + side])\n"),
            ("patch.transpose(1, 2) if below(2) else patch", "patch"),
            ("known, patches = list(photos.values()), []", "known, patches, small = list(photos.values()), [], []"),
            ("return downscale(hr), hr", "return torch.stack(small), hr"),
        ],
        "photos drawn by area": [
            ("photo = known[below(len(known))]", "photo = known[torch.multinomial(torch.tensor([float(p[0].numel()) for p in known]), 1, generator=random).item()]"),
        ],
        "another state, drawn from random": [
            ("    known, patches", "    own = torch.Generator().manual_seed(torch.randint(2**31, (), generator=random).item())\n    known, patches"),
            ("(), generator=random).item()\n\n", "(), generator=own).item()\n\n"),
        ],
        "places drawn as floats": [("below(size - SCALE * side + 1) for", "int(torch.rand((), generator=random) * (size - SCALE * side + 1)) for")],
    },
    "generator": {
        "no skip": [(SKIP, "return detail"), (ZERO, "")],
        "bilinear skip, random start": [('scale_factor=SCALE, mode="bicubic")\n\n\ndef psnr', 'scale_factor=SCALE, mode="bilinear")\n\n\ndef psnr'), (ZERO, "")],
        "batch norm": [("F.relu(self.conv1(x))", "F.relu(self.norm(self.conv1(x)))"), ("        self.conv1 =", "        self.norm = nn.BatchNorm2d(features)\n        self.conv1 =")],
        "group norm and channel attention": [
            ("return x + self.conv2(F.relu(self.conv1(x)))", "y = self.conv2(F.gelu(self.norm(self.conv1(x))))\n        return x + y * y.mean((2, 3), keepdim=True).sigmoid()"),
            ("        self.conv1 =", "        self.norm = nn.GroupNorm(2, features)\n        self.conv1 ="),
        ],
        "dropout": [("F.relu(self.conv1(x))", "F.dropout(F.relu(self.conv1(x)), 0.1, self.training)")],
        "transposed convolution": [
            (LAST, "        self.last = nn.ConvTranspose2d(features, 3, 4, 4)\n"),
            ("F.pixel_shuffle(self.last(self.blocks(self.head(lr))), SCALE)", "self.last(self.blocks(self.head(lr)))"),
        ],
        "at HR size": [
            ("self.last(self.blocks(self.head(lr)))", "self.last(self.blocks(self.head(F.interpolate(lr, scale_factor=4.0))))"),
            ("F.pixel_shuffle(", "("), ("self.head(F.interpolate(lr, scale_factor=4.0)))), SCALE)", "self.head(F.interpolate(lr, scale_factor=4.0)))))"),
            ("3 * SCALE**2", "3"),
        ],
        "U-Net that pads": [
            (FORWARD, "height, width = lr.shape[-2:]\n        x = self.head(F.pad(lr, (0, -width % 4, 0, -height % 4), mode='replicate'))\n        x = x + F.interpolate(self.blocks(F.avg_pool2d(x, 4)), scale_factor=4)\n        detail = F.pixel_shuffle(self.last(x), SCALE)[..., : 4 * height, : 4 * width]"),
        ],
        "sigmoid": [(SKIP, "return detail.sigmoid()"), (ZERO, "")],
        "weight norm": [(LAST, LAST + "        self.head = nn.utils.parametrizations.weight_norm(self.head)\n")],
        "fixed mean": [(LAST, LAST + "        self.mean = nn.Parameter(torch.full((1, 3, 1, 1), 0.4), requires_grad=False)\n"), ("self.head(lr)", "self.head(lr - self.mean)")],
        "ModuleList": [
            (BLOCKS, "self.blocks = nn.ModuleList([Block(features) for _ in range(num_blocks)])"),
            (FORWARD, "x = self.head(lr)\n        for block in self.blocks:\n            x = block(x)\n        detail = F.pixel_shuffle(self.last(x), SCALE)"),
        ],
        "factory": [("class Generator(nn.Module)", "class Network(nn.Module)"), ("def psnr", "def Generator():\n    return Network()\n\n\ndef psnr")],
    },
    "psnr": {
        "float32": [(".double()", "")],
        "clamped": [("error = (sr - hr)", "error = (sr.clamp(0, 1) - hr)")],
        "flattened": [("mean((1, 2, 3))", "flatten(1).mean(1)")],
        "tiny epsilon": [("mean((1, 2, 3)).log10()", "mean((1, 2, 3)).clamp(min=1e-13).log10()")],
        "rms": [("-10 * error.double().square().mean((1, 2, 3)).log10()", "-20 * error.double().square().mean((1, 2, 3)).sqrt().log10()")],
    },
    "validation": {
        "detach": [("with torch.no_grad():\n        scores", "if True:\n        scores"), ("generator(lr).clamp(0, 1)", "generator(lr).detach()")],
        "inference mode": [("with torch.no_grad():\n        scores", "with torch.inference_mode():\n        scores")],
        "a copy": [(EVAL, "    copied = __import__('copy').deepcopy(generator).eval().requires_grad_(False)\n    if True:\n        scores"), ("psnr(generator(lr)", "psnr(copied(lr)"), (RESTORE, "")],
        "a tensor": [("return sum(scores) / len(scores)", "return torch.tensor(scores).mean()")],
        "modes of all modules": [("was_training = generator.training", "modes = {m: m.training for m in generator.modules()}"), (RESTORE, "    for m, mode in modes.items():\n        m.training = mode\n")],
        "decorator": [("def validate", "@torch.no_grad()\ndef validate"), ("    with torch.no_grad():\n        scores", "    if True:\n        scores")],
    },
    "one batch": {
        "MSE": [(LOSS, "loss = F.mse_loss(generator(lr), hr)")],
        "sum": [(LOSS, "loss = F.l1_loss(generator(lr), hr, reduction='sum')")],
        "Charbonnier": [(LOSS, "loss = ((generator(lr) - hr).square() + 1e-6).sqrt().mean()")],
        "edges count": [(LOSS, "sr = generator(lr)\n    loss = F.mse_loss(sr, hr) + F.l1_loss(sr.diff(dim=3), hr.diff(dim=3))")],
        "clear at the end": [(STEP, "    loss.backward()\n    optimizer.step()\n    optimizer.zero_grad()\n    return loss.item()\n")],
        "a detached tensor": [("return loss.item()", "return loss.detach()")],
        "clipped": [("    optimizer.step()\n    return", "    nn.utils.clip_grad_norm_(generator.parameters(), 1e3)\n    optimizer.step()\n    return")],
        "train mode first": [(f"    {LOSS}", f"    generator.train()\n    {LOSS}")],
    },
    "fit": {
        "for": [(TRY, "    try:\n        for done in range(done, end):\n            results.append(step())\n        done = max(done, end)\n    except KeyboardInterrupt:\n        if checkpoint:\n            checkpoint.save(done)\n        raise\n    if checkpoint:\n        checkpoint.save(done)\n"), ("end = iters if stop is None else min(stop, iters)", "end = iters if stop is None else min(stop, iters)")],
        "save each step": [("            done += 1\n", "            done += 1\n            if checkpoint:\n                checkpoint.save(done)\n")],
        "save every third": [("            done += 1\n", "            done += 1\n            if checkpoint and done % 3 == 0:\n                checkpoint.save(done)\n")],
        "except and raise": [("    finally:\n        if checkpoint:\n            checkpoint.save(done)\n", "    except BaseException:\n        if checkpoint:\n            checkpoint.save(done)\n        raise\n    if checkpoint is not None:\n        checkpoint.save(done)\n")],
        "break": [("        while done < end:\n", "        while True:\n            if done >= end:\n                break\n")],
        "inf": [("end = iters if stop is None else min(stop, iters)", "end = min(iters, float('inf') if stop is None else stop)")],
        "count results": [("            done += 1\n", ""), ("while done < end", "while done + len(results) < end"), ("checkpoint.save(done)", "checkpoint.save(done + len(results))")],
    },
    "train": {
        "no schedule": [("        schedule.step()\n", "")],
        "cosine": [("OneCycleLR(optimizer, 2e-3, total_steps=iters)", "CosineAnnealingLR(optimizer, iters)")],
        "SGD": [("torch.optim.Adam(generator.parameters(), 2e-3)", "torch.optim.SGD(generator.parameters(), 0.05, momentum=0.9)")],
        "weights averaged": [
            ("    return generator, fit(step, iters)", "    losses = fit(step, iters)\n    average.train(False)\n    return average, losses"),
            ("        schedule.step()\n", "        schedule.step()\n        for a, b in zip(average.parameters(), generator.parameters(), strict=True):\n            a.data.lerp_(b.data, 0.05)\n"),
            ("    def step():\n        loss", "    average = __import__('copy').deepcopy(generator)\n\n    def step():\n        loss"),
        ],
        "eval at the end": [("    return generator, fit(step, iters)", "    losses = fit(step, iters)\n    return generator.eval(), losses")],
        "a seed per step": [(PAIRS, "*sample_pairs(photos, 8, 24, torch.Generator().manual_seed(1000 * seed + len(count)))"), ("    def step():\n        loss", "    count = []\n\n    def step():\n        count.append(0)\n        loss")],
        "own pairs": [(PAIRS, "*(lambda hr: (downscale(hr), hr))(torch.stack([photo[:, n:n + 64, n:n + 64] for photo in photos.values() for n in torch.randint(60, (2,), generator=random).tolist()]))")],
        "the default generator": [(PAIRS, "*sample_pairs(photos, 8, 24, torch.default_generator)")],
    },
    "alone": {
        "argparse": [("    main(sys.argv[1])", "    parser = __import__('argparse').ArgumentParser()\n    parser.add_argument('photo', type=Path)\n    main(parser.parse_args().photo)")],
        "torchvision writes": [(SAVE, "__import__('torchvision').utils.save_image(sr, str(photo) + '_big.png')")],
        "JPEG": [(SAVE, "to_pil_image(sr.clamp(0, 1)).save(Path(photo).with_name('big.jpg'), quality=95)")],
    },
}
