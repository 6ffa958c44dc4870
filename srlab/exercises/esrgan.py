"""Exercises of lab 04: the losses of a step; and those of its other parts."""

from typing import Any

import torch
import torch.nn as nn

from srlab import losses
from srlab.exercises import _before_activation, _dense, _relativistic, _tint
from srlab.exercises._adversarial import cross_entropy
from srlab.exercises._gan_scene import ATTACHED
from srlab.exercises._relativistic import Pair, average_cuts, average_mistakes, two_losses
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, near, sample, tensor
from srlab.models.discriminators import frozen


def adversarial_step(discriminator: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> Pair:
    """Relativistic average losses of D and of G for one batch (Wang et al. 2018, equations 1 and 2).

    Both graphs lead through D as it is now, so both must go backward before an optimizer changes D.

    Parameters
    ----------
    discriminator
        Image -> logits.
    sr, hr
        ``(N, 3, H, W)``; `sr` with the graph to G.

    Returns
    -------
    tuple of torch.Tensor
        Loss of D, whose graph does not lead to `sr`, and loss of G, whose graph does; both ``()``.
    """
    kind = "relativistic average"
    real = discriminator(hr)
    d_loss = losses.discriminator_loss(real, discriminator(sr.detach()), kind)
    with frozen(discriminator):
        return d_loss, losses.generator_loss(discriminator(sr), real.detach(), kind)


class _Step:
    """A discriminator and a picture with a graph, what an answer makes of them, and what D says about both images."""

    def __init__(self) -> None:
        self.network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))
        for seed, parameter in enumerate(self.network.parameters()):
            parameter.data = sample(*parameter.shape, low=-0.9, high=0.9, seed=seed + 3)
        self.weights = list(self.network.parameters())
        self.made = sample(2, 3, 6, 5, seed=1).requires_grad_()  # stands for what is behind the picture, in G
        self.hr = sample(2, 3, 6, 5, seed=2)
        self.real, self.fake = self.network(self.hr), self.network(self.made)

    def run(self, answer: Answer) -> tuple[Any, Any]:
        sr, hr = self.made * 1, self.hr.clone()
        before = [weight.detach().clone() for weight in self.weights]
        result = two_losses(answer(self.network, sr, hr))
        if any(p.grad is not None for p in (self.made, *self.weights)):
            raise Wrong(
                "Something went backward already. The two losses are asked for, with their graphs, and no more."
            )
        if not all(torch.equal(weight, old) for weight, old in zip(self.weights, before, strict=True)):
            raise Wrong("D's weights were changed. No optimizer takes part in this exercise.")
        if not (torch.equal(sr, self.made) and torch.equal(hr, self.hr)):
            raise Wrong("The images that came in were changed in place.")
        if not all(weight.requires_grad for weight in self.weights):
            raise Wrong("D's parameters were frozen and not set free again: D would not learn in its next step.")
        if not all(layer.training for layer in self.network.modules()):
            raise Wrong("D is in eval mode now, and nobody asked for that.")
        return result

    def at(self, loss: Any, *wanted: torch.Tensor) -> torch.Tensor | None:
        """The gradient of a loss in one vector; None where no graph leads to any of these."""
        if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
            return None
        found = torch.autograd.grad(loss, wanted, allow_unused=True, retain_graph=True)
        if all(gradient is None for gradient in found):
            return None
        pairs = zip(found, wanted, strict=True)
        return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for g, w in pairs])


def _step_values(answer: Answer) -> None:
    step = _Step()
    d_loss, g_loss = step.run(answer)
    right = [loss.detach() for loss in adversarial_step(step.network, step.made, step.hr)]
    values = [
        tensor(loss, (), "Take the mean over all logits: a patch discriminator gives many.")
        for loss in (d_loss, g_loss)
    ]
    if near(values[0], right[1]) and near(values[1], right[0]):
        if step.at(d_loss, step.made) is not None and step.at(g_loss, step.made) is None:
            raise Wrong("The two losses come back in the wrong order: d_loss is the first.")
        raise Wrong("HR and SR have changed places: each network would learn what the other should.")
    for whose, value, wanted in zip("DG", values, right, strict=True):
        compare(value, wanted, average_mistakes(step.real, step.fake, whose), f"{whose}'s loss:")


def _step_d(answer: Answer) -> None:
    step = _Step()
    d_loss, _ = step.run(answer)
    found = step.at(d_loss, *step.weights)
    if found is None:
        raise Wrong(
            "d_loss has no graph to D, as under no_grad, or after detach on what D says: D would learn nothing. It is "
            "the picture that should be cut off from G, and not D's answer about it."
        )
    leak = step.at(d_loss, step.made)
    if leak is not None and leak.any():
        raise Wrong(ATTACHED)
    real, fake = step.real, step.fake
    cut = "Only what D says about {} reaches D's weights. Its answer about {} was made under no_grad, or detached; D "
    cut += "learns from both."
    mistakes = [
        (cut.format("HR", "SR"), losses.discriminator_loss(real, fake.detach(), "relativistic average")),
        (cut.format("SR", "HR"), losses.discriminator_loss(real.detach(), fake, "relativistic average")),
        (
            "The means are cut off from their graph. D also learns through what it compares with.",
            cross_entropy(real - fake.mean().detach(), 1) + cross_entropy(fake - real.mean().detach(), 0),
        ),
    ]
    right = step.at(losses.discriminator_loss(real, fake, "relativistic average"), *step.weights)
    gradients = [(hint, step.at(loss, *step.weights)) for hint, loss in mistakes]
    compare(found, right, gradients, "D's gradient is another one.", 1e-5, reveal=False)


def _step_g(answer: Answer) -> None:
    step = _Step()
    _, g_loss = step.run(answer)
    found = step.at(g_loss, step.made)
    if found is None:
        raise Wrong(
            "No graph leads from g_loss to sr, so G would learn nothing: was the picture detached for this loss too, "
            "D's answer about it taken over from D's loss, or D run under no_grad? In G's loss the way through D to "
            "sr is how G learns."
        )
    right = step.at(losses.generator_loss(step.fake, step.real, "relativistic average"), step.made)
    gradients = [(hint, step.at(loss, step.made)) for hint, loss in average_cuts(step.real, step.fake)]
    compare(found, right, gradients, "G's gradient at sr is another one.", 1e-5, reveal=False)


EXERCISES = {
    **_dense.EXERCISES,
    **_before_activation.EXERCISES,
    **_relativistic.EXERCISES,
    **_tint.EXERCISES,
    "esrgan.adversarial_step": Exercise(
        adversarial_step,
        (
            ("the two losses, each with both halves", _step_values),
            ("d_loss teaches D and leaves the picture alone", _step_d),
            ("g_loss reaches the picture", _step_g),
        ),
        "hard",
        (
            "Each loss compares D's answers about HR and SR. Write down for each of them how far its gradient may run.",
            "D is asked about SR twice: once with the picture as data, like HR, and once with its graph. For G's loss, "
            "what D says about HR is a number to compare with.",
        ),
    ),
}
