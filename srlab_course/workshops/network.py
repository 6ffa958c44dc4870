"""Check a generator, a PSNR and a validation."""

from collections.abc import Callable, Iterator
from types import ModuleType

import torch
import torch.nn as nn

from srlab.evaluation import metrics
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import IncorrectAnswer, sample
from srlab_course.feedback.judging import judge
from srlab_course.workshops.promises import Promise, expect, expect_tensor, in_order, trying

RGB = metrics.Protocol(color="rgb", quantize=False)
IDLE = 6  # steps in which each parameter has to get a gradient
TWO_ZEROS = "so have two layers that start with zeros and are multiplied"
AT_ITS_PLACE = 0.6  # share of an effect that stays near; on paper above 0.8, and 0.25 with a reshape as pixel shuffle


def new_generator(mine: ModuleType) -> nn.Module:
    """Return a new generator; raise `IncorrectAnswer` if `Generator` isn't a class of networks."""
    if isinstance(mine.Generator, nn.Module):
        raise IncorrectAnswer("`Generator` should be the class, but it is an object of it. Delete the parentheses.")
    return expect(mine.Generator(), "`Generator()`", nn.Module, "an nn.Module")


@in_order
def generator(mine: ModuleType) -> Iterator[Promise]:
    """Check that a new generator upscales images of any size by four, each by itself, and that all of it can learn."""
    network = new_generator(mine)
    for n, h, w in ((2, 16, 16), (2, 17, 23), (2, 40, 9), (1, 8, 12)):
        text = f"Any size becomes four times as large: SR of {n, 3, h, w}"
        with trying(text):
            expect_tensor(network(sample(n, 3, h, w)), text, (n, 3, 4 * h, 4 * w))
    yield True, "Any size becomes four times as large, from 8 x 12 to 40 x 9.", ""
    first, second = (moved(new_generator(mine)) for _ in range(2))  # small weights would hide what other layers do
    lr = sample(2, 3, 12, 15) * torch.tensor([0.3, 1.0]).view(2, 1, 1, 1)  # a dark image and a bright one
    with torch.no_grad():
        sr, again, alone = (first(images) for images in (lr, lr, lr[:1]))
    differs, mixes = (((sr[: len(other)] - other).abs().max() / sr.std()).item() for other in (again, alone))
    yield (
        max(differs, mixes) < 1e-4,
        f"In eval mode, SR differs by {differs:.1g} of its spread if it is computed again and by {mixes:.1g} for an "
        "image alone.",
        "Is something random? Does a layer mix images, which are along dim=0? Which operation is in place, like +=?",
    )
    still = idle(network.train(), lambda: (network(lr) - sample(2, 3, 48, 60, seed=1)).square().mean())
    count = len([one for one in network.parameters() if one.requires_grad])
    yield (
        not still,
        f"All parameters can learn: {len(still)} of {count} tensors are unused, or have no gradient in {IDLE} steps.",
        f"Look at {', '.join(still[:3]) or 'forward'}. Is it unused, or is there a no_grad, or a detach after it? "
        f"round(), argmax and comparisons have the gradient 0, and {TWO_ZEROS}.",
    )
    share = share_near(new_generator(mine))
    yield (
        not share < AT_ITS_PLACE,
        f"Pixels stay at their place: {100 * share:.0f} % of what a square of LR changes is near the same place in SR.",
        "reshape and view only count pixels row by row. Which operation moves channels next to a pixel, as a block?",
    )
    with torch.no_grad():
        for _ in range(5):
            first.train()(lr)  # which may change what the network remembers
        second.load_state_dict(first.eval().state_dict())
        unlike = (first(lr) - second(lr)).abs().max().item()
    yield (
        unlike < 1e-4,
        f"state_dict contains all of it: a second Generator with the first one's weights differs by {unlike:.1g}.",
        "A module doesn't know layers in a Python list, or what forward puts into an attribute. Use nn.ModuleList, and "
        "register_buffer.",
    )


def share_near(generator: nn.Module) -> float:
    """Return which share of the change in SR, if a small square of LR changes, is in the quarter of SR around it."""
    lr = torch.rand(1, 3, 48, 48)
    changed = lr.clone()
    changed[..., 28:36, 8:16] = torch.rand(3, 8, 8)
    with torch.no_grad():
        for weight in [one for one in generator.eval().parameters() if one.dim() > 1]:
            weight += torch.randn_like(weight) / weight[0].numel() ** 0.5  # a last layer of zeros would hide the others
        before, after = (expect_tensor(generator(image), "SR", (1, 3, 192, 192)) for image in (lr, changed))
    change = (after - before).abs().sum((0, 1))
    return (change[80:176, :96].sum() / change.sum()).item()


def idle(network: nn.Module, loss: Callable[[], torch.Tensor]) -> list[str]:
    """Train a network for some steps, and return which of its parameters are unused, or can never leave 0.

    A layer of zeros hides those before it in the first step only. Two that are multiplied hide each other forever, but
    no longer if both are moved a little. This tells them from a ReLU that is 0 for all of these images.
    """
    learns = {name: one for name, one in network.named_parameters() if one.requires_grad}
    still, optimizer = learns, torch.optim.Adam(network.parameters(), 1e-3)

    def backward() -> None:
        optimizer.zero_grad()
        if (value := loss()).requires_grad:
            value.backward()

    for _ in range(IDLE):
        backward()
        still = {name: one for name, one in still.items() if one.grad is None or not one.grad.any()}
        optimizer.step()
    unused = [name for name, one in still.items() if one.grad is None]
    zeros = {name: one for name, one in still.items() if not one.any()}
    for one in zeros.values():
        one.data += 1e-4 * torch.randn_like(one)
    backward()
    stuck = [name for name, one in zeros.items() if one.grad is not None and one.grad.any()]
    return [*still] if len(still) == len(learns) else unused + stuck


def moved(network: nn.Module) -> nn.Module:
    """Add noise to all weights, so that none is 0, and return the network in eval mode."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network.eval()


def psnr(mine: ModuleType) -> Iterator[Promise]:
    """Check a PSNR on known pairs, with the cases and hints of lab 00."""
    expect(mine.psnr(sample(2, 3, 16, 16), sample(2, 3, 16, 16, seed=1), 0), "PSNR", torch.Tensor, "a tensor (N,)")
    try:
        for word, text in judge(find("degradation.psnr"), mine.psnr):
            yield True, f"PSNR equals the reference: {text}." if word == "passed" else text, ""
    except IncorrectAnswer as error:
        yield False, "PSNR differs from the reference on a known pair.", str(error)
        return
    high = mine.psnr(torch.full((1, 3, 16, 16), 1e-7), torch.zeros(1, 3, 16, 16), 0).item()
    yield (
        abs(high - 140) < 0.01,
        f"It has no ceiling: an error of 1e-7 in each pixel is 140 dB; yours is {high:.2f} dB.",
        "Do you add something tiny to the MSE, or clamp it? Equal images may have inf.",
    )
