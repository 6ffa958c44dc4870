"""Time and memory of a training step of SRGAN at the size of the paper.

SRResNet of 16 blocks and 64 features, VGG19 relu5_4 (random weights: their values cost nothing), the discriminator
of SRGAN, batches of 16 patches of 96 px. G runs once a step, HR's features need no graph, and D takes no gradient in
G's half: the step is that of lab 03.

    python benchmarks/gan_step.py              # prints the median step and its parts, and the peak memory
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time

import torch
import torch.nn.functional as F

import srlab
from srlab import losses, models
from srlab.devices import peak_memory_mib, pick_device


def measure(device: str, batch: int, patch: int, steps: int, content: bool, adversarial: bool) -> float:
    """Train a few steps; returns the median of the seconds that one took, the first left out."""
    torch.manual_seed(0)
    net, judge = models.SRResNet(), models.SRGANDiscriminator(size=patch)
    name = f"content{content:d}-adversarial{adversarial:d}"
    trainer = srlab.Trainer("benchmark", name, device=device)
    generator, discriminator, eyes, g_optimizer, d_optimizer = trainer.prepare(
        generator=net,
        discriminator=judge,
        features=srlab.Features("vgg19 relu5_4", "random", scale=1 / 12.75),
        g_optimizer=torch.optim.Adam(net.parameters(), lr=1e-4, fused=True),
        d_optimizer=torch.optim.Adam(judge.parameters(), lr=1e-4, fused=True),
    )
    times: list[float] = []

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        times.append(now(trainer.device))
        sr = generator(lr)
        parts = [(1.0, losses.content_loss(eyes, sr, hr))] if content else [(1.0, F.mse_loss(sr, hr))]
        if adversarial:
            d_loss = losses.discriminator_loss(discriminator(hr), discriminator(sr.detach()))
            d_optimizer.zero_grad()
            trainer.backward(d_loss)
            d_optimizer.step()
            with srlab.frozen(discriminator):
                parts.append((1e-3, losses.generator_loss(discriminator(sr))))
        g_loss = losses.hybrid(*parts)
        g_optimizer.zero_grad()
        trainer.backward(g_loss)
        g_optimizer.step()
        return {"loss": g_loss}

    sampler = srlab.PatchSampler(srlab.datasets.photos("train"), 4, patch, batch, device=trainer.device)
    trainer.fit(step, sampler, steps + 2, validate_every=10**9)
    return statistics.median(after - before for before, after in itertools.pairwise(times[1:]))


def now(device: torch.device) -> float:
    """Return the time when all work before it is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def main() -> None:
    """Print the step with MSE alone, with the content loss, and with both content loss and discriminator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    device = pick_device(options.device)
    shape = (options.device, options.batch, options.patch, options.steps)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SRLAB_HOME"] = folder
        results = {
            "SRResNet, MSE": measure(*shape, content=False, adversarial=False),
            "with VGG19 relu5_4 instead": measure(*shape, content=True, adversarial=False),
            "and with D: SRGAN": measure(*shape, content=True, adversarial=True),
        }
    precision = srlab.devices.pick_precision("auto", device)
    print(f"batch {options.batch} of {options.patch} px, {device}, {torch.get_num_threads()} threads, {precision}")
    for name, seconds in results.items():
        print(f"{name:28}{seconds:8.3f} s a step")
    print(f"{'peak memory of the process':28}{peak_memory_mib():8.0f} MiB")


if __name__ == "__main__":
    main()
