"""Lab 04: ESRGAN's whole generator."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.esrgan.rrdb import RRDB
from srlab.course.exercises.networks import build, calls, reaches, set_weights, strays


class RRDBNet(nn.Module):
    """ESRGAN's generator (Wang et al. 2018, section 3.1), with the names of the published weights.

    Parameters
    ----------
    num_blocks, num_features, growth
        Number of RRDBs, and the sizes of their dense blocks.
    """

    def __init__(self, num_blocks: int = 23, num_features: int = 64, growth: int = 32) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, num_features, 3, padding=1)
        self.body = nn.Sequential(*[RRDB(num_features, growth) for _ in range(num_blocks)])
        self.conv_body = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_up1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_up2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_hr = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_last = nn.Conv2d(num_features, 3, 3, padding=1)

    def trunk(self, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, h, w)`` to features ``(N, num_features, h, w)``."""
        shallow = self.conv_first(lr)
        return shallow + self.conv_body(self.body(shallow))

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, h, w)`` to ``(N, 3, 4 * h, 4 * w)``."""
        x = self.trunk(lr)
        for conv in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))


NO_TRUNK = (
    "Your class needs a second method, trunk, which returns the features before they are upscaled, because a later "
    "section gives your trunk a different ending."
)


def _observe(answer: Answer, lr: torch.Tensor, *sizes: int) -> dict[str, Any]:
    network = build(answer, *sizes)
    lr.requires_grad_()  # so that PyTorch raises if an answer changes it in place
    shape = str(tuple(filled(network(lr)).shape))
    made = calls(network, lr)
    own = [id(call.weights[0]) for call in made]
    missed = strays(network, lr)
    if not callable(getattr(network, "trunk", None)):
        raise IncorrectAnswer(NO_TRUNK)
    set_weights(network, lr)
    features, result = filled(network.trunk(lr)), network(lr)
    in_use = network.eval()(lr)
    used = {id(weights) for call in made for weights in call.weights}
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    order = [names.get(place, "another").partition(".rdb")[0].removesuffix(".weight") for place in own]
    with torch.device("meta"):  # computes nothing
        count = sum(parameter.numel() for parameter in answer().parameters())
    return {
        "the output shape": shape,
        "where the weights are stored": missed,
        "the number of convolutions": len(made),
        "separate weights for each convolution": len(own) == len(set(own)),
        "the number of unused weights": sum(id(parameter) not in used for parameter in network.parameters()),
        "the sizes of the convolutions": ", ".join(
            f"{call.weights[0].shape[1]} to {call.weights[0].shape[0]}" for call in made
        ),
        "the shape of the trunk's features": str(tuple(features.shape)),
        "the trunk's features": features,
        "the output": result,
        "the output in eval mode": in_use,
        "the layers in order of use": ", ".join(dict.fromkeys(order)),
        "the number of weights with a second name": len(network.state_dict()) - len(names),
        "the number of parameters with the defaults": count,
        "all weights get a gradient": reaches(result.sum(), [made[0].weights[0]]),
    }


Maps = Callable[[Any, torch.Tensor], torch.Tensor]  # network and input -> output


def _leaky(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, 0.2)


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _grown(
    network: Any, x: torch.Tensor, act: Callable = _leaky, up: Callable = _doubled, names: str = "12"
) -> torch.Tensor:
    """Upscale features twice, each time with a convolution after it."""
    for name in names:
        x = act(network.get_submodule(f"conv_up{name}")(up(x)))
    return x


def _net(
    trunk: Maps | None = None,
    upscale: Maps = _grown,
    act: Callable = _leaky,
    end: Callable[..., torch.Tensor] = lambda network, sr, lr: sr,
    build: Callable[..., Any] = lambda network, *sizes: None,
    growth: Callable[[int, int], int] = lambda features, growth: growth,
) -> type[nn.Module]:
    """Return a class of networks in which something is different; `build` changes the layers."""

    class Net(RRDBNet):
        def __init__(self, num_blocks: int = 23, num_features: int = 64, depth: int = 32) -> None:
            super().__init__(num_blocks, num_features, growth(num_features, depth))
            build(self, num_blocks, num_features, depth)

        def forward(self, lr: torch.Tensor) -> torch.Tensor:
            x = upscale(self, self.trunk(lr))
            return end(self, self.conv_last(act(self.conv_hr(x))), lr)

    if trunk:
        Net.trunk = trunk
    return Net


def _through(network: Any, x: torch.Tensor) -> torch.Tensor:
    """Map features through all blocks, which may be in a list."""
    for block in network.body:
        x = block(x)
    return x


def _listed(network: Any, num_blocks: int, num_features: int, growth: int) -> None:
    blocks = [RRDB(num_features, growth) for _ in range(num_blocks)]
    del network.body
    network.body = blocks


def _repeated(network: Any, num_blocks: int, *sizes: int) -> None:
    network.body = nn.Sequential(*[RRDB(*sizes)] * num_blocks)


def _module_list(network: Any, num_blocks: int, *sizes: int) -> None:
    network.body = nn.ModuleList(RRDB(*sizes) for _ in range(num_blocks))


def _shuffled(network: Any, _: int, num_features: int, *others: int) -> None:
    network.conv_up1, network.conv_up2 = (nn.Conv2d(num_features, 4 * num_features, 3, padding=1) for _ in range(2))


def _renamed(old: str, new: str) -> Callable[..., None]:
    """Return a function that registers a layer under another name, while the attribute stays."""

    def rename(network: Any, *_: int) -> None:
        layer = network.get_submodule(old)
        delattr(network, old)
        network.add_module(new, layer)
        object.__setattr__(network, old, layer)  # found by the code, and not registered

    return rename


def _twice(network: Any, *_: int) -> None:
    """Store two layers under a second name."""
    network.upscale = nn.Sequential(network.conv_up1, nn.LeakyReLU(0.2), network.conv_up2)


def _new_blocks(network: Any, lr: torch.Tensor) -> torch.Tensor:
    shallow = network.conv_first(lr)
    blocks = [RRDB(shallow.shape[1], network.body[0].rdb1.conv1.out_channels) for _ in network.body]
    return shallow + network.conv_body(nn.Sequential(*blocks)(shallow))


def _trunk_with(change: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]) -> type[nn.Module]:
    """Return a network whose trunk makes something else of the first features and of what the body returns."""

    def trunk(network: Any, lr: torch.Tensor) -> torch.Tensor:
        shallow = network.conv_first(lr)
        return change(network, shallow, network.body(shallow))

    return _net(trunk)


class _OneMethod(nn.Module):
    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.network = RRDBNet(*sizes)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return self.network(lr)


class _AlwaysFull(RRDBNet):
    def __init__(self, num_blocks: int = 23, num_features: int = 64, growth: int = 32) -> None:
        super().__init__(3, num_features, growth)


class _OtherDefaults(RRDBNet):
    def __init__(self, num_blocks: int = 16, num_features: int = 64, growth: int = 32) -> None:
        super().__init__(num_blocks, num_features, growth)


EXERCISE = Exercise(
    RRDBNet,
    level="medium",
    points=5,
    cases={
        "two RRDBs": (sample(1, 3, 5, 6), 2, 6, 4),
        "one RRDB of other sizes": (sample(2, 3, 4, 5, seed=1), 1, 4, 3),
    },
    observe=_observe,
    known_mistakes={
        "You keep the blocks in a plain Python list, where PyTorch doesn't look, so no optimizer would train them and "
        "no weights would be loaded. Which container registers them?": _net(
            lambda network, lr: network.conv_first(lr) + network.conv_body(_through(network, network.conv_first(lr))),
            build=_listed,
        ),
        "You create blocks in trunk, so each call begins with new random weights. Create them once, in __init__.": _net(
            _new_blocks
        ),
        "Your list repeats one RRDB, so all places share its weights. How do you create one for each place?": _net(
            build=_repeated
        ),
        "conv_body isn't used. It comes after the blocks, before the long skip.": _trunk_with(
            lambda network, shallow, deep: shallow + deep
        ),
        "The long skip is missing. What is added to the output of conv_body?": _trunk_with(
            lambda network, shallow, deep: network.conv_body(deep)
        ),
        "Your long skip starts after the blocks. In the drawing, where does it leave?": _trunk_with(
            lambda network, shallow, deep: deep + network.conv_body(deep)
        ),
        "You scale the long skip. The factor 0.2 belongs to the skips inside the RRDBs. This one is a plain sum.": [
            _trunk_with(lambda network, shallow, deep: shallow + 0.2 * network.conv_body(deep)),
            _trunk_with(lambda network, shallow, deep: 0.2 * shallow + network.conv_body(deep)),
        ],
        "Your trunk has an activation outside the dense blocks. Which parts of the drawing contain one?": [
            _net(
                lambda network, lr: (
                    _leaky(network.conv_first(lr)) + network.conv_body(network.body(_leaky(network.conv_first(lr))))
                )
            ),
            _trunk_with(lambda network, shallow, deep: shallow + _leaky(network.conv_body(deep))),
            _trunk_with(lambda network, shallow, deep: _leaky(shallow + network.conv_body(deep))),
            _trunk_with(lambda network, shallow, deep: shallow + network.conv_body(_leaky(deep))),
        ],
        "You join the two ends of the long skip side by side. They have equally many channels, so they can be added.": (
            _net(
                lambda network, lr: torch.cat((network.conv_first(lr), network.conv_body(network.conv_first(lr))), 1),
            )
        ),
        "The convolution comes before the upscaling, so it can't draw anything finer than an LR pixel. Which comes "
        "first in the drawing?": [
            _net(upscale=lambda network, x: _doubled(_leaky(network.conv_up2(_doubled(_leaky(network.conv_up1(x))))))),
            _net(upscale=lambda network, x: _leaky(_doubled(network.conv_up2(_leaky(_doubled(network.conv_up1(x))))))),
        ],
        "Your upscaling blends neighboring pixels. The published weights expect copies: which mode makes them?": [
            _net(
                upscale=lambda network, x, mode=mode: _grown(
                    network, x, up=lambda y: F.interpolate(y, scale_factor=2, mode=mode)
                )
            )
            for mode in ("bilinear", "bicubic")
        ],
        "You upscale by 4 at once, and one of the two convolutions has no use. The drawing upscales twice.": [
            _net(
                upscale=lambda network, x, name=name: _grown(
                    network, x, up=lambda y: F.interpolate(y, scale_factor=4, mode="nearest"), names=name
                )
            )
            for name in "12"
        ],
        "Both upscalings use the same convolution, so the other one has no use.": [
            _net(upscale=lambda network, x: _grown(network, x, names="11")),
            _net(upscale=lambda network, x: _grown(network, x, names="22")),
        ],
        "You use conv_up2 before conv_up1, so the published weights would be in the wrong places.": _net(
            upscale=lambda network, x: _grown(network, x, names="21")
        ),
        "That's lab 01's upscaling, a pixel shuffle with four times the channels. ESRGAN upscales first, with nearest "
        "neighbor, and its convolutions keep the number of channels.": _net(
            upscale=lambda network, x: _grown(network, x, lambda y: _leaky(F.pixel_shuffle(y, 2)), lambda y: y),
            build=_shuffled,
        ),
        "The leaky ReLU after a convolution of the upscaling is missing.": _net(
            upscale=lambda network, x: _grown(network, x, act=lambda y: y)
        ),
        "The leaky ReLU between conv_hr and conv_last is missing. Two convolutions in a row are only one, a wider "
        "one.": _net(act=lambda x: x),
        "Your activation isn't a leaky ReLU with slope 0.2.": [
            _net(upscale=lambda network, x, act=act: _grown(network, x, act=act), act=act)
            for act in (F.relu, F.leaky_relu, nn.LeakyReLU(0.1), F.gelu, F.silu)
        ],
        "An activation or a limit follows conv_last. The output is an image, and training needs its values as they "
        "are.": [
            _net(end=lambda network, sr, lr: _leaky(sr)),
            _net(end=lambda network, sr, lr: sr.clamp(0, 1)),
            _net(end=lambda network, sr, lr: sr if network.training else sr.clamp(0, 1)),
            _net(end=lambda network, sr, lr: sr.sigmoid()),
            _net(end=lambda network, sr, lr: sr.tanh()),
        ],
        "You add the upscaled LR image, as lab 01's network does. ESRGAN's network draws the whole image itself.": [
            _net(end=lambda network, sr, lr, mode=mode: sr + F.interpolate(lr, scale_factor=4, mode=mode))
            for mode in ("bilinear", "bicubic", "nearest")
        ],
        "Your RRDBs don't get `growth`, so they have another size than asked for.": [
            _net(growth=lambda features, growth: features),
            _net(growth=lambda features, growth: 32),
        ],
        NO_TRUNK: _OneMethod,
        "The number of your blocks doesn't depend on num_blocks.": _AlwaysFull,
        "The sizes of your published network differ. What are the defaults of num_blocks, num_features and growth?": (
            _OtherDefaults
        ),
        "The weights that you'll load have the names of the table. Yours differ, so load_state_dict would reject "
        "them.": [
            _net(build=_renamed("conv_first", "head")),
            _net(build=_renamed("conv_body", "conv_trunk")),
            _net(build=_renamed("conv_up1", "upconv1")),
            _net(build=_renamed("body", "blocks")),
        ],
        "Some of your layers are stored under two names, so load_state_dict would miss weights for the second. Where "
        "else do you assign a layer to self, for example inside of an nn.Sequential?": _net(build=_twice),
        "The values are correct, but the weights get no gradient. Is there a detach or no_grad?": _net(
            lambda network, lr: RRDBNet.trunk(network, lr).detach()
        ),
    },
    also_accepted=[
        _net(),
        _net(
            lambda network, lr: (shallow := network.conv_first(lr)) + network.conv_body(_through(network, shallow)),
            build=_module_list,
        ),
        _net(upscale=lambda network, x: _grown(network, x, up=nn.Upsample(scale_factor=2))),
        _net(
            upscale=lambda network, x: _grown(
                network, x, up=lambda y: y.repeat_interleave(2, 2).repeat_interleave(2, 3)
            )
        ),
    ],
    fallback_messages={
        "the number of convolutions": "Each RRDB has 15 convolutions, and there are 6 others. Here {given} run.",
        "the sizes of the convolutions": "The channels of your convolutions, in order of use, are {given}. Compare "
        "them with the table.",
        "the shape of the trunk's features": "trunk should return features in the size of LR, but their shape is "
        "{given}.",
        "the trunk's features": "trunk doesn't return the sum of the first features and the output of conv_body. "
        "Follow the drawing up to the long skip's end.",
        "the output": "The trunk is right. After it, follow the drawing: upscale, convolve, activate, twice; then "
        "conv_hr, an activation and conv_last.",
        "the layers in order of use": "In order of use, the layers should be called as in the table, but yours are "
        "{given}.",
    },
    reveal=False,
    hints=(
        "Build the layers of the table in __init__. In trunk, pass the features of conv_first through the blocks and "
        "conv_body, and add both ends of the long skip.",
        "In forward, upscale the trunk's features with F.interpolate before each of the two convolutions. The only "
        "activations are leaky ReLUs, after both of them and after conv_hr.",
    ),
)
