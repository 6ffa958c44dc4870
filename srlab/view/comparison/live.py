"""The slider that Python redraws: a model, a degradation or a mix of two networks under a control."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from srlab.base.errors import SrlabError
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.resampling import upsample
from srlab.evaluation.metrics import PAPER, psnr
from srlab.inference.tiling import Upscaler, upscale
from srlab.models import interpolate_networks
from srlab.view.comparison.markup import script, shown_width, style
from srlab.view.comparison.pictures import decibels, encode, magnify

if TYPE_CHECKING:
    import ipywidgets

Strength = tuple[str, float, float, float]  # label, lowest, highest, step
MIX = "mix"  # the name of the interpolated network among the models
SMALLEST_CROP = 16  # HR pixels a side: PSNR is measured after a crop of 4 on each side


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
    last_ms
        Milliseconds that the last `frames` took, encoding included.
    """

    images: Mapping[str, torch.Tensor]
    models: Mapping[str, Upscaler]
    scale: int = 4
    crop: int = 128
    degradation: Callable[[float], Degradation] | None = None
    mix: tuple[nn.Module, nn.Module] | None = None
    seed: int = 0
    last_ms: float = field(default=0.0, init=False)

    def room(self, image: str) -> tuple[int, int]:
        """Largest (top, left) at which the crop still fits."""
        height, width = self.images[image].shape[-2:]
        return height - self.crop, width - self.crop

    def update(self, image: str, model: str, place: tuple[int, int], strength: float = 0.0) -> dict[str, torch.Tensor]:
        """Compute the pictures: LR magnified, bicubic, the model, HR; each ``(3, crop, crop)`` in [0, 1].

        Parameters
        ----------
        image, model
            Their names.
        place
            (top, left) of the crop in HR pixels; moved into the image where it lies outside.
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
        top, left = (min(max(value, 0), most) for value, most in zip(place, self.room(image), strict=True))
        hr = self.images[image].reshape(1, -1, *self.images[image].shape[-2:])
        hr = hr[..., top : top + self.crop, left : left + self.crop]
        degradation = self.degradation(strength) if self.degradation else Degradation()
        lr = degradation(hr, self.scale, torch.Generator().manual_seed(self.seed))
        upscaler = interpolate_networks(*self.mix, strength) if self.mix and model == MIX else self.models[model]
        pictures = {"LR": lr, "bicubic": upsample(lr, self.scale).clamp(0, 1), model: upscale(upscaler, lr), "HR": hr}
        if pictures[model].shape != hr.shape:
            raise SrlabError(
                f"'{model}' gave a picture of shape {tuple(pictures[model].shape)} where HR has {tuple(hr.shape)}; "
                f"it must upscale by {self.scale}."
            )
        return {label: magnify(label, picture[0], hr.shape[-2:]) for label, picture in pictures.items()}

    def frames(self, image: str, model: str, place: tuple[int, int], strength: float = 0.0) -> dict[str, Any]:
        """The pictures of `update` as the widget takes them: labels, notes, size and encoded bytes.

        Parameters
        ----------
        image, model, place, strength
            As for `update`.
        """
        start = time.perf_counter()
        pictures = self.update(image, model, place, strength)
        hr = pictures["HR"]
        notes = {
            label: decibels(float(psnr(p, hr, PAPER))) for label, p in pictures.items() if label not in ("LR", "HR")
        }
        content = {
            "labels": list(pictures),
            "notes": [notes.get(label, "") for label in pictures],
            "height": hr.shape[-2],
            "width": hr.shape[-1],
            "frames": [encode(picture, effort=0) for picture in pictures.values()],
        }
        self.last_ms = 1000 * (time.perf_counter() - start)
        return content


def compare_live(
    images: Mapping[str, torch.Tensor] | ImageSet,
    models: Mapping[str, Upscaler] | None = None,
    *,
    scale: int = 4,
    crop: int = 128,
    place: tuple[int, int] | None = None,
    degradation: Callable[[float], Degradation] | None = None,
    mix: tuple[nn.Module, nn.Module] | None = None,
    strength: Strength | None = None,
    seed: int = 0,
) -> "ipywidgets.VBox":
    """Compare LR, bicubic, SR and HR of a crop while controls change what is computed.

    It needs a running kernel: an exported page or GitHub says only that, so put a `compare` or a
    `contact_sheet` of the same pictures beside it.

    Parameters
    ----------
    images
        Name -> HR image ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 1], or a set of them.
    models
        Name -> network or function from LR to SR; may be left out where `mix` is given.
    scale
        HR pixels per LR pixel.
    crop
        Side of the shown part in HR pixels, a multiple of the scale.
    place
        (top, left) of it at first (default: the middle); two sliders move it.
    degradation
        Makes a `Degradation` of the slider's value, such as ``lambda sigma: Degradation(blur=sigma)``; LR is then
        made anew from HR at each change, always with the same seed.
    mix
        Two networks of one architecture: the slider interpolates their weights (`interpolate_networks`).
    strength
        Label, lowest, highest and step of the slider; ("alpha", 0, 1, 0.05) for `mix`, needed for `degradation`.
    seed
        Of a random degradation.

    Returns
    -------
    ipywidgets.VBox
        Controls above the slider. Its ``scene`` holds the computing part (`LiveScene`), with ``last_ms``.

    Raises
    ------
    SrlabError
        No model, both uses at once, a missing range, or a crop that does not fit.

    Examples
    --------
    >>> compare_live(datasets.photos("validation"), mix=(psnr_net, gan_net))
    >>> compare_live(photos, {"SRResNet": net}, degradation=lambda s: Degradation(blur=s), strength=("blur", 0, 3, 0.1))
    """
    images = dict(iter(images)) if isinstance(images, ImageSet) else dict(images)
    _check(images, models, scale, crop, degradation, mix, strength)
    models = {**({MIX: mix[0]} if mix else {}), **(models or {})}
    scene = LiveScene(images, models, scale, crop, degradation, mix, seed)
    return _build(scene, place, strength or ("alpha", 0.0, 1.0, 0.05))


def _check(
    images: Mapping[str, torch.Tensor],
    models: Mapping[str, Upscaler] | None,
    scale: int,
    crop: int,
    degradation: Callable | None,
    mix: tuple | None,
    strength: Strength | None,
) -> None:
    if not images:
        raise SrlabError("There are no images to compare.")
    if not models and not mix:
        raise SrlabError("compare_live needs models, or two networks to mix.")
    for name in models or ():
        if name in ("LR", "bicubic", "HR") or (mix and name == MIX):
            raise SrlabError(f"A model cannot be called '{name}', which stands for another picture here; rename it.")
    if mix and degradation:
        raise SrlabError("One slider cannot drive both mix and degradation; show two of them.")
    if degradation and strength is None:
        raise SrlabError("Say the range of the degradation, such as strength=('blur', 0, 3, 0.1).")
    if strength is not None and not (len(strength) == 4 and strength[1] < strength[2] and strength[3] > 0):
        raise SrlabError(f"strength is (label, lowest, highest, step), lowest before highest, but is {strength}.")
    if crop < SMALLEST_CROP or crop % scale:
        raise SrlabError(
            f"The crop must be a multiple of the scale {scale} and at least {SMALLEST_CROP}, but is {crop}."
        )
    for name, image in images.items():
        if tuple(image.shape[:-2]) not in ((3,), (1, 3)):
            raise SrlabError(f"'{name}' must be one RGB image (3, H, W), but has the shape {tuple(image.shape)}.")
        if min(image.shape[-2:]) < crop:
            height, width = image.shape[-2:]
            raise SrlabError(f"'{name}' has {width}x{height} pixels, fewer than the crop of {crop}; crop less.")


def _build(scene: LiveScene, place: tuple[int, int] | None, strength: Strength) -> "ipywidgets.VBox":
    import anywidget
    import ipywidgets
    import traitlets

    class LiveSlider(anywidget.AnyWidget):
        _esm = script() + _RENDER
        _css = style()
        content = traitlets.Dict().tag(sync=True)
        shown = traitlets.Int().tag(sync=True)

    class LiveComparison(ipywidgets.VBox):
        def __repr__(self) -> str:  # what is saved beside the widget, and all that a page without it can show
            return "Live comparison: needs a running kernel."

    def most(image: str) -> list[int]:
        # The crop moves by whole LR pixels, so that bicubic LR stays the same picture, moved.
        return [value // scene.scale * scene.scale for value in scene.room(image)]

    label, low, high, step = strength
    rows, columns = most(next(iter(scene.images)))
    top, left = (value // scene.scale * scene.scale for value in place or (rows // 2, columns // 2))
    # As wide as the description needs beside a slider of some length.
    looks = {"style": {"description_width": "initial"}, "layout": {"width": "auto", "min_width": "340px"}}
    # Slow outputs do not queue: the front end sends one change at a time and drops all but the latest in between.
    image = ipywidgets.Dropdown(options=list(scene.images), description="image")
    model = ipywidgets.Dropdown(options=list(scene.models), description="model")
    value = ipywidgets.FloatSlider(low, min=low, max=high, step=step, description=label, **looks)
    down = ipywidgets.IntSlider(min(top, rows), min=0, max=rows, step=scene.scale, description="from top", **looks)
    across = ipywidgets.IntSlider(
        min(left, columns), min=0, max=columns, step=scene.scale, description="from left", **looks
    )
    wanted = {down: top, across: left}  # where the reader wants the crop, also while an image has no such place

    def compute() -> dict[str, Any]:
        return scene.frames(image.value, model.value, (down.value, across.value), value.value)

    slider = LiveSlider(content=compute(), shown=shown_width(scene.crop))

    def refresh(_: Any = None) -> None:
        slider.content = compute()

    def moved(change: Any) -> None:
        wanted[change["owner"]] = change["new"]
        refresh()

    def other_image(_: Any) -> None:
        for control, limit in zip((down, across), most(image.value), strict=True):
            control.unobserve(moved, "value")
            # One after the other: with both in one message the page would send its old value back.
            control.max = limit
            control.value = min(wanted[control], limit)
            control.observe(moved, "value")
        refresh()

    image.observe(other_image, "value")
    for control in (model, value):
        control.observe(refresh, "value")
    for control in wanted:
        control.observe(moved, "value")
    driven = [value] if scene.mix or scene.degradation else []
    choices = [box for box, names in ((image, scene.images), (model, scene.models)) if len(names) > 1]
    wrapped = {"flex_flow": "row wrap"}
    box = LiveComparison(
        [ipywidgets.HBox([*choices, *driven], layout=wrapped), ipywidgets.HBox([down, across], layout=wrapped), slider]
    )
    box.scene = scene
    return box


_RENDER = """
export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "srlab-compare";
    el.append(root);
    const { frames, ...first } = model.get("content");
    const slider = mountSlider(root, {
      ...first, shown: model.get("shown"), images: first.labels.map(() => null), left: 1, right: 2,
    });
    const update = () => slider.update(model.get("content"));
    model.on("change:content", update);
    update();
    return () => { model.off("change:content", update); slider.destroy(); };
  },
};
"""
