"""A student's page: her trained networks on a photo, as one HTML file that opens anywhere and explains itself."""

import os
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from string import Template

import torch
import torch.nn.functional as F
from IPython.display import FileLink, display

import srlab
from srlab import SrlabError
from srlab.files import refuse_foreign, write_own
from srlab.paths import expand_user
from srlab.shell import running_shell
from srlab.text import escaped
from srlab_course.workshops.kept import KINDS, Kept, find_kept
from srlab_course.workshops.label import label as label_of
from srlab_course.workshops.own_file import File, load
from srlab_course.workshops.results import RGB

LONGEST = 512  # pixels of the photo's longer side, so that a flow takes about a minute
MULTIPLE = 64  # of both sides, because a flow may downsample LR by 16
GUESSES, STEPS = 4, 16  # of a flow, and the steps for each guess
WHITE = 32  # gray levels: standard deviation of a flow's guesses that is white in the map of where they differ
SMALL, BICUBIC, HR = "small photo", "bicubic (usual method)", "original"
GUESS, MEAN, MAP = "guess 1", "mean of guesses", "where guesses differ"
EXPLAINED = {
    "network": "A <b>network</b> is trained to come as close to the original as it can, so it is careful: it draws "
    "what the small photo suggests, and little else.",
    "gan": "A <b>GAN</b> is also trained to fool a second network that looks for fakes, so it invents detail that is "
    "plausible, but isn't what was there.",
    "flow": "A <b>flow</b> turns random noise into detail, so each noise gives another guess, and the mean of the "
    "guesses shows what they have in common. The die chooses among guesses that were drawn before. The map of where "
    f"they differ is black where they agree, and white where their standard deviation is {WHITE} gray levels or more.",
}


def page(mine: File, photo: File | torch.Tensor, name: str = "", out: File | None = None) -> Path:
    """Write a student's page, link it in a notebook, and return its path.

    Parameters
    ----------
    mine
        Path of her file. Her networks are next to it, see `keep`.
    photo
        Image file, or image ``(1, 3, H, W)`` in [0, 1]. Reduced to at most 512 pixels per side, it is the original, and
        the networks upscale a quarter of these pixels.
    name
        Her name.
    out
        HTML file to write (default: ``page.html`` next to her file). It replaces only an earlier page.
    """
    path = expand_user(mine)
    out = expand_user(out or path.with_name("page.html"))
    refuse_foreign(out)
    whose = f"{name}'s" if name else "my"
    own = {
        f"{whose} {what.replace('gan', 'GAN')}": found
        for what in KINDS
        if (found := find_kept(path, what)) and found.code
    }
    if not own:
        raise SrlabError(f"No network of yours is next to {path} yet. Train one in workshop 1 and keep it.")
    if isinstance(photo, torch.Tensor):
        hr = _fitted(photo, "The photo")
    else:
        file = expand_user(photo)
        hr = _fitted(srlab.read_image(file)[None], file.name)
    lr = srlab.downsample(hr, 4).clamp(0, 1)
    images, flow_label = {SMALL: lr, BICUBIC: srlab.upsample(lr, 4).clamp(0, 1)}, ""
    for label, one in own.items():
        if one.what == "flow":
            draw = partial(_guesses, one, load(path).sample)
            guesses = draw(lr)
            images |= _named(guesses)
            flow_label = label_of(draw, guesses, hr, one.subject, MULTIPLE)
        else:
            images[label] = srlab.upscale(one.network, lr, 4)
    scores = {label: f"{srlab.psnr(sr, hr, RGB).item():.2f} dB" for label, sr in images.items() if sr.shape == hr.shape}
    scores.pop(MAP, None)
    slider = srlab.compare(images | {HR: hr}, BICUBIC, list(images)[2], scores, quality=95, visitors=True)
    content = {
        "title": escaped(f"{whose[0].upper() + whose[1:]} super-resolution network"),
        "name": escaped(name or "I"),
        "file": escaped(path.name),
        "pixels": "{1} × {0}".format(*lr.shape[-2:]),
        "slider": slider.html,
        "guesses": GUESSES,
        "first_guess": list(images).index(GUESS) if GUESS in images else "",
        "networks": "\n".join(_entry(label, one, scores) for label, one in own.items()),
        "label": f"<p><b>Label for the mean of guesses:</b> {escaped(flow_label)}</p>" if flow_label else "",
        "explained": " ".join(EXPLAINED[one.what] for one in own.values()),
    }
    template = files("srlab_course.workshops").joinpath("page.html").read_text(encoding="utf-8")
    write_own(out, Template(template).substitute(content).encode(errors="replace"))
    if running_shell():
        display(FileLink(os.path.relpath(out)))
    return out


def _fitted(image: torch.Tensor, name: str) -> torch.Tensor:
    """Return a photo, ``(1, 3, H, W)``, with sides that LR can be made of."""
    factor = LONGEST / max(image.shape[-2:])
    if factor < 1:
        size = [max(1, round(side * factor)) for side in image.shape[-2:]]
        image = F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)
    if min(image.shape[-2:]) < MULTIPLE:
        raise SrlabError(f"{name} is too small or too narrow for a page. Use another photo.")
    return srlab.mod_crop(image, MULTIPLE)


def _guesses(one: Kept, sample: Callable[..., torch.Tensor], lr: torch.Tensor) -> torch.Tensor:
    """Draw guesses of a flow with the student's sampler, ``(GUESSES, 1, 3, H, W)`` in [0, 1]."""
    with torch.no_grad():
        drawn = [sample(one.network, lr, STEPS, torch.Generator().manual_seed(seed)) for seed in range(GUESSES)]
    return torch.stack(drawn).clamp(0, 1)


def _named(guesses: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return label -> guess, with their mean and the map of where they differ."""
    named = {f"guess {number}": guess for number, guess in enumerate(guesses, 1)}
    return named | {MEAN: guesses.mean(0), MAP: map_of_guesses(guesses)}


def map_of_guesses(guesses: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of guesses ``(count, 1, 3, H, W)`` in which `WHITE` gray levels are 1."""
    spread = 255 * guesses.var(0).mean(1, keepdim=True).sqrt()
    return (spread / WHITE).clamp(0, 1).expand(-1, 3, -1, -1)


def _entry(label: str, one: Kept, scores: dict[str, str]) -> str:
    """Return the score of a network, what it learned from, and how long it was trained, as HTML."""
    score = f"{scores[GUESS]} for one guess" if one.what == "flow" else scores[label]
    learned = f"the left half of {Path(one.subject).stem}" if one.subject else "photos"
    text = (
        f"{score} on this photo (bicubic: {scores[BICUBIC]}). Trained on {learned}, for {one.made}. It has "
        f"{srlab.parameter_count(one.network):,} adjustable numbers."
    )
    return f"<li><b>{escaped(label)}:</b> {escaped(text)}</li>"
