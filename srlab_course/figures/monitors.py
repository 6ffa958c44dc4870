"""Monitor a training run: validation curve, current SR crop, and for a GAN the output of D."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import torch
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srlab.data.images import write_image
from srlab.tiling import upscale
from srlab.training.divergence import HEALTHY, History
from srlab.training.trainer import Trainer
from srlab_course.figures.plots import COLORS, OTHER, Box, cut, picture, to_numpy, write_caption


class Monitor:
    """A callback for `Trainer.fit` that draws the validation curve and an SR crop after each validation.

    It redraws one figure in place, and saves the crop to the run's ``samples/``.

    Parameters
    ----------
    lr, hr
        One image, ``(1, 3, h, w)`` and ``(1, 3, H, W)``; only its box is upscaled.
    box
        (top, left, height, width) in HR pixels, multiples of the scale.
    baseline
        Method -> its validation PSNR in dB, drawn as a line.
    """

    ALT = "Validation curve, and the current SR crop next to HR."
    COLOR = COLORS["SRResNet"]  # color of the trained network

    def __init__(self, lr: torch.Tensor, hr: torch.Tensor, box: Box, baseline: Mapping[str, float]) -> None:
        self.lr, self.hr = cut(lr, box, hr.shape[-2]), cut(hr, box)
        self.baseline = baseline
        self._handle: Any = None

    def __call__(self, trainer: Trainer) -> None:
        """Redraw the figure after a validation."""
        sr = upscale(trainer.ema, self.lr)
        write_image(sr, trainer.run.path / "samples" / f"step-{trainer.steps_done:07d}.png")
        figure, (*above, left, right) = self._panels()
        self._draw_curves(trainer.history, *above)
        for axis, label, image in ((left, f"SR at step {trainer.steps_done}", sr), (right, "HR", self.hr)):
            axis.imshow(to_numpy(image), interpolation="nearest")
            axis.set_anchor("N")  # with its top, and so its title, at the height of the curve's
            axis.set_title(label)
            axis.axis("off")
        drawn = picture(figure, self.ALT)
        if self._handle is None:
            self._handle = display(drawn, display_id=True)
            write_caption(self.ALT)
        else:
            self._handle.update(drawn)

    def _panels(self) -> tuple[Figure, list[Axes]]:
        """Return a new figure and its axes: first the curves, then SR and HR."""
        return plt.subplots(1, 3, figsize=(14, 3.8), layout="constrained")

    def _draw_curves(self, history: History, curve: Axes) -> None:
        _draw_series(curve, history, "val_psnr", "network", self.COLOR, marker="o")
        for label, value in self.baseline.items():
            curve.axhline(value, linestyle="--", color=COLORS.get(label, OTHER), label=label)
        curve.set(xlabel="training step", ylabel="PSNR in dB (Y)", title="validation")
        curve.grid(alpha=0.3)
        curve.legend()  # matplotlib places it where it hides no point


class GanMonitor(Monitor):
    """A `Monitor` for a GAN, which also draws the output of D.

    The training step must return ``d_real`` and ``d_fake``: D's mean output for HR and SR, from 0 to 1.
    """

    ALT = "D's output for HR and SR, validation PSNR, and the current SR crop next to HR."
    COLOR = COLORS["SRGAN"]

    def _panels(self) -> tuple[Figure, list[Axes]]:
        figure, axes = plt.subplots(2, 2, figsize=(12, 8.4))
        # Fixed margins, because an automatic layout takes a third of the drawing time.
        figure.subplots_adjust(left=0.06, right=0.99, top=0.95, bottom=0.02, wspace=0.16, hspace=0.24)
        return figure, axes.flat

    def _draw_curves(self, history: History, said: Axes, curve: Axes) -> None:
        """Draw the output of D with the ranges of healthy values, and the validation curve."""
        for key, label, color in (("d_real", "D(HR)", COLORS["HR"]), ("d_fake", "D(SR)", COLORS["SRGAN"])):
            said.axhspan(*HEALTHY[label], color=color, alpha=0.15)
            _draw_series(said, history, key, label, color)
        said.set(xlabel="training step", ylabel="D(HR), D(SR)", title="D output (shaded: healthy)", ylim=(0, 1.15))
        said.legend(loc="upper right", ncols=2, frameon=False)
        super()._draw_curves(history, curve)


def _draw_series(axis: Axes, history: History, key: str, label: str, color: str, marker: str = "") -> None:
    rows = [row for row in history if key in row]
    steps, values = [row["step"] for row in rows], [row[key] for row in rows]
    axis.plot(steps, values, label=label, color=color, linewidth=2, marker=marker)
