"""How long are lab 01's gradients, and what does a bound on their norm change? ``python -m benchmarks.fuse 300 332``.

Trains lab 01's network with the recipe laptop, without EMA, in float32 on one thread.
"""

import argparse
import json

import torch
import torch.nn.functional as F

import srlab
from srlab import models

RATE, TOTAL = 2e-3, 1000  # of the recipe laptop


def train(seed: int, steps: int, bound: float) -> tuple[models.MSRResNet, list[float]]:
    """Train for the first steps of a run; return the network and the norm of each gradient, before the bound."""
    torch.manual_seed(seed)
    generator = models.MSRResNet(num_blocks=4, num_features=32, scale=4).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(generator.parameters(), lr=RATE, fused=True)
    sampler = srlab.PatchSampler(srlab.bundled_photos("train"), 4, 96, 8, srlab.Degradation(), seed=seed)
    torch.manual_seed(seed)
    schedule, norms = srlab.OneCycle(TOTAL), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * schedule(step)
        lr, hr = (batch.contiguous(memory_format=torch.channels_last) for batch in next(sampler))
        loss = F.mse_loss(generator(lr), hr)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(generator.parameters(), bound).item())
        optimizer.step()
    return generator.eval(), norms


def main() -> None:
    """Print a line per seed: the largest norm, the steps above the bound, and the PSNR at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs=2, help="first seed, and the one after the last")
    parser.add_argument("--steps", type=int, default=320)
    parser.add_argument("--bound", type=float, default=float("inf"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in range(*options.seeds):
        generator, norms = train(seed, options.steps, options.bound)
        psnr = srlab.evaluate(generator, srlab.bundled_photos("validation"), 4).psnr.mean()
        cut = sum(norm > options.bound for norm in norms)
        print(json.dumps({"seed": seed, "largest": max(norms), "cut": cut, "psnr": round(psnr, 2)}), flush=True)


if __name__ == "__main__":
    main()
