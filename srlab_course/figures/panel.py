"""An instrument panel: the layers of a network, measured around a training step."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import nn

from srlab_course.figures.plots import show

TITLES = {"ratio": "update / weight, log10", "dead": "share of dead features", "std": "std of the layer's output"}
USUAL = (-3, -1)  # log10 of common update ratios: a thousandth late in long training runs, up to a tenth early
CAPTION = "Panel, from the first layer (dark) to the last (light); gray: steps of a thousandth to a tenth."


class Panel:
    """Measure each convolution and linear layer of a network around a training step.

    ``rows`` has one entry per measurement, layer -> ``ratio``, ``dead`` and ``std``. ``ratio`` is log10 of the size of
    the change of the weights, relative to the size of the weights. ``dead`` is the share of features that no gradient
    passes through in the whole batch, such as those in front of a ReLU that is always zero. ``std`` is the standard
    deviation of the layer's output.

    Examples
    --------
    >>> panel = Panel(generator)
    >>> loss = panel.measure(lambda: train_step(generator, optimizer, lr, hr))
    >>> panel.draw()
    """

    def __init__(self, network: nn.Module) -> None:
        kinds = (nn.Conv2d, nn.Linear)
        self.layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, kinds)}
        self.rows: list[dict[str, dict[str, float]]] = []

    def measure(self, step: Callable[[], Any]) -> Any:
        """Run a training step, append a row of measurements, and return what the step returns."""
        before = {name: layer.weight.detach().clone() for name, layer in self.layers.items()}
        row = {name: {"ratio": 0.0, "dead": 1.0, "std": 0.0} for name in self.layers}
        hooks = [layer.register_forward_hook(_note_in(row[name])) for name, layer in self.layers.items()]
        try:
            result = step()
        finally:
            for hook in hooks:
                hook.remove()
        for name, layer in self.layers.items():
            ratio = (layer.weight.detach() - before[name]).norm() / before[name].norm().clamp(min=1e-9)
            row[name]["ratio"] = math.log10(max(ratio.item(), 1e-9))  # a weight that stays has no logarithm
        self.rows.append(row)
        return result

    def draw(self, axes: Sequence[Axes] = (), every: int = 1) -> None:
        """Draw each measurement over the steps, `every` steps apart, on three axes or in a new figure."""
        places = axes if len(axes) else plt.subplots(1, 3, figsize=(14, 3), layout="constrained")[1]
        colors = plt.get_cmap("viridis")(torch.linspace(0, 0.9, len(self.layers)).numpy())
        for axis, (key, title) in zip(places, TITLES.items(), strict=True):
            for name, color in zip(self.layers, colors, strict=True):
                values = [row[name][key] for row in self.rows]
                steps = range(0, every * len(values), every)
                axis.plot(steps, values, label=name, color=color, linestyle="-", marker=".")
            axis.set(title=title, xlabel="training step")
        ends = places[0].get_lines()[:: max(1, len(self.layers) - 1)]
        places[0].legend(handles=ends, loc="lower left", fontsize="small")
        places[0].axhspan(*USUAL, color="black", alpha=0.1)
        places[0].set_ylim(-6, 1)
        places[1].set_ylim(-0.05, 1.05)
        if not len(axes):
            show(places[0].figure, CAPTION)


def _note_in(measured: dict[str, float]) -> Callable[..., None]:
    """Return a forward hook that notes the spread of a layer's output, and which features get a gradient."""

    def note(layer: nn.Module, inputs: Any, out: torch.Tensor) -> None:
        measured["std"] = out.std().item()
        if out.requires_grad:
            others = [axis for axis in range(out.ndim) if axis != 1]
            out.register_hook(lambda grad: measured.update(dead=(grad.abs().amax(others) == 0).float().mean().item()))

    return note
