"""The reference of `validate`, which the designs of validate_right_and_broken.md change.

It clamps SR to [0, 1].
"""

import copy

import torch


def psnr(sr, hr, crop):
    height, width = hr.shape[-2:]
    error = (sr - hr)[..., crop : height - crop, crop : width - crop]
    return -10 * error.double().square().mean((1, 2, 3)).log10()


def validate(generator, pairs):
    was_training = generator.training
    generator.eval()
    with torch.no_grad():
        scores = [psnr(generator(lr).clamp(0, 1), hr, 4).item() for lr, hr in pairs]
    generator.train(was_training)
    return sum(scores) / len(scores)
