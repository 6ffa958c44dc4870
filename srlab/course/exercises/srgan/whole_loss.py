"""Lab 03: G's complete loss."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, sample
from srlab.course.exercises.cross_entropy import Entropy, as_loss, cross_entropy, mistakes_of
from srlab.course.exercises.networks import gradient, reaches

Images = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def whole_loss(
    sr: torch.Tensor,
    hr: torch.Tensor,
    look: Callable[[torch.Tensor], torch.Tensor],
    content: Images,
    weights: dict[str, float],
) -> torch.Tensor:
    """Return SRGAN's loss of G: pixels, content and adversary (Ledig et al. 2017, equation 3, with a pixel loss).

    Parameters
    ----------
    sr, hr
        ``(N, 3, H, W)``; sr has a graph that leads to G.
    look
        Function that returns D's logits of an image.
    content
        Content loss, a function ``content(sr, hr)`` that returns ``()``.
    weights
        Weights of the parts ``"pixel"`` (L1), ``"content"`` and ``"adversary"`` (-log D(sr), averaged).

    Returns
    -------
    torch.Tensor
        ``()``.
    """
    pixel = F.l1_loss(sr, hr)
    adversary = F.softplus(-look(sr)).mean()  # -log sigmoid(c) is softplus(-c)
    parts = {"pixel": pixel, "content": content(sr, hr), "adversary": adversary}
    return sum(weights[name] * part for name, part in parts.items())


def _case(weights: dict[str, float], bias: float = 6.5) -> tuple[Any, ...]:
    """Return SR with a graph, HR, a patch D, a content loss that needs no graph for HR, and the weights."""
    sr, hr = sample(2, 3, 8, 6, seed=1).requires_grad_() * 1, sample(2, 3, 8, 6, seed=2)
    judging, seeing = sample(1, 3, 3, 3, low=-1.2, high=1.0, seed=3), sample(4, 3, 3, 3, low=-1, seed=4)

    def look(image: torch.Tensor) -> torch.Tensor:
        return 2 * F.conv2d(image, judging, stride=2) + bias

    def content(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = F.conv2d(hr, seeing).tanh()
        return F.l1_loss(F.conv2d(sr, seeing).tanh(), wanted) / wanted.abs().mean()

    return sr, hr, look, content, weights


def _observe(answer: Answer, sr: torch.Tensor, *others: Any) -> dict[str, Any]:
    loss = as_loss(answer(sr, *others))
    return {
        "the loss": loss,
        "a graph leads to SR": reaches(loss, [sr]),
        "the gradient at SR": 100 * gradient(loss, [sr]),  # scaled up, as each pixel has a small share of the means
    }


def _loss(
    pixel: Images = F.l1_loss,
    seen: Callable[[Images, torch.Tensor, torch.Tensor], torch.Tensor] = lambda content, sr, hr: content(sr, hr),
    judged: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor] = lambda look, sr, hr: look(sr),
    entropy: Entropy = cross_entropy,
    weigh: Callable[[dict[str, float]], Any] = lambda weights: (
        weights["pixel"],
        weights["content"],
        weights["adversary"],
    ),
) -> Answer:
    """Return the loss with some of its parts replaced."""

    def loss(sr: torch.Tensor, hr: torch.Tensor, look: Any, content: Images, weights: dict[str, float]) -> torch.Tensor:
        of_pixel, of_content, of_adversary = weigh(weights)
        adversary = entropy(judged(look, sr, hr), 1)
        return of_pixel * pixel(sr, hr) + of_content * seen(content, sr, hr) + of_adversary * adversary

    return loss


EXERCISE = Exercise(
    whole_loss,
    level="easy",
    points=3,
    cases={
        "pixels, content and adversary, each weighted, with a gradient from all three": lambda: _case(
            {"pixel": 0.4, "content": 0.2, "adversary": 0.3}
        ),
        "other weights, and a more confident D": lambda: _case({"pixel": 0.1, "content": 0.5, "adversary": 0.7}, 4.0),
    },
    observe=_observe,
    known_mistakes={
        "The value is correct, but D's output doesn't reach G: you detached sr before D, or D's output after it. In "
        "G's half, that path is how D teaches G. Nothing here needs a detach.": [
            _loss(judged=lambda look, sr, hr: look(sr.detach())),
            _loss(judged=lambda look, sr, hr: look(sr).detach()),
        ],
        "The value is correct, but the content loss doesn't reach G: you passed it a detached sr, or detached the loss "
        "itself.": [
            _loss(seen=lambda content, sr, hr: content(sr.detach(), hr)),
            _loss(seen=lambda content, sr, hr: content(sr, hr).detach()),
        ],
        "The value is correct, but the pixel loss doesn't reach G: you compared a detached sr with hr.": (
            _loss(pixel=lambda sr, hr: F.l1_loss(sr.detach(), hr))
        ),
        "The value is correct, but no gradient reaches sr at all, as after detach, item or no_grad. G would learn "
        "nothing.": [
            lambda *scene: whole_loss(*scene).detach(),
            lambda *scene: whole_loss(*scene).item(),
            torch.no_grad()(whole_loss),
        ],
        "You show D hr, which G didn't make. Which image should fool D?": (_loss(judged=lambda look, sr, hr: look(hr))),
        "You swapped sr and hr in the content loss. It runs on its second image without a graph, so no gradient comes "
        "back from it.": _loss(seen=lambda content, sr, hr: content(hr, sr)),
        "Your adversarial loss has target 0, like D's, so G would learn to be detected. What does G want D to say "
        "about sr?": (_loss(entropy=lambda logits, label: cross_entropy(logits, 0))),
        "Your adversarial loss is log(1 - D), which has hardly any gradient where D is confident. Which loss of "
        "section 2 doesn't saturate?": (_loss(entropy=lambda logits, label: -cross_entropy(logits, 0))),
        "You included D's whole loss. D's own loss has no part in G's half, where you need -log D(sr).": (
            _loss(judged=lambda look, sr, hr: torch.stack([look(sr), -look(hr)]))
        ),
        "You compare the pixels with the MSE. Here it's L1, the mean absolute error.": [
            _loss(pixel=F.mse_loss),
            _loss(pixel=lambda sr, hr: F.mse_loss(sr, hr).sqrt()),
        ],
        "You summed the pixel errors. Take their mean, or a larger patch weighs more.": (
            _loss(pixel=lambda sr, hr: F.l1_loss(sr, hr, reduction="sum"))
        ),
        "Your pixel errors keep their signs, which cancel in the mean. Take their absolute values first.": (
            _loss(pixel=lambda sr, hr: (sr - hr).mean())
        ),
        "You didn't use the weights, or you used only some of them.": [
            _loss(weigh=lambda weights: (1, 1, 1)),
            _loss(weigh=lambda weights: (weights["pixel"], weights["content"], 1)),
            _loss(weigh=lambda weights: (1, weights["content"], weights["adversary"])),
            _loss(weigh=lambda weights: (1, 1, weights["adversary"])),
        ],
        "You swapped two weights. Take each by its name: pixel, content, adversary.": [
            _loss(weigh=lambda weights: (weights["content"], weights["pixel"], weights["adversary"])),
            _loss(weigh=lambda weights: (weights["pixel"], weights["adversary"], weights["content"])),
            _loss(weigh=lambda weights: (weights["adversary"], weights["content"], weights["pixel"])),
        ],
        "One of the three parts is missing.": [
            _loss(weigh=lambda weights: (0, weights["content"], weights["adversary"])),
            _loss(weigh=lambda weights: (weights["pixel"], 0, weights["adversary"])),
            _loss(weigh=lambda weights: (weights["pixel"], weights["content"], 0)),
        ],
        "You divided the sum by the number of parts, or by the weights. Add the parts as they are.": [
            lambda *scene: whole_loss(*scene) / 3,
            lambda *scene: whole_loss(*scene) / sum(scene[-1].values()),
        ],
        **{
            hint: wrong
            for hint, wrong in mistakes_of(lambda entropy: _loss(entropy=entropy), sure=False).items()
            # The pixel loss can also cause the first of these, and the second looks as if a part were missing.
            if not hint.startswith(("You return one value per logit", "You used the cross entropy for several classes"))
        },
        "You have one value per pixel or per logit. Take means, so that the loss is one number.": [
            _loss(pixel=lambda sr, hr: F.l1_loss(sr, hr, reduction="none")),
            _loss(entropy=lambda logits, label: F.softplus(-logits)),
        ],
    },
    also_accepted=[_loss(), _loss(entropy=lambda logits, label: -F.logsigmoid(logits).mean())],
    fallback_messages={
        "the loss": "The loss is wrong. Which of its three parts is correct on its own?",
        "a graph leads to SR": "The value is correct, but no gradient reaches sr.",
        "the gradient at SR": "The value is correct, but its gradient at sr is not.",
    },
    hints=(
        "Add up three numbers, each times its weight: how far apart the pixels are, the value of `content`, and G's "
        "line of section 2 on D's logits of sr.",
        "F.l1_loss(sr, hr), content(sr, hr), and generator_loss(look(sr)). No detach: all three parts teach G.",
    ),
)
