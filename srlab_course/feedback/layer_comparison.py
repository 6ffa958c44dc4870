"""Compare two networks side by side, layer by layer in the order in which they run."""

import copy
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from math import inf
from typing import NamedTuple

import pandas as pd
import torch
from torch import nn

TOLERANCE = 1e-5  # largest difference of two outputs that counts as rounding, relative to values above 1


class Layer(NamedTuple):
    """A layer that ran: its name in the network, its settings, its own parameters, and a copy of its output."""

    name: str = ""
    settings: str = "none"
    parameters: Sequence[torch.Tensor] = ()
    output: torch.Tensor = torch.tensor(inf)


def compare_layers(mine: nn.Module, reference: nn.Module, lr: torch.Tensor) -> pd.DataFrame:
    """Run two networks, print the first layer whose outputs differ, and return all layers side by side.

    Only layers (modules without children) are seen, and no functions between them. If a layer is missing in one of the
    networks, the rows from there on don't match, so the first of them differs.

    Parameters
    ----------
    mine, reference
        Networks. Copies of them run in eval mode.
    lr
        ``(1, 3, h, w)`` in [0, 1]. A small image is enough, since copies of all outputs are kept.

    Returns
    -------
    pandas.DataFrame
        One row per layer in the order of execution, and one for the whole network: name, kinds, shapes of parameters
        and output, and by how much these differ (``inf`` if the shapes do). The first different row is marked.
    """
    pairs = list(zip_longest(_run(mine, lr), _run(reference, lr), fillvalue=Layer()))
    first = next((row for row, pair in enumerate(pairs, 1) if not _agree(*pair)), None)
    if first is None:
        print("No row differs.")
    else:
        yours, theirs = (f"{layer.name} {layer.settings}".strip() for layer in pairs[first - 1])
        print(f"The first difference is in row {first}:\n  yours      {yours}\n  reference  {theirs}")
    table = pd.DataFrame([_row(*pair) for pair in pairs], index=range(1, len(pairs) + 1))
    table["first difference"] = ["<- here" if row == first else "" for row in table.index]
    return table


def _run(network: nn.Module, lr: torch.Tensor) -> list[Layer]:
    """Return the layers in the order in which they ran, and the network as the last one."""
    layers: list[Layer] = []
    network = copy.deepcopy(network).eval()  # a copy, so that no hooks stay on the network
    for name, module in network.named_modules():
        if module is network or not list(module.children()):

            def note(module: nn.Module, _: tuple, output: torch.Tensor, name: str = name) -> None:
                settings = "whole network" if module is network else repr(module)
                layers.append(Layer(name, settings, list(module.parameters(recurse=False)), output.clone()))

            module.register_forward_hook(note)
    with torch.no_grad():
        network(lr)
    return layers


def _row(mine: Layer, theirs: Layer) -> dict[str, str]:
    """Return a row of the table, with both values where the layers differ."""
    return {
        "name": mine.name,
        "yours": mine.settings.partition("(")[0],
        "reference": theirs.settings.partition("(")[0],
        "parameters": _either(", ".join(map(_size, layer.parameters)) for layer in (mine, theirs)),
        "differ by": ", ".join(f"{_gap(a, b):.2g}" for a, b in zip(mine.parameters, theirs.parameters, strict=False)),
        "output": _either(_size(layer.output) for layer in (mine, theirs)),
        "differs by": f"{_gap(mine.output, theirs.output):.2g}",
    }


def _agree(mine: Layer, theirs: Layer) -> bool:
    gap = _gap(mine.output, theirs.output)  # NaN agrees with nothing
    return gap < inf and gap <= TOLERANCE * max(1.0, theirs.output.abs().max().item())


def _gap(mine: torch.Tensor, theirs: torch.Tensor) -> float:
    return (mine - theirs).abs().max().item() if mine.shape == theirs.shape else inf


def _size(value: torch.Tensor) -> str:
    return "×".join(map(str, value.shape))


def _either(texts: Iterable[str]) -> str:
    return ", not ".join(dict.fromkeys(filter(None, texts)))
