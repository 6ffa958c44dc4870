"""The training steps that the benchmarks compare: as tutorials write them, and as the labs do.

*Plain* steps are float32 with contiguous memory, with the last pixel shuffle before the last convolution as in the
SRGAN paper, Adam with its defaults, and a DataLoader with two workers that decode PNG files, crop, flip and downscale
with Pillow. In GAN steps, G runs once and D gets its detached output; the features of HR are computed with a graph and
detached afterwards; VGG19 is not frozen, and neither is D while G learns. This is what widely copied tutorials do
(PyTorch-GAN, and sgrvinod's on super-resolution). Others waste more (they run G twice) or less (they freeze VGG19).

*srlab* steps use `Trainer`, `PatchSampler` and `gan_step`, as in labs 01, 03 and 04. Both compute the same, with the
update of D before that of G as in the labs. All features are random, because their values do not affect the time.

`ways.py` has the loops around these steps.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

import srlab
from srlab import losses, models
from srlab.models.flow import bicubic
from srlab_course.exercises.flow.flow_loss import flow_loss
from srlab_course.lab.sizes import pick_size

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]
Look = Callable[[torch.Tensor], torch.Tensor]
Modules = dict[str, nn.Module]
Optimizers = dict[str, torch.optim.Optimizer]

SCALE = 4
RATE = 2e-4  # default learning rate of Adam
TINY_RATE = 2e-7  # with random features a GAN soon leaves the range that D accepts; the time of a step is the same


@dataclass(frozen=True)
class Task:
    """Networks, losses and batch shape of a training step.

    Attributes
    ----------
    network, shape
        Class of the generator in `srlab.models`, and its arguments.
    batch, patch
        Patches per step, and their side in HR pixels.
    criterion
        ``"mse"`` or ``"l1"``, for pixels and for features.
    layers
        Layers of the content loss, as for `srlab.FeatureExtractor`; "" to train without content loss and discriminator.
    discriminator, d_features
        Class of the discriminator, and the channels of its first convolution.
    gan
        Adversarial loss, one of `srlab.losses.ADVERSARIAL`.
    weights
        Weights of pixel, content and adversarial loss.
    rate
        Learning rate of Adam, for all networks.
    """

    network: str
    shape: dict[str, int | bool]
    batch: int
    patch: int
    criterion: str
    layers: str = ""
    discriminator: str = ""
    d_features: int = 64
    gan: str = "vanilla"
    weights: tuple[float, float, float] = (1.0, 0.0, 0.0)
    rate: float = RATE

    @property
    def relativistic(self) -> bool:
        """Return whether the loss of G needs the logits of HR."""
        return losses.ADVERSARIAL[self.gan].relativistic


PAPER, RRDB = pick_size("paper"), pick_size("paper", "RRDBNet")
SRRESNET = Task("SRResNet", PAPER, batch=16, patch=96, criterion="mse")
RRDBNET = Task("RRDBNet", RRDB, batch=4, patch=96, criterion="l1")
GAN = {"rate": TINY_RATE, "layers": "vgg19 relu5_4", "discriminator": "SRGANDiscriminator"}
SRGAN = replace(SRRESNET, **GAN, weights=(0.0, 0.00615, 1e-3))
GAN |= {"layers": "vgg19 conv5_4", "discriminator": "VGGDiscriminator", "gan": "ragan"}
ESRGAN = replace(RRDBNET, patch=128, **GAN, weights=(0.01, 1.0, 5e-3))
TASKS = {
    "srresnet": SRRESNET,
    "srgan": SRGAN,
    "rrdbnet": RRDBNET,
    "esrgan": ESRGAN,
    "laptop": Task("MSRResNet", pick_size("laptop"), 8, 96, "mse"),  # what lab 01 trains on a CPU
}
FLOW = Task("FlowNet", pick_size("paper", "FlowNet"), 64, 96, "mse")  # lab 06 on a GPU


def resized(task: Task, batch: int = 0, patch: int = 0, num_blocks: int = 0, num_features: int = 0) -> Task:
    """Return a task in another size; 0 keeps a value. `num_features` are the channels of G, and the first ones of D."""
    shape = task.shape | {name: n for name, n in (("num_blocks", num_blocks), ("num_features", num_features)) if n}
    width = num_features or task.d_features
    return replace(task, batch=batch or task.batch, patch=patch or task.patch, shape=shape, d_features=width)


def build(task: Task, seed: int = 0) -> Modules:
    """Return the networks of a task, named as in `srlab.Trainer.prepare`, with the same weights for the same seed."""
    torch.manual_seed(seed)
    networks = {"generator": getattr(models, task.network)(**task.shape, scale=SCALE)}
    if task.layers:
        networks["discriminator"] = getattr(models, task.discriminator)(task.d_features, task.patch)
        networks["features"] = srlab.FeatureExtractor(task.layers, "random")
        if task.network == "RRDBNet":  # untrained, its output is outside the range that D accepts
            for last in list(networks["generator"].parameters())[-2:]:
                last.data.mul_(0.1)
    return networks


class ShuffleFirst(nn.Conv2d):
    """Pixel shuffle followed by a convolution of the large image, in the order of the paper."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, C * 4, h, w)`` to ``(N, out, 2h, 2w)``."""
        return super().forward(F.pixel_shuffle(x, 2))


def layer_by_layer(network: models.SRResNet) -> models.SRResNet:
    """Return the same SRResNet, with the layers of the paper and the same weights."""
    plain, own = copy.deepcopy(network), network.tail
    plain.tail = ShuffleFirst(own.in_channels, own.out_channels, own.kernel_size, padding=own.padding)
    plain.tail.load_state_dict(own.state_dict())
    return plain


def optimizers_of(networks: Modules, rate: float, **options: bool) -> Optimizers:
    """Return Adam for G, and for D if there is one."""
    learning = {name: networks[name] for name in ("generator", "discriminator") if name in networks}
    return {
        f"{name[0]}_optimizer": torch.optim.Adam(net.parameters(), rate, **options) for name, net in learning.items()
    }


def plain_step(task: Task, networks: Modules, optimizers: Optimizers) -> Step:
    """Return a training step as in tutorials: ``step(lr, hr)`` updates the networks and returns the losses."""
    generator, discriminator, features = (networks.get(n) for n in ("generator", "discriminator", "features"))
    criterion = losses.PIXEL_LOSSES[task.criterion]

    def update(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def pixel_step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = criterion(generator(lr), hr)
        update(loss, optimizers["g_optimizer"])
        return {"loss": loss}

    def gan_step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        sr = generator(lr)
        d_loss = losses.discriminator_loss(discriminator(hr), discriminator(sr.detach()), task.gan)
        update(d_loss, optimizers["d_optimizer"])
        found, wanted = features(sr), features(hr)
        content = sum(criterion(found[layer], wanted[layer].detach()) for layer in found)
        loss = loss_of_g(task, sr, hr, content, discriminator)
        update(loss, optimizers["g_optimizer"])
        return {"loss": loss, "d_loss": d_loss}

    return gan_step if task.layers else pixel_step


def labs_step(task: Task, trainer: srlab.Trainer) -> Step:
    """Return the same step as in the labs, with the networks that the trainer prepared."""
    generator, discriminator, features = (trainer.prepared.get(n) for n in ("generator", "discriminator", "features"))
    g_optimizer = trainer.prepared["g_optimizer"]
    players = generator, discriminator, g_optimizer, trainer.prepared.get("d_optimizer")
    criterion = losses.PIXEL_LOSSES[task.criterion]

    def pixel_step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = criterion(generator(lr), hr)
        trainer.update(loss, g_optimizer)
        return {"loss": loss}

    def flow_step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = flow_loss(lambda x, t: generator(lr, x, t), hr - bicubic(lr, SCALE))
        trainer.update(loss, g_optimizer)
        return {"loss": loss}

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, look: Look) -> torch.Tensor:
        return loss_of_g(task, sr, hr, losses.content_loss(features, sr, hr, criterion), look)

    def gan_step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        d_loss = partial(losses.discriminator_loss, kind=task.gan)
        log = srlab.gan_step(*players, lr, hr, d_loss, g_loss, trainer.update)
        return {"loss": log.pop("g_loss")} | log

    if task.network == "FlowNet":
        return flow_step
    return gan_step if task.layers else pixel_step


def loss_of_g(task: Task, sr: torch.Tensor, hr: torch.Tensor, content: torch.Tensor, look: Look) -> torch.Tensor:
    """Return the weighted sum of pixel, content and adversarial loss; ``look`` returns the logits of D."""
    fake = look(sr)
    real = look(hr).detach() if task.relativistic else fake  # the other losses do not read it
    adversary = losses.generator_loss(real, fake, task.gan)
    parts = losses.PIXEL_LOSSES[task.criterion](sr, hr), content, adversary
    return losses.hybrid(*zip(task.weights, parts, strict=True))
