"""The exercises of lab 04: each takes its reference, waits for an untouched stub, and knows what people write."""

from functools import partial

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import models
from srlab.exercises import TODO, _adversarial, _relativistic, check, esrgan, find, names

from .answers import apart, assert_still_to_do, said

NAMES = [name for name in names() if name.startswith("esrgan.")]
BLOCK, PAIRS, RAGAN, MAP, STEP = (
    f"esrgan.{name}"
    for name in (
        "DenseBlock",
        "relativistic_losses",
        "ragan_generator_loss",
        "before_activation",
        "adversarial_step",
    )
)

# --- The dense block --------------------------------------------------------------------------------------------


def leaky(x):
    return F.leaky_relu(x, 0.2)


def cat(*maps):
    return torch.cat(maps, dim=1)


def end(x, third):
    return x + 0.2 * third


def dense(act=leaky, last=end, sizes=None, size=3, padding=1, extra=None, see2=cat, see3=cat):
    """A block class with what goes wrong in it."""

    class Block(nn.Module):
        def __init__(self, features, growth):
            super().__init__()
            f, g = features, growth
            pairs = sizes(f, g) if sizes else [(f, g), (f + g, g), (f + 2 * g, f)]
            self.a, self.b, self.c = (nn.Conv2d(i, o, size, padding=padding) for i, o in pairs)
            self.extra = extra(g) if extra else nn.Identity()

        def forward(self, x):
            first = self.extra(act(self.a(x)))
            second = act(self.b(see2(x, first)))
            return last(x, self.c(see3(x, first, second)))

    return Block


class DenseInLoops(nn.Module):
    """As in the package, with modules, in-place activations and another order of the maps."""

    def __init__(self, features, growth):
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(features + i * growth, growth, (3, 3), padding="same", bias=False),
                nn.LeakyReLU(0.2, inplace=True),
            )
            for i in range(2)
        )
        self.fuse = nn.Conv2d(features + 2 * growth, features, 3, 1, 1)

    def forward(self, x):
        seen = [x]
        for step in self.steps:
            seen.insert(0, step(torch.cat(seen, 1)))
        return self.fuse(torch.cat(seen, 1)).mul(0.2).add(x)


class DenseZeros(dense()):
    """Starts at zero, as some do with the last convolution."""

    def __init__(self, features, growth):
        super().__init__(features, growth)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


class DenseShared(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        self.one = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x):
        return x + 0.2 * self.one(leaky(self.one(leaky(self.one(x)))))


class DenseUnused(dense()):
    def __init__(self, features, growth):
        super().__init__(features, growth)
        self.more = nn.Conv2d(features, features, 3)


class DensePRelu(dense()):
    def __init__(self, features, growth):
        super().__init__(features, growth)
        self.slope = nn.PReLU()


class DenseInPlace(dense()):
    def forward(self, x):
        x += 0.2 * self.c(cat(x, leaky(self.a(x)), leaky(self.b(cat(x, leaky(self.a(x)))))))
        return x


class DenseCutOff(dense()):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


class DenseEarly(dense()):
    """Scales what comes in."""

    def forward(self, x):
        return 0.8 * x + super().forward(0.2 * x)


class DenseBentTwice(dense()):
    """The activation is put on what is joined."""

    def forward(self, x):
        two = leaky(cat(x, self.a(x)))
        return x + 0.2 * self.c(leaky(cat(two, self.b(two))))


def chain(f, g):
    return [(f, g), (g, g), (g, f)]


def flat(f, g):
    return [(f, f), (f, f), (f, f)]


def newest(*maps):
    return maps[-1]


def total(*maps):
    return sum(maps)


# --- The losses -------------------------------------------------------------------------------------------------

cross = F.binary_cross_entropy_with_logits
sigmoid = torch.sigmoid


def bce(logits, label):
    return cross(logits, torch.full_like(logits, label))


def d_pair(real, fake):
    return bce(real - fake, 1.0)


def g_pair(real, fake):
    return bce(fake - real, 1.0)


def pair(d=d_pair, g=g_pair):
    return lambda real, fake: (d(real, fake), g(real, fake))


def d_average(real, fake):
    return bce(real - fake.mean(), 1.0) + bce(fake - real.mean(), 0.0)


def g_average(real, fake):
    return d_average(fake, real)


def d_usual(real, fake):
    return bce(real, 1.0) + bce(fake, 0.0)


def log_of_sigmoid(real, fake):
    return -sigmoid(real - fake).log().mean()


def pair_in_place(real, fake):
    real -= fake
    return bce(real, 1.0), bce(-real, 1.0)


def ragan_means_cut(real, fake):
    return bce(real - fake.mean().detach(), 0.0) + bce(fake - real.mean().detach(), 1.0)


def ragan_loops(real, fake):
    mean_real, mean_fake = real.sum() / real.numel(), fake.sum() / fake.numel()
    halves = [F.softplus(x - mean_fake) for x in real.flatten()], [F.softplus(mean_real - y) for y in fake.flatten()]
    return sum(torch.stack(half).mean() for half in halves)


def ragan_dims(dims):
    def loss(real, fake):
        to_fake, to_real = real - fake.mean(dims, keepdim=True), fake - real.mean(dims, keepdim=True)
        return bce(to_fake, 0.0) + bce(to_real, 1.0)

    return loss


# --- Features before the activation -----------------------------------------------------------------------------


def map_stored(copied=False):
    """Runs all layers and keeps the map on the way."""

    def before_activation(layers, image):
        x = image
        for layer in layers:
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                kept = x.clone() if copied else x
        return kept

    return before_activation


def map_hooked(copied, removed=True):
    def before_activation(layers, image):
        kept = {}
        conv = [layer for layer in layers if isinstance(layer, nn.Conv2d)][-1]
        handle = conv.register_forward_hook(lambda _, __, x: kept.update(map=x.clone() if copied else x))
        layers(image)
        if removed:
            handle.remove()
        return kept["map"]

    return before_activation


def map_popping(layers, image):
    layers.pop(-1)
    return layers(image)


def map_switching(layers, image):
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return map_stored()(layers, image)


def map_in_eval(layers, image):
    return layers.eval()[:-1](image)


def map_thawed(layers, image):
    return layers.requires_grad_(True)[:-1](image)


def map_backwards(layers, image):
    for place in reversed(range(len(layers))):
        if isinstance(layers[place], nn.Conv2d):
            return nn.Sequential(*list(layers)[: place + 1])(image)
    return None


def map_fixed(layers, image):
    return layers[:6](image)


def map_no_grad(layers, image):
    with torch.no_grad():
        return layers[:-1](image)


# --- One step ---------------------------------------------------------------------------------------------------


def step(
    for_d=torch.Tensor.detach,
    for_g=lambda sr: sr,
    d_loss_of=d_average,
    g_loss_of=g_average,
    d_answer=lambda real, fake: (real, fake),
    real_for_g=torch.Tensor.detach,
    turned=False,
):
    def adversarial_step(discriminator, sr, hr):
        real, fake = d_answer(discriminator(hr), discriminator(for_d(sr)))
        d_loss = d_loss_of(real, fake)
        g_loss = g_loss_of(real_for_g(discriminator(hr)), discriminator(for_g(sr)))
        return (g_loss, d_loss) if turned else (d_loss, g_loss)

    return adversarial_step


def step_without_graphs(discriminator, sr, hr):
    with torch.no_grad():
        return step()(discriminator, sr, hr)


def step_shared(discriminator, sr, hr):
    """D's answer about SR serves both halves."""
    real, fake = discriminator(hr), discriminator(sr)
    return d_average(real, fake), g_average(real, fake)


def step_shared_detached(discriminator, sr, hr):
    real, fake = discriminator(hr), discriminator(sr.detach())
    return d_average(real, fake), g_average(real, fake)


def step_swapped(discriminator, sr, hr):
    real, fake = discriminator(sr.detach()), discriminator(hr)
    return d_average(real, fake), g_average(discriminator(sr), fake)


def step_backward(discriminator, sr, hr):
    d_loss, g_loss = step()(discriminator, sr, hr)
    d_loss.backward()
    g_loss.backward()
    return d_loss, g_loss


def step_frozen(discriminator, sr, hr, free=True):
    discriminator.zero_grad()
    d_loss = d_average(discriminator(hr), discriminator(sr.detach()))
    discriminator.requires_grad_(False)
    g_loss = g_average(discriminator(hr), discriminator(sr))
    discriminator.requires_grad_(free)
    return d_loss, g_loss


def step_in_one_batch(discriminator, sr, hr):
    """G's half first, and both images in one batch."""
    real, fake = discriminator(torch.cat([hr, sr])).chunk(2)
    g_loss = F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()
    real, fake = discriminator(torch.cat([hr, sr.clone().data])).chunk(2)
    return [F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean(), g_loss]


def step_three_runs(discriminator, sr, hr):
    real = discriminator(hr)
    d_loss = d_average(real, discriminator(sr.detach()))
    return d_loss, g_average(real.detach(), discriminator(sr))


def step_in_eval(discriminator, sr, hr):
    return step()(discriminator.eval(), sr, hr)


def step_clamped(discriminator, sr, hr):
    sr.data.clamp_(0.2, 0.8)
    return step()(discriminator, sr, hr)


def step_clipped(discriminator, sr, hr):
    for weight in discriminator.parameters():
        weight.data.clamp_(-0.01, 0.01)
    return step()(discriminator, sr, hr)


# --- Stubs and odd answers --------------------------------------------------------------------------------------


class BlockStub(nn.Module):
    def __init__(self, features, growth):
        super().__init__()

    def forward(self, x):
        return TODO


STUBS = [
    (BLOCK, BlockStub),
    *((name, lambda *arguments: TODO) for name in NAMES),
    (PAIRS, lambda real, fake: (d_pair(real, fake), TODO)),
    (STEP, lambda *arguments: (step()(*arguments)[0], TODO)),
]


@pytest.mark.parametrize(("name", "stub"), STUBS)
def test_a_stub_is_still_to_do(name, stub, capsys, monkeypatch):
    assert_still_to_do(name, stub, capsys, monkeypatch)


class Odd(nn.Module):
    """A block that gives something odd."""

    def __init__(self, result, *arguments):
        super().__init__()
        self.forward = lambda x: result


ODD = [None, 3, "text", [], (), {}, object(), (None, None), torch.zeros(0), torch.tensor(float("nan")), [1.0, "a"]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("result", ODD, ids=lambda odd: type(odd).__name__)
def test_odd_answers_get_a_calm_hint(name, result, capsys):
    answers = [lambda *arguments: result, lambda *arguments: (result, result), lambda wrong_count: result, result]
    answers += [partial(Odd, result)] if name == BLOCK else []
    for answer in answers:
        assert check(name, answer) is find(name).reference
        text = said(capsys)
        assert "goes on with the reference" in text
        assert "hint" in text


# --- No hint can be taken for another -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "logits", [_adversarial._logits, lambda: (esrgan._Step().real, esrgan._Step().fake)], ids=["logits", "step"]
)
def test_no_two_mistakes_of_a_loss_have_the_same_value(logits):
    real, fake = logits()
    for whose, average, single in (("D", d_average, d_pair), ("G", g_average, g_pair)):
        assert not apart(_relativistic.average_mistakes(real, fake, whose), average(real, fake))
        assert not apart(_relativistic.pair_mistakes(real, fake, whose), single(real, fake))


def test_the_two_halves_of_a_pair_are_one_and_the_same():
    real, fake = _adversarial._logits()
    assert torch.allclose(bce(real - fake, 1.0), bce(fake - real, 0.0))
    d_loss, g_loss = find(PAIRS).reference(real, fake)
    assert torch.allclose(d_loss, d_pair(real, fake))
    assert torch.allclose(g_loss, g_pair(real, fake))


# --- The references against the package -------------------------------------------------------------------------


def test_the_block_is_the_idea_of_the_package_s():
    torch.manual_seed(0)
    ours, theirs = find(BLOCK).reference(8, 4), models.ResidualDenseBlock(8, 4)
    for theirs_of, ours_of in ((theirs.conv1, ours.conv1), (theirs.conv2, ours.conv2)):
        theirs_of.load_state_dict(ours_of.state_dict())
    for conv in (theirs.conv3, theirs.conv4, theirs.conv5):
        for parameter in conv.parameters():
            nn.init.zeros_(parameter)
    with torch.no_grad():  # the fusion sees x and the first two; the maps between are zero
        theirs.conv5.weight[:, :16] = ours.conv3.weight
        theirs.conv5.bias.copy_(ours.conv3.bias)
    x = torch.randn(2, 8, 5, 6)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


def test_the_reference_step_leaves_d_free_and_both_losses_can_go_backward():
    scene = esrgan._Step()
    d_loss, g_loss = find(STEP).reference(scene.network, scene.made, scene.hr)
    d_loss.backward()
    assert scene.made.grad is None
    gradients = [weight.grad.clone() for weight in scene.weights]
    g_loss.backward()
    assert scene.made.grad.any()
    assert all(torch.equal(weight.grad, old) for weight, old in zip(scene.weights, gradients, strict=True))
    assert all(weight.requires_grad for weight in scene.weights)
