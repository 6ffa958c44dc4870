"""Lab 03: all that G minimizes."""

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
    """Add up SRGAN's loss of G: pixels, content and adversary (Ledig et al. 2017, equation 3, with a pixel loss).

    Parameters
    ----------
    sr, hr
        ``(N, 3, H, W)``; sr has a graph that leads to G.
    look
        Gives D's logits of an image.
    content
        ``content(sr, hr)``, the content loss, ``()``.
    weights
        Of the parts ``"pixel"`` (L1), ``"content"`` and ``"adversary"`` (-log D(sr), averaged).

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
    """SR with a graph, HR, a D of patches, a content loss that looks at HR without a graph, and the weights."""
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
        "the gradient at SR": 100 * gradient(loss, [sr]),  # each pixel has a small share of the means
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
    """The loss with some of its parts replaced."""

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
        "pixels, content and adversary, each with its weight, and a gradient from all three": lambda: _case(
            {"pixel": 0.4, "content": 0.2, "adversary": 0.3}
        ),
        "other weights, and a D that is surer": lambda: _case({"pixel": 0.1, "content": 0.5, "adversary": 0.7}, 4.0),
    },
    observe=_observe,
    known_mistakes={
        "The value is right, but D's answer doesn't reach G: sr was detached before D looked, or D's answer was. In "
        "G's half that way is how D teaches. Nothing here needs a detach.": [
            _loss(judged=lambda look, sr, hr: look(sr.detach())),
            _loss(judged=lambda look, sr, hr: look(sr).detach()),
        ],
        "The value is right, but the content loss doesn't reach G: it got a detached sr, or was detached itself.": [
            _loss(seen=lambda content, sr, hr: content(sr.detach(), hr)),
            _loss(seen=lambda content, sr, hr: content(sr, hr).detach()),
        ],
        "The value is right, but the pixels don't reach G: they were compared with a detached sr.": (
            _loss(pixel=lambda sr, hr: F.l1_loss(sr.detach(), hr))
        ),
        "The value is right, and no gradient reaches sr at all, as after detach, item or no_grad. G would learn "
        "nothing.": [
            lambda *scene: whole_loss(*scene).detach(),
            lambda *scene: whole_loss(*scene).item(),
            torch.no_grad()(whole_loss),
        ],
        "D looks at hr, which G didn't make. About which picture should D be wrong?": (
            _loss(judged=lambda look, sr, hr: look(hr))
        ),
        "sr and hr have changed places in the content loss. It looks at its second picture without a graph, so no "
        "gradient comes back from it.": _loss(seen=lambda content, sr, hr: content(hr, sr)),
        "The adversary asks for 0, as D does, so G would learn to be found out. What does G want D to say of sr?": (
            _loss(entropy=lambda logits, label: cross_entropy(logits, 0))
        ),
        "The adversary is log(1 - D), which hardly pulls where D is sure. Which loss of section 2 doesn't saturate?": (
            _loss(entropy=lambda logits, label: -cross_entropy(logits, 0))
        ),
        "The whole loss of D is in it. In G's half D's own loss has no part; what is wanted is -log D(sr).": (
            _loss(judged=lambda look, sr, hr: torch.stack([look(sr), -look(hr)]))
        ),
        "The pixels are compared with the squared error. Here it's L1, the mean absolute error.": [
            _loss(pixel=F.mse_loss),
            _loss(pixel=lambda sr, hr: F.mse_loss(sr, hr).sqrt()),
        ],
        "The pixel errors were added up. Take their mean, or a larger patch would weigh more.": (
            _loss(pixel=lambda sr, hr: F.l1_loss(sr, hr, reduction="sum"))
        ),
        "The pixel errors have signs, which cancel in the mean. Take their absolute values first.": (
            _loss(pixel=lambda sr, hr: (sr - hr).mean())
        ),
        "The weights weren't used, or only some of them.": [
            _loss(weigh=lambda weights: (1, 1, 1)),
            _loss(weigh=lambda weights: (weights["pixel"], weights["content"], 1)),
            _loss(weigh=lambda weights: (1, weights["content"], weights["adversary"])),
            _loss(weigh=lambda weights: (1, 1, weights["adversary"])),
        ],
        "Two weights have changed places. Take each by its name: pixel, content, adversary.": [
            _loss(weigh=lambda weights: (weights["content"], weights["pixel"], weights["adversary"])),
            _loss(weigh=lambda weights: (weights["pixel"], weights["adversary"], weights["content"])),
            _loss(weigh=lambda weights: (weights["adversary"], weights["content"], weights["pixel"])),
        ],
        "One of the three parts is missing.": [
            _loss(weigh=lambda weights: (0, weights["content"], weights["adversary"])),
            _loss(weigh=lambda weights: (weights["pixel"], 0, weights["adversary"])),
            _loss(weigh=lambda weights: (weights["pixel"], weights["content"], 0)),
        ],
        "The sum was divided by the number of parts, or by the weights. Add the parts as they are.": [
            lambda *scene: whole_loss(*scene) / 3,
            lambda *scene: whole_loss(*scene) / sum(scene[-1].values()),
        ],
        **{
            hint: wrong
            for hint, wrong in mistakes_of(lambda entropy: _loss(entropy=entropy), sure=False).items()
            # The pixels can make the first of these, and the second looks as if a part were missing.
            if not hint.startswith(("There is one value for each logit", "That's the cross entropy of several classes"))
        },
        "There is one value for each pixel or for each logit. Take means, so that the loss is one number.": [
            _loss(pixel=lambda sr, hr: F.l1_loss(sr, hr, reduction="none")),
            _loss(entropy=lambda logits, label: F.softplus(-logits)),
        ],
    },
    also_accepted=[_loss(), _loss(entropy=lambda logits, label: -F.logsigmoid(logits).mean())],
    fallback_messages={
        "the loss": "The loss is another one. Which of its three parts is right by itself?",
        "a graph leads to SR": "The value is right, but no gradient reaches sr.",
        "the gradient at SR": "The value is right, but not its gradient at sr.",
    },
    hints=(
        "Three numbers, each times its weight, and their sum: how far the pixels are apart, what `content` says, and "
        "G's line of section 2 about D's logits of sr.",
        "F.l1_loss(sr, hr), content(sr, hr), and generator_loss(look(sr)). No detach: all three parts teach G.",
    ),
)
