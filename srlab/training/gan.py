"""Training step of a GAN, for lab 04 and for those recipes of lab 03 that the student's own step cannot train."""

from collections.abc import Callable

import torch

from srlab.models.discriminators import Noise, frozen
from srlab.training.trainer import Losses, Trainer

Look = Callable[[torch.Tensor], torch.Tensor]  # an image (N, 3, H, W) becomes D's logits
DLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # logits of HR and of SR -> ()
GLoss = Callable[[torch.Tensor, torch.Tensor, Look], torch.Tensor]  # SR, HR and D as a function -> ()


def gan_step(
    trainer: Trainer,
    lr: torch.Tensor,
    hr: torch.Tensor,
    d_loss: DLoss,
    g_loss: GLoss,
    noise: Noise = 0.0,
    relativistic: bool = False,
    g_turn: bool = True,
) -> Losses:
    """Update D and then G on one batch (Goodfellow et al. 2014, algorithm 1, with one update of D).

    Parameters
    ----------
    trainer
        Trainer that has prepared ``generator``, ``discriminator``, ``g_optimizer`` and ``d_optimizer``.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, H, W)``, in [0, 1].
    d_loss
        ``d_loss(real, fake)``, the loss of D from its logits for HR and for SR.
    g_loss
        ``g_loss(sr, hr, look)``, the whole loss of G; ``look(image)`` returns D's logits.
    noise
        Standard deviation of the noise added to all inputs of D (Sønderby et al. 2017), in units of [0, 1]. If it
        changes from step to step, it must be a tensor, such as ``0.1 * (1 - trainer.progress)``.
    relativistic
        True if D compares HR with SR (relativistic GAN). Changes only the log.
    g_turn
        False skips G's update, for recipes in which D learns more often.

    Returns
    -------
    dict
        Values to log: both losses, both gradient norms, and D's mean outputs before its update (`chances`).
    """
    generator, discriminator = trainer.prepared["generator"], trainer.prepared["discriminator"]
    g_optimizer, d_optimizer = trainer.prepared["g_optimizer"], trainer.prepared["d_optimizer"]

    def look(image: torch.Tensor) -> torch.Tensor:
        return discriminator(image, noise)

    sr = generator(lr)  # once, for both halves

    # D's half: SR is detached, because D's loss must not train G.
    real, fake = look(hr), look(sr.detach())
    loss_of_d = d_loss(real, fake)
    d_optimizer.zero_grad()
    trainer.backward(loss_of_d)
    log = chances(real, fake, relativistic) | {"d_loss": loss_of_d, "d_norm": trainer.gradient_norm(discriminator)}
    d_optimizer.step()

    # G's half: the updated D evaluates the same SR, and the gradient passes through D to G.
    if g_turn:
        with frozen(discriminator):
            loss_of_g = g_loss(sr, hr, look)
        g_optimizer.zero_grad()
        trainer.backward(loss_of_g)
        log |= {"g_loss": loss_of_g, "g_norm": trainer.gradient_norm(generator)}
        g_optimizer.step()
    return log


def chances(real: torch.Tensor, fake: torch.Tensor, relativistic: bool = False) -> Losses:
    """Return D's mean probabilities that HR and SR are real, as ``d_real`` and ``d_fake``.

    `real` and `fake` are D's logits. If `relativistic`, each logit is compared with the mean of the other kind, as in
    ESRGAN.
    """
    real, fake = real.detach(), fake.detach()
    if relativistic:
        real, fake = real - fake.mean(), fake - real.mean()
    return {"d_real": real.sigmoid().mean(), "d_fake": fake.sigmoid().mean()}
