"""The exercise of lab 02 about the weights of a hybrid loss."""

import torch
import torch.nn.functional as F

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, sample, tensor


def balance(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> float:
    """Weigh a content loss so that it has a given share of the pull on SR, beside a pixel loss of weight 1.

    Parameters
    ----------
    pixel, content
        ``()``, the two losses, with a graph that leads to `sr`.
    sr
        ``(N, 3, H, W)``.
    share
        Of the sum of both gradient norms, between 0 and 1.

    Returns
    -------
    float
        The weight ``w`` with ``w |content'| / (|pixel'| + w |content'|) = share``.
    """
    (by_pixel,) = torch.autograd.grad(pixel, sr, retain_graph=True)
    (by_content,) = torch.autograd.grad(content, sr, retain_graph=True)
    return (share / (1 - share) * by_pixel.norm() / by_content.norm()).item()


def _losses() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A pixel loss and a content loss whose sizes say nothing of their gradients, and the SR of both."""
    sr, hr = sample(2, 3, 8, 6, seed=1).requires_grad_(), sample(2, 3, 8, 6, seed=2)
    kernels = sample(5, 3, 3, 3, low=-1, seed=3)
    seen, wanted = (torch.tanh(F.conv2d(image, kernels, padding=1)) for image in (sr, hr))
    return F.mse_loss(sr, hr), 4 * F.mse_loss(seen, wanted) + 1, sr


def _asked(answer: Answer, share: float) -> torch.Tensor:
    pixel, content, sr = _losses()
    result = filled(answer(pixel, content, sr, share))
    if isinstance(result, tuple):
        raise Wrong("Two values came back. The pixel loss keeps its weight of 1; give that of the content loss alone.")
    weight = tensor(result, ())
    if sr.grad is not None:
        raise Wrong(
            "SR has a gradient now, which a second call would add to. backward() leaves its result in .grad; which "
            "function of torch.autograd hands it over instead?"
        )
    try:
        (pixel + content).backward()
    except RuntimeError as error:
        raise Wrong(
            "After your function the graph is gone, and the training step could not go backward through the same "
            "losses. What does torch.autograd.grad keep when it is asked to?"
        ) from error
    return weight


def _balance_equal(answer: Answer) -> None:
    pixel, content, sr = _losses()
    first, second = (torch.autograd.grad(loss, sr, retain_graph=True)[0] for loss in (pixel, content))
    right = first.norm() / second.norm()
    size = "The gradients were measured by another size than their norm, the root of the sum of squares."
    mistakes = [
        (
            "That is the ratio of the losses themselves. A large loss may pull weakly: what moves SR is the gradient.",
            pixel / content,
        ),
        ("That is the ratio of the losses, upside down. What moves SR is the gradient.", content / pixel),
        ("The ratio is upside down: the harder a loss pulls by itself, the smaller its weight.", 1 / right),
        ("That is a share of the pull and no weight yet: at which weight do both pull alike?", 1 / (1 + 1 / right)),
        (size, first.abs().sum() / second.abs().sum()),
        (size, first.abs().max() / second.abs().max()),
        (size, first.square().sum() / second.square().sum()),
        (
            "The two gradients were averaged before they were compared, so that signs cancel.",
            first.mean() / second.mean(),
        ),
        ("Nothing was weighed: 1 leaves the two as they come.", 1.0),
        ("The share itself came back. What do the two gradients make of it?", 0.5),
    ]
    compare(
        _asked(answer, 0.5),
        right,
        mistakes,
        "At a share of one half, both should pull alike. Is your share one of the sum, or of the pull of the pixels?",
        reveal=False,
    )


def _balance_share(answer: Answer) -> None:
    pixel, content, sr = _losses()
    first, second = (torch.autograd.grad(loss, sr, retain_graph=True)[0].norm() for loss in (pixel, content))
    ratio = first / second
    odds = (
        "The share went in as a factor. A weight of 1 beside 1 is a share of one half, not of one. What is the share "
        "of `w` beside 1, and which `w` gives the share that is wanted?"
    )
    mistakes = [
        ("At another share than one half nothing changes. Where does `share` come in?", ratio),
        (odds, 0.2 * ratio),
        (odds, 0.4 * ratio),
        ("The two shares have changed places: this gives the pixel loss what the content loss should have.", 4 * ratio),
    ]
    compare(_asked(answer, 0.2), 0.25 * ratio, mistakes, "At a share of 0.2 the weight is another one.", reveal=False)


EXERCISES = {
    "content_loss.balance": Exercise(
        balance,
        (
            ("a share of one half: both pull alike", _balance_equal),
            ("another share, and the graph is still there", _balance_share),
        ),
        "medium",
        (
            "How hard a loss pulls at SR is the norm of its gradient there, and a weight multiplies the gradient.",
            "torch.autograd.grad(loss, sr, retain_graph=True) gives the gradient and keeps the graph. Then solve "
            "w * b / (a + w * b) = share for w.",
        ),
    )
}
