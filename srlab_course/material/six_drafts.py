"""Six drafts of the compact network for the extra *from_the_paper*: each breaks one line of its description."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from srlab.models.compact import CompactNet


class BlocksFirst(nn.Module):
    """A pixel shuffle that expects the place in the block before the color: channel ``(row, column, color)``."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def extra_repr(self) -> str:
        """Return the factor, for printing."""
        return f"factor={self.factor}"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, C * factor**2, h, w)`` to ``(N, C, h * factor, w * factor)``."""
        blocks = x.unflatten(1, (self.factor, self.factor, -1))
        return blocks.permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3)


def _skip(network: CompactNet) -> None:
    network.enlarge = nn.Upsample(scale_factor=network.config["scale"], mode="bicubic")


def _activation(network: CompactNet) -> None:
    for place in range(3, len(network.body), 2):
        network.body[place] = network.body[1]


def _shuffle(network: CompactNet) -> None:
    network.upsampler = BlocksFirst(network.config["scale"])


def _padding(network: CompactNet) -> None:
    network.body[-1].padding_mode = "replicate"


def _depth(network: CompactNet) -> None:
    del network.body[-3:-1]


def _order(network: CompactNet) -> None:
    for conv, activation in zip(network.body[:-1:2], network.body[1::2], strict=True):
        conv.bias.data, activation.weight.data = activation.weight.data, conv.bias.data


MISTAKES: dict[str, tuple[str, Callable[[CompactNet], None]]] = {
    "A": ("shuffle", _shuffle),
    "B": ("padding", _padding),
    "C": ("activation", _activation),
    "D": ("skip", _skip),
    "E": ("order", _order),
    "F": ("depth", _depth),
}


def load_drafts(network: CompactNet) -> dict[str, CompactNet]:
    """Return six copies of a network, ``"A"`` to ``"F"``, with its weights and a mistake each."""
    drafts = {letter: copy.deepcopy(network) for letter in MISTAKES}
    for letter, (_, plant) in MISTAKES.items():
        plant(drafts[letter])
    return drafts


def review(found: dict[str, str]) -> str:
    """Return which mistakes a student found, ``{"A": "skip", ...}``, without naming the others."""
    lines = []
    for letter, (mistake, _) in MISTAKES.items():
        said = found.get(letter, "").strip().lower()
        lines.append(f"{letter}: {'not attempted' if not said else 'correct' if said == mistake else 'something else'}")
    return "\n".join(lines)
