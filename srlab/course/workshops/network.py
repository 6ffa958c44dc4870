"""Check a generator, a PSNR and a validation."""

import copy
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch
import torch.nn as nn

from srlab.course.exercise import IncorrectAnswer, NotAttempted, filled, find, sample
from srlab.course.exercises.networks import watch_modes
from srlab.course.judging import judge
from srlab.course.workshops.promises import Promise, expect, expect_number, expect_tensor
from srlab.evaluation import metrics

RGB = metrics.Protocol(color="rgb", quantize=False)
AT_ITS_PLACE = 0.55  # share of the effect: 0.81 to 1 for 13 networks, at most 0.27 with a reshape as pixel shuffle


def new_generator(mine: ModuleType) -> nn.Module:
    """Return a new generator; raise `IncorrectAnswer` if `Generator` isn't a class of networks."""
    if isinstance(mine.Generator, nn.Module):
        raise IncorrectAnswer("`Generator` should be the class, but it is an object of it. Delete the parentheses.")
    return expect(mine.Generator(), "`Generator()`", nn.Module, "an nn.Module")


def generator(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that a new generator upscales images of any size by four, each by itself, and that all of it can learn."""
    network = new_generator(mine)
    sizes = ((2, 16, 16), (2, 17, 23), (2, 40, 9), (1, 8, 12))
    shapes = {(n, h, w): expect_tensor(network(sample(n, 3, h, w)), "SR").shape for n, h, w in sizes}
    wrong = [size for size in sizes if tuple(shapes[size]) != (size[0], 3, 4 * size[1], 4 * size[2])]
    yield (
        not wrong,
        "Any size becomes four times as large: "
        f"{', '.join(f'({n}, 3, {h}, {w}) -> {tuple(shapes[n, h, w])}' for n, h, w in wrong or sizes[-2:])}.",
        "Only a batch of one image is wrong: does a squeeze remove its first dimension?"
        if wrong == [sizes[-1]]
        else "A convolution that keeps the size needs padding, and nothing may depend on a fixed height or width.",
    )
    if wrong:
        return
    two = sample(2, 3, 12, 15)
    given = two.clone()
    with torch.no_grad():
        batch, again, alone = (network.eval()(images) for images in (two, two, two[:1]))
    changed, unlike = not torch.equal(two, given), (batch - again).abs().max().item()
    change = max(unlike, (batch[:1] - alone).abs().max().item())
    yield (
        change < 1e-4 and not changed,
        "In eval mode, an image is upscaled by itself: "
        + ("`lr` itself is changed." if changed else f"SR changes by {change:.1g} with what comes before or with it."),
        "An operation in place, such as += or sub_, changes the image that the caller still needs."
        if changed
        else "Two calls with the same batch differ. Is something random, or remembered, in eval mode?"
        if unlike >= 1e-4
        else "Does a layer mix the images of a batch? dim=0 is the image, dim=1 the channel.",
    )
    sr = network.train()(two)
    parameters = {name: one for name, one in network.named_parameters() if one.requires_grad}
    if sr.requires_grad:
        (sr - sample(*sr.shape, seed=1)).square().mean().backward()
    unused = [name for name, parameter in parameters.items() if parameter.grad is None]
    zero = not any(parameter.grad.any() for parameter in parameters.values() if parameter.grad is not None)
    yield (
        bool(parameters) and not unused and not zero,
        f"All parameters can learn: {len(parameters) - len(unused)} of {len(parameters)} tensors get a gradient"
        f"{', and each gradient is 0' if parameters and zero and not unused else ''}.",
        "There are no parameters. Does __init__ call super().__init__() and assign layers to self?"
        if not parameters
        else "No graph leads from SR to the parameters. Is there a no_grad or a detach in forward?"
        if not sr.requires_grad
        else f"No gradient reaches {', '.join(unused[:3])}. Is it unused in forward, or is there a detach after it?"
        if unused
        else "round(), argmax and comparisons have the gradient 0. Which of them does forward use?",
    )
    first, second = (_moved(new_generator(mine)) for _ in range(2))
    spot = (lr := sample(1, 3, 24, 24)).clone()
    spot[..., 4:8, 14:18] += 0.3
    with torch.no_grad():  # in the difference of two networks with other weights, a skip cancels
        effect = (first(spot) - second(spot) - first(lr) + second(lr)).square()
        share = (effect[..., :48, 40:88].sum() / effect.sum()).item()
        second.load_state_dict(first.state_dict())
        unlike = (first(lr) - second(lr)).abs().max().item()
    yield (
        not share < AT_ITS_PLACE,
        f"Pixels stay at their place: {100 * share:.0f} % of what an LR pixel changes is near the same place in SR.",
        "reshape and view only count pixels row by row. Which operation moves channels next to a pixel, as a block?",
    )
    yield (
        unlike < 1e-4,
        f"state_dict contains all of it: a second Generator with the first one's weights differs by {unlike:.1g}.",
        "Layers in a Python list are unknown to their module, so they are neither trained nor saved. Use nn.Sequential "
        "or nn.ModuleList.",
    )


def _moved(network: nn.Module) -> nn.Module:
    """Add noise to all weights, so that none is 0, and return the network in eval mode."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network.eval()


def psnr(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check a PSNR on known pairs, with the cases and hints of lab 00."""
    expect(mine.psnr(sample(2, 3, 16, 16), sample(2, 3, 16, 16, seed=1), 0), "PSNR", torch.Tensor, "a tensor (N,)")
    try:
        for word, text in judge(find("degradation.psnr"), mine.psnr):
            yield True, f"PSNR equals the reference: {text}." if word == "passed" else text, ""
    except NotAttempted:
        raise
    except IncorrectAnswer as error:
        yield False, "PSNR differs from the reference on a known pair.", str(error)


def validation(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that a validation scores a network as at inference, and leaves it as it was."""
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Upsample(scale_factor=4), nn.Sigmoid()).eval()
    for seed, parameter in enumerate(network.parameters()):
        parameter.data, parameter.grad = sample(*parameter.shape, low=-3, high=3, seed=seed), torch.ones_like(parameter)
    pairs = []
    for lr, noise in ((sample(1, 3, 8, 10), 0.02), (sample(1, 3, 9, 6, seed=1), 0.5)):  # a mean of MSE would be 16 dB
        sr = network(lr).detach()
        pairs.append((lr, (sr + noise * sample(*sr.shape, low=-1, seed=2)).clamp(0, 1)))
    wanted = sum(metrics.psnr(network(lr), hr, RGB).item() for lr, hr in pairs) / len(pairs)
    before, runs, modes, scores = copy.deepcopy(network.state_dict()), watch_modes(network), [], []
    random = torch.get_rng_state()
    for training in (True, False):
        scores.append(filled(mine.validate(network.train(training), pairs)))
        modes.append(network.training)
    in_training = sum(training for training, _ in runs)
    yield (
        bool(runs) and not in_training,
        f"The generator is scored in eval mode: it ran {len(runs)} times, {in_training} of them in training mode.",
        "With batch norm or dropout, a network computes something else in training mode.",
    )
    after = ["training" if mode else "eval" for mode in modes]
    yield (
        modes == [True, False],
        f"The mode is restored: after training mode it is {after[0]} mode, after eval mode {after[1]} mode.",
        "Remember generator.training at the start, and restore it at the end.",
    )
    kept = all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    cleared = not all(p.grad is not None and bool((p.grad == 1).all()) for p in network.parameters())
    off = not (torch.is_grad_enabled() and all(p.requires_grad for p in network.parameters()))
    drawn = not torch.equal(torch.get_rng_state(), random)
    graph = any(isinstance(score, torch.Tensor) and score.requires_grad for score in scores)
    for changed, what, hint in (
        (not kept, "weights and running statistics", "In training mode, batch norm moves toward the photos you score."),
        (cleared, "gradients", "It may come in the middle of a training step, which owns them. Don't clear them."),
        (off, "requires_grad, and graphs in general", "What is switched off for good? A `with` block ends by itself."),
        (drawn, "the global random state", "A run that validates should draw what another one draws. Seed nothing."),
        (graph, "no graph with the score", "A graph keeps everything in memory. Score in `with torch.no_grad():`."),
    ):
        yield not changed, f"It leaves {what}{': yours does not' * changed}.", hint
    first, second = (expect_number(score, "The result of `validate`") for score in scores)
    yield (
        all(abs(score - wanted) < 1e-3 for score in (first, second)),
        f"The score is {first:.3f} dB for a network in training mode and {second:.3f} dB in eval mode; the reference "
        f"is {wanted:.3f} dB.",
        "It should be the mean over the pairs of psnr(sr, hr, 4): a mean of decibels, not of errors, without rounding.",
    )
