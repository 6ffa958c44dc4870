"""Lab 06: the whole network of a flow, from LR, noisy detail and time to the velocity."""

from functools import partial
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import models
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.blocks import in_a_list, variant
from srlab.course.exercises.flow.flow_block import FlowBlock
from srlab.course.exercises.flow.waves import waves
from srlab.course.exercises.networks import build


class FlowNet(nn.Module):
    """Velocity of a flow for x4 super-resolution, `srlab.models.FlowNet` without its sampler.

    Parameters
    ----------
    num_blocks, num_features
        Size of the network.
    """

    def __init__(self, num_blocks: int, num_features: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.head = nn.Conv2d(48 + 3, num_features, 3, padding=1)
        self.blocks = nn.ModuleList(FlowBlock(num_features) for _ in range(num_blocks))
        self.tail = nn.Conv2d(num_features, 48, 3, padding=1)

    def inputs(self, lr: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Join detail ``(N, 3, 4h, 4w)``, unshuffled, and LR ``(N, 3, h, w)``, spread over [-2, 2], on the LR grid."""
        return torch.cat([F.pixel_unshuffle(x, 4), 4 * (lr - 0.5)], dim=1)

    def forward(self, lr: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Map LR ``(N, 3, h, w)``, detail ``(N, 3, 4h, 4w)`` and times ``(N,)`` to the velocity of the detail."""
        time = self.embed(waves(t))
        features = self.head(self.inputs(lr, x))
        for block in self.blocks:
            features = block(features, time)
        change = F.pixel_shuffle(self.tail(F.silu(self.blocks[-1].norm(features))), 4)
        t = t.view(-1, 1, 1, 1)
        clean = t**4 * x + change
        return (clean - x) / (1 - t).clamp(min=0.05)


NO_INPUTS = "Your class needs a second method, inputs, so that the check can first look at what goes into head."


def _observe(answer: Answer, lr: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> dict[str, Any]:
    network = build(answer, 2, 5)
    sizes, before = _sizes(network), [lr.clone(), x.clone(), t.clone()]
    failed = None
    try:
        output = filled(network(lr, x, t))
    except RuntimeError as error:
        failed = error
    if sizes != _sizes(FlowNet(2, 5)):
        return {"the layers": str(sizes)}
    if not callable(getattr(network, "inputs", None)):
        raise IncorrectAnswer(NO_INPUTS)
    found: dict[str, Any] = {"the layers": str(sizes), "separate weights": _count(network) == len(sizes)}
    if not all(map(torch.equal, before, [lr, x, t])):
        return found | {"the inputs are unchanged": False}
    found |= {"the inputs are unchanged": True, "the result of inputs": filled(network.inputs(lr, x))}
    if failed:
        if found["the result of inputs"].shape == (len(lr), 51, *lr.shape[2:]):
            raise failed
        return found
    found["the output shape"] = str(tuple(output.shape))
    weights = dict(network.named_parameters())
    for place, name in enumerate(sorted(weights)):
        weights[name].data = sample(*weights[name].shape, low=-0.3, high=0.3, seed=place)
    kept = network.tail.weight.data.clone(), network.tail.bias.data.clone()
    network.tail.weight.data.zero_()
    network.tail.bias.data.zero_()
    found["the velocity while the last layer returns zero"] = network(lr, x, t)
    network.tail.weight.data, network.tail.bias.data = kept
    output = network(lr, x, t)
    output.square().sum().backward()
    idle = [name for name, weight in weights.items() if weight.grad is None or not weight.grad.abs().max() > 0]
    return found | {"weights without an effect": ", ".join(idle), "the velocity": output.detach()}


def _sizes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by its name, in the order of the names."""
    return {name: tuple(value.shape) for name, value in sorted(network.state_dict().items())}


def _count(network: nn.Module) -> int:
    return len({id(value) for value in network.parameters()})


_net = partial(variant, FlowNet)


def _clean(x: torch.Tensor, change: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return t**4 * x + change


def _forward(
    embed: Answer = lambda net, t: net.embed(waves(t)),
    head: Answer = lambda net, lr, x: net.head(net.inputs(lr, x)),
    run: Answer = lambda block, features, time: block(features, time),
    tail: Answer = lambda net, features: net.tail(F.silu(net.blocks[0].norm(features))),
    clean: Answer = _clean,
    velocity: Answer = lambda clean, x, t: (clean - x) / (1 - t).clamp(min=0.05),
    spread: Answer = lambda t: t.view(-1, 1, 1, 1),
    shuffle: Answer = lambda maps: F.pixel_shuffle(maps, 4),
    blocks: Answer = lambda net: net.blocks,
) -> Answer:
    """Return a forward method with some parts replaced."""

    def forward(net: Any, lr: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        time, features = embed(net, t), head(net, lr, x)
        for block in blocks(net):
            features = run(block, features, time)
        change, t = shuffle(tail(net, features)), spread(t)
        return velocity(clean(x, change, t), x, t)

    return forward


class _WithInputs(models.FlowNet):
    inputs = FlowNet.inputs


def _inputs(inputs: Answer) -> Answer:
    """Return a network with other inputs."""
    return _net(inputs=lambda blocks, features: inputs)


def _joined(
    small: Answer = lambda x: F.pixel_unshuffle(x, 4),
    scaled: Answer = lambda lr: 4 * (lr - 0.5),
    join: Answer = lambda small, lr: torch.cat([small, lr], dim=1),
) -> Answer:
    """Return a network whose inputs are made or joined differently."""
    return _inputs(lambda lr, x: join(small(x), scaled(lr)))


def _places_first(x: torch.Tensor) -> torch.Tensor:
    """Unshuffle with the three colors of one place side by side."""
    return F.pixel_unshuffle(x, 4).unflatten(1, (3, 16)).transpose(1, 2).flatten(1, 2)


def _in_rows(x: torch.Tensor) -> torch.Tensor:
    """Reshape without regard to blocks."""
    return x.reshape(len(x), 48, x.shape[2] // 4, x.shape[3] // 4)


def _one_block(num_blocks: int, num_features: int) -> nn.ModuleList:
    return nn.ModuleList([FlowBlock(num_features)] * num_blocks)


EXERCISE = Exercise(
    FlowNet,
    level="hard",
    points=5,
    cases={
        "two images on their way": (
            sample(2, 3, 5, 3),
            sample(2, 3, 20, 12, low=-2, high=2, seed=1),
            torch.tensor([0.0, 0.7]),
        ),
        "eight images, each with its own time": (
            sample(8, 3, 2, 2, seed=2),
            sample(8, 3, 8, 8, low=-2, high=2, seed=3),
            torch.linspace(0.1, 0.9, 8),
        ),
        "close to the end": (
            sample(3, 3, 3, 4, seed=4),
            sample(3, 3, 12, 16, low=-2, high=2, seed=5),
            torch.tensor([0.94, 0.98, 1.0]),
        ),
    },
    observe=_observe,
    known_mistakes={
        NO_INPUTS: _net(
            _forward(head=lambda net, lr, x: net.head(FlowNet.inputs(net, lr, x))), inputs=lambda blocks, features: None
        ),
        "Your inputs are as large as HR. Convolutions there cost 16 times as much. How can a block of 4 x 4 pixels "
        "of x become channels of one LR pixel?": [
            _inputs(lambda lr, x: torch.cat([x, F.interpolate(4 * (lr - 0.5), scale_factor=4)], dim=1)),
            _inputs(lambda lr, x: torch.cat([x, F.interpolate(4 * (lr - 0.5), scale_factor=4, mode="bicubic")], dim=1)),
            _inputs(lambda lr, x: torch.cat([x, F.interpolate(lr, scale_factor=4)], dim=1)),
        ],
        "You downscaled x, so most of its numbers are gone. The network must see all 48 of a block.": [
            _joined(small=lambda x: F.interpolate(x, scale_factor=0.25)),
            _joined(small=lambda x: F.avg_pool2d(x, 4)),
        ],
        "You joined images of different sizes. Bring x to the size of LR first.": _inputs(
            lambda lr, x: torch.cat([x, 4 * (lr - 0.5)], dim=1)
        ),
        "You unshuffled both. LR is on the small grid already.": _inputs(
            lambda lr, x: torch.cat([F.pixel_unshuffle(x, 4), F.pixel_unshuffle(lr, 4)], dim=1)
        ),
        "LR comes first in your result. The weights of a trained network expect the 48 channels of x before it.": [
            _joined(join=lambda small, lr: torch.cat([lr, small], dim=1)),
        ],
        "Your LR is as it was, between 0 and 1. Center it and spread it to [-2, 2].": _joined(scaled=lambda lr: lr),
        "Your LR is centered, but small next to the noise, whose values reach 2 and more. Multiply it.": [
            _joined(scaled=lambda lr: lr - 0.5),
            _joined(scaled=lambda lr: 2 * lr - 1),
        ],
        "Your LR isn't centered: 0.5, a medium gray, should become 0.": [
            _joined(scaled=lambda lr: 4 * lr),
            _joined(scaled=lambda lr: 4 * lr - 0.5),
        ],
        "You normalized LR by its own mean or deviation. Then the network can't tell a bright image from a dark one. "
        "Use the same numbers for all images.": [
            _joined(scaled=lambda lr: lr - lr.mean()),
            _joined(scaled=lambda lr: (lr - lr.mean()) / lr.std()),
        ],
        "Your 48 channels are the right numbers in another order. F.pixel_unshuffle has the order that the trained "
        "weights expect.": _joined(small=_places_first),
        "A reshape cuts the image into strips, so a channel's numbers come from all over. F.pixel_unshuffle keeps each "
        "block at its place.": _joined(small=_in_rows),
        "You shuffled. That turns channels into pixels, the other way around.": (
            _joined(small=lambda x: F.pixel_shuffle(x, 4))
        ),
        "You return the clean detail. The velocity is the way from x to it, divided by the time that is left.": [
            _net(_forward(velocity=lambda clean, x, t: clean)),
        ],
        "You return the way from x to the clean detail. How much time is left for it?": [
            _net(_forward(velocity=lambda clean, x, t: clean - x)),
        ],
        "Your velocity points away from the clean detail. Where does x have to go?": [
            _net(_forward(velocity=lambda clean, x, t: (x - clean) / (1 - t).clamp(min=0.05))),
        ],
        "You divide by t, the time that has passed, instead of the time that is left.": [
            _net(_forward(velocity=lambda clean, x, t: (clean - x) / t.clamp(min=0.05))),
            _net(_forward(velocity=lambda clean, x, t: (clean - x) / t)),
        ],
        "At t = 1 no time is left, but you divide by it. Divide by at least 0.05.": [
            _net(_forward(velocity=lambda clean, x, t: (clean - x) / (1 - t))),
            _net(_forward(velocity=lambda clean, x, t: (clean - x) / (1 - t).clamp(min=1e-5))),
            _net(_forward(velocity=lambda clean, x, t: (clean - x) / (1 - t + 0.05))),
        ],
        "You clamp from above, so nearly all times divide by 0.05. The time left is at *least* 0.05.": [
            _net(_forward(velocity=lambda clean, x, t: (clean - x) / (1 - t).clamp(max=0.05))),
        ],
        "You clamp t itself, before its fourth power. Clamp only the time left, in the division.": [
            _net(_forward(spread=lambda t: t.view(-1, 1, 1, 1).clamp(max=0.95))),
        ],
        "x is missing in your clean detail: while the last layer returns zero, so does it. Which part of x may it keep "
        "at time t?": [_net(_forward(clean=lambda x, change, t: change))],
        "You keep all of x at every time, so at t = 0 your clean detail begins with noise. Multiply x by t ** 4.": [
            _net(_forward(clean=lambda x, change, t: x + change)),
        ],
        "You multiply x by a power of t other than the fourth. The trained weights expect t ** 4.": [
            _net(_forward(clean=lambda x, change, t, power=power: t**power * x + change)) for power in (1, 2, 3, 16)
        ],
        "Your weight of x is 1 at t = 0, where x is noise, and 0 at the end. It should be the other way around.": [
            _net(_forward(clean=lambda x, change, t: (1 - t) ** 4 * x + change)),
        ],
        "You add t ** 4 * x to the velocity. It belongs to the clean detail, before x is subtracted.": [
            _net(
                _forward(
                    clean=lambda x, change, t: change,
                    velocity=lambda clean, x, t: (clean - x) / (1 - t).clamp(min=0.05) + t**4 * x,
                )
            ),
        ],
        "The last layer already returns your velocity. It should return the change of the clean detail, from which the "
        "velocity follows.": [
            _net(_forward(clean=lambda x, change, t: change, velocity=lambda clean, x, t: clean)),
        ],
        "t doesn't line up with the images: each has its own time. Reshape t to (N, 1, 1, 1) for products with x.": [
            _net(_forward(spread=lambda t: t)),
            _net(_forward(spread=lambda t: t[:, None])),
            _net(_forward(spread=lambda t: t[0])),
            _net(_forward(spread=lambda t: t.mean())),
        ],
        "The norm before the last layer is missing.": [
            _net(_forward(tail=lambda net, features: net.tail(F.silu(features)))),
        ],
        "The SiLU before the last layer is missing.": [
            _net(_forward(tail=lambda net, features: net.tail(net.blocks[0].norm(features)))),
        ],
        "Norm and SiLU before the last layer are missing.": [
            _net(_forward(tail=lambda net, features: net.tail(features))),
        ],
        "Before the last layer, the norm comes first, and SiLU second.": [
            _net(_forward(tail=lambda net, features: net.tail(net.blocks[0].norm(F.silu(features))))),
        ],
        "The blocks get the waves themselves. What is embed for?": [
            _net(_forward(embed=lambda net, t: waves(t))),
        ],
        "Your embed ends without a SiLU. In the docstring it has two.": [
            _net(
                embed=lambda blocks, features: nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 64)),
                forward=_forward(),
            ),
        ],
        "Your embed has ReLU where the docstring has SiLU.": [
            _net(
                embed=lambda blocks, features: nn.Sequential(
                    nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()
                ),
                forward=_forward(),
            ),
        ],
        "A block already adds its input at the end. You add it once more.": [
            _net(_forward(run=lambda block, features, time: features + block(features, time))),
        ],
        "Not all of the blocks run. Does your loop pass each block's output to the next one?": [
            _net(_forward(blocks=lambda net: net.blocks[:1])),
            _net(_forward(blocks=lambda net: net.blocks[-1:])),
        ],
        "The blocks run in reverse.": [_net(_forward(blocks=lambda net: reversed(net.blocks)))],
        "An activation follows the first convolution. The first block begins with a norm and a SiLU, so none is needed "
        "here.": [
            _net(_forward(head=lambda net, lr, x: F.silu(net.head(net.inputs(lr, x))))),
            _net(_forward(head=lambda net, lr, x: F.relu(net.head(net.inputs(lr, x))))),
        ],
        "You don't use your inputs: LR goes into the first convolution as it is.": [
            _net(_forward(head=lambda net, lr, x: net.head(torch.cat([F.pixel_unshuffle(x, 4), lr], dim=1)))),
        ],
        "All blocks share one set of weights: a list times a number repeats one block. Make a new one each time.": (
            _net(blocks=_one_block, forward=_forward())
        ),
        "Your layers are in a plain Python list (or a dict), where PyTorch doesn't look. Use nn.ModuleList and "
        "attributes with the names in the docstring.": [in_a_list(FlowNet)],
        "The shapes don't fit: the last layer has 48 channels on the LR grid, and x has 3 on a grid four times as "
        "fine. What turns one into the other?": [
            _net(_forward(shuffle=lambda maps: maps)),
            _net(_forward(shuffle=lambda maps: F.pixel_shuffle(maps, 2))),
        ],
    },
    also_accepted=[
        _joined(scaled=lambda lr: 4 * lr - 2),
        _joined(
            small=lambda x: (
                x.unflatten(2, (-1, 4)).unflatten(4, (-1, 4)).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)  # by hand
            )
        ),
        _net(_forward(velocity=lambda clean, x, t: (clean - x) / (1 - t.clamp(max=0.95)))),
        _net(_forward(velocity=lambda clean, x, t: (clean - x) / torch.clamp_min(1 - t, 0.05))),
        _net(_forward(spread=lambda t: t[:, None, None, None])),
        _net(_forward(clean=lambda x, change, t: x * t.pow(4) + change)),
        _WithInputs,
    ],
    fallback_messages={
        "the layers": "Your layers have other names or shapes than in the docstring: {given}.",
        "the result of inputs": "The 48 channels of x come first, in the order of a pixel unshuffle. Then comes LR, "
        "spread over [-2, 2].",
        "separate weights": "Some layers share their weights. Give each its own.",
        "the velocity while the last layer returns zero": "While the last layer returns zero, the clean detail is "
        "t ** 4 * x. Then the velocity is the way from x to it, divided by the time left.",
        "weights without an effect": "These weights don't change the result: {given}.",
        "the velocity": "All layers are there, and the end is right. Compare what happens between with the diagram.",
    },
    tolerance=2e-3,
    reveal=False,
    hints=(
        "Which function of torch.nn.functional undoes lab 01's pixel shuffle? It gives x the size of LR.",
        "Write __init__ from the docstring first, and print the shapes of each step in forward. Leave the velocity for "
        "last.",
        "time = embed(waves(t)); head of inputs; each block; the norm of a block, SiLU, tail, pixel shuffle. That's "
        "the change. With t as (N, 1, 1, 1), the clean detail is t ** 4 * x + change.",
    ),
)
