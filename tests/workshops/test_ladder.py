"""Test the probe ladder: right functions in other styles climb all of it, and each mistake falls at its rung."""

import copy
import re
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms import functional as TF

import srlab_course as course
from srlab import models
from srlab_course.feedback.all_exercises import find
from srlab_course.workshops import ladder
from tests.conftest import ROOT

MSE, L1 = F.mse_loss, F.l1_loss


# --- Right functions, most of them with switches for other styles and mistakes -------------------------------------


def stepping(loss=MSE, before=None, order="zbs", sr=lambda network, lr: network(lr), own=False):
    """Return a train_step that does, in an order, z(ero_grad), b(ackward) and s(tep)."""

    def train_step(generator, optimizer, lr, hr):
        if before:
            before(generator)
        if own:
            optimizer = torch.optim.Adam(generator.parameters(), 1e-2)
        value = loss(sr(generator, lr), hr)
        for letter in order:
            {"z": optimizer.zero_grad, "b": value.backward, "s": optimizer.step}[letter]()
        return value.item()

    return train_step


def sampling(pair=lambda hr: (small(hr), hr), corner=lambda top: top):
    def sample_pairs(photos, count, side, random):
        known, patches = list(photos.values()), []
        for _ in range(count):
            photo = known[torch.randint(len(known), (), generator=random)]
            top, left = (int(torch.randint(n - 4 * side + 1, (), generator=random)) for n in photo.shape[1:])
            patches.append(photo[:, top : top + 4 * side, left : left + 4 * side])
            if torch.rand((), generator=random) < 0.5:
                patches[-1] = patches[-1].flip(2).mT
        return pair(torch.stack(patches))

    return sample_pairs


def small(hr, mode="bicubic", **options):
    options = {"antialias": True} | options if mode in ("bicubic", "bilinear") else options
    return F.interpolate(hr, scale_factor=0.25, mode=mode, **options)


def pillow_pairs(hr):
    """Downscale 8-bit images with Pillow, as with files."""
    images = [TF.to_pil_image(image) for image in hr]
    lr = [TF.to_tensor(image.resize((image.width // 4, image.height // 4), 3)) for image in images]
    return torch.stack(lr), torch.stack([TF.to_tensor(image) for image in images])


class Shuffling(nn.Module):
    """A generator with layers before the shuffle and a skip."""

    def __init__(self, shuffle=F.pixel_shuffle, layers=(), skip=True, zero=True):
        super().__init__()
        self.head, self.layers = nn.Conv2d(3, 32, 3, padding=1), nn.Sequential(*layers)
        self.up, self.shuffle, self.skip = nn.Conv2d(32, 48, 3, padding=1), shuffle, skip
        if zero:
            nn.init.zeros_(self.up.weight)

    def forward(self, lr):
        sr = self.shuffle(self.up(self.layers(F.relu(self.head(lr)))), 4)
        return sr + up(lr) if self.skip else sr.sigmoid()


class Squeeze(nn.Module):
    def forward(self, x):
        return x * x.mean((2, 3), keepdim=True).sigmoid()


def reshaped(*order):
    def shuffle(x, factor):
        n, c, h, w = x.shape
        x = x.view(n, c // factor**2, factor, factor, h, w).permute(0, 1, *order)
        return x.reshape(n, c // factor**2, factor * h, factor * w)

    return shuffle


def psnr(sr, hr, crop=4):
    error = (sr.clamp(0, 1) - hr)[..., crop:-crop, crop:-crop]
    return -10 * error.square().mean((1, 2, 3)).log10()


def validating(begin=lambda network: network.eval(), end="restore", score=None, after=None):
    def validate(generator, pairs):
        was = generator.training
        begin(generator)
        with torch.no_grad():
            scores = score(generator, pairs) if score else [psnr(generator(lr), hr).item() for lr, hr in pairs]
        if after:
            after(generator, pairs)
        if end == "restore":
            generator.train(was)
        return sum(scores) / len(scores)

    return validate


def of_a_copy(generator, pairs):
    twin = copy.deepcopy(generator).eval()
    return torch.stack([psnr(twin(lr).detach(), hr).mean() for lr, hr in pairs]).mean()


def train_a_bit(generator, pairs):
    with torch.enable_grad():
        F.mse_loss(generator(pairs[0][0]), pairs[0][1]).backward()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter -= 0.1 * parameter.grad
            parameter.grad = None


def logistic(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def lsgan(real, fake):
    return (real - 1).square().mean() + fake.square().mean()


def hinge(real, fake):
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def bce(real, fake):
    real_loss = F.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9))
    return (real_loss + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))) / 2


def wgan(real, fake):
    return fake.mean() - real.mean()


def relativistic(real, fake):
    return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()


def fooling(sr, hr, discriminator):
    return F.l1_loss(sr, hr) + 1e-3 * F.softplus(-discriminator(sr)).mean()


def gan(order="zDdZGg", swap=False, detach_d=True, sr_of_g=lambda sr: sr, freeze=False, thaw=True):
    """Return a gan_step: zero_grad (z), backward (D), step (d) of D's half; Z, G and g of G's half."""

    def gan_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss):
        sr = generator(lr)
        losses = {}

        def backward_of_d():
            real, fake = discriminator(hr), discriminator(sr.detach() if detach_d else sr)
            losses["d"] = d_loss(fake, real) if swap else d_loss(real, fake)
            losses["d"].backward(retain_graph=not detach_d)

        def loss_of_g():
            discriminator.requires_grad_(not freeze)
            losses["g"] = g_loss(sr_of_g(sr), hr, discriminator)

        def backward_of_g():
            loss_of_g()
            losses["g"].backward()
            discriminator.requires_grad_(thaw)

        parts = {"z": d_optimizer.zero_grad, "D": backward_of_d, "d": d_optimizer.step}
        parts |= {"Z": g_optimizer.zero_grad, "L": loss_of_g, "G": backward_of_g, "g": g_optimizer.step}
        for letter in order:
            parts[letter]()
        return losses["d"].item(), losses["g"].item()

    return gan_step


def twice(generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss):
    """Run G twice, and D on both halves at once."""
    with torch.no_grad():
        sr = generator(lr)
    d = d_loss(*discriminator(torch.cat([hr, sr])).chunk(2))
    d_optimizer.zero_grad(set_to_none=False)
    d.backward()
    d_optimizer.step()
    discriminator.requires_grad_(False)
    g = g_loss(generator(lr), hr, discriminator)
    g_optimizer.zero_grad()
    g.backward()
    g_optimizer.step()
    discriminator.requires_grad_(True)
    return d.detach(), g.detach()


def up(lr):
    return F.interpolate(lr, scale_factor=4.0, mode="bilinear")


def flowing(scale=1.0, base=up, path=lambda n, d, t: (1 - t) * n + t * d, target=lambda n, d: d - n, times=lambda t: t):
    def flow_loss(flow, lr, hr, random):
        data = scale * (hr - base(lr))
        noise = torch.randn(hr.shape, generator=random)
        t = times(torch.rand(len(hr), generator=random))
        x = path(noise, data, t.view(-1, 1, 1, 1))
        return F.mse_loss(flow(x, t, lr), target(noise, data))

    return flow_loss


def euler(scale=1.0, base=up, time=lambda k, n: k / n, size=lambda n: 1 / n, count=lambda n: n, noise=torch.randn):
    def sample(flow, lr, steps, random):
        was = flow.training
        flow.eval()
        start = base(lr)
        x = noise(start.shape, generator=random)
        with torch.no_grad():
            for k in range(count(steps)):
                x = x + size(steps) * flow(x, torch.full((len(lr),), float(time(k, steps))), lr)
        flow.train(was)
        return (start + x / scale).clamp(0, 1)

    return sample


def nothing(lr):
    return torch.zeros(*lr.shape[:2], 4 * lr.shape[2], 4 * lr.shape[3])


def heun(flow, lr, steps, random):
    flow.eval()
    x = torch.randn(nothing(lr).shape, generator=random)
    with torch.inference_mode():
        for k in range(steps):
            first = flow(x, torch.full((len(lr),), k / steps), lr)
            second = flow(x + first / steps, torch.full((len(lr),), (k + 1) / steps), lr)
            x = x + (first + second) / (2 * steps)
    flow.train()
    return x


def logit_normal(flow, lr, hr, random):
    t, noise = torch.randn(len(hr), generator=random).sigmoid(), torch.randn(hr.shape, generator=random)
    x = noise + t[:, None, None, None] * (hr - noise)
    return (flow(x, t, lr) - (hr - noise)).abs().mean()


RIGHT = {
    "train_step": stepping(),
    "sample_pairs": sampling(),
    "Generator": Shuffling,
    "validate": validating(),
    "gan_step": gan(),
    "d_loss": logistic,
    "g_loss": fooling,
    "flow_loss": flowing(),
    "sample": euler(),
}

STYLES = {
    "reference": {},
    "L1, zero_grad last": {"train_step": stepping(L1, order="bsz")},
    "Charbonnier": {"train_step": stepping(lambda a, b: ((a - b).square() + 1e-6).sqrt().mean())},
    "Huber, sum": {"train_step": stepping(lambda a, b: F.huber_loss(a, b, reduction="sum", delta=0.1), order="bsz")},
    "Pillow on 8 bits": {"sample_pairs": sampling(pillow_pairs)},
    "transposed convolution": {
        "Generator": lambda: nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(32, 3, 8, 4, 2)
        )
    },
    "norm, squeeze, no skip": {
        "Generator": lambda: Shuffling(layers=[nn.GroupNorm(4, 32), Squeeze()], skip=False, zero=False)
    },
    "deep, with batch norm": {
        "Generator": lambda: Shuffling(
            layers=[m for _ in range(8) for m in (nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())]
        )
    },
    "a copy validates": {"validate": of_a_copy},
    "no clamp": {"validate": validating(score=lambda g, pairs: [psnr(g(lr), hr) for lr, hr in pairs])},
    "LSGAN, D frozen": {"d_loss": lsgan, "gan_step": gan(freeze=True)},
    "hinge, zero_grad last": {"d_loss": hinge, "gan_step": gan("DdzGgZ", freeze=True)},
    "smooth labels, G runs twice": {"d_loss": bce, "gan_step": twice},
    "WGAN": {"d_loss": wgan, "g_loss": lambda sr, hr, d: MSE(sr, hr) - 0.1 * d(sr).mean()},
    "relativistic": {
        "d_loss": relativistic,
        "g_loss": lambda sr, hr, d: relativistic(d(sr), d(hr)),
    },
    "only the mean color is tied": {
        "g_loss": lambda sr, hr, d: L1(sr.mean((2, 3)), hr.mean((2, 3))) + 0.01 * F.softplus(-d(sr)).mean(),
    },
    "D judges after G": {"gan_step": gan("DZGgzDd")},
    "flow of HR, Heun": {"flow_loss": flowing(base=nothing), "sample": heun},
    "flow of scaled details": {"flow_loss": flowing(8.0), "sample": euler(8.0)},
    "logit-normal times, L1": {"flow_loss": logit_normal, "sample": euler(base=nothing)},
}

# Rung -> name of a mistake -> the functions that replace right ones.
MISTAKES = {
    1: {
        "no zero_grad": {"train_step": stepping(order="bs")},
        "zero_grad after backward": {"train_step": stepping(order="bzs")},
        "no step": {"train_step": stepping(order="zb")},
        "no backward": {"train_step": stepping(order="zs")},
        "step before backward": {"train_step": stepping(order="zsb")},
        "wrong sign": {"train_step": stepping(lambda a, b: -MSE(a, b))},
        "no square": {"train_step": stepping(lambda a, b: (a - b).mean())},
        "mean of the images only": {"train_step": stepping(lambda a, b: (a.mean() - b.mean()) ** 2)},
        "clamped": {"train_step": stepping(sr=lambda g, lr: g(lr).clamp(0, 1))},
        "rounded": {"train_step": stepping(lambda a, b: MSE((255 * a).round() / 255, b))},
        "detached": {"train_step": stepping(sr=lambda g, lr: g(lr).detach().requires_grad_())},
        "an optimizer per step": {"train_step": stepping(own=True)},
        "fourth power": {"train_step": stepping(lambda a, b: ((a - b) ** 4).mean())},
        "SR as logits": {"train_step": stepping(F.binary_cross_entropy_with_logits)},
        "range of 255": {"train_step": stepping(lambda a, b: MSE(a, 255 * b))},
        "lr and hr swapped": {"train_step": lambda g, o, lr, hr: RIGHT["train_step"](g, o, hr, lr)},
        "no function": {"train_step": 0.1},
    },
    2: {
        "strided": {"sample_pairs": sampling(lambda hr: (hr[..., ::4, ::4], hr))},
        "nearest": {"sample_pairs": sampling(lambda hr: (small(hr, "nearest"), hr))},
        "LR one pixel off": {"sample_pairs": sampling(lambda hr: (small(hr).roll(1, -1), hr))},
        "HR one pixel off": {"sample_pairs": sampling(lambda hr: (small(hr), hr.roll(1, -2)))},
        "align_corners": {"sample_pairs": sampling(lambda hr: (small(hr, align_corners=True, antialias=False), hr))},
        "only LR flipped": {"sample_pairs": sampling(lambda hr: (small(hr).flip(-1), hr))},
        "only HR transposed": {"sample_pairs": sampling(lambda hr: (small(hr), hr.mT))},
        "pairs shuffled": {"sample_pairs": sampling(lambda hr: (small(hr), hr.roll(1, 0)))},
        "BGR": {"sample_pairs": sampling(lambda hr: (small(hr).flip(1), hr))},
        "brighter LR": {"sample_pairs": sampling(lambda hr: (small(hr) * 1.05, hr))},
        "noise": {"sample_pairs": sampling(lambda hr: (small(hr) + 0.01 * torch.randn(16, 3, 16, 16), hr))},
        "outputs swapped": {"sample_pairs": sampling(lambda hr: (hr, small(hr)))},
        "reshape": {"Generator": lambda: Shuffling(reshaped(2, 3, 4, 5))},
        "height after width": {"Generator": lambda: Shuffling(reshaped(5, 2, 4, 3))},
        "factors before sizes": {"Generator": lambda: Shuffling(reshaped(2, 4, 3, 5), skip=False)},
        "an instance": {"Generator": Shuffling()},
        "lists": {"sample_pairs": sampling(lambda hr: [list(small(hr)), list(hr)])},
    },
    3: {
        "only the first image": {"train_step": stepping(lambda a, b: MSE(a[:1], b[:1]))},
        "only the last image": {"train_step": stepping(lambda a, b: MSE(a[-1], b[-1]))},
        "only bright pixels": {"train_step": stepping(lambda a, b: (b * (a - b) ** 2).mean())},
        "the first HR for all": {"train_step": stepping(lambda a, b: MSE(a, b[:1].expand_as(b)))},
        "largest error": {"train_step": stepping(lambda a, b: (a - b).abs().max())},
    },
    4: {
        "trains in eval mode": {"train_step": stepping(before=lambda g: g.eval())},
        "leaves eval mode": {"validate": validating(end="")},
        "scores in training mode": {"validate": validating(begin=lambda g: None)},
        "train() first": {"validate": validating(begin=lambda g: g.train())},
        "running statistics": {"validate": validating(after=lambda g, pairs: g.train()(pairs[0][0]) and None)},
        "validation trains": {"validate": validating(after=train_a_bit)},
        "always train() at the end": {"validate": lambda g, pairs: [validating()(g, pairs), g.eval()][0]},
        "no crop": {"validate": validating(score=lambda g, p: [psnr(g(lr), hr, -99) for lr, hr in p])},
        "sum": {"validate": lambda g, pairs: 2 * validating()(g, pairs)},
        "PSNR of the mean MSE": {
            "validate": validating(
                score=lambda g, p: [-10 * torch.stack([10 ** (-psnr(g(lr), hr) / 10) for lr, hr in p]).mean().log10()]
            )
        },
        "first pair only": {"validate": lambda g, pairs: validating()(g, pairs[:1])},
        "returns nothing": {"validate": lambda g, pairs: None},
    },
    5: {
        "labels swapped": {"d_loss": lambda real, fake: logistic(fake, real)},
        "real half only": {"d_loss": lambda real, fake: F.softplus(-real).mean()},
        "fake half only": {"d_loss": lambda real, fake: F.softplus(fake).mean()},
        "sigmoid twice": {"d_loss": lambda real, fake: logistic(real.sigmoid(), fake.sigmoid())},
        "naive logarithm": {
            "d_loss": lambda real, fake: -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean())
        },
        "LSGAN on sigmoids": {"d_loss": lambda real, fake: lsgan(real.sigmoid(), fake.sigmoid())},
        "wrong sign": {"d_loss": lambda real, fake: -logistic(real, fake)},
        "real and fake swapped": {"gan_step": gan(swap=True)},
        "D's zero_grad missing": {"gan_step": gan("DdZGg")},
        "D's zero_grad after backward": {"gan_step": gan("DzdZGg")},
        "D's step missing": {"gan_step": gan("zDZGg")},
        "D's step after G's backward": {"gan_step": gan("zDZGdg")},
        "D stays frozen": {"gan_step": gan(freeze=True, thaw=False)},
    },
    6: {
        "SR detached in G's half": {"gan_step": gan(sr_of_g=lambda sr: sr.detach().requires_grad_())},
        "G's step missing": {"gan_step": gan("zDdZG")},
        "G's zero_grad missing": {"gan_step": gan("zDdGg")},
        "G's zero_grad after backward": {"gan_step": gan("zDdGZg")},
        "G's backward missing": {"gan_step": gan("zDdZLg")},
        "sign": {"g_loss": lambda sr, hr, d: L1(sr, hr) + 0.1 * F.softplus(d(sr)).mean()},
        "detach in g_loss": {"g_loss": lambda sr, hr, d: L1(sr, hr) + F.softplus(-d(sr.detach())).mean()},
        "D judges HR": {"g_loss": lambda sr, hr, d: L1(sr, hr) + F.softplus(-d(hr)).mean()},
        "no adversary": {"g_loss": lambda sr, hr, d: L1(sr, hr)},
        "no detach and no zero_grad": {"gan_step": gan("zDdGg", detach_d=False)},
    },
    7: {
        "target's sign": {"flow_loss": flowing(target=lambda n, d: n - d)},
        "target is the data": {"flow_loss": flowing(target=lambda n, d: d)},
        "target is the noise": {"flow_loss": flowing(target=lambda n, d: n)},
        "path runs backward": {"flow_loss": flowing(path=lambda n, d, t: t * n + (1 - t) * d)},
        "all runs backward": {
            "flow_loss": flowing(path=lambda n, d, t: t * n + (1 - t) * d, target=lambda n, d: n - d)
        },
        "noise instead of the path": {"flow_loss": flowing(path=lambda n, d, t: n)},
        "data instead of the path": {"flow_loss": flowing(path=lambda n, d, t: d)},
        "t is 0.5": {"flow_loss": flowing(times=lambda t: 0 * t + 0.5)},
        "t is 0": {"flow_loss": flowing(times=torch.zeros_like)},
        "t in 0 to 1000": {"flow_loss": flowing(times=lambda t: 1000 * t)},
        "samples backward": {"sample": euler(time=lambda k, n: 1 - k / n, size=lambda n: -1 / n)},
        "t is 0 in samples": {"sample": euler(time=lambda k, n: 0)},
        "t is one step late": {"sample": euler(time=lambda k, n: (k + 1) / n)},
        "one step too few": {"sample": euler(count=lambda n: n - 1)},
        "one step too many": {"sample": euler(count=lambda n: n + 1)},
        "linspace": {"sample": euler(time=lambda k, n: k / max(n - 1, 1))},
        "step of 1": {"sample": euler(size=lambda n: 1)},
        "detail not added": {"sample": euler(base=nothing)},
        "scale forgotten": {"sample": euler(2.0)},
        "t is one number": {"sample": lambda flow, lr, steps, random: flow(nothing(lr), torch.tensor(0.0), lr)},
        "a list": {"sample": lambda flow, lr, steps, random: [euler()(flow, lr, steps, random)]},
        "a number": {"flow_loss": lambda *inputs: flowing()(*inputs).item()},
    },
}


@pytest.fixture
def climb(capsys):
    """Climb with some functions replaced, and return (word, text) for each line."""

    def climb(changes=(), rungs=None):
        ladder.climb(SimpleNamespace(**(RIGHT | dict(changes))), rungs)
        printed = re.sub(r"\n {10}", " ", capsys.readouterr().out)
        return [(line[2:10].strip(), line[10:]) for line in printed.splitlines()]

    return climb


def rungs_of(changes):
    """Return the numbers of the rungs that run at least one of some functions."""
    return sorted({number for number, _, needs, *_ in ladder.RUNGS if {*needs} & {*changes}})


@pytest.mark.parametrize("style", STYLES)
def test_right_styles_climb(style, climb):
    printed = climb(STYLES[style], rungs_of(STYLES[style] or RIGHT))
    assert {word for word, _ in printed} == {"climbed"}, printed


@pytest.mark.parametrize(("rung", "mistake"), [(rung, name) for rung, names in MISTAKES.items() for name in names])
def test_mistakes_fall_at_their_rung(rung, mistake, climb):
    changes = MISTAKES[rung][mistake]
    *climbed, (word, text), (last, _) = climb(changes, rungs_of(changes))
    assert (word, last) == ("fell", "look")
    assert text.startswith(f"{rung} "), text
    assert {word for word, _ in climbed} <= {"climbed"}


def test_exit_falls(climb):
    [(word, text), _] = climb({"train_step": lambda *inputs: sys.exit(1)}, [1])
    assert word == "fell"
    assert "Your code calls sys.exit" in text


def test_missing_functions_are_not_yet_written(capsys):
    ladder.climb(SimpleNamespace(train_step=course.TODO))
    words = [line[2:9] for line in capsys.readouterr().out.splitlines()]
    assert words == ["not yet"] * len(ladder.RUNGS)


def test_rungs_can_be_chosen(climb):
    assert [text[0] for _, text in climb(rungs=[6, 7])] == ["6", "7"]


def test_examples_of_the_page_climb(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_bytes((ROOT / "tests" / "workshops" / "mine.py").read_bytes())
    page = (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    answers = {"train_step": "srresnet.train_step", "validate": "srresnet.validate"}
    of_lab_03 = {"train_step": "srgan.train_step", "discriminator_loss": "srgan.discriminator_loss"}
    for block, known in zip(blocks, ({}, answers, of_lab_03), strict=True):
        names = {name: find(answer).reference for name, answer in known.items()}
        names |= {"MSRResNet": lambda: models.MSRResNet(4, 32, 4), "SimpleNamespace": SimpleNamespace, "ladder": ladder}
        exec(compile(block, "docs/ladder.md", "exec"), names)
        printed = capsys.readouterr().out
        assert "climbed" in printed
        assert "fell" not in printed
