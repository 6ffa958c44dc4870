"""Test the checks of Workshop 2: right designs keep all promises, and known mistakes break the right ones."""

import re
import shutil
import sys
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F

import srlab
import srlab_course as course
from srlab_course.workshops import own_file, parts, results, resuming
from tests.workshops.files import FILES, written

SMALL = [  # quick to train
    ("num_blocks=5, features=32", "num_blocks=1, features=8"),
    ("features=32):\n        super().__init__()\n\n", "features=4):\n        super().__init__()\n\n"),
    ("optimizer, *sample_pairs(photos, 8, 24, random))", "optimizer, *sample_pairs(photos, 2, 8, random))"),
    ("pairs = sample_pairs(photos, 8, 8, random)", "pairs = sample_pairs(photos, 2, 8, random)"),
]


@pytest.fixture
def lines(tmp_path, capsys, monkeypatch):
    """Check a part of the reference with replacements; return the printed lines as pairs of a word and a text."""
    monkeypatch.setattr(parts, "_broken_before", lambda *_: iter(()))

    def lines(part, *replacements, alone=False):
        def in_this_process(path, code, *arguments):
            with patch.object(sys, "argv", ["", "", *arguments]):
                exec(code, {"mine": own_file.load(path), "sys": sys})

        if not alone:
            monkeypatch.setattr(resuming, "run_alone", in_this_process)
        path = written(tmp_path, *SMALL, *replacements)
        parts.check(path, part, tmp_path)
        printed = re.sub(r"\n {10}", " ", capsys.readouterr().out).splitlines()[1:]  # lines are wrapped
        return [(line[2:10].strip(), line[10:]) for line in printed]

    return lines


PARTS = ["checkpoint", "saving", "resuming", "adversary", "gan step", "gan training"]


@pytest.mark.parametrize("part", PARTS)
def test_reference_keeps_all_promises(part, lines):
    printed = lines(part, alone=True)
    assert len(printed) > 2
    assert {word for word, _ in printed} == {"kept"}, printed


BCE = "F.softplus(-real).mean() + F.softplus(fake).mean()"
G_BCE = "F.softplus(-discriminator(sr)).mean()"
LAYERS = "        self.layers = nn.Sequential("
STEP = re.search(  # the reference's step, without its first line
    r"    sr = generator\(lr\)\n    loss_of_d = .*?\.item\(\)\n",
    FILES.joinpath("mine_2.py").read_text(encoding="utf-8"),
    re.DOTALL,
).group()
D_HALF = "    loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))\n"
D_STEP = "    d_optimizer.zero_grad()\n    loss_of_d.backward()\n    d_optimizer.step()\n"
G_LOSS = "    loss_of_g = g_loss(sr, hr, discriminator)\n"
G_STEP = "    g_optimizer.zero_grad()\n    loss_of_g.backward()\n    g_optimizer.step()\n"
RETURN = "    return loss_of_d.item(), loss_of_g.item()\n"
FORWARD = "        return self.layers(torch.cat([4 * image - 2, 16 * fine], dim=1))"

STYLES = {  # right design -> part, replacements
    "LSGAN": (
        "adversary",
        (BCE, "(real - 1).square().mean() + fake.square().mean()"),
        (G_BCE, "(discriminator(sr) - 1).square().mean()"),
    ),
    "hinge": (
        "adversary",
        (BCE, "F.relu(1 - real).mean() + F.relu(1 + fake).mean()"),
        (G_BCE, "-discriminator(sr).mean()"),
    ),
    "WGAN": ("adversary", (BCE, "fake.mean() - real.mean()"), (G_BCE, "-discriminator(sr).mean()")),
    "relativistic": (
        "adversary",
        (BCE, "F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()"),
        (G_BCE, "F.softplus(discriminator(hr) - discriminator(sr)).mean()"),
    ),
    "label smoothing": (
        "adversary",
        (BCE, "F.binary_cross_entropy_with_logits(real, 0 * real + 0.9) + F.softplus(fake).mean()"),
    ),
    "MSE and two weights": ("adversary", ("0.3 * F.l1_loss(sr, hr)", "F.mse_loss(sr, hr)")),
    "no spectral norm, with batch norm": (
        "adversary",
        (
            "return spectral_norm(nn.Conv2d(channels, width, size, stride, 1)), nn",
            "return nn.Conv2d(channels, width, size, stride, 1), nn.BatchNorm2d(width), nn",
        ),
    ),
    "one logit per image": ("adversary", (FORWARD, FORWARD + ".mean((1, 2, 3))")),
    "two scales": (
        "adversary",
        (
            FORWARD,
            "        x = torch.cat([4 * image - 2, 16 * fine], dim=1)\n        return torch.cat([self.layers(y).flatten(1) for y in (x, F.avg_pool2d(x, 2))], dim=1)",
        ),
    ),
    "a logit per pixel": (
        "adversary",
        (FORWARD, FORWARD.replace("return ", "return F.interpolate(") + ", scale_factor=4)"),
    ),
    "noise on D's images": (
        "adversary",
        ("        fine = image", "        image = image + 0.05 * torch.randn_like(image)\n        fine = image"),
    ),
    "old spectral norm": ("adversary", (LAYERS, "        spectral_norm = nn.utils.spectral_norm\n" + LAYERS)),
    "feature matching": (
        "adversary",
        (
            "    kept = F.l1_loss(F",
            "    a, b = (discriminator(image) for image in (sr, hr))\n    kept = (a - b.detach()).abs().mean() + F.l1_loss(F",
        ),
    ),
    "G runs twice, first without a graph": (
        "gan step",
        ("    sr = generator(lr)\n" + D_HALF, "    with torch.no_grad():\n        sr = generator(lr)\n" + D_HALF),
        (G_LOSS, "    sr = generator(lr)\n" + G_LOSS),
    ),
    "D frozen in G's half": (
        "gan step",
        (G_LOSS, "    discriminator.requires_grad_(False)\n" + G_LOSS),
        (RETURN, "    discriminator.requires_grad_(True)\n" + RETURN),
    ),
    "D runs once on both": (
        "gan step",
        (D_HALF, "    loss_of_d = d_loss(*discriminator(torch.cat([hr, sr.detach()])).chunk(2))\n"),
    ),
    "autograd.grad": (
        "gan step",
        (
            "    g_optimizer.zero_grad()\n    loss_of_g.backward()\n",
            "    own = list(generator.parameters())\n"
            "    for p, g in zip(own, torch.autograd.grad(loss_of_g, own)):\n        p.grad = g\n",
        ),
    ),
    "zero_grad at the end": (
        "gan step",
        (D_STEP, D_STEP.partition("\n")[2]),
        (RETURN, "    d_optimizer.zero_grad()\n" + RETURN),
    ),
    "closures": (
        "gan step",
        (
            D_HALF + D_STEP,
            """    fake = sr.detach()

    def half(optimizer, loss):
        def closure():
            optimizer.zero_grad()
            value = loss()
            value.backward()
            return value

        return optimizer.step(closure)

    loss_of_d = half(d_optimizer, lambda: d_loss(discriminator(hr), discriminator(fake)))
""",
        ),
        (G_LOSS + G_STEP, "    loss_of_g = half(g_optimizer, lambda: g_loss(sr, hr, discriminator))\n"),
    ),
    "a copy of the updated D, frozen": (
        "gan step",
        (G_LOSS, G_LOSS.replace("discriminator)", "copy.deepcopy(discriminator).requires_grad_(False))")),
    ),
    "detached tensors": ("gan step", (RETURN, "    return loss_of_d.detach(), loss_of_g.detach()\n")),
    "a list of two": ("gan step", (RETURN, "    return [float(loss_of_d), float(loss_of_g)]\n")),
    "a checkpoint through memory": (
        "checkpoint",
        (
            '        torch.save({"done": done, "states": states}, unfinished)\n',
            '        import io\n        buffer = io.BytesIO()\n        torch.save({"done": done, "states": states}, buffer)\n'
            "        unfinished.write_bytes(buffer.getvalue())\n",
        ),
    ),
    "an average of the weights": (
        "resuming",
        (
            '    parts = {"generator": generator, "optimizer": optimizer, ',
            '    parts = {"average": average, "generator": generator, "optimizer": optimizer, ',
        ),
        (
            "        schedule.step()\n        return loss",
            "        schedule.step()\n        average.update_parameters(generator)\n        return loss",
        ),
        (
            "total_steps=iters)\n\n    def step():\n        loss = ",
            "total_steps=iters)\n    average = torch.optim.swa_utils.AveragedModel(generator)\n\n    def step():\n        loss = ",
        ),
        ("    return generator, fit(step, iters, Ch", "    return average.module, fit(step, iters, Ch"),
    ),
    "batch norm and dropout": (
        "resuming",
        (
            "        self.last = nn.Conv2d(",
            "        self.norm = nn.Sequential(nn.BatchNorm2d(features), nn.Dropout(0.1))\n        self.last = nn.Conv2d(",
        ),
        ("self.blocks(self.head(lr))", "self.norm(self.blocks(self.head(lr)))"),
        (
            '"schedule": schedule, "random": random}',
            '"schedule": schedule, "random": random, "global": torch.default_generator}',
        ),
    ),
    "batch norm, and an average of the weights": (
        "gan training",
        ("F.relu(self.conv1(x))", "F.relu(self.norm(self.conv1(x)))"),
        ("        self.conv1 =", "        self.norm = nn.BatchNorm2d(features)\n        self.conv1 ="),
    ),
    "the checkpoint before, if a file is damaged": (
        "checkpoint",
        (
            "        saved = torch.load(self.file, weights_only=True)\n",
            "        try:\n            saved = torch.load(self.file, weights_only=True)\n        except Exception:\n"
            "            saved = torch.load(self.file.with_suffix('.before'), weights_only=True)\n",
        ),
        (
            "        os.replace(unfinished",
            "        if self.file.is_file():\n            self.file.with_suffix('.before').write_bytes(self.file.read_bytes())\n"
            "        os.replace(unfinished",
        ),
    ),
    "no schedule, SGD with momentum": (
        "resuming",
        (
            "torch.optim.Adam(generator.parameters(), 2e-3)",
            "torch.optim.SGD(generator.parameters(), 1e-2, momentum=0.9)",
        ),
        ("        schedule.step()\n        return loss", "        return loss"),
    ),
    "a log of dicts, and no average": (
        "gan training",
        ("        return losses\n", '        return dict(zip("dg", losses))\n'),
        ("return average.module, log", "return gan, log"),
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_right_style_keeps_all_promises(style, lines):
    part, *replacements = STYLES[style]
    printed = lines(part, *replacements)
    assert {word for word, _ in printed} == {"kept"}, printed


SAVE = "        os.replace(unfinished, self.file)  # all or nothing\n"
CREATE = "    random = torch.Generator().manual_seed(seed)\n    generator = Generator()\n"
EVERY = '"optimizer": optimizer, "schedule": schedule, "random": random}\n'
RESUME = "Checkpoint(file, parts) if file else None, stop)"
FIT_GAN = "fit(step, iters, Checkpoint(file, parts) if file else None, stop)"
MISTAKES = {  # mistake -> part, replacements, and last: a part of the broken promise, and of its hint
    # checkpoint
    "written in place": ("checkpoint", (SAVE, ""), ('self.file.with_suffix(".unfinished")', "self.file"), ("stops halfway destroys", "which function of os")),
    "a gap without a file": ("checkpoint", ("        os.replace(unfinished, self.file)", "        self.file.unlink(missing_ok=True)\n        unfinished.rename(self.file)"), ("for a moment there is none", "place of the old")),
    "copied over the old file": ("checkpoint", ("        os.replace(unfinished, self.file)", "        __import__('shutil').copyfile(unfinished, self.file)"), ("written over the old one", "place of the old")),
    "loaded with objects": ("checkpoint", ("torch.load(self.file, weights_only=True)", "torch.load(self.file, weights_only=False)"), ("weights_only=False", "any code")),
    "the old file deleted first": ("checkpoint", ("        torch.save({", "        self.file.unlink(missing_ok=True)\n        torch.save({"), ("stops halfway destroys", "place of the old")),
    "whole objects": ("checkpoint", ("part.state_dict()\n        unf", "part\n        unf"), ("stopped with", "")),
    "weights without statistics": (
        "checkpoint",
        ("else part.state_dict()\n", "else (dict(part.named_parameters()) if hasattr(part, 'named_parameters') else part.state_dict())\n"),
        ("part.load_state_dict(state)", "(part.load_state_dict(state, strict=False) if isinstance(part, nn.Module) else part.load_state_dict(state))"),
        ("3 of 4 parts", "running statistics"),
    ),
    "no optimizer state": ("checkpoint", ("else part.load_state_dict(state)", "else isinstance(part, nn.Module) and part.load_state_dict(state)"), ("2 of 4 parts", "Adam and a schedule differs")),
    "random numbers left out": ("checkpoint", ("            part.set_state(state) if isinstance(part, torch.Generator) else", "            isinstance(part, torch.Generator) or"), ("3 of 4 parts", "random numbers differs")),
    "kept in a global": ("checkpoint", ("class Checkpoint:", "KEPT = {}\n\n\nclass Checkpoint:"), ('torch.save({"done": done, "states": states}', 'KEPT.update(states)\n        torch.save({"done": done, "states": {}}'), ('saved["states"][name]', "KEPT[name]"), ("KeyError", "")),
    "a damaged file is a new run": (
        "checkpoint",
        ("        if not self.file.is_file():\n            return 0\n        saved = torch.load(self.file, weights_only=True)\n",
         "        try:\n            saved = torch.load(self.file, weights_only=True)\n        except Exception:\n            return 0\n"),
        ("A damaged file is no new run: load returns 0", "only if there is no file"),
    ),
    "None without a file": ("checkpoint", ("            return 0\n", "            return\n"), ("load returns None", "return 0")),
    "the wrong count": ("checkpoint", ('return saved["done"]', 'return saved["done"] + 1'), ("returns 4 after 3 steps", "number of steps")),
    "a path that is a string": ("checkpoint", ("self.file, self.parts = Path(file), parts", "self.file, self.parts = file, parts"), ("'str' object has no attribute 'is_file'", "")),
    "no save in between": ("saving", ("            if checkpoint and done % 100 == 0:\n                checkpoint.save(done)\n", ""), ("up to 250 pass without a save", "every 100 steps")),
    # resuming
    "a batch drawn ahead": (
        "resuming",
        ("    def step():\n        loss = train_step(generator, optimizer, *sample_pairs(photos, 2, 8, random))\n",
         "    ahead = [sample_pairs(photos, 2, 8, random)]\n\n    def step():\n        ahead.append(sample_pairs(photos, 2, 8, random))\n        loss = train_step(generator, optimizer, *ahead.pop(0))\n"),
        ("A resumed run ends", "drawn ahead"),
    ),
    "no optimizer in the parts": ("resuming", (EVERY, '"schedule": schedule, "random": random}\n'), ("A resumed run ends", "optimizer's memory")),
    "no schedule in the parts": ("resuming", (EVERY, '"optimizer": optimizer, "random": random}\n'), ("A resumed run ends", "of a schedule")),
    "no random numbers in the parts": ("resuming", (EVERY, '"optimizer": optimizer, "schedule": schedule}\n'), ("A resumed run ends", "random numbers")),
    "dropout without its random numbers": (
        "resuming",
        ("self.blocks(self.head(lr))", "F.dropout(self.blocks(self.head(lr)), 0.01, self.training)"),
        ("A resumed run ends", "Dropout draws from"),
    ),
    "average in a global": (
        "resuming",
        ("def train(photos, iters, seed, file", "AVERAGE = {}\n\n\ndef train(photos, iters, seed, file"),
        (
            "        schedule.step()\n        return loss",
            "        schedule.step()\n        for name, value in generator.state_dict().items():\n"
            "            AVERAGE[name] = 0.5 * AVERAGE.get(name, value) + 0.5 * value\n        return loss",
        ),
        ("    return generator, fit(step, iters, Ch", "    log = fit(step, iters, Ch"),
        (RESUME + "\n\n\nclass Disc", RESUME + "\n    generator.load_state_dict(AVERAGE)\n    return generator, log\n\n\nclass Disc"),
        ("A resumed run ends", "A global variable isn't in the file"),
    ),
    "stop counted from the pause": (
        "resuming",
        ("    end = iters if stop is None else min(stop, iters)", "    end = iters if stop is None else min(done + stop, iters)"),
        ("take 8 and 16 steps", "also those of earlier calls"),
    ),
    "no checkpoint at the end": (
        "resuming",
        ("        if checkpoint:\n            checkpoint.save(done)", "        if checkpoint and done < iters:\n            checkpoint.save(done)"),
        ("another call takes 8 steps", "ends with a checkpoint, too"),
    ),
    "no checkpoint": ("resuming", ("Checkpoint(file, parts) if file else None, stop)\n\n\nclass Disc", "None, stop)\n\n\nclass Disc"), ("leave no checkpoint", "Does fit get a Checkpoint")),
    "other photos": (
        "resuming",
        ("def train(photos, iters, seed, file=None, stop=None):\n", "def train(photos, iters, seed, file=None, stop=None):\n    photos = {'a': torch.arange(30000.0).view(3, 100, 100) % 7 / 7}\n"),
        ("It learns from the photos that it gets", "held-out"),
    ),
    "a schedule over stop": (
        "resuming",
        ("total_steps=iters)\n\n    def step():\n        loss = ", "total_steps=stop or iters)\n\n    def step():\n        loss = "),
        ("The same seed repeats", "over `stop`"),
    ),
    "the seed comes too late": ("resuming", (f"    torch.manual_seed(seed)\n{CREATE}", f"{CREATE}    torch.manual_seed(seed)\n"), ("The same seed repeats", "before you create")),
    "only the network": ("resuming", ("    return generator, fit(step, iters, Ch", "    return fit(step, iters, Ch"), ("`train` should be 2 values", "")),
    # adversary
    "labels swapped": ("adversary", (BCE, "F.softplus(real).mean() + F.softplus(-fake).mean()"), ("d_loss rewards a good D", "belongs to HR")),
    "half a loss": ("adversary", (BCE, "F.softplus(-real).mean()"), ("d_loss uses both", "Is a half missing")),
    "fake detached": ("adversary", (BCE, "F.softplus(-real).mean() + F.softplus(fake.detach()).mean()"), ("d_loss uses both", "detached")),
    "a probability": ("adversary", (FORWARD, FORWARD + ".sigmoid()"), ("D returns logits", "end in a sigmoid")),
    "the logarithm of a sigmoid": ("adversary", ("F.softplus(-real).mean() + F.softplus(fake)", "-real.sigmoid().log().mean() - (1 - fake.sigmoid()).log()"), ("d_loss survives", "Compute it from logits")),
    "the logarithm in g_loss": ("adversary", (G_BCE, "-discriminator(sr).sigmoid().log().mean()"), ("g_loss survives", "Compute it from logits")),
    "not reduced": ("adversary", (BCE, "F.softplus(-real) + F.softplus(fake)"), ("`d_loss` should have the shape ()", "")),
    "a float": ("adversary", (BCE, f"float({BCE})"), ("`d_loss` should be a tensor", "")),
    "G wants to be caught": ("adversary", (G_BCE, "F.softplus(discriminator(sr)).mean()"), ("g_loss does not fall", "Check the sign")),
    "D's opinion detached": ("adversary", (G_BCE, "F.softplus(-discriminator(sr).detach()).mean()"), ("g_loss does not fall", "no detach")),
    "only the adversary": ("adversary", ("    return kept + 0.3 * F.l1_loss(sr, hr) + ", "    return "), ("g_loss keeps SR near HR", "ties SR")),
    "one size only": ("adversary", (FORWARD, FORWARD + ".view(2, 256)"), ("of any size: (2, 3, 96, 128). Line", "")),
    "one logit for all images": ("adversary", (FORWARD, FORWARD + ".mean()"), ("(2, 3, 64, 64) -> (),", "first dimension")),
    "only the mean color": (
        "adversary",
        ("    kept = F.l1_loss(F.avg_pool2d(sr, SCALE), F.avg_pool2d(hr, SCALE))\n", "    kept = F.mse_loss(sr.mean((2, 3)), hr.mean((2, 3)))\n"),
        ("0.3 * F.l1_loss(sr, hr)", "0"),
        ("g_loss keeps SR near HR", "each place"),
    ),
    "SR clamped for D": ("adversary", (G_BCE, "F.softplus(-discriminator(sr.clamp(0, 1))).mean()"), ("D's opinion has no gradient", "A clamp")),
    "layers of her own D": ("adversary", (G_BCE, "F.softplus(-discriminator.layers[-1](sr)).mean()"), ("g_loss gets another discriminator than yours. Line", "")),
    # the step
    "missing detach": ("gan step", ("sr.detach()", "sr"), ("3. D's half leaves G alone: it sends a gradient", "sr is data")),
    "G's graph in D's half, kept": ("gan step", ("sr.detach()", "sr"), ("loss_of_d.backward()", "loss_of_d.backward(retain_graph=True)"), ("3. D's half", "sr is data")),
    "D detached in its own half": ("gan step", ("discriminator(sr.detach())", "discriminator(sr).detach()"), ("4. D learns from d_loss", "both with the graph")),
    "real and fake swapped": ("gan step", (D_HALF, "    loss_of_d = d_loss(discriminator(sr.detach()), discriminator(hr))\n"), ("4. D learns from d_loss", "arguments swapped")),
    "the file's own d_loss": ("gan step", (D_HALF, D_HALF.replace("= d_loss", '= globals()["d_loss"]')), ("4. D learns from d_loss", "d_loss in your file")),
    "the file's own g_loss": ("gan step", (G_LOSS, G_LOSS.replace("= g_loss", '= globals()["g_loss"]')), ("6. g_loss reaches G", "as an argument")),
    "two calls of d_loss": (
        "gan step",
        (D_HALF, "    real, fake = discriminator(hr), discriminator(sr.detach())\n    loss_of_d = d_loss(real, 0 * real) + d_loss(0 * fake, fake)\n"),
        ("4. D learns from d_loss", "Call it once"),
    ),
    "D updated in G's half": ("gan step", ("    g_optimizer.step()\n", "    g_optimizer.step()\n    d_optimizer.step()\n"), ("2. Each optimizer takes one step", "one half for D")),
    "G before D": ("gan step", (D_STEP, ""), (G_STEP, G_STEP + D_STEP), ("2. Each optimizer takes one step, D's first: your steps are G, D", "one half for D")),
    "sr detached in G's half": ("gan step", (G_LOSS, "    loss_of_g = g_loss(sr.detach(), hr, discriminator)\n"), ("5. G's half runs the updated D", "with which sr")),
    "both losses before both steps": ("gan step", (D_STEP, ""), (G_LOSS, G_LOSS + D_STEP), ("5. G's half runs the updated D", "outdated")),
    "a copy of D from before": (
        "gan step",
        (D_HALF, D_HALF + "    judge = copy.deepcopy(discriminator).requires_grad_(False)\n"),
        (G_LOSS, G_LOSS.replace("discriminator", "judge")),
        ("5. G's half runs the updated D", "a copy from before"),
    ),
    "D left frozen": ("gan step", (G_LOSS, "    discriminator.requires_grad_(False)\n" + G_LOSS), ("7. G's half leaves D alone", "switch requires_grad on")),
    "eval mode": ("gan step", ("    sr = generator(lr)\n" + D_HALF, "    sr = generator.eval()(lr)\n" + D_HALF), ("1. G gets lr", "Where do you call eval()")),
    "two graphs": ("gan step", (G_LOSS, G_LOSS.replace("g_loss(sr", "g_loss(generator(lr)")), ("G ran 2 times, 2 of them with a graph", "use no_grad")),
    "gradients left in D": ("gan step", (D_STEP, D_STEP.partition("\n")[2] + "    d_optimizer.zero_grad()\n"), ("8. Nothing is left over", "When do you clear which")),
    "gradients left in G": ("gan step", ("    g_optimizer.zero_grad()\n", ""), ("8. Nothing is left over", "When do you clear which")),
    "losses in the wrong order": ("gan step", (RETURN, "    return loss_of_g.item(), loss_of_d.item()\n"), ("9. It returns", "d_loss first")),
    "losses with graphs": ("gan step", (RETURN, "    return loss_of_d, loss_of_g\n"), ("still has its graph", "loss.item()")),
    "losses after the updates": (
        "gan step",
        (RETURN, "    return loss_of_d.item(), g_loss(generator(lr), hr, discriminator).item()\n"),
        ("1. G gets lr", "Run G once"),
    ),
    "a pixel loss without a gradient": ("adversary", ("0.3 * F.l1_loss(sr, hr)", "0.3 * F.l1_loss(sr.detach(), hr)"), ("    kept = F.l1_loss(F.avg_pool2d(sr, SCALE)", "    kept = F.l1_loss(F.avg_pool2d(sr.detach(), SCALE)"), ("keeps SR near HR", "a gradient for SR")),
    # gan training
    "no copy": ("gan training", ("copy.deepcopy(network).train()", "network"), ("return average.module, log", "return gan, log"), ("gan is network", "Train a copy")),
    "no copy, but an average": ("gan training", ("copy.deepcopy(network).train()", "network"), ("`network` stays as it is: you change its weights", "Train a copy")),
    "a shallow copy": ("gan training", ("copy.deepcopy(network).train()", "copy.copy(network)"), ("`network` stays as it is: you change its weights", "Train a copy")),
    "another mode": ("gan training", ("copy.deepcopy(network).train()", "copy.deepcopy(network.train())"), ("you change its mode", "in the copy")),
    "frozen": ("gan training", ("network).train(), Discriminator()", "network).train(), (network.requires_grad_(False), Discriminator())[1]"), ("you change its requires_grad", "Train a copy")),
    "a new G with the weights of the start": (
        "gan training",
        ("copy.deepcopy(network).train()", "Generator()"),
        ("    g_optimizer = torch", "    gan.load_state_dict(network.state_dict())\n    g_optimizer = torch"),
        ("`network` may be of any class. Line", ""),
    ),
    "a new G with the weights that fit": (
        "gan training",
        ("copy.deepcopy(network).train()", "Generator()"),
        ("    g_optimizer = torch", "    gan.load_state_dict(network.state_dict(), strict=False)\n    g_optimizer = torch"),
        ("gives a network with other layers", "course's network"),
    ),
    "an average without statistics": (
        "gan training",
        ("F.relu(self.conv1(x))", "F.relu(self.norm(self.conv1(x)))"),
        ("        self.conv1 =", "        self.norm = nn.BatchNorm2d(features)\n        self.conv1 ="),
        ("average = AveragedModel(gan, multi_avg_fn=get_ema_multi_avg_fn(0.996))", "average = copy.deepcopy(gan)"),
        ("        average.update_parameters(gan)\n", "        for a, b in zip(average.parameters(), gan.parameters()):\n            a.data.lerp_(b.data, 0.1)\n"),
        ("return average.module, log", "return average, log"),
        ("2 of 2 buffers are those from before", "as AveragedModel does"),
    ),
    "the wrong parameters": ("gan training", ("Adam(gan.parameters()", "Adam(copy.deepcopy(gan).parameters()"), ("weights move by 0", "g_optimizer")),
    "a D that never learns": ("gan training", ("Adam(discriminator.parameters()", "Adam(copy.deepcopy(discriminator).parameters()"), ("D is as it was", "d_optimizer")),
    "no D in the parts": ("gan training", ('"discriminator": discriminator, ', ""), ("A resumed run ends", "D and its optimizer")),
    "no average in the parts": ("gan training", ('"average": average, ', ""), ("A resumed run ends", "an average of the weights")),
    "no noise in the parts": ("gan training", (', "noise": torch.default_generator', ""), ("A resumed run ends", "own random numbers")),
    "faint noise that isn't in the parts": ("gan training", (', "noise": torch.default_generator', ""), ("0.05 * torch.randn_like", "0.001 * torch.randn_like"), ("A resumed run ends", "own random numbers")),
    "no log": ("gan training", ("return average.module, log", "return average.module, len(log)"), ("should be the list", "")),
    "no file": ("gan training", (FIT_GAN, "fit(step, iters, None, stop)"), ("two calls take 3 and 6", "Pass file and stop")),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_breaks_promise(mistake, lines):
    part, *replacements, (promise, hint) = MISTAKES[mistake]
    printed = lines(part, *replacements)
    if part == "gan step":  # by its model tests, whose words test_own_tests.py covers
        assert "broken" in {word for word, _ in printed}
        return
    broken = [place for place, (word, text) in enumerate(printed) if word == "broken" and promise in text]
    assert len(broken) == 1, printed
    assert not hint or hint in printed[broken[0] + 1][1], printed
    assert sum(word == "broken" and text.startswith("d_loss") for word, text in printed) <= 1, printed


SHARPNESS = {  # what is added to the network's image -> the broken promises
    "random numbers": (lambda x: x + 0.03 * torch.randn_like(x), ["comes from the image"]),
    "a filter": (lambda x: x + 2 * (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)), ["more than sharpening"]),
    "a checkerboard": (lambda x: x + 0.02 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).tile(x.shape[2] // 2, x.shape[3] // 2), ["No pattern"]),
    "nothing": (lambda x: x, ["The images are sharper"]),
    "far too much": (lambda x: x + 9 * (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)), ["sharper", "more than", "follow"]),
}  # fmt: skip


@pytest.mark.parametrize("added", SHARPNESS)
def test_sharpness_is_more_than_noise_or_a_filter(added, capsys):
    network, right = srlab.load_bundled()["MSRResNet"], {"gravel": course.split_photo("gravel")[1]["gravel"][0]}
    method, broken = SHARPNESS[added]

    class Changed(torch.nn.Module):
        def forward(self, lr):
            return method(network(lr))

    assert not results.check_sharpness(Changed(), network, right)
    printed = re.findall(r"broken +(.*)", capsys.readouterr().out)
    assert len(printed) == len(broken)
    assert all(text in line for text, line in zip(broken, printed, strict=True)), printed


def test_gan_of_the_course_is_sharper(capsys):
    right = {"gravel": course.split_photo("gravel")[1]["gravel"][0]}
    networks = srlab.load_bundled()
    assert results.check_sharpness(networks["SRGAN"], networks["MSRResNet"], right), capsys.readouterr().out
    assert not results.check_sharpness(networks["SRGAN"], networks["SRGAN"], right)
    assert "gan is network" in capsys.readouterr().out


def test_gan_that_works_on_a_grid_of_two_pixels_is_accepted(capsys):
    """Check that a U-Net, whose stride depends on whether a row is even, isn't taken for noise."""
    right = {"gravel": course.split_photo("gravel")[1]["gravel"][0]}
    networks = srlab.load_bundled()

    class Strided(torch.nn.Module):
        def forward(self, lr):
            sr, detail = networks["MSRResNet"](lr), networks["SRGAN"](lr) - networks["MSRResNet"](lr)
            rows = torch.arange(sr.shape[-2]) // 4 % 2
            columns = torch.arange(sr.shape[-1]) // 4 % 2
            return sr + detail * (rows[:, None] == columns) * 1.4

    results.check_sharpness(Strided(), networks["MSRResNet"], right)
    assert "if LR moves by 8 pixels, 100 % of it" in " ".join(capsys.readouterr().out.split())


def test_new_process_has_no_srlab_and_other_hashes(tmp_path, monkeypatch):
    path = written(tmp_path)
    path.write_text("SUM = hash('a')\n", encoding="utf-8")
    found = tmp_path / "found.txt"
    own_file.run_alone(path, "open(sys.argv[2], 'w').write(str(mine.SUM))", str(found))
    assert int(found.read_text()) != hash("a")
    path.write_text("import srlab\n", encoding="utf-8")
    with pytest.raises(own_file.IncorrectAnswer, match="without srlab"):
        own_file.run_alone(path, "")
    monkeypatch.setattr(own_file, "LIMIT", 0.5)
    path.write_text("while True: pass\n", encoding="utf-8")
    with pytest.raises(own_file.IncorrectAnswer, match=r"still ran after 0\.5 s"):
        own_file.run_alone(path, "")
    shutil.rmtree(tmp_path)
