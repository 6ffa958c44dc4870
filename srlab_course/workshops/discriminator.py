"""Check a discriminator, and the losses of a GAN."""

from collections.abc import Iterator
from types import ModuleType

import torch
import torch.nn as nn

from srlab_course.exercises.srgan.train_step import train_step
from srlab_course.feedback.exercise import sample
from srlab_course.workshops.ladder import Judge, d_half, g_half
from srlab_course.workshops.promises import Promise, expect, expect_tensor, in_order, trying


@in_order
def discriminator(mine: ModuleType) -> Iterator[Promise]:
    """Check that a discriminator judges images, and that both losses teach, as on rungs 5 and 6 of the ladder."""
    torch.manual_seed(0)
    networks = [expect(mine.Discriminator(), "`Discriminator()`", nn.Module, "a network") for _ in range(16)]
    images, logits = [sample(2, 3, *size) for size in ((64, 64), (96, 128))], []
    for image in images:
        with trying(f"D judges images of any size: {tuple(image.shape)}"):
            logits.append(expect_tensor(networks[0](image), "D's output"))
    yield (
        all(out.shape[:1] == (2,) for out in logits),
        f"D judges images: (2, 3, 64, 64) -> {tuple(logits[0].shape)}, (2, 3, 96, 128) -> {tuple(logits[1].shape)}.",
        "Return one logit per image or per region; the first dimension is the image.",
    )
    outputs = torch.cat([network(images[0]).detach().flatten() for network in networks])
    yield (
        outputs.min().item() <= 0 or outputs.max().item() > 1,  # a last layer of zeros returns 0, and a sigmoid doesn't
        f"D returns logits: those of {len(networks)} new networks are from {outputs.min():.3g} to {outputs.max():.3g}.",
        "That is a probability. Does D end in a sigmoid? The loss has it already, and twice it teaches very slowly.",
    )
    taught, text = next(d_half(mine))
    yield (
        taught,
        f"d_loss teaches D which color is real: {text} The first should be above 0.4, and the second below 0.35.",
        "White is real in 3 of 4 images, black in 1 of 4. Which of the two arguments belongs to HR? Is a half missing, "
        "detached, or of the wrong sign? At first D is very wrong, with logits of -200 and 200. The sigmoid of 200 is "
        "exactly 1 in float32, and the logarithm of 0 isn't finite. Compute it from logits.",
    )
    with trying("g_loss gets another discriminator than yours"):
        for follows, text in g_half(mine, train_step):
            yield (
                follows,
                f"g_loss rewards SR that D takes for a photo. {text}",
                "G wants D's logit of SR to be large. Check the sign, and that no detach is on the way, and no clamp, "
                "which has no gradient where it acts. At first D is very sure: the sigmoid of its logit -200 is 0, "
                "with no slope. Compute the loss from logits.",
            )
        hr = sample(2, 3, 32, 32)
        turned, equal = (mine.g_loss(sr, hr, Judge(0.0, 0.0, 0.0)).item() for sr in (hr.flip(2, 3), hr))
    yield (
        turned > equal + 1e-6,
        f"g_loss keeps SR near HR: if D can't tell, it is {equal:.4f} for SR equal to HR, and {turned:.4f} for HR "
        "turned around.",
        "D only knows what photos look like. What ties SR to this photo, and each place to its place?",
    )
