"""Training step of a GAN, for those recipes of labs 03 and 04 that the student's own step cannot train."""

from collections.abc import Callable

import torch
from torch import nn

from srlab.models.discriminators import frozen
from srlab.training.objects import Losses

DLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # logits of HR and of SR -> ()
GLoss = Callable[[torch.Tensor, torch.Tensor, nn.Module], torch.Tensor]  # SR, HR and D -> ()
Update = Callable[[torch.Tensor, torch.optim.Optimizer], torch.Tensor]  # `Trainer.update`


def gan_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    lr: torch.Tensor,
    hr: torch.Tensor,
    d_loss: DLoss,
    g_loss: GLoss,
    update: Update,
    g_turn: bool = True,
) -> Losses:
    """Update D and then G on one batch (Goodfellow et al. 2014, algorithm 1, with one update of D).

    Parameters
    ----------
    generator, discriminator
        Networks that map LR to SR, and an image to logits.
    g_optimizer, d_optimizer
        Optimizers for the two networks' parameters.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, H, W)``, in [0, 1].
    d_loss
        ``d_loss(real, fake)``, the loss of D from its logits for HR and for SR.
    g_loss
        ``g_loss(sr, hr, discriminator)``, the whole loss of G.
    update
        ``update(loss, optimizer)``, which steps along the gradient of a loss and returns its norm: `Trainer.update`.
    g_turn
        False skips G's update, for recipes in which D learns more often.

    Returns
    -------
    dict
        Values to log: both losses, and the norms of both gradients.
    """
    sr = generator(lr)  # once, for both halves

    # D's half: SR is detached, because D's loss must not train G.
    loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))
    log = {"d_loss": loss_of_d, "d_norm": update(loss_of_d, d_optimizer)}

    # G's half: the updated D evaluates the same SR, and the gradient passes through D to G.
    if g_turn:
        with frozen(discriminator):
            loss_of_g = g_loss(sr, hr, discriminator)
        log |= {"g_loss": loss_of_g, "g_norm": update(loss_of_g, g_optimizer)}
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
