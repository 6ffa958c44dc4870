"""The slider that Python redraws: a model, a degradation or a mix of two networks under a control."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import ipywidgets
import torch
import traitlets
from torch import nn

from srlab.base.errors import SrlabError
from srlab.base.text import printable
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.resampling import upsample
from srlab.inference.tiling import Upscaler, upscale
from srlab.models import interpolate_networks
from srlab.view import kernel
from srlab.view.slider import SCRIPT, STYLE, compare, decibels, encode, magnify, shown_width

Strength = tuple[str, float, float, float]  # label, lowest, highest, step
MIX = "mix"  # the name of the interpolated network among the models
STILL = 128  # pixels a side of what a page without a kernel shows: every saved copy of the notebook carries it


@dataclass
class LiveScene:
    """What `compare_live` shows, without the widgets: HR crop -> LR -> SR for the current choices.

    Attributes
    ----------
    images
        Name -> HR image ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 1].
    models
        Name -> network or function from LR to SR.
    scale
        HR pixels per LR pixel.
    crop
        Side of the HR crop, a multiple of the scale.
    degradation
        Strength -> how LR is made; None for bicubic.
    mix
        Two networks whose weights are interpolated by the strength.
    seed
        Of a random degradation, the same at every change.
    """

    images: Mapping[str, torch.Tensor]
    models: Mapping[str, Upscaler]
    scale: int = 4
    crop: int = 128
    degradation: Callable[[float], Degradation] | None = None
    mix: tuple[nn.Module, nn.Module] | None = None
    seed: int = 0

    def pictures(
        self, image: str, model: str, place: tuple[float, float], strength: float = 0.0
    ) -> dict[str, torch.Tensor]:
        """Compute LR magnified, bicubic, the model, HR; each ``(3, crop, crop)`` in [0, 1].

        Parameters
        ----------
        image, model
            Their names.
        place
            Where the crop is: 0 at the top and at the left, 1 at the bottom and at the right.
        strength
            Of the degradation, or of the second network in the mix.

        Returns
        -------
        dict
            Label -> picture.

        Raises
        ------
        SrlabError
            The model does not upscale by the scale.
        """
        whole = self.images[image]
        # The crop moves by whole LR pixels, so that bicubic LR stays the same picture, moved.
        top, left = (
            int(share * (side - self.crop) / self.scale) * self.scale
            for share, side in zip(place, whole.shape[-2:], strict=True)
        )
        hr = whole.reshape(1, *whole.shape[-3:])[..., top : top + self.crop, left : left + self.crop]
        degradation = self.degradation(strength) if self.degradation else Degradation()
        lr = degradation(hr, self.scale, torch.Generator().manual_seed(self.seed))
        upscaler = interpolate_networks(*self.mix, strength) if self.mix and model == MIX else self.models[model]
        sr = upscale(upscaler, lr)
        if sr.shape != hr.shape:
            raise SrlabError(
                f"'{model}' gave a picture of shape {tuple(sr.shape)} where HR has {tuple(hr.shape)}; "
                f"it must upscale by {self.scale}."
            )
        pictures = {"LR": lr, "bicubic": upsample(lr, self.scale).clamp(0, 1), model: sr, "HR": hr}
        return {label: magnify(label, picture[0], hr.shape[-2:]) for label, picture in pictures.items()}

    def content(self, image: str, model: str, place: tuple[float, float], strength: float = 0.0) -> dict[str, Any]:
        """The `pictures` as the widget takes them: labels, notes, size and encoded bytes."""
        return _encoded(self.pictures(image, model, place, strength))


def compare_live(
    images: Mapping[str, torch.Tensor] | ImageSet,
    models: Mapping[str, Upscaler] | None = None,
    *,
    scale: int = 4,
    crop: int = 128,
    place: tuple[float, float] = (0.5, 0.5),
    degradation: Callable[[float], Degradation] | None = None,
    mix: tuple[nn.Module, nn.Module] | None = None,
    strength: Strength = ("alpha", 0.0, 1.0, 0.05),
    seed: int = 0,
) -> "LiveComparison":
    """Compare LR, bicubic, SR and HR of a crop while controls change what is computed.

    It needs a running kernel. An exported page, GitHub, and a notebook that is opened again show the opening state with
    a sentence that says so: the middle of it, up to 128 pixels a side. Where a network or a degradation raises later,
    the sentence of the error stands in place of the picture, and its traceback in the log of the kernel. Run again, a
    notebook cell closes what it showed before, and the networks behind it can go.

    Parameters
    ----------
    images
        Name -> HR image ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 1], or a set of them.
    models
        Name -> network or function from LR to SR; may be left out where `mix` is given.
    scale
        HR pixels per LR pixel.
    crop
        Side of the shown part in HR pixels, a multiple of the scale. With 128 the published network (`load_published`)
        answers in .4 s on one core, with 256 in 1.3 s.
    place
        Where it is at first, down and across: from 0 (top, left) to 1. Two sliders move it.
    degradation
        Makes a `Degradation` of the slider's value, such as ``lambda sigma: Degradation(blur=sigma)``; LR is then
        made anew from HR at each change, always with the same seed.
    mix
        Two networks of one architecture: the slider interpolates their weights (`interpolate_networks`).
    strength
        Label, lowest, highest and step of the slider of `mix` or `degradation`.
    seed
        Of a random degradation.

    Returns
    -------
    LiveComparison
        Controls above the slider.

    Raises
    ------
    SrlabError
        No model, both uses at once, a model with the name of another picture, or a crop that does not fit.

    Examples
    --------
    >>> compare_live(datasets.photos("validation"), mix=(psnr_net, gan_net))
    >>> compare_live(photos, {"SRResNet": net}, degradation=lambda s: Degradation(blur=s), strength=("blur", 0, 3, 0.1))
    """
    images = dict(iter(images)) if isinstance(images, ImageSet) else dict(images)
    models = {**({MIX: mix[0]} if mix else {}), **(models or {})}
    if not models:
        raise SrlabError("compare_live needs models, or two networks to mix.")
    if {"LR", "bicubic", "HR"} & set(models):
        raise SrlabError("A model cannot be called LR, bicubic or HR, which are other pictures here; rename it.")
    if mix and degradation:
        raise SrlabError("One slider cannot drive both mix and degradation; show two of them.")
    smallest = min((min(image.shape[-2:]) for image in images.values()), default=0)
    if not 0 < crop <= smallest or crop % scale:
        raise SrlabError(
            f"The crop must be a multiple of the scale {scale} and fit into each image (here up to {smallest} pixels), "
            f"but is {crop}."
        )
    return LiveComparison(LiveScene(images, models, scale, crop, degradation, mix, seed), place, strength)


def _encoded(pictures: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The four pictures as the widget takes them: labels, notes, size and encoded bytes."""
    height, width = pictures["HR"].shape[-2:]
    return {
        "labels": list(pictures),
        "notes": list(_notes(pictures).values()),
        "height": height,
        "width": width,
        "frames": [encode(picture, effort=0) for picture in pictures.values()],
    }


def _notes(pictures: Mapping[str, torch.Tensor]) -> dict[str, str]:
    hr = pictures["HR"]
    return {name: "" if name in ("LR", "HR") else decibels(sr, hr) for name, sr in pictures.items()}


def _still(pictures: Mapping[str, torch.Tensor], scale: int) -> str:
    """The opening state as HTML, or the middle of a large one."""
    side = pictures["HR"].shape[-1]
    first = max(side - STILL, 0) // 2 // scale * scale
    middle = {name: picture[..., first : first + STILL, first : first + STILL] for name, picture in pictures.items()}
    _, left, right, _ = middle
    part = "The middle of the opening state" if side > STILL else "The opening state"
    caption = f"{part}. The controls need a running kernel: run this cell to use them."
    return compare(middle, left, right, _notes(middle), caption).html


class LiveSlider(kernel.Watched):
    """The page's half of a `LiveComparison`."""

    _esm = SCRIPT + kernel.WATCH + files("srlab.view").joinpath("live.js").read_text(encoding="utf-8")
    _css = STYLE + kernel.STYLE
    content = traitlets.Dict().tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)  # what there is to say in place of the pictures
    shown = traitlets.Int().tag(sync=True)


class LiveComparison(kernel.CellBox):
    """What `compare_live` returns: controls above a slider whose pictures follow them.

    Parameters
    ----------
    scene
        Computes the pictures.
    place, strength
        As for `compare_live`.
    """

    def __init__(self, scene: LiveScene, place: tuple[float, float], strength: Strength) -> None:
        label, low, high, step = strength
        # As wide as the description needs beside a slider of some length.
        looks = {"style": {"description_width": "initial"}, "layout": {"width": "auto", "min_width": "340px"}}
        looks_of_place = {"min": 0, "max": 1, "step": 0.01, "readout_format": ".0%"} | looks
        # Slow outputs do not queue: the front end sends one change at a time and drops all but the latest in between.
        image = ipywidgets.Dropdown(options=list(scene.images), description="image")
        model = ipywidgets.Dropdown(options=list(scene.models), description="model")
        value = ipywidgets.FloatSlider(low, min=low, max=high, step=step, description=label, **looks)
        down = ipywidgets.FloatSlider(place[0], description="down", **looks_of_place)
        across = ipywidgets.FloatSlider(place[1], description="across", **looks_of_place)

        def choices() -> tuple[str, str, tuple[float, float], float]:
            return image.value, model.value, (down.value, across.value), value.value

        def follow(_: Any) -> None:
            slider.busy = True
            fresh, problem = slider.content, ""
            try:
                fresh = scene.content(*choices())
            except (Exception, KeyboardInterrupt) as error:  # of anybody's network; the page must not stand still
                problem = _sentence(error)
                slider.log.error("compare_live: %s", problem, exc_info=error)
            with slider.hold_sync():  # one message: no picture without its word
                slider.content, slider.problem, slider.busy = fresh, problem, False

        pictures = scene.pictures(*choices())
        self._opening = _still(pictures, scene.scale)
        slider = LiveSlider(content=_encoded(pictures), shown=shown_width(scene.crop))
        for control in (image, model, value, down, across):
            control.observe(follow, "value")
        boxes = [box for box in (image, model) if len(box.options) > 1]
        driven = [value] if scene.mix or scene.degradation else []
        rows = [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in ([*boxes, *driven], [down, across])]
        super().__init__([*rows, slider], others=(image, model, value))

    def __repr__(self) -> str:  # what is saved beside the widget, and all that a page of text can show
        return "Live comparison: needs a running kernel."

    def still(self) -> str:
        """Return the opening state."""
        return self._opening


def _sentence(error: BaseException) -> str:
    """What is said in place of the pictures."""
    if isinstance(error, SrlabError):
        return f"No picture: {error}"
    said = printable(str(error).strip().partition("\n")[0][:300])
    return f"No picture: {type(error).__name__}{f': {said}' if said else ''}. Move a control to try again."
