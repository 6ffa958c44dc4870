"""The methods that compete in lab 05: a student's finished runs, and the course's networks where a run is missing."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import nn

import srlab
from srlab.paths import runs_home
from srlab.text import printable
from srlab_course.lab.credit import whose
from srlab_course.lab.earlier.trained import load_trained
from srlab_course.lab.lab import Lab
from srlab_course.labs import METHODS
from srlab_course.material import precomputed

SCALE = 4
CLEARLY = 0.3  # dB ahead of bicubic on the cat; a run below was too short to be shown
# Bundled network -> how the labels of runs begin that can take its place.
NEEDED = {"MSRResNet": ("MSRResNet", "SRResNet"), "SRGAN": ("SRGAN",)}
# Method -> what the table of contenders tells about it.
WHAT = {
    "bicubic": "interpolation: the baseline that a network has to beat (lab 00)",
    "SRResNet": METHODS["MSRResNet"].what,
    "Real-ESRGAN": "published; trained on degraded photos (Wang et al. 2021)",
    **{label: method.what for label, method in METHODS.items()},
}


def bicubic(lr: torch.Tensor) -> torch.Tensor:
    """Upscale LR by 4 with bicubic interpolation."""
    return srlab.upsample(lr, SCALE)


@dataclass(frozen=True)
class Contenders:
    """The methods of lab 05.

    Attributes
    ----------
    networks
        Label -> generator that may be scored on any photo, without Real-ESRGAN.
    upscalers
        Label -> function from LR to SR for all photos: bicubic, `networks`, and Real-ESRGAN if it is installed.
    on_gravel
        Label -> network that was trained on the left half of the gravel photo.
    msrresnet, srgan
        Labels of the best network that was trained for PSNR, and of an SRGAN.
    published
        Label of Real-ESRGAN on the gravel, where a precomputed image replaces it if it is not installed.
    """

    networks: Mapping[str, nn.Module]
    upscalers: Mapping[str, Callable[[torch.Tensor], torch.Tensor]]
    on_gravel: Mapping[str, nn.Module]
    msrresnet: str
    srgan: str
    published: str

    def gravel_images(self, lr: torch.Tensor) -> dict[str, torch.Tensor]:
        """Upscale the gravel with each method; precomputed images replace networks that are missing."""
        shown = {label: upscale(lr) for label, upscale in self.upscalers.items()}
        shown |= {label: srlab.upscale(network, lr) for label, network in self.on_gravel.items()}
        if not self.on_gravel:
            shown |= {_stored(name): precomputed.picture(f"{name.lower()}_12000") for name in ("SRGAN", "ESRGAN")}
        if self.published not in shown:
            shown[self.published] = precomputed.picture("published_gravel")
        return shown

    def table(self, on_gravel: Mapping[str, Any]) -> pd.DataFrame:
        """Return what each contender is, whose it is, and on which photos it competes."""
        rows = [(label, "all") for label in self.upscalers]
        rows += [(label, "the gravel") for label in on_gravel if label not in self.upscalers]
        return pd.DataFrame(
            [
                {"contender": label, "what it is": _what(label), "from": self._whose(label), "photos": photos}
                for label, photos in rows
            ]
        ).set_index("contender")

    def _whose(self, label: str) -> str:
        network = ({**self.networks, **self.on_gravel}).get(label)
        origin = getattr(network, "origin", "")
        return whose(origin) if "/" in origin else "its authors" if label == self.published else "the course"


def find_contenders(lab: Lab, runs: str = "all") -> Contenders:
    """Find the networks that compete: those of `runs`, as in `load_trained`, and bundled ones for methods without one.

    If no run is clearly ahead of bicubic on the cat, the bundled networks take part under their own labels as well.
    """
    found = load_trained(runs if runs == "all" else runs.split(), SCALE)
    found = {label: network for label, network in found.items() if lab.name not in label}
    bundled: dict[str, Any] = srlab.load_bundled()
    cat = srlab.bundled_photos("validation").subset("chelsea")
    scores = _scored(found, cat)
    found = {label: found[label] for label in scores}
    ahead = max(scores.values(), default=0.0) >= _psnr(bicubic, cat) + CLEARLY
    if not found:
        print(f"No network of yours for all photos in {runs_home()}, so the course's take part.")
    elif not ahead:
        print("No run here is clearly ahead of bicubic, so the bundled networks take part.")
    for name, kinds in NEEDED.items():
        if not (ahead and any(label.startswith(kinds) for label in found)):
            label = f"{name} (bundled)" if name in found else name
            bundled[name].origin = "bundled" if label == name else ""  # for `srlab_course.lab.credit`
            found[label], scores[label] = bundled[name], _psnr(bundled[name], cat)
    networks = {label: network.to(lab.device) for label, network in found.items()}
    learned = load_trained("all", SCALE, subject="gravel") if runs == "all" else {}
    learned = {label: learned[label] for label in _scored(learned, cat.center_crop(64))}
    upscalers = {"bicubic": bicubic} | networks
    with contextlib.suppress(srlab.SrlabError):  # not installed: a precomputed image replaces it on the gravel
        upscalers["Real-ESRGAN"] = srlab.load_realesrgan().to(lab.device)
    return Contenders(
        networks=networks,
        upscalers={label: remembering(upscale) for label, upscale in upscalers.items()},
        on_gravel={f"{label} (on gravel)": network.to(lab.device) for label, network in learned.items()},
        msrresnet=_best(NEEDED["MSRResNet"], scores),
        srgan=_best(NEEDED["SRGAN"], scores),
        published="Real-ESRGAN" if "Real-ESRGAN" in upscalers else _stored("Real-ESRGAN"),
    )


def remembering(upscaler: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return an upscaler with a memory, because the lab shows each SR image several times; SR is in [0, 1]."""
    seen = {}

    def upscale_once(lr: torch.Tensor) -> torch.Tensor:
        key = lr.shape, lr.cpu().numpy().tobytes()
        if key not in seen:
            seen[key] = srlab.upscale(upscaler, lr).clamp(0, 1)
        return seen[key]

    return upscale_once


def _best(kinds: tuple[str, ...], scores: Mapping[str, float]) -> str:
    return max((label for label in scores if label.startswith(kinds)), key=scores.__getitem__)


def _psnr(upscaler: Callable[[torch.Tensor], torch.Tensor], photos: Any) -> float:
    return srlab.evaluate(upscaler, photos).psnr.mean()


def _scored(networks: Mapping[str, nn.Module], photos: Any) -> dict[str, float]:
    """Return the PSNR of each network; skip those that cannot be computed, as with huge weights, and print which."""
    scores = {}
    for label, network in networks.items():
        try:
            scores[label] = _psnr(network, photos)
        except Exception as error:  # also MemoryError
            print(printable(f"Skipped: {getattr(network, 'origin', label)} cannot be computed: {error}"))
    return scores


def _stored(name: str) -> str:
    return f"{name} (precomputed)"


def _what(label: str) -> str:
    method, _, note = label.partition(" (")
    if note == "on gravel)":
        return f"{WHAT.get(method, method)}, on the left half of the gravel"
    return f"{WHAT.get(method, method)}; a stored image" if note == "precomputed)" else WHAT.get(method, method)
