"""The exercises of lab 03 about the two losses of a GAN, on logits; their known mistakes are also those of a step.

The checks of a loss on logits stand here for lab 04 as well.
"""

import torch
import torch.nn.functional as F

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, near, sample, tensor

Mistakes = list[tuple[str, torch.Tensor]]

SECOND_SIGMOID = (
    "A sigmoid comes before a loss that has one inside already (its name ends in _with_logits). The answer of D is "
    "squeezed twice, and its loss can no longer come near 0."
)
SUM = "The terms of the logits were added up. With more patches the same images would weigh more: take the mean."


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Loss of D in a GAN (Goodfellow et al. 2014, equation 1), from logits.

    Parameters
    ----------
    real, fake
        Logits of HR and SR, of any shape.

    Returns
    -------
    torch.Tensor
        ``()``; -log D(x) - log(1 - D(y)), each averaged.
    """
    on_hr = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    on_sr = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return on_hr + on_sr


def generator_loss(fake: torch.Tensor) -> torch.Tensor:
    """Adversarial loss of G in SRGAN (Ledig et al. 2017, equation 6), from logits.

    Parameters
    ----------
    fake
        Logits of SR, of any shape.

    Returns
    -------
    torch.Tensor
        ``()``; -log D(y), averaged.
    """
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def cross_entropy(logits: torch.Tensor, label: float) -> torch.Tensor:
    """Mean cross entropy of logits with one label for all of them, ``()``."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def d_mistakes(real: torch.Tensor, fake: torch.Tensor) -> Mistakes:
    """Hints and the losses of D that they belong to."""
    yes, no = cross_entropy(real, 1), cross_entropy(fake, 0)
    wrong_yes, wrong_no = cross_entropy(real, 0), cross_entropy(fake, 1)
    d_real, d_fake = real.sigmoid(), fake.sigmoid()
    swapped = "HR and SR have changed places: this D would learn to call SR real. Which of the two has the target 1?"
    half_missing = "Only {} is judged. A D that always gives the same answer would be perfect at that."
    half = (
        "It is half of what it should be: a mean over HR and SR together. Each has a mean of its own, and they add up."
    )
    other = "That is the loss of another kind of GAN, {}. Here it is the cross entropy of D(x) = sigmoid(logit)."
    return [
        (swapped, wrong_yes + wrong_no),
        (swapped, (wrong_yes + wrong_no) / 2),
        (SECOND_SIGMOID, cross_entropy(d_real, 1) + cross_entropy(d_fake, 0)),
        (SECOND_SIGMOID, (cross_entropy(d_real, 1) + cross_entropy(d_fake, 0)) / 2),
        (half_missing.format("HR"), yes),
        (half_missing.format("SR"), no),
        (half, (yes + no) / 2),
        (SUM, F.softplus(-real).sum() + F.softplus(fake).sum()),
        (SUM, F.softplus(-real).sum() / len(real) + F.softplus(fake).sum() / len(fake)),
        ("The target of SR is 1 here too. D should find out what is not real.", yes + wrong_no),
        ("The target of HR is 0 here too. D should also know what is real.", wrong_yes + no),
        ("The sign is turned round: this grows the better D is, and an optimizer goes down.", -(yes + no)),
        ("The two halves have opposite signs. Both shrink as D gets better.", yes - no),
        ("The two halves have opposite signs. Both shrink as D gets better.", no - yes),
        (
            "The logarithm of the mean is not the mean of the logarithms.",
            -d_real.mean().log() - (1 - d_fake).mean().log(),
        ),
        ("No logarithm is taken: these are probabilities.", (1 - d_real).mean() + d_fake.mean()),
        (other.format("least squares"), (real - 1).square().mean() + fake.square().mean()),
        (other.format("least squares"), ((real - 1).square().mean() + fake.square().mean()) / 2),
        (other.format("least squares"), (d_real - 1).square().mean() + d_fake.square().mean()),
        (other.format("hinge"), F.relu(1 - real).mean() + F.relu(1 + fake).mean()),
        (other.format("Wasserstein"), fake.mean() - real.mean()),
        (other.format("relativistic"), cross_entropy(real - fake, 1)),
        (
            other.format("relativistic average"),
            cross_entropy(real - fake.mean(), 1) + cross_entropy(fake - real.mean(), 0),
        ),
    ]


def g_mistakes(fake: torch.Tensor) -> Mistakes:
    """Hints and the losses of G that they belong to."""
    d = fake.sigmoid()
    right = cross_entropy(fake, 1)
    minimax = (
        "That is log(1 - D(y)), what the first GAN paper starts from. Where D is sure, as it often is at the "
        "beginning, it is flat, and G learns next to nothing. What does SRGAN minimise instead?"
    )
    return [
        (minimax, -F.softplus(fake).mean()),
        (
            "The target is 0, as for D: G would learn to be found out. What does G want D to say about its pictures?",
            cross_entropy(fake, 0),
        ),
        (
            "The sign is turned round: log D(y) is largest, at 0, where D is taken in, and an optimizer goes down.",
            -right,
        ),
        (SECOND_SIGMOID, cross_entropy(d, 1)),
        ("That is minus the mean logit, without sigmoid and logarithm. It never stops pushing.", -fake.mean()),
        ("No logarithm is taken. 1 - D(y) is flat where D is sure.", (1 - d).mean()),
        ("No logarithm is taken. -D(y) is flat where D is sure.", -d.mean()),
        (SUM, F.softplus(-fake).sum()),
        (SUM, F.softplus(-fake).sum() / len(fake)),
        ("The logarithm of the mean is not the mean of the logarithms.", -d.mean().log()),
        ("That is the loss of a least squares GAN.", (fake - 1).square().mean()),
        ("That is the loss of a least squares GAN.", (fake - 1).square().mean() / 2),
        ("That is the loss of a least squares GAN.", (d - 1).square().mean()),
        ("The value is half of what it should be.", right / 2),
        ("The value is twice what it should be. There is only one kind of picture here, SR.", right * 2),
    ]


def call_loss(answer: Answer, *logits: torch.Tensor) -> torch.Tensor:
    """The answer's loss of these logits, ``()``, detached; raises `Wrong` where it takes them for probabilities."""
    raw = "What comes in are logits, any number from minus to plus infinity, and not probabilities. What is missing?"
    try:
        result = tensor(answer(*logits), (), "Take the mean over all logits: a patch discriminator gives many.")
    except RuntimeError as error:
        if "between 0 and 1" in str(error):
            raise Wrong(f"{raw} (torch says: {str(error).splitlines()[0]})") from error
        raise
    except AttributeError as error:
        if "'float'" in str(error) or "'int'" in str(error):
            raise Wrong("A target is one number here; torch wants a tensor of the shape of the logits.") from error
        raise
    if result.isnan():
        raise Wrong(f"The loss is NaN, as the logarithm of a negative number is. {raw}")
    return result


def sample_logits() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of HR and of SR as a patch discriminator gives them, ``(2, 1, 3, 4)`` each, the same in every run."""
    return sample(2, 1, 3, 4, low=-1.5, high=2.5, seed=1), sample(2, 1, 3, 4, low=-2, high=1.5, seed=2)


def _d_value(answer: Answer) -> None:
    real, fake = sample_logits()
    compare(call_loss(answer, real, fake), discriminator_loss(real, fake), d_mistakes(real, fake), "D's loss:")


def _g_value(answer: Answer) -> None:
    fake = sample_logits()[1]
    compare(call_loss(answer, fake), generator_loss(fake), g_mistakes(fake), "G's loss:")


def check_sure(result: torch.Tensor, wanted: float, what: str) -> None:
    """Hold the loss ``()`` of one confident logit against what it should be; `what` begins the hint, if it is not."""
    if near(result, wanted, 1e-2):
        return
    value = result.item()
    how = (
        "In float32 the sigmoid of such a logit is exactly 0 or 1, and what is lost there cannot come back. Sigmoid "
        "and logarithm belong into one function, which torch has."
    )
    if result.isinf():
        raise Wrong(f"{what} the loss is infinite. {how}")
    if near(value, wanted - 100, 1e-2):
        raise Wrong(f"{what} the loss stops at 100, where torch's cross entropy of probabilities holds it. {how}")
    if value < wanted:
        raise Wrong(f"{what} the loss should be {wanted:g}, but stops at {value:.4g}, and has no gradient there. {how}")
    raise Wrong(f"{what} the loss should be {wanted:g}, but is {value:.4g}.")


def _d_sure(answer: Answer) -> None:
    calm, hot = torch.tensor([[0.0]]), torch.tensor([[200.0]])
    zero = float(cross_entropy(calm, 1))
    check_sure(call_loss(answer, calm, hot), 200 + zero, "Where D gives an SR image the logit 200,")
    check_sure(call_loss(answer, -hot, calm), 200 + zero, "Where D gives an HR image the logit -200,")


def _g_sure(answer: Answer) -> None:
    check_sure(call_loss(answer, torch.tensor([[-200.0]])), 200.0, "Where D gives an SR image the logit -200,")


def gradient_step(reference: Answer, names: tuple[str, ...], whose: str) -> Answer:
    """A step of a check: the gradients of an answer's loss at its logits are those of the reference.

    Parameters
    ----------
    reference
        Logits -> loss.
    names
        Of the pictures whose logits it takes: ``("HR", "SR")`` or ``("SR",)``.
    whose
        Loss it is, ``"D"`` or ``"G"``.
    """

    def step(answer: Answer) -> None:
        logits = [logit.requires_grad_() for logit in sample_logits()[-len(names) :]]
        result = answer(*logits)
        if not isinstance(result, torch.Tensor) or not result.requires_grad:
            raise Wrong(
                f"The value is right, but it is cut off from its logits, as by detach, item or no_grad: {whose} would "
                "get no gradient."
            )
        found = torch.autograd.grad(result, logits, allow_unused=True)
        wanted = torch.autograd.grad(reference(*logits), logits)
        for name, gradient, right in zip(names, found, wanted, strict=True):
            if gradient is None:
                raise Wrong(f"No gradient reaches the logits of {name}: were they detached?")
            compare(gradient, right, otherwise=f"The gradient at the logits of {name} is another one.")

    return step


EXERCISES = {
    "srgan.discriminator_loss": Exercise(
        discriminator_loss,
        (
            ("-log D(x) - log(1 - D(y)), each with a mean", _d_value),
            ("a D that is very sure, and wrong", _d_sure),
            ("a gradient for both", gradient_step(discriminator_loss, ("HR", "SR"), "D")),
        ),
        "easy",
        (
            "D sorts images into two kinds: the cross entropy with the target 1 for HR and 0 for SR.",
            "torch.nn.functional has a binary cross entropy for probabilities and one for logits. Its targets have the "
            "shape of the logits.",
        ),
    ),
    "srgan.generator_loss": Exercise(
        generator_loss,
        (
            ("-log D(y), with a mean", _g_value),
            ("a D that is very sure", _g_sure),
            ("a gradient for G", gradient_step(generator_loss, ("SR",), "G")),
        ),
        "easy",
        (
            "G wants D to call its pictures real. Which target is that?",
            "Ask the same cross entropy as for D, with the target that G would like to see.",
        ),
    ),
}
