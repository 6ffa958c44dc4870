"""The exercises of lab 03: each takes its reference, waits for an untouched stub, and knows what people write."""

from functools import partial

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import losses
from srlab.exercises import TODO, _adversarial, _gan_scene, check, find, names, srgan

from .answers import apart, assert_recognised, assert_still_to_do, assert_taken, said

NAMES = [name for name in names() if name.startswith("srgan.")]
D_LOSS, G_LOSS, STEP, SMOOTH, RANK, ICNR = (
    f"srgan.{name}"
    for name in ("discriminator_loss", "generator_loss", "train_step", "smooth_labels", "ranked_share", "icnr")
)


# --- The two losses -------------------------------------------------------------------------------------------

cross = F.binary_cross_entropy_with_logits
sigmoid = torch.sigmoid


def bce(logits, label):
    return cross(logits, torch.full_like(logits, label))


def d_bce(real, fake):
    return bce(real, 1.0) + bce(fake, 0.0)


def d_softplus(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def d_half(real, fake):
    return cross(torch.cat([real, fake]), torch.cat([torch.ones_like(real), torch.zeros_like(fake)]))


def d_probabilities(real, fake, entropy=F.binary_cross_entropy):
    yes, no = torch.ones_like(real), torch.zeros_like(fake)
    return entropy(sigmoid(real), yes) + entropy(sigmoid(fake), no)


def d_with_epsilon(real, fake):
    return -(sigmoid(real) + 1e-8).log().mean() - (1 - sigmoid(fake) + 1e-8).log().mean()


def d_least_squares(real, fake):
    return (real - 1).square().mean() + fake.square().mean()


def d_hinge(real, fake):
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


# --- One step ---------------------------------------------------------------------------------------------------


def g_bce(fake):
    return bce(fake, 1.0)


def step(
    d_loss_of=d_bce,
    g_loss_of=g_bce,
    for_d=torch.Tensor.detach,
    for_g=lambda sr: sr,
    answer=lambda logits: logits,
    zero_d=True,
    zero_g=True,
    swap=False,
    turned=False,
    keep=False,
    back=lambda loss: loss,
):
    """One step, with what goes wrong in it."""

    def train_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
        if swap:
            g_optimizer, d_optimizer = d_optimizer, g_optimizer
        sr = generator(lr)
        d_loss = d_loss_of(discriminator(hr), discriminator(for_d(sr)))
        if zero_d:
            d_optimizer.zero_grad()
        back(d_loss).backward(retain_graph=keep)
        d_optimizer.step()
        g_loss = g_loss_of(answer(discriminator(for_g(sr))))
        if zero_g:
            g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return (g_loss, d_loss) if turned else (d_loss, g_loss)

    return train_step


def step_old(detach, beside=False, keep=False, before=False, d_detach=True):
    """G's half uses D's answer of before D's update."""

    def train_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
        sr = generator(lr)
        real = discriminator(hr)
        fake = discriminator(sr.detach() if d_detach else sr)
        d_loss = d_bce(real, fake)
        if before:
            fake = discriminator(sr)
        if not before:
            d_optimizer.zero_grad()
            d_loss.backward(retain_graph=keep)
            d_optimizer.step()
        g_loss = g_bce(fake.detach() if detach else fake)
        if beside:
            g_loss = g_loss + 0 * sr.mean()
        g_optimizer.zero_grad()
        g_loss.backward()
        if before:
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
        g_optimizer.step()
        return d_loss, g_loss

    return train_step


def step_both_backward_first(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    sr = generator(lr)
    fake = discriminator(sr)
    d_loss, g_loss = d_bce(discriminator(hr), fake), g_bce(fake)
    g_optimizer.zero_grad()
    g_loss.backward(retain_graph=True)
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    g_optimizer.step()
    return d_loss, g_loss


def step_old_loss(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    """Shows D the picture again, but takes its old answer for the loss."""
    sr = generator(lr)
    fake = discriminator(sr.detach())
    d_loss = d_bce(discriminator(hr), fake)
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    g_loss = g_bce(discriminator(sr))
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss, g_bce(fake)


def step_runs(times):
    def train_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
        with torch.no_grad():
            sr = generator(lr)
        d_loss = d_bce(discriminator(hr), discriminator(sr))
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = g_bce(discriminator(generator(lr)))
        if times == 3:
            generator(lr)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return d_loss, g_loss

    return train_step


def step_without_graph(generator, *others):
    def in_no_grad(lr):
        with torch.no_grad():
            return generator(lr)

    return step()(in_no_grad, *others)


def step_fake_half_cut(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    sr = generator(lr)
    with torch.no_grad():
        fake = discriminator(sr)
    d_loss = d_bce(discriminator(hr), fake)
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    g_loss = g_bce(discriminator(sr))
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss, g_loss


def step_g_first(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    sr = generator(lr)
    g_loss = g_bce(discriminator(sr))
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    d_loss = d_bce(discriminator(hr), discriminator(sr.detach()))
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    return d_loss, g_loss


def step_zero_at_the_wrong_time(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    sr = generator(lr)
    d_loss = d_bce(discriminator(hr), discriminator(sr.detach()))
    d_loss.backward()
    d_optimizer.step()
    d_optimizer.zero_grad()
    g_loss = g_bce(discriminator(sr))
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss, g_loss


def step_d_zero_between(generator, discriminator, g_optimizer, d_optimizer, lr, hr, which="d", never_back=False):
    sr = generator(lr)
    d_loss = d_bce(discriminator(hr), discriminator(sr.detach()))
    d_optimizer.zero_grad()
    d_loss.backward()
    if which == "d":
        d_optimizer.zero_grad()
    d_optimizer.step()
    g_loss = g_bce(discriminator(sr))
    if not never_back:
        g_loss.backward()
    g_optimizer.zero_grad()
    g_optimizer.step()
    return d_loss, g_loss


def step_with_frozen_d(generator, discriminator, g_optimizer, d_optimizer, lr, hr, free=True, free_first=False):
    if free_first:
        discriminator.requires_grad_(True)
    sr = generator(lr)
    g_optimizer.zero_grad()
    d_optimizer.zero_grad(set_to_none=False)
    d_loss = d_bce(discriminator(hr), discriminator(sr.detach()))
    d_loss.backward()
    d_optimizer.step()
    for parameter in discriminator.parameters():
        parameter.requires_grad = False
    g_loss = g_bce(discriminator(sr))
    g_loss.backward()
    g_optimizer.step()
    if free:
        discriminator.requires_grad_(True)
    return d_loss.item(), g_loss.item()


def step_zero_afterwards(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    """In the way of the DCGAN tutorial: the halves of d_loss go backward on their own, in one batch with SR first."""
    generator.train()
    sr = generator(lr)
    fake, real = discriminator(torch.cat([sr.detach(), hr])).chunk(2)
    loss_real, loss_fake = F.softplus(-real).mean(), F.softplus(fake).mean()
    loss_real.backward(retain_graph=True)
    loss_fake.backward()
    d_optimizer.step()
    g_loss = F.softplus(-discriminator(sr)).mean()
    g_loss.backward()
    g_optimizer.step()
    discriminator.zero_grad()
    generator.zero_grad()
    return [(loss_real + loss_fake).detach(), g_loss.detach()]


def step_by_autograd(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    sr = generator(lr)
    for_d = sr.clone().data
    d_loss = d_softplus(discriminator(hr), discriminator(for_d))
    weights = list(discriminator.parameters())
    for weight, gradient in zip(weights, torch.autograd.grad(d_loss, weights), strict=True):
        weight.grad = gradient
    d_optimizer.step()
    g_loss = -F.logsigmoid(discriminator(sr)).mean()
    weights = list(generator.parameters())
    for weight, gradient in zip(weights, torch.autograd.grad(g_loss, weights), strict=True):
        weight.grad = gradient
    g_optimizer.step()
    return d_loss, g_loss


def step_with_plain_targets(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    """Targets of torch.ones, and a cross entropy of probabilities."""
    d_optimizer.zero_grad()
    g_optimizer.zero_grad()
    sr = generator(lr)
    real, fake = discriminator(hr), discriminator(sr.detach())
    entropy = nn.BCELoss()
    d_loss = entropy(real.sigmoid(), torch.ones(real.shape)) + entropy(fake.sigmoid(), torch.zeros(fake.shape))
    d_loss.backward()
    d_optimizer.step()
    again = discriminator(sr)
    g_loss = cross(again, torch.ones(again.shape))
    g_loss.backward()
    g_optimizer.step()
    d_optimizer.zero_grad()
    return d_loss, g_loss


def step_twice(which):
    def train_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
        losses = step()(generator, discriminator, g_optimizer, d_optimizer, lr, hr)
        (d_optimizer if which == "d" else g_optimizer).step()
        return losses

    return train_step


def step_g_half_only(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    loss = g_bce(discriminator(generator(lr)))
    loss.backward()
    g_optimizer.step()
    return loss, loss


def step_left_in_eval(generator, discriminator, *others):
    losses = step()(generator, discriminator, *others)
    generator.eval()
    return losses


def step_clipped_late(generator, discriminator, *others):
    losses = step()(generator, discriminator, *others)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.clamp_(-0.01, 0.01)
    return losses


def step_half_written(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
    return step()(generator, discriminator, g_optimizer, d_optimizer, lr, hr)[0], TODO


# --- Labels and ranks ---------------------------------------------------------------------------------------------


def labels(yes=0.9, no=0.0):
    return lambda real, fake: (torch.full_like(real, yes), torch.full_like(fake, no))


def labels_random(real, fake):
    return 0.8 + 0.2 * torch.rand_like(real), torch.zeros_like(fake)


def labels_in_place(real, fake):
    return real.fill_(0.9), fake.fill_(0)


def pairs(of):
    return lambda real, fake: of(real[:, None] - fake[None])


def share(difference):
    return ((difference > 0).float() + 0.5 * (difference == 0)).mean()


def rank_same_index(real, fake):
    return sum(a > b for a, b in zip(real.tolist(), fake.tolist(), strict=False)) / min(len(real), len(fake))


def rank_scaled(real, fake):
    """Brings the logits to [0, 1] first, which cannot be done with equal ones."""
    low, high = torch.cat([real, fake]).aminmax()
    return share((real[:, None] - low) / (high - low) - (fake - low) / (high - low))


def rank_loops(real, fake):
    points = 0.0
    for a in real:
        for b in fake:
            points += 1.0 if a > b else 0.5 if a == b else 0.0
    return points / (len(real) * len(fake))


def rank_by_sorting(real, fake):
    ordered = fake.sort().values
    below = torch.searchsorted(ordered, real, right=False)
    up_to = torch.searchsorted(ordered, real, right=True)
    return (below + up_to).double().mean() / (2 * len(fake))


def rank_percent(real, fake):
    return 100 * rank_loops(real, fake)


# --- A start without a checkerboard -------------------------------------------------------------------------------


def icnr_tiled(weight, factor):
    """The order that much published code has."""
    places = factor**2
    return weight[: len(weight) // places].repeat(places, 1, 1, 1)


def icnr_runs(weight, factor):
    return weight[::factor].repeat_interleave(factor, dim=0)


def icnr_turned(weight, factor):
    """The number of features and that of places have changed places."""
    features = len(weight) // factor**2
    return weight[::features].repeat_interleave(features, dim=0)


def icnr_means(weight, factor):
    places = factor**2
    return weight.unflatten(0, (-1, places)).mean(1).repeat_interleave(places, dim=0)


def icnr_in_place(weight, factor):
    for row in range(len(weight)):
        weight[row] = weight[row - row % factor**2]
    return weight


def icnr_loops(weight, factor):
    result = torch.empty_like(weight)
    for row in range(len(weight)):
        result[row] = weight[row // factor**2]  # the first kernels, and not the first of each group
    return result


WRONG = [
    (D_LOSS, "have changed places", lambda real, fake: d_bce(fake, real)),
    (D_LOSS, "one inside already", lambda real, fake: d_bce(sigmoid(real), sigmoid(fake))),
    (D_LOSS, "Only HR is judged", lambda real, fake: bce(real, 1.0)),
    (D_LOSS, "Only SR is judged", lambda real, fake: bce(fake, 0.0)),
    (D_LOSS, "logits, any number", lambda real, fake: F.binary_cross_entropy(real, torch.ones_like(real))),
    (D_LOSS, "logits, any number", lambda real, fake: -real.log().mean() - (1 - fake).log().mean()),
    (D_LOSS, "tensor of the shape of the logits", lambda r, f: F.binary_cross_entropy_with_logits(r, 1.0)),
    (D_LOSS, "were added up", lambda real, fake: d_softplus(real, fake) * real.numel()),
    (D_LOSS, "half of what", d_half),
    (D_LOSS, "half of what", lambda real, fake: d_bce(real, fake) / 2),
    (D_LOSS, "stops at 100", d_probabilities),
    (D_LOSS, "but stops at 19.11", d_with_epsilon),
    (D_LOSS, "is infinite", lambda real, fake: -sigmoid(real).log().mean() - (1 - sigmoid(fake)).log().mean()),
    (D_LOSS, "grows the better", lambda real, fake: -d_bce(real, fake)),
    (D_LOSS, "SR is 1 here too", lambda real, fake: bce(real, 1.0) + bce(fake, 1.0)),
    (D_LOSS, "least squares", d_least_squares),
    (D_LOSS, "hinge", d_hinge),
    (D_LOSS, "Wasserstein", lambda real, fake: fake.mean() - real.mean()),
    (D_LOSS, "cut off from its logits", lambda real, fake: d_bce(real, fake).item()),
    (D_LOSS, "cut off from its logits", lambda real, fake: d_bce(real.detach(), fake.detach())),
    (D_LOSS, "reaches the logits of SR", lambda real, fake: d_bce(real, fake.detach())),
    (D_LOSS, "Take the mean over all", lambda real, fake: F.softplus(-real) + F.softplus(fake)),
    (G_LOSS, "log(1 - D(y))", lambda fake: -F.softplus(fake).mean()),
    (G_LOSS, "log(1 - D(y))", lambda fake: (1 - sigmoid(fake)).log().mean()),
    (G_LOSS, "log(1 - D(y))", lambda fake: -bce(fake, 0.0)),
    (G_LOSS, "to be found out", lambda fake: bce(fake, 0.0)),
    (G_LOSS, "The sign", lambda fake: F.logsigmoid(fake).mean()),
    (G_LOSS, "one inside already", lambda fake: bce(sigmoid(fake), 1.0)),
    (G_LOSS, "minus the mean logit", lambda fake: -fake.mean()),
    (G_LOSS, "1 - D(y) is flat", lambda fake: (1 - sigmoid(fake)).mean()),
    (G_LOSS, "were added up", lambda fake: F.softplus(-fake).sum()),
    (G_LOSS, "of the mean is not the mean of", lambda fake: -sigmoid(fake).mean().log()),
    (G_LOSS, "least squares", lambda fake: (fake - 1).square().mean()),
    (G_LOSS, "is infinite", lambda fake: -sigmoid(fake).log().mean()),
    (G_LOSS, "stops at 100", lambda fake: F.binary_cross_entropy(sigmoid(fake), torch.ones_like(fake))),
    (G_LOSS, "G would get no gradient", lambda fake: bce(fake.detach(), 1.0)),
    (G_LOSS, "logits, any number", lambda fake: -fake.log().mean()),
    (STEP, "no graph leads from there to G", step_old(detach=True)),
    (STEP, "no graph leads from there to G", step_old(detach=True, beside=True)),
    (STEP, "no graph leads from there to G", step_old(detach=False, keep=True)),
    (STEP, "no graph leads from there to G", step_old(detach=False, beside=True, keep=True)),
    (STEP, "before its own update", step_old(detach=False, d_detach=False)),
    (STEP, "before its own update", step_old(detach=False, d_detach=False, keep=True)),
    (STEP, "before its own update", step_old(detach=False, before=True)),
    (STEP, "before its own update", step_both_backward_first),
    (STEP, "before its own update", step_old_loss),
    (STEP, "What cuts it off from where it came", step(for_d=lambda sr: sr)),
    (STEP, "What cuts it off from where it came", step(for_d=lambda sr: sr, keep=True)),
    (STEP, "What cuts it off from where it came", step(for_d=lambda sr: sr, keep=True, zero_g=False)),
    (STEP, "about a picture without a graph", step(for_g=torch.Tensor.detach)),
    (STEP, "its answer was cut off", step(answer=torch.Tensor.detach)),
    (STEP, "ran 2 times", step_runs(2)),
    (STEP, "ran 3 times", step_runs(3)),
    (STEP, "has no graph: it ran under no_grad", step_without_graph),
    (STEP, "Only HR's half", step_fake_half_cut),
    (STEP, "the two have changed places", step(swap=True)),
    (STEP, "the two have changed places", step(swap=True, for_d=lambda sr: sr, keep=True)),
    (STEP, "D goes first", step_g_first),
    (STEP, "What sets D's gradients to zero", step(zero_d=False)),
    (STEP, "What sets D's gradients to zero", step(zero_d=False, zero_g=False)),
    (STEP, "What sets G's gradients to zero", step(zero_g=False)),
    (STEP, "on its way to G", step_zero_at_the_wrong_time),
    (STEP, "D has no gradient", step_d_zero_between),
    (STEP, "G has no gradient", partial(step_d_zero_between, which="g")),
    (STEP, "G has no gradient", partial(step_d_zero_between, which="g", never_back=True)),
    (STEP, "set free again", partial(step_with_frozen_d, free=False)),
    (STEP, "d_loss has no graph", step(d_loss_of=lambda real, fake: d_bce(real, fake).detach())),
    (STEP, "wrong order", step(turned=True)),
    (STEP, "have changed places: this D", step(d_loss_of=lambda real, fake: d_bce(fake, real))),
    (STEP, "half of what", step(d_loss_of=d_half)),
    (STEP, "Only SR is judged", step(d_loss_of=lambda real, fake: bce(fake, 0.0))),
    (STEP, "not what D learned from", step(back=lambda loss: loss / 2)),
    (STEP, "to be found out", step(g_loss_of=lambda fake: bce(fake, 0.0))),
    (STEP, "log(1 - D(y))", step(g_loss_of=lambda fake: -bce(fake, 0.0))),
    (STEP, "d_optimizer.step() was called 2 times", step_twice("d")),
    (STEP, "g_optimizer.step() was called 2 times", step_twice("g")),
    (STEP, "D was never shown HR", step_g_half_only),
    (STEP, "in eval mode after", step_left_in_eval),
    (STEP, "changed again", step_clipped_late),
    (STEP, "should be the two losses", lambda *a: step()(*a)[0]),
    (STEP, "D was shown a tensor (2, 3, 2, 2)", lambda g, d, go, do, lr, hr: step()(lambda x: lr, d, go, do, lr, hr)),
    (STEP, "something else than lr", lambda g, d, go, do, lr, hr: step()(g, d, go, do, hr, hr)),
    (SMOOTH, "SR's target is smoothed too", labels(0.9, 0.1)),
    (SMOOTH, "above 1", labels(1.1, 0.0)),
    (SMOOTH, "differ from logit to logit", labels_random),
    (SMOOTH, "have changed places", labels(0.0, 0.9)),
    (SMOOTH, "A number is no target", lambda real, fake: (0.9, 0.0)),
    (SMOOTH, "shape (1,), but should have", lambda real, fake: (torch.tensor([0.9]), torch.tensor([0.0]))),
    (SMOOTH, "not smoothed yet", labels(1.0, 0.0)),
    (SMOOTH, "The logits are scaled", lambda real, fake: (0.9 * real, torch.zeros_like(fake))),
    (SMOOTH, "Each logit of SR needs", lambda real, fake: (torch.full_like(real, 0.9), torch.zeros_like(real))),
    (SMOOTH, "torch.float64, but", lambda a, b: (torch.full(a.shape, 0.9), torch.zeros(b.shape))),
    (SMOOTH, "hangs on the graph", lambda real, fake: (real * 0 + 0.9, fake * 0)),
    (SMOOTH, "changed in place", labels_in_place),
    (SMOOTH, "not the loss", lambda real, fake: d_bce(real, fake)),
    (SMOOTH, "should be two tensors", lambda real, fake: torch.full_like(real, 0.9)),
    (RANK, "the same index", rank_same_index),
    (
        RANK,
        "index by index",
        lambda real, fake: (real > fake).float().mean() if len(real) == 3 else rank_loops(real, fake),
    ),
    (RANK, "the same index", lambda real, fake: share(real - fake)),
    (RANK, "one half, as the border", lambda real, fake: (sigmoid(real) > 0.5).float().mean()),
    (
        RANK,
        "one half, as the border",
        lambda real, fake: ((real > 0).sum() + (fake < 0).sum()) / (len(real) + len(fake)),
    ),
    (RANK, "neither 1 nor 0", pairs(lambda d: (d >= 0).float().mean())),
    (RANK, "neither 0 nor 1", pairs(lambda d: (d > 0).float().mean())),
    (RANK, "have changed places", pairs(lambda d: share(-d))),
    (RANK, "how far the mean logits are apart", lambda real, fake: real.mean() - fake.mean()),
    (RANK, "Only the two means", lambda real, fake: real.mean() > fake.mean()),
    (RANK, "how far the logits are apart does not", pairs(lambda d: sigmoid(d).mean())),
    (RANK, "number of pairs", pairs(lambda d: (d > 0).sum())),
    (RANK, "not to 100", rank_percent),
    (RANK, "runs from -1 to 1", pairs(lambda d: d.sign().mean())),
    (RANK, "sigmoids of 30 and 50", lambda real, fake: share(sigmoid(real)[:, None] - sigmoid(fake))),
    (RANK, "each pair is a draw. Expected 0.5, but your answer gives 0", rank_scaled),
    (RANK, "One number for all", pairs(lambda d: (d > 0).float().mean(1))),
    (ICNR, "your copies lie apart", icnr_tiled),
    (ICNR, "your copies lie apart", lambda weight, factor: weight[:: factor**2].repeat(factor**2, 1, 1, 1)),
    (ICNR, "copies come in runs of 2", icnr_runs),
    (ICNR, "copies come in runs of 3", icnr_turned),
    (ICNR, "still come from different kernels", lambda weight, factor: weight),
    (ICNR, "still come from different kernels", lambda weight, factor: weight.flip(0)),
    (ICNR, "All is zero", lambda weight, factor: torch.zeros_like(weight)),
    (ICNR, "All features have the same kernel", lambda weight, factor: weight[:1].expand_as(weight)),
    (ICNR, "a mean of several", icnr_means),
    (ICNR, "not kernels that came in", lambda weight, factor: icnr_loops(weight, factor) / factor**2),
    (ICNR, "changed in place", icnr_in_place),
    (ICNR, "as many kernels as before", lambda weight, factor: weight[:: factor**2]),
    (ICNR, "torch.float64", lambda weight, factor: icnr_loops(weight, factor).double()),
]

RIGHT = [
    (D_LOSS, d_bce),
    (D_LOSS, d_softplus),
    (D_LOSS, lambda real, fake: -(F.logsigmoid(real).mean() + F.logsigmoid(-fake).mean())),
    (D_LOSS, lambda real, fake: 2 * d_half(real, fake)),
    (G_LOSS, g_bce),
    (G_LOSS, lambda fake: nn.BCEWithLogitsLoss()(fake, torch.ones_like(fake))),
    (G_LOSS, lambda fake: F.softplus(-fake).mean()),
    (STEP, step()),
    (STEP, step_with_frozen_d),
    (STEP, partial(step_with_frozen_d, free=False, free_first=True)),
    (STEP, step_zero_afterwards),
    (STEP, step_by_autograd),
    (STEP, step_with_plain_targets),
    (SMOOTH, labels()),
    (SMOOTH, lambda real, fake: [real.new_full(real.shape, 0.9), fake.new_zeros(fake.shape)]),
    (SMOOTH, lambda real, fake: (0.9 * torch.ones_like(real), 0 * torch.ones_like(fake))),
    (RANK, rank_loops),
    (RANK, rank_by_sorting),
    (RANK, pairs(share)),
    (RANK, pairs(lambda d: (d.sign().mean() + 1) / 2)),
    (ICNR, icnr_loops),
    (ICNR, lambda weight, factor: icnr_in_place(weight.clone(), factor)),
    (ICNR, lambda weight, factor: nn.Parameter(weight[factor**2 - 1 :: factor**2].repeat_interleave(factor**2, 0))),
]


@pytest.mark.parametrize(("name", "phrase", "answer"), WRONG, ids=[f"{name}-{phrase}" for name, phrase, _ in WRONG])
def test_a_wrong_answer_is_recognised(name, phrase, answer, capsys):
    assert_recognised(name, phrase, answer, capsys)


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_right_answer_is_taken(name, answer, capsys):
    assert_taken(name, answer, capsys)


def test_a_half_written_step_is_still_to_do(capsys, monkeypatch):
    assert_still_to_do(STEP, step_half_written, capsys, monkeypatch)


def test_every_exercise_has_wrong_and_right_answers_enough():
    assert set(NAMES) == {D_LOSS, G_LOSS, STEP, SMOOTH, RANK, ICNR}
    assert all(sum(name == wrong for wrong, _, _ in WRONG) >= 5 for name in NAMES)
    assert all(sum(name == right for right, _ in RIGHT) >= 2 for name in NAMES)


def test_an_error_that_has_nothing_to_do_with_graphs_is_shown_as_it_is(capsys):
    def train_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr):
        sr = generator(lr)
        return sr + hr.flatten(), sr.mean()

    check(STEP, train_step)
    text = said(capsys)
    assert "RuntimeError: The size of tensor a" in text
    assert "in the line: return sr + hr.flatten(), sr.mean()" in text


# --- No hint can be taken for another -----------------------------------------------------------------------------


def test_no_two_mistakes_of_a_loss_have_the_same_value():
    real, fake = _adversarial.sample_logits()
    assert not apart(_adversarial.d_mistakes(real, fake), d_bce(real, fake))
    assert not apart(_adversarial.g_mistakes(fake), g_bce(fake))


def test_no_two_mistakes_of_a_loss_have_the_same_value_in_a_step():
    scene = _gan_scene.Scene()
    real, fake = scene.discriminator(scene.hr), scene.discriminator(scene.generator(scene.lr))
    assert not apart(_adversarial.d_mistakes(real, fake), d_bce(real, fake))
    assert not apart(_adversarial.g_mistakes(fake), g_bce(fake))


def test_no_two_mistakes_of_the_ranked_share_have_the_same_value():
    real, fake = torch.tensor([0.0, 0.5, 1.5, 0.0, -0.5]), torch.tensor([0.5, -1.0, 0.5, -0.5])
    assert not apart(srgan._rank_mistakes(real, fake), srgan.ranked_share(real, fake))


# --- The references -----------------------------------------------------------------------------------------------


def test_the_losses_are_those_of_the_package():
    real, fake = _adversarial.sample_logits()
    assert torch.allclose(find(D_LOSS).reference(real, fake), losses.discriminator_loss(real, fake))
    assert torch.allclose(find(G_LOSS).reference(fake), losses.generator_loss(fake))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_after_icnr_the_shuffle_is_an_enlargement_by_nearest_neighbour(factor):
    weight = torch.randn(5 * factor**2, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    image = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(1))
    shuffled = F.pixel_shuffle(F.conv2d(image, find(ICNR).reference(weight, factor)), factor)
    kept = F.interpolate(F.conv2d(image, weight[:: factor**2]), scale_factor=factor, mode="nearest")
    assert torch.allclose(shuffled, kept, atol=1e-6)


def test_the_reference_step_leaves_d_free_and_without_a_gradient_of_g():
    scene = _gan_scene.Scene()
    scene.run(find(STEP).reference)
    (event,) = scene.seen("D's step")
    assert all(parameter.requires_grad for parameter in scene.discriminator.parameters())
    assert torch.equal(_gan_scene.flat_grads(scene.discriminator), event.d_grads)


def test_the_ranked_share_is_the_area_under_the_curve():
    real, fake = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    fake = fake[:25].round(decimals=1)
    assert float(srgan.ranked_share(real.round(decimals=1), fake)) == pytest.approx(
        float(rank_by_sorting(real.round(decimals=1), fake))
    )
