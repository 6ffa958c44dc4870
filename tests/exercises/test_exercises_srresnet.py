"""Every exercise takes its reference, leaves an untouched stub in peace, and recognises what people write."""

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import models
from srlab.base.errors import SrlabError
from srlab.data import images
from srlab.data.resampling import resize
from srlab.exercises import TODO, check, find, names

from .answers import assert_recognised, assert_taken, said

NAMES = [name for name in names() if name.startswith("srresnet.")]


# --- Wrong answers: exercise, a distinctive phrase of the hint, what people write ----------------------------


def mse(sr, hr, crop=0):
    cut = slice(crop, -crop or None)
    return (sr - hr)[..., cut, cut].square().mean((1, 2, 3))


def levels(image):
    return (image * 255).round() / 255


def psnr_of_papers(sr, hr):
    return -10 * mse(levels(images.luma(levels(sr))), levels(images.luma(levels(hr)))).log10()


def psnr_by_channel(sr, hr):
    return -10 * (sr - hr).square().mean((2, 3)).log10().mean(1)


def best_of_a_grid(candidates, probabilities, loss):
    guesses = torch.arange(0, 1, 0.01)
    away = candidates - guesses[:, None]
    expected = (probabilities * (away.square() if loss == "mse" else away.abs())).sum(1)
    return guesses[expected.argmin()]


def psnr_with_epsilon(sr, hr, crop):
    return -10 * (mse(sr, hr, crop) + 1e-8).log10()


def psnr_with_empty_slice(sr, hr, crop):
    return -10 * (sr - hr)[..., crop:-crop, crop:-crop].square().mean((1, 2, 3)).log10()


def psnr_cropped_at_one_corner(sr, hr, crop):
    return -10 * mse(sr[..., crop:, crop:], hr[..., crop:, crop:]).log10()


def weighted(*weights, offset=0.0):
    def luma(rgb):
        return (rgb * torch.tensor(weights).view(3, 1, 1)).sum(1, keepdim=True) + offset

    return luma


def keys(near_zero, far, a=-0.5):
    """The kernel, built from a wrong idea of |x| and of what lies beyond 2."""

    def cubic(x):
        x = near_zero(x)
        inner = (a + 2) * x**3 - (a + 3) * x**2 + 1
        outer = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
        return torch.where(x <= 1, inner, far(x, outer))

    return cubic


def up_to_two(x, outer):
    return outer * (x < 2)


def cubic_swapped(x):
    x = x.abs()
    inner, outer = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    # At 0 the student has put the right value in by hand.
    return torch.where(x == 0, torch.ones_like(x), torch.where(x <= 1, outer, inner * (x < 2)))


def cubic_in_place(x):
    return keys(torch.abs_, up_to_two)(x)


def area(image, scale=4):
    return F.avg_pool2d(image, scale)


def nearest(image, scale=4):
    return F.interpolate(image, scale_factor=scale, mode="nearest")


def twin_in_place(hr, texture, scale):
    hr += texture - nearest(area(texture))
    return hr


def block(forward, bn=2, bias=True, act=nn.PReLU, padding=1, size=3, features=None):
    """A block class with the given forward and layers."""

    class Block(nn.Module):
        def __init__(self, n):
            super().__init__()
            n = features or n
            self.conv1 = nn.Conv2d(n, n, size, padding=padding, bias=bias)
            self.conv2 = nn.Conv2d(n, n, size, padding=padding, bias=bias)
            self.bn1 = nn.BatchNorm2d(n)
            self.bn2 = nn.BatchNorm2d(n) if bn == 2 else self.bn1
            self.act = act()

        def forward(self, x):
            return forward(self, x)

    return Block


def branch(self, x):
    return self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))


def right_block(self, x):
    return x + branch(self, x)


def block_in_place(self, x):
    x += branch(self, x)
    return x


def shuffle(split, order):
    def pixel_shuffle(x, r):
        n, c, h, w = x.shape
        sizes = {"c": c // r**2, "r": r, "h": h, "w": w}
        return x.view(n, *(sizes[s] for s in split)).permute(order).reshape(n, c // r**2, h * r, w * r)

    return pixel_shuffle


def median_of(order_values, order_chances):
    def best_guess(candidates, probabilities, loss):
        if loss == "mse":
            return (candidates * probabilities).sum()
        by_value, order = candidates.sort()
        values = by_value if order_values else candidates
        chances = probabilities[order] if order_chances else probabilities
        return values[(chances.cumsum(0) >= 0.5).nonzero()[0, 0]]

    return best_guess


def best(update, start=0.0, later=lambda new, old: new > old):
    def keep_best(history):
        highest, step = start, history[0]["step"] if start else None
        for entry in history:
            if later(entry["psnr"], highest):
                highest, step = update(entry), entry["step"]
        return step

    return keep_best


def keep_best_unbound(history):
    highest = 0
    for entry in history:
        if entry["psnr"] > highest:
            highest, step = entry["psnr"], entry["step"]
    return step


def divided_inside(losses, batch_sizes):
    mean = 0.0
    for loss in losses:
        mean += loss
        mean /= len(losses)
    return mean


def divided_by_count_inside(losses, batch_sizes):
    total = 0.0
    for i, (loss, size) in enumerate(zip(losses, batch_sizes, strict=True)):
        total = (total + loss * size) / (i + 1)
    return total


def products(losses, batch_sizes):
    return sum(a * b for a, b in zip(losses, batch_sizes, strict=True))


def residual(hr, texture):
    return hr + texture - F.interpolate(area(texture), scale_factor=4, mode="bilinear", align_corners=False)


def projected(combine):
    """A step of back-projection that puts SR, LR, and SR made small together in some way."""
    return lambda sr, lr, down, up: combine(sr, lr, down(sr), up)


def projected_in_place(sr, lr, down, up):
    sr += up(lr - down(sr))
    return sr


def projected_by_own_bicubic(sr, lr, down, up):
    return sr + resize(lr - resize(sr, lr.shape[-1] / sr.shape[-1]), sr.shape[-1] / lr.shape[-1])


W = (65.481 / 255, 128.553 / 255, 24.966 / 255)
WRONG = [
    ("degradation.psnr", "a sum does", lambda sr, hr, crop: -10 * (sr - hr).square().sum((1, 2, 3)).log10()),
    ("degradation.psnr", "one pool", lambda sr, hr, crop: -10 * (sr - hr).square().mean().log10()),
    ("degradation.psnr", "averaging is left", lambda sr, hr, crop: (-10 * mse(sr, hr).log10()).mean()),
    ("degradation.psnr", "how bright", lambda sr, hr, crop: 10 * (hr.max() ** 2 / mse(sr, hr)).log10()),
    ("degradation.psnr", "how bright", lambda sr, hr, crop: 10 * (hr.amax((1, 2, 3)) ** 2 / mse(sr, hr)).log10()),
    ("degradation.psnr", "80 dB", psnr_with_epsilon),
    ("degradation.psnr", "powers of ten", lambda sr, hr, crop: -10 * mse(sr, hr).log()),
    ("degradation.psnr", "twice or half", lambda sr, hr, crop: -20 * mse(sr, hr).log10()),
    ("degradation.psnr", "twice or half", lambda sr, hr, crop: -10 * mse(sr, hr).sqrt().log10()),
    ("degradation.psnr", "four sides", psnr_cropped_at_one_corner),
    ("degradation.psnr", "same as with crop=0", lambda sr, hr, crop: -10 * mse(sr, hr).log10()),
    ("degradation.psnr", "48.13", lambda sr, hr, crop: -10 * mse(sr / 255, hr / 255).log10()),
    ("degradation.psnr", "48.13", lambda sr, hr, crop: 10 * (255**2 / mse(sr, hr)).log10()),
    ("degradation.psnr", "0:-0", psnr_with_empty_slice),
    ("degradation.psnr", "without being squared", lambda sr, hr, crop: -20 * (sr - hr).abs().mean((1, 2, 3)).log10()),
    ("degradation.psnr", "sign is not", lambda sr, hr, crop: 10 * mse(sr, hr).log10()),
    ("degradation.psnr", "as papers do", lambda sr, hr, crop: -10 * mse(images.luma(sr), images.luma(hr)).log10()),
    ("degradation.psnr", "as papers do", lambda sr, hr, crop: -10 * mse(levels(sr), levels(hr)).log10()),
    ("degradation.psnr", "as papers do", lambda sr, hr, crop: psnr_of_papers(sr, hr)),
    ("degradation.psnr", "mean of the logarithms", lambda sr, hr, crop: psnr_by_channel(sr, hr)),
    ("degradation.psnr", "shape (3, 3)", lambda sr, hr, crop: -10 * (sr - hr).square().mean((2, 3)).log10()),
    ("degradation.luma", "full-range", weighted(0.299, 0.587, 0.114)),
    ("degradation.luma", "changed places", weighted(*W[::-1], offset=16 / 255)),
    ("degradation.luma", "changed places", weighted(0.114, 0.587, 0.299)),
    ("degradation.luma", "weigh the same", lambda rgb: rgb.mean(1, keepdim=True)),
    ("degradation.luma", "Black comes out as 0", weighted(*W)),
    ("degradation.luma", "Black comes out as 16", weighted(*W, offset=16)),
    ("degradation.luma", "255 times", weighted(65.481, 128.553, 24.966, offset=16)),
    ("degradation.luma", "BT.709", weighted(0.2126, 0.7152, 0.0722)),
    ("degradation.luma", "the channel dimension stays", lambda rgb: rgb.mean(1)),
    ("degradation.cubic", "constant a", keys(torch.abs, up_to_two, a=-0.75)),
    ("degradation.cubic", "both sides of 0", keys(lambda x: x, up_to_two)),
    ("degradation.cubic", "outer polynomial goes on", keys(torch.abs, lambda x, outer: outer)),
    ("degradation.cubic", "branches have changed places", cubic_swapped),
    ("degradation.cubic", "sign of a", keys(torch.abs, up_to_two, a=0.5)),
    ("degradation.cubic", "4 samples wide", keys(torch.abs, lambda x, outer: 0 * outer)),
    ("degradation.cubic", "changed in place", cubic_in_place),
    ("degradation.cubic", "RuntimeError", lambda x: x if x <= 1 else 0 * x),
    ("degradation.shrink", "aliasing", lambda signal, factor: signal[..., ::factor]),
    ("degradation.shrink", "aliasing", lambda signal, factor: signal[..., factor // 2 :: factor]),
    ("degradation.shrink", "far apart", lambda s, f: s.reshape(*s.shape[:-1], f, -1).mean(-2)),
    ("degradation.shrink", "sum of the samples", lambda s, f: s.reshape(*s.shape[:-1], -1, f).sum(-1)),
    ("degradation.shrink", "samples become one", lambda s, f: s.reshape(f, -1).mean(-1)),
    ("degradation.shrink", "Only the last axis", lambda s, f: s.reshape(-1, f).mean(-1)),
    ("degradation.twin", "HR itself", lambda hr, texture, scale: hr),
    ("degradation.twin", "HR itself", lambda hr, texture, scale: hr.clone()),
    ("degradation.twin", "texture shows in LR", lambda hr, texture, scale: hr + texture),
    ("degradation.twin", "mean brightness", lambda hr, texture, scale: hr + texture - texture.mean()),
    ("degradation.twin", "4x4 block", lambda hr, texture, scale: residual(hr, texture)),
    ("degradation.twin", "should stay", lambda hr, texture, scale: hr + texture - nearest(area(hr))),
    ("degradation.twin", "cut off at 0 and 1", lambda hr, t, s: (hr + t - nearest(area(t, s), s)).clamp(0, 1)),
    ("degradation.twin", "rounds to 8 bits", lambda hr, t, s: hr + t - nearest((area(t, s) * 255).round() / 255, s)),
    ("degradation.twin", "does not hold", lambda hr, t, s: hr + t - resize(resize(t, 1 / s), s)),
    ("degradation.twin", "in place", twin_in_place),
    ("degradation.twin", "fine part", lambda hr, t, s: hr + (t - nearest(area(t, s), s)) / 2),
    ("degradation.twin", "should be `scale`", lambda hr, t, s: hr + t - nearest(area(t))),
    ("degradation.back_project", "SR as it came in", lambda sr, lr, down, up: sr),
    ("degradation.back_project", "correction alone", projected(lambda sr, lr, seen, up: up(lr - seen))),
    ("degradation.back_project", "LR enlarged", projected(lambda sr, lr, seen, up: sr + (up(lr) - sr))),
    ("degradation.back_project", "sign is turned round", projected(lambda sr, lr, seen, up: sr + up(seen - lr))),
    ("degradation.back_project", "All of LR was added", projected(lambda sr, lr, seen, up: sr + up(lr))),
    (
        "degradation.back_project",
        "cut off at 0 and 1",
        projected(lambda sr, lr, seen, up: (sr + up(lr - seen)).clamp(0, 1)),
    ),
    ("degradation.back_project", "kernel of your own", lambda sr, lr, down, up: sr + nearest(lr - area(sr))),
    ("degradation.back_project", "use `down` and `up`", projected_by_own_bicubic),
    ("degradation.back_project", "RuntimeError", projected(lambda sr, lr, seen, up: sr + lr - seen)),
    ("degradation.back_project", "in place", projected_in_place),
    ("srresnet.ResidualBlock", "One batch norm serves both", block(right_block, bn=1)),
    ("srresnet.ResidualBlock", "nothing is left of the input", block(branch)),
    ("srresnet.ResidualBlock", "after the addition", block(lambda m, x: m.act(right_block(m, x)))),
    (
        "srresnet.ResidualBlock",
        "skip goes through a batch norm",
        block(lambda m, x: m.bn2(x + m.conv2(m.act(m.bn1(m.conv1(x)))))),
    ),
    ("srresnet.ResidualBlock", "before the addition", block(lambda m, x: x + m.act(branch(m, x)))),
    ("srresnet.ResidualBlock", "takes a rim", block(right_block, padding=0)),
    ("srresnet.ResidualBlock", "takes a rim", block(branch, padding=0)),
    ("srresnet.ResidualBlock", "another number", block(right_block, features=8)),
    ("srresnet.ResidualBlock", "should be 3x3", block(right_block, size=5, padding=2)),
    ("srresnet.ResidualBlock", "uses 1", block(lambda m, x: x + m.conv2(m.act(m.bn1(m.conv1(x)))))),
    (
        "srresnet.ResidualBlock",
        "same convolution runs twice",
        block(lambda m, x: x + m.bn2(m.conv1(m.act(m.bn1(m.conv1(x)))))),
    ),
    (
        "srresnet.ResidualBlock",
        "One batch norm serves both",
        block(lambda m, x: x + m.bn1(m.conv2(m.act(m.bn1(m.conv1(x)))))),
    ),
    ("srresnet.ResidualBlock", "nothing bends", block(right_block, act=nn.Identity)),
    ("srresnet.ResidualBlock", "fixed slope", block(right_block, act=nn.ReLU)),
    (
        "srresnet.ResidualBlock",
        "before the batch norm",
        block(lambda m, x: x + m.bn2(m.conv2(m.bn1(m.act(m.conv1(x)))))),
    ),
    ("srresnet.ResidualBlock", "changes its input", block(block_in_place)),
    ("srresnet.ResidualBlock", "class itself", models.ResidualBlock(6)),
    ("srresnet.pixel_shuffle", "along its diagonal", shuffle("crrhw", (0, 1, 4, 3, 5, 2))),
    ("srresnet.pixel_shuffle", "old order", lambda x, r: x.view(len(x), -1, x.shape[2] * r, x.shape[3] * r)),
    ("srresnet.pixel_shuffle", "small copies", shuffle("crrhw", (0, 1, 2, 4, 3, 5))),
    ("srresnet.pixel_shuffle", "wrong channels", shuffle("rrchw", (0, 3, 4, 1, 5, 2))),
    ("srresnet.pixel_shuffle", "other way", F.pixel_unshuffle),
    ("srresnet.pixel_shuffle", "Channels become fewer", lambda x, r: F.interpolate(x, scale_factor=r)),
    ("srresnet.best_guess", "All candidates count the same", lambda c, p, loss: c.mean()),
    ("srresnet.best_guess", "All candidates count the same", lambda c, p, loss: c.median()),
    ("srresnet.best_guess", "only by luck", best_of_a_grid),
    ("srresnet.best_guess", "most probable", lambda c, p, loss: c[p.argmax()]),
    ("srresnet.best_guess", "averaged again", lambda c, p, loss: (c * p).mean()),
    ("srresnet.best_guess", "mean, as for the squared", lambda c, p, loss: (c * p).sum()),
    ("srresnet.best_guess", "belongs to the other loss", lambda c, p, loss: median_of(True, True)(c, p, "l1")),
    ("srresnet.best_guess", "order of the list", median_of(False, False)),
    ("srresnet.best_guess", "move along", median_of(True, False)),
    ("srresnet.receptive_radius", "not 9", lambda blocks: 2 * blocks + 13),
    ("srresnet.receptive_radius", "in one residual block", lambda blocks: blocks + 8),
    ("srresnet.receptive_radius", "smaller pixels", lambda blocks: 2 * blocks + 11),
    ("srresnet.receptive_radius", "Half an LR pixel", lambda blocks: 2 * blocks + 7.5),
    ("srresnet.receptive_radius", "rounded down", lambda blocks: 2 * blocks + 7),
    ("srresnet.receptive_radius", "four times as fine", lambda blocks: 2 * blocks + 9),
    ("srresnet.receptive_radius", "first pixel shuffle", lambda blocks: 2 * blocks + 6),
    ("srresnet.receptive_radius", "width", lambda blocks: 2 * (2 * blocks + 8) + 1),
    ("srresnet.receptive_radius", "no difference", lambda blocks: 40),
    ("srresnet.keep_best", "always true", best(lambda entry: entry["ssim"])),
    ("srresnet.keep_best", "always true", lambda history: history[-1]["step"]),
    ("srresnet.keep_best", "PSNR itself", lambda history: max(entry["psnr"] for entry in history)),
    ("srresnet.keep_best", "later one", best(lambda entry: entry["psnr"], later=lambda new, old: new >= old)),
    ("srresnet.keep_best", "best SSIM", lambda history: max(history, key=lambda entry: entry["ssim"])["step"]),
    ("srresnet.keep_best", "running best begin", best(lambda entry: entry["psnr"])),
    ("srresnet.keep_best", "running best begin", best(lambda entry: entry["psnr"], start=1e-9)),
    ("srresnet.keep_best", "running best begin", keep_best_unbound),
    ("srresnet.keep_best", "position", lambda h: max(range(len(h)), key=lambda i: h[i]["psnr"])),
    ("srresnet.keep_best", "whole entry", lambda history: max(history, key=lambda entry: entry["psnr"])),
    ("srresnet.running_mean", "still grows", divided_inside),
    ("srresnet.running_mean", "still grows", divided_by_count_inside),
    ("srresnet.running_mean", "counts the same", lambda losses, batch_sizes: sum(losses) / len(losses)),
    ("srresnet.running_mean", "a total", products),
    ("srresnet.running_mean", "divided by batches", lambda a, b: products(a, b) / len(a)),
    ("srresnet.running_mean", "already the mean", lambda losses, batch_sizes: sum(losses) / sum(batch_sizes)),
]

WRONG = [entry for entry in WRONG if entry[0] in NAMES]


@pytest.mark.parametrize(("name", "phrase", "answer"), WRONG, ids=[f"{name}-{phrase}" for name, phrase, _ in WRONG])
def test_a_wrong_answer_is_recognised(name, phrase, answer, capsys):
    assert_recognised(name, phrase, answer, capsys)


# --- Right answers, written differently from the reference ---------------------------------------------------


def full_psnr(sr, hr, crop):
    return -10 * mse(sr, hr, crop).log10()


def functional_prelu(self, x):
    return x + self.bn2(self.conv2(F.prelu(self.bn1(self.conv1(x)), torch.tensor([0.25]))))


RIGHT = [
    ("degradation.psnr", full_psnr),
    ("degradation.luma", weighted(*W, offset=16 / 255)),
    ("degradation.cubic", keys(torch.abs, up_to_two)),
    ("degradation.shrink", lambda s, f: s.unflatten(-1, (-1, f)).mean(-1)),
    ("degradation.twin", lambda hr, texture, scale: hr + texture - nearest(area(texture, scale), scale)),
    ("degradation.back_project", projected(lambda sr, lr, seen, up: up(lr) + sr - up(seen))),
    ("srresnet.ResidualBlock", block(right_block)),
    ("srresnet.ResidualBlock", block(right_block, bias=False)),
    ("srresnet.ResidualBlock", block(functional_prelu, act=nn.Identity)),
    ("srresnet.pixel_shuffle", shuffle("crrhw", (0, 1, 4, 2, 5, 3))),
    ("srresnet.best_guess", median_of(True, True)),
    ("srresnet.receptive_radius", lambda blocks: 2 * blocks + 8),
    ("srresnet.keep_best", best(lambda entry: entry["psnr"], start=float("-inf"))),
    ("srresnet.running_mean", lambda a, b: products(a, b) / sum(b)),
]

RIGHT = [entry for entry in RIGHT if entry[0] in NAMES]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_right_answer_is_taken(name, answer, capsys):
    assert_taken(name, answer, capsys)


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_right(name, capsys, monkeypatch):
    monkeypatch.setenv("SRLAB_STRICT", "1")
    exercise = find(name)
    assert check(name, exercise.reference) is exercise.reference
    text = said(capsys)
    assert "right The lab goes on with your answer." in text
    assert all(what in text for what, _ in exercise.steps)


# --- Missing answers, errors, strictness ---------------------------------------------------------------------


def stubs(name):
    class Stub(nn.Module):
        def __init__(self, *sizes):
            super().__init__()

        def forward(self, x):
            return TODO

    return [TODO, lambda *arguments: TODO] + ([Stub] if name.endswith("Block") else [])


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_still_to_do(name, capsys, monkeypatch):
    exercise = find(name)
    for stub in stubs(name):
        monkeypatch.delenv("SRLAB_STRICT", raising=False)
        assert check(name, stub) is exercise.reference
        text = said(capsys)
        assert "still to do" in text
        assert exercise.hints[0] in text
        assert exercise.hints[1] not in text
        check(name, stub, hints=2)
        assert exercise.hints[1] in said(capsys)
        monkeypatch.setenv("SRLAB_STRICT", "1")
        with pytest.raises(SrlabError, match="still to do"):
            check(name, stub)


def test_every_exercise_has_wrong_answers_enough():
    elsewhere = ("content_loss.", "esrgan.", "evaluation.", "srgan.")  # which have a file of tests of their own
    names = {name for name in NAMES if not name.startswith(elsewhere)}
    assert all(sum(name == wrong for wrong, _, _ in WRONG) >= 3 for name in names)
    assert {name for name, _ in RIGHT} == names


@pytest.mark.parametrize("name", NAMES)
def test_hints_are_calm(name, capsys):
    exercise = find(name)
    assert exercise.level in ("easy", "medium", "hard")
    for text in (*exercise.hints, *(what for what, _ in exercise.steps)):
        assert "!" not in text
        assert " just " not in text


def test_a_half_written_answer_keeps_what_is_done(capsys):
    check("srresnet.best_guess", lambda c, p, loss: (c * p).sum() if loss == "mse" else TODO)
    text = said(capsys)
    assert "passed mse" in text
    assert "still to do" in text


def test_a_check_leaves_the_random_numbers_of_the_lab_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    check("srresnet.ResidualBlock", models.ResidualBlock)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_receptive_radius_is_that_of_the_network(blocks):
    radius = find("srresnet.receptive_radius").reference(blocks)
    torch.manual_seed(0)
    network = models.SRResNet(blocks=blocks, features=2).double().eval()
    centre = radius + 2
    lr = torch.rand(1, 3, 2 * centre + 1, 2 * centre + 1, dtype=torch.float64, requires_grad=True)
    sr = network(lr)
    reached = 0
    for sub in range(4):  # the four places that an HR pixel can have in its LR pixel, along one diagonal
        (gradient,) = torch.autograd.grad(sr[0, 0, 4 * centre + sub, 4 * centre + sub], lr, retain_graph=True)
        where = gradient[0].abs().sum(0).nonzero() - centre
        reached = max(reached, int(where.abs().max()))
    assert reached == radius
