"""Watches a GAN while it trains: what D says, how large the gradients are, and the picture."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch

from srlab.training.symptoms import HEALTHY, History, verdict
from srlab.view.plots import COLORS, Monitor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from srlab.training.trainer import Trainer

__all__ = ["GanMonitor", "draw_judgements", "draw_logged", "patch_logits", "ranked_share", "verdict"]


class GanMonitor(Monitor):
    """Draws a GAN's run while it trains, as `srlab.view.plots.Monitor` does for a generator alone.

    The `step` of the training must give ``d_real`` and ``d_fake`` (what D says of HR and SR: means over the
    patches, 0 to 1), ``d_loss`` and ``g_loss``, and ``d_norm`` and ``g_norm`` (norms of the gradients).
    """

    ALT = "Judgements of D, losses, gradient norms, validation PSNR, and the current SR crop beside HR."

    def _draw(self, trainer: "Trainer", sr: torch.Tensor) -> "Figure":
        figure, axes = plt.subplots(2, 3, figsize=(13, 7.2), width_ratios=(1.25, 1.25, 1))
        draw_judgements(axes[0, 0], trainer.history)
        draw_logged(axes[0, 1], trainer.history, {"d_loss": "loss of D", "g_loss": "loss of G"}, "losses")
        names = {"d_norm": "gradient of D", "g_norm": "gradient of G"}
        draw_logged(axes[1, 0], trainer.history, names, "norms of the gradients")
        self._draw_curve(axes[1, 1], trainer)
        self._draw_crops(axes[0, 2], axes[1, 2], trainer, sr)
        figure.tight_layout()
        return figure


def draw_judgements(axis: "Axes", history: History) -> None:
    """Draw what D says of HR and SR over the steps, with the bands in which it has something to teach."""
    for key, label, color in (("d_real", "D(HR)", COLORS["HR"]), ("d_fake", "D(SR)", COLORS["SRGAN"])):
        axis.axhspan(*HEALTHY[label], color=color, alpha=0.08)
        _draw_series(axis, history, key, label, color)
    axis.set(xlabel="training step", ylabel="D(HR), D(SR)", title="what D says; shaded: healthy", ylim=(0, 1.15))
    axis.legend(loc="upper right", ncols=2, frameon=False)


def draw_logged(axis: "Axes", history: History, names: Mapping[str, str], title: str) -> None:
    """Draw logged numbers of D and G over the steps, on a logarithmic scale where none is negative.

    Parameters
    ----------
    axis
        To draw on.
    history
        Lines of the log.
    names
        Key in the log -> label, for D and then for G.
    title
        Of the axes.
    """
    for (key, label), color in zip(names.items(), (COLORS["HR"], COLORS["SRGAN"]), strict=True):
        _draw_series(axis, history, key, label, color)
    positive = all(row[key] > 0 for row in history for key in names if key in row)
    axis.set(xlabel="training step", title=title, yscale="log" if positive else "linear")
    axis.grid(alpha=0.3)
    axis.legend()


def _draw_series(axis: "Axes", history: History, key: str, label: str, color: str) -> None:
    points = [(row["step"], row[key]) for row in history if key in row]
    axis.plot([step for step, _ in points], [value for _, value in points], label=label, color=color, linewidth=2)


def patch_logits(
    discriminator: torch.nn.Module, generator: torch.nn.Module, pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ask D about the HR and the SR patches of some batches.

    Parameters
    ----------
    discriminator, generator
        Are moved to the device of the patches and left in eval mode.
    pairs
        Batches ``(lr, hr)``.

    Returns
    -------
    tuple of torch.Tensor
        Logits of HR and of SR, ``(patches,)`` each. Where D gives several logits a patch, this is their mean.
    """
    device = pairs[0][0].device
    judge, net = discriminator.to(device).eval(), generator.to(device).eval()
    with torch.no_grad():
        real = torch.cat([judge(hr).flatten(1).mean(1) for _, hr in pairs])
        fake = torch.cat([judge(net(lr).clamp(0, 1)).flatten(1).mean(1) for lr, _ in pairs])
    return real, fake


def ranked_share(
    discriminator: torch.nn.Module, generator: torch.nn.Module, pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]
) -> float:
    """Share of all pairs of an HR and an SR patch in which D ranks HR higher; equal logits count half.

    Parameters
    ----------
    discriminator, generator, pairs
        As for `patch_logits`.

    Returns
    -------
    float
        0.5 means that D cannot tell, 1 that it always can.
    """
    real, fake = patch_logits(discriminator, generator, pairs)
    difference = real[:, None] - fake
    return ((difference > 0).float() + (difference == 0).float() / 2).mean().item()
