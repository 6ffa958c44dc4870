"""The training step of a GAN. It stands here once: labs 03 and 04 show it, and all of their recipes run through it."""

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Optimizer

from srlab.models.discriminators import frozen
from srlab.training.trainer import Losses, Trainer

Look = Callable[[torch.Tensor], torch.Tensor]  # an image (N, 3, H, W) becomes D's logits


def gan_step(
    trainer: Trainer,
    lr: torch.Tensor,
    hr: torch.Tensor,
    *,
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: Optimizer,
    d_optimizer: Optimizer,
    d_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    g_loss: Callable[[torch.Tensor, torch.Tensor, Look], torch.Tensor],
    noise: float = 0.0,
    relative: bool = False,
    g_turn: bool = True,
) -> Losses:
    """Let D learn from one batch, and then G (Goodfellow et al. 2014, algorithm 1, with one update of D).

    Parameters
    ----------
    trainer
        Computes the gradients, in 16 bits as well.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, H, W)``, in [0, 1].
    generator, discriminator
        G maps `lr` to SR; D takes images and the strength of the noise on them, and answers with logits.
    g_optimizer, d_optimizer
        Of their weights.
    d_loss
        ``d_loss(real, fake)``, from D's logits of HR and of SR.
    g_loss
        ``g_loss(sr, hr, look)``, all that G minimises; ``look(image)`` gives D's logits.
    noise
        Standard deviation of the noise on all that D sees (Sønderby et al. 2017), where white is 1.
    relative
        Whether D compares HR with SR, so that what it says of either alone means nothing; this is for the log only.
    g_turn
        Whether G learns as well; some recipes let D learn more often.

    Returns
    -------
    dict
        To log: both losses, the norms of both gradients, and what D said before its update (`what_d_says`).
    """

    def look(image: torch.Tensor) -> torch.Tensor:
        return discriminator(image, noise)

    sr = generator(lr)  # once, for both halves

    # D's half: SR is detached, because D's loss must not train G.
    real, fake = look(hr), look(sr.detach())
    loss_of_d = d_loss(real, fake)
    d_optimizer.zero_grad()
    trainer.backward(loss_of_d)
    log = what_d_says(real, fake, relative) | {"d_loss": loss_of_d, "d_norm": trainer.gradient_norm(discriminator)}
    d_optimizer.step()

    # G's half: the D that has just learned looks at the same SR, and the gradient passes through it to G.
    if g_turn:
        with frozen(discriminator):
            loss_of_g = g_loss(sr, hr, look)
        g_optimizer.zero_grad()
        trainer.backward(loss_of_g)
        log |= {"g_loss": loss_of_g, "g_norm": trainer.gradient_norm(generator)}
        g_optimizer.step()
    return log


def what_d_says(real: torch.Tensor, fake: torch.Tensor, relative: bool = False) -> Losses:
    """Chances from 0 to 1 that D gives HR and SR to be the photo, as means over a batch.

    Parameters
    ----------
    real, fake
        Logits of HR and of SR, of any number.
    relative
        Compare each logit with the mean of the other kind, as in ESRGAN's game, rather than take it alone.

    Returns
    -------
    dict
        ``d_real`` and ``d_fake``.
    """
    real, fake = real.detach(), fake.detach()
    if relative:
        real, fake = real - fake.mean(), fake - real.mean()
    return {"d_real": real.sigmoid().mean(), "d_fake": fake.sigmoid().mean()}
