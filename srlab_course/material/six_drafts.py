"""Six drafts of the compact network for the extra *from_the_paper*: each breaks one line of its description."""

import copy

import torch
from torch import nn

from srlab.models.compact import CompactNet

MISTAKES = {"A": "shuffle", "B": "padding", "C": "activation", "D": "skip", "E": "order", "F": "depth"}


class Shuffle(nn.PixelShuffle):
    """A pixel shuffle that expects the place in the block before the color: channel ``3 * place + color``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 48, h, w)`` to ``(N, 3, 4 * h, 4 * w)``."""
        return super().forward(x.unflatten(1, (-1, 3)).transpose(1, 2).flatten(1, 2))


def load_drafts(network: CompactNet) -> dict[str, CompactNet]:
    """Return six copies of a network, ``"A"`` to ``"F"``, with its weights and a mistake each."""
    drafts = {letter: copy.deepcopy(network) for letter in MISTAKES}
    a, b, c, d, e, f = drafts.values()
    a.upsampler = Shuffle(4)
    b.body[-1].padding_mode = "replicate"
    for place in range(3, len(c.body), 2):
        c.body[place] = c.body[1]
    d.enlarge = nn.Upsample(scale_factor=4, mode="bicubic")
    for conv, activation in zip(e.body[:-1:2], e.body[1::2], strict=True):
        conv.bias.data, activation.weight.data = activation.weight.data, conv.bias.data
    del f.body[-3:-1]
    return drafts


def review(found: dict[str, str]) -> str:
    """Return which mistakes a student found, ``{"A": "skip", ...}``, without naming the others."""
    said = {letter: found.get(letter, "").strip().lower() for letter in MISTAKES}
    right = {letter: "correct" if said[letter] == mistake else "something else" for letter, mistake in MISTAKES.items()}
    return "\n".join(f"{letter}: {right[letter] if said[letter] else 'not attempted'}" for letter in MISTAKES)
