"""The reference of `gan_step`, which the designs of gan_step_right_and_broken.md change.

It computes SR once, and takes the steps in the order of the specification.
"""

import torch


def gan_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss):
    sr = generator(lr)
    loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))
    d_optimizer.zero_grad()
    loss_of_d.backward()
    d_optimizer.step()

    loss_of_g = g_loss(sr, hr, discriminator)
    g_optimizer.zero_grad()
    loss_of_g.backward()
    g_optimizer.step()
    return loss_of_d.item(), loss_of_g.item()
