"""The exercises of lab 04: each takes its reference, waits for an untouched stub, and knows what people write."""

from functools import partial

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import losses, models
from srlab.data.images import mod_crop
from srlab.data.resampling import downsample
from srlab.evaluation import perception
from srlab.exercises import TODO, _adversarial, _relativistic, check, esrgan, find, names

from .answers import apart, assert_recognised, assert_still_to_do, assert_taken, said

NAMES = [name for name in names() if name.startswith("esrgan.")]
BLOCK, PAIRS, RAGAN, MAP, STEP, TINT = (
    f"esrgan.{name}"
    for name in (
        "DenseBlock",
        "relativistic_losses",
        "ragan_generator_loss",
        "before_activation",
        "adversarial_step",
        "remove_tint",
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


# --- Wrong and right answers ----------------------------------------------------------------------------------

# --- A tint -----------------------------------------------------------------------------------------------------


def mean(image, *dims):
    return image.mean(dims or (2, 3), keepdim=True)


def tint(dims=(2, 3)):
    """Takes the mean over these axes."""
    return lambda sr, lr: sr - mean(sr, *dims) + mean(lr, *dims)


def tint_in_place(sr, lr):
    sr += mean(lr) - mean(sr)
    return sr


def tint_loops(sr, lr):
    result = torch.empty_like(sr)
    for image in range(len(sr)):
        for channel in range(3):
            result[image, channel] = sr[image, channel] - sr[image, channel].mean() + lr[image, channel].mean()
    return result


def tint_in_blocks(sr, lr):
    """Moves the colour of each LR pixel, and the texture with it."""
    return sr + F.interpolate(lr - F.adaptive_avg_pool2d(sr, lr.shape[-2:]), size=sr.shape[-2:])


WRONG = [
    (
        BLOCK,
        "The factor 0.2 is there, but not where it belongs: what is it",
        dense(last=lambda x, third: 0.2 * (x + third)),
    ),
    (
        BLOCK,
        "The factor 0.2 is there, but not where it belongs: what is it",
        dense(last=lambda x, third: 0.2 * x + third),
    ),
    (BLOCK, "The correction is added as it is. Many of these blocks follow", dense(last=lambda x, third: x + third)),
    (BLOCK, "x is not added at the end. The block computes a correction to", dense(last=lambda x, third: 0.2 * third)),
    (BLOCK, "x is not added at the end. The block computes a correction to", dense(last=lambda x, third: third)),
    (
        BLOCK,
        "An activation stands after the last convolution. A correction",
        dense(last=lambda x, third: x + 0.2 * leaky(third)),
    ),
    (BLOCK, "The correction is scaled by another factor than 0.2.", dense(last=lambda x, third: x + 0.1 * third)),
    (BLOCK, "The activation after convolution 1 is a ReLU: what is", dense(act=F.relu)),
    (BLOCK, "The activation after convolution 1 has another slope below", dense(act=lambda x: F.leaky_relu(x, 0.01))),
    (BLOCK, "Nothing bends the signal after convolution 1. What comes", dense(act=lambda x: x)),
    (BLOCK, "There is a normalisation in the block. ESRGAN took batch norm", dense(extra=nn.BatchNorm2d)),
    (BLOCK, "Each convolution sees what the one before it gave, and no", dense(sizes=chain, see2=newest, see3=newest)),
    (BLOCK, "Convolution 2 gets a sum. Once added, the maps cannot be told", dense(sizes=flat, see2=total, see3=total)),
    (BLOCK, "The convolutions should be 3x3, all three of them.", dense(size=1, padding=0)),
    (BLOCK, "Each convolution takes a rim off the feature maps. What keeps", dense(padding=0)),
    (BLOCK, "The same convolution runs twice, and shares its weights. Give", DenseShared),
    (BLOCK, "The block has 4 convolutions, but only three of them are used.", DenseUnused),
    (BLOCK, "Something learns besides the convolutions. The slope and the", DensePRelu),
    (BLOCK, "The block changes its input in place, and whoever uses that", DenseInPlace),
    (BLOCK, "The values are right, but some of the weights get no", DenseCutOff),
    (BLOCK, "The first convolution should see x as it is.", DenseEarly),
    (BLOCK, "All that goes into convolution 2 is bent once more, x too.", DenseBentTwice),
    (
        PAIRS,
        "D's loss is twice what it should be. Two halves were added:",
        pair(lambda x, y: d_pair(x, y) + bce(y - x, 0.0), lambda x, y: 2 * g_pair(x, y)),
    ),
    (PAIRS, "G's loss is D's with a minus. Where D is sure that HR is the", pair(g=lambda x, y: -d_pair(x, y))),
    (PAIRS, "D's loss is G's here: D would learn to take SR for the more", pair(g_pair, d_pair)),
    (PAIRS, "Where D gives HR the logit -200 and SR 0, for D the loss is", pair(log_of_sigmoid)),
    (PAIRS, "A sigmoid comes before a loss that has one inside already", pair(lambda x, y: bce(sigmoid(x - y), 1.0))),
    (PAIRS, "Each logit is compared with a mean here, as in the average", pair(d_average, g_average)),
    (PAIRS, "That is the usual loss of D, as in SRGAN, with each image on", pair(d_usual)),
    (PAIRS, "That is the usual loss of G, as in SRGAN, with each image on", pair(g=lambda x, y: bce(y, 1.0))),
    (PAIRS, "The terms of the logits were added up. With more patches the", pair(lambda x, y: F.softplus(y - x).sum())),
    (
        PAIRS,
        "Only the means of HR and SR are compared. Here each HR logit",
        pair(lambda x, y: F.softplus(y.mean() - x.mean())),
    ),
    (
        PAIRS,
        "The sigmoids are subtracted. It is the logits that are",
        pair(lambda x, y: bce(sigmoid(x) - sigmoid(y), 1.0)),
    ),
    (
        PAIRS,
        "No logarithm is taken: these are probabilities, and they are",
        pair(lambda x, y: (1 - sigmoid(x - y)).mean()),
    ),
    (
        PAIRS,
        "The logarithm of the mean is not the mean of the logarithms.",
        pair(lambda x, y: -sigmoid(x - y).mean().log()),
    ),
    (PAIRS, "D's loss is half of what it should be. With pairs there is", pair(lambda x, y: d_pair(x, y) / 2)),
    (PAIRS, "The sign is turned round: this loss of D grows the better D", pair(lambda x, y: -d_pair(x, y))),
    (PAIRS, "That is the difference itself, without a sigmoid and a", pair(lambda x, y: (y - x).mean())),
    (PAIRS, "The value is right, but it is cut off from its logits, as by", pair(g=lambda x, y: g_pair(x, y).detach())),
    (PAIRS, "The logits were changed in place, and the other loss still", pair_in_place),
    (PAIRS, "The result should be two losses, d_loss and g_loss.", d_pair),
    (RAGAN, "Only SR is judged here. Where is the half about HR? Much", lambda x, y: bce(y - x.mean(), 1.0)),
    (RAGAN, "Only HR is judged here. Where is the half about SR?", lambda x, y: bce(x - y.mean(), 0.0)),
    (RAGAN, "That is D's loss: G would learn to be found out. What does G", d_average),
    (RAGAN, "It is half of what it should be: a mean of both halves. Some", lambda x, y: g_average(x, y) / 2),
    (RAGAN, "One HR is compared with one SR here. In the average kind it", g_pair),
    (RAGAN, "One HR is compared with one SR here. In the average kind it", lambda x, y: 2 * g_pair(x, y)),
    (
        RAGAN,
        "Each kind is compared with its own mean, which says nothing",
        lambda x, y: bce(x - x.mean(), 0.0) + bce(y - y.mean(), 1.0),
    ),
    (RAGAN, "G learns from the half about SR alone. HR does not change,", ragan_means_cut),
    (RAGAN, "The value is right, but no gradient reaches the logits of SR,", lambda x, y: g_average(x, y.detach())),
    (RAGAN, "That is the usual loss of G, as in SRGAN, with each image on", lambda x, y: bce(y, 1.0)),
    (RAGAN, "G's loss is D's with a minus, which is flat where G has most", lambda x, y: -d_average(x, y)),
    (
        RAGAN,
        "A sigmoid comes before a loss that has one inside already",
        lambda x, y: bce(sigmoid(x - y.mean()), 0.0) + bce(sigmoid(y - x.mean()), 1.0),
    ),
    (
        RAGAN,
        "Where D gives HR the logit 200 and SR 0, with both halves,",
        lambda x, y: -(1 - sigmoid(x - y.mean())).log().mean() - sigmoid(y - x.mean()).log().mean(),
    ),
    (RAGAN, "The mean is that over all logits of the other kind, in the", ragan_dims((0,))),
    (MAP, "All that is negative has become 0: that is behind the", lambda layers, image: layers(image)),
    (MAP, "That is the map of the first convolution. Which one is asked", lambda layers, image: layers[:1](image)),
    (MAP, "That is what the last convolution gets. What does it make of", lambda layers, image: layers[:-2](image)),
    (MAP, "The map was right at first, but a layer behind it wrote over", map_stored()),
    (MAP, "The map was right at first, but a layer behind it wrote over", map_hooked(False)),
    (MAP, "A hook is still in the network, and runs each time that", map_hooked(True, removed=False)),
    (MAP, "Layers were taken out of the network that came in, or put", map_popping),
    (MAP, "A setting of the layers was changed, such as `inplace`. They", map_switching),
    (MAP, "Some layers are in another mode (train or eval) than before.", map_in_eval),
    (MAP, "The parameters take gradients now, or none any more. Whoever", map_thawed),
    (MAP, "Of a network with fewer layers this is another map: the", map_fixed),
    (MAP, "No graph leads from the map back to the image, so G would", map_no_grad),
    (
        MAP,
        "No graph leads from the map back to the image, so G would",
        lambda layers, image: layers[:-1](image.detach()),
    ),
    (STEP, "The gradient of d_loss runs on through the SR picture into G:", step(for_d=lambda sr: sr)),
    (STEP, "No graph leads from g_loss to sr, so G would learn nothing:", step(for_g=torch.Tensor.detach)),
    (STEP, "d_loss has no graph to D, as under no_grad, or after detach", step_without_graphs),
    (
        STEP,
        "d_loss has no graph to D, as under no_grad, or after detach",
        step(d_answer=lambda real, fake: (real.detach(), fake.detach())),
    ),
    (
        STEP,
        "Only what D says about HR reaches D's weights. Its answer",
        step(d_answer=lambda real, fake: (real, fake.detach())),
    ),
    (
        STEP,
        "Only what D says about SR reaches D's weights. Its answer",
        step(d_answer=lambda real, fake: (real.detach(), fake)),
    ),
    (
        STEP,
        "Only SR is judged here. Where is the half about HR? Much",
        step(g_loss_of=lambda x, y: bce(y - x.mean(), 1.0)),
    ),
    (STEP, "Only HR is judged here. Where is the half about SR?", step(d_loss_of=lambda x, y: bce(x - y.mean(), 1.0))),
    (STEP, "G learns from the half about SR alone. HR does not change,", step(g_loss_of=ragan_means_cut)),
    (STEP, "The two losses come back in the wrong order: d_loss is the", step(turned=True)),
    (STEP, "The gradient of d_loss runs on through the SR picture into G:", step_shared),
    (STEP, "No graph leads from g_loss to sr, so G would learn nothing:", step_shared_detached),
    (STEP, "HR and SR have changed places: each network would learn what", step_swapped),
    (STEP, "Something went backward already. The two losses are asked", step_backward),
    (
        STEP,
        "D's parameters were frozen and not set free again: D would",
        lambda *arguments: step_frozen(*arguments, free=False),
    ),
    (STEP, "D is in eval mode now, and nobody asked for that.", step_in_eval),
    (STEP, "The images that came in were changed in place.", step_clamped),
    (STEP, "D's weights were changed. No optimizer takes part in this", step_clipped),
    (TINT, "SR comes back as it was", lambda sr, lr: sr),
    (TINT, "The tint was doubled and not taken away", lambda sr, lr: sr + mean(sr) - mean(lr)),
    (TINT, "SR has lost its own mean", lambda sr, lr: sr - mean(sr)),
    (TINT, "LR's mean is added, but SR still has its own", lambda sr, lr: sr + mean(lr)),
    (TINT, "over the batch as well", tint((0, 2, 3))),
    (TINT, "over the three channels as well", tint((1, 2, 3))),
    (TINT, "One number is added to all", lambda sr, lr: sr - sr.mean() + lr.mean()),
    (TINT, "The channels are scaled", lambda sr, lr: sr * mean(lr) / mean(sr)),
    (
        TINT,
        "The deviation was matched too",
        lambda sr, lr: (sr - mean(sr)) / sr.std((2, 3), keepdim=True) * lr.std((2, 3), keepdim=True) + mean(lr),
    ),
    (TINT, "The result was clamped", lambda sr, lr: tint()(sr, lr).clamp(0, 1)),
    (TINT, "The shapes do not fit", lambda sr, lr: sr + lr - mean(sr)),
    (TINT, "The shapes do not fit", lambda sr, lr: sr - sr.mean((2, 3)) + lr.mean((2, 3))),
    (TINT, "changed in place", tint_in_place),
    (TINT, "With two images of 8 x 10 pixels", tint_in_blocks),
    (TINT, "SR keeps its shape", lambda sr, lr: lr),
]

RIGHT = [
    (BLOCK, dense()),
    (BLOCK, DenseInLoops),
    (BLOCK, DenseZeros),
    (PAIRS, pair()),
    (PAIRS, lambda x, y: (F.softplus(y - x).mean(), F.softplus(x - y).mean())),
    (PAIRS, lambda x, y: [-F.logsigmoid(x - y).mean(), -F.logsigmoid(y - x).mean()]),
    (RAGAN, g_average),
    (RAGAN, ragan_loops),
    (RAGAN, lambda x, y: g_average(x.detach(), y)),
    (MAP, lambda layers, image: layers[:-1](image)),
    (MAP, map_stored(copied=True)),
    (MAP, map_hooked(True)),
    (MAP, map_backwards),
    (STEP, step()),
    (STEP, step(real_for_g=lambda real: real)),
    (STEP, step_three_runs),
    (STEP, step_in_one_batch),
    (STEP, step_frozen),
    (TINT, tint()),
    (TINT, tint_loops),
    (TINT, lambda sr, lr: sr - (F.adaptive_avg_pool2d(sr, 1) - F.adaptive_avg_pool2d(lr, 1))),
]


@pytest.mark.parametrize(("name", "phrase", "answer"), WRONG, ids=[f"{name}-{phrase}" for name, phrase, _ in WRONG])
def test_a_wrong_answer_is_recognised(name, phrase, answer, capsys):
    assert_recognised(name, phrase, answer, capsys)


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_right_answer_is_taken(name, answer, capsys):
    assert_taken(name, answer, capsys)


def test_every_exercise_has_wrong_and_right_answers_enough():
    assert set(NAMES) == {BLOCK, PAIRS, RAGAN, MAP, STEP, TINT}
    assert all(sum(name == wrong for wrong, _, _ in WRONG) >= 10 for name in NAMES)
    assert all(sum(name == right for right, _ in RIGHT) >= 3 for name in NAMES)


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
    "logits", [_adversarial.sample_logits, lambda: (esrgan._Step().real, esrgan._Step().fake)], ids=["logits", "step"]
)
def test_no_two_mistakes_of_a_loss_have_the_same_value(logits):
    real, fake = logits()
    for whose, average, single in (("D", d_average, d_pair), ("G", g_average, g_pair)):
        assert not apart(_relativistic.average_mistakes(real, fake, whose), average(real, fake))
        assert not apart(_relativistic.pair_mistakes(real, fake, whose), single(real, fake))


def test_the_two_halves_of_a_pair_are_one_and_the_same():
    real, fake = _adversarial.sample_logits()
    assert torch.allclose(bce(real - fake, 1.0), bce(fake - real, 0.0))
    d_loss, g_loss = find(PAIRS).reference(real, fake)
    assert torch.allclose(d_loss, d_pair(real, fake))
    assert torch.allclose(g_loss, g_pair(real, fake))


# --- The references against the package -------------------------------------------------------------------------


def test_the_relative_losses_are_those_of_the_package():
    real, fake = _adversarial.sample_logits()
    d_loss, g_loss = find(PAIRS).reference(real, fake)
    assert torch.allclose(d_loss, losses.discriminator_loss(real, fake, "relativistic"))
    assert torch.allclose(g_loss, losses.generator_loss(fake, real, "relativistic"))
    average = losses.generator_loss(fake, real, "relativistic average")
    assert torch.allclose(find(RAGAN).reference(real, fake), average)


def test_making_a_photo_smaller_keeps_the_mean_colour_that_takes_a_tint_away(astronaut):
    hr = mod_crop(astronaut, 4)
    tinted = hr + torch.tensor([0.04, -0.03, 0.02])[None, :, None, None]
    cured = find(TINT).reference(tinted, downsample(hr, 4))
    assert perception.colour_shift(tinted, hr).item() > 4
    assert perception.colour_shift(cured, hr).item() < 0.3


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
