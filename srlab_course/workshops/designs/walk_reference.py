"""The reference of `walk`, which the designs of walk_right_and_broken.md change.

It takes the steps of the specification one by one.
"""

import torch


def walk(flow, x, lr, steps):
    with torch.no_grad():
        for step in range(steps):
            t = torch.full((len(x),), step / steps)
            x = x + flow(x, t, lr) / steps
    return x
