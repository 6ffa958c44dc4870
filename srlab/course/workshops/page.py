"""A student's page: her trained networks on a photo, as one HTML file that opens anywhere and explains itself."""

import os
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from types import ModuleType

import torch
import torch.nn.functional as F
from IPython.display import FileLink, display
from torchvision.transforms.functional import center_crop

import srlab
from srlab import SrlabError
from srlab.course.subjects import split_photo
from srlab.course.workshops.kept import KINDS, Kept, find_kept
from srlab.course.workshops.own_file import load, own_file
from srlab.course.workshops.photos_and_pairs import photo_folder
from srlab.files import write_atomic
from srlab.models.backbones import find_weights
from srlab.paths import expand_user
from srlab.shell import running_shell

LONGEST, SHORTEST = 256, 16  # LR pixels of a photo's longer side, for 5 MB and a minute, and of its shorter side
DETAIL = (48, 64)  # LR pixels: multiples of 16, for a flow that downsamples
SCORED, SIDE = 8, 512  # held-out photos, at most, and pixels per side of their center crops
ANSWERS, STEPS = 3, 16  # answers of a flow, and the steps for each
QUALITY = 85  # of WebP, for a whole photo; a detail is lossless
RGB = srlab.Protocol(color="rgb", quantize=False)  # as in the students' own psnr and validate
Networks = Mapping[str, Kept]  # label -> network


def page(
    mine: str | os.PathLike[str] | ModuleType,
    photo: str | os.PathLike[str],
    name: str = "",
    out: str | os.PathLike[str] | None = None,
    images: str = "",
    everything: bool = False,
) -> Path:
    """Write a student's page, with her networks as ONNX next to it, link it in a notebook, and return its path.

    Parameters
    ----------
    mine
        Path of her file, or the module that `load` returned for it. Her networks are next to the file, see `keep`.
    photo
        Image file. A photo of more than 256 pixels is the original: it is shown with at most 1024 pixels, and upscaled
        from a quarter of them. A smaller photo is upscaled as it is, without scores.
    name
        Her name.
    out
        HTML file to write or replace (default: ``page.html`` next to her file).
    images
        Folder for her `load_photos` (default: the bundled photos).
    everything
        Also show networks of one subject on the photo. They look bad if it shows something else.
    """
    path, photo = own_file(mine), Path(photo)
    out = expand_user(out or path.with_name("page.html"))
    lr, hr = _read(photo)
    found = [one for what in KINDS if (one := find_kept(path, what))]
    own = [one for one in found if one.code]
    if not own:
        raise SrlabError(f"No network of yours is next to {path.name}. Train one, and keep it with workshops.keep.")
    networks = {_label(one, name): one for one in found}
    general = {label: one for label, one in networks.items() if everything or not one.subject} or networks
    module = load(path)
    train, held_out = module.load_photos(photo_folder(images))
    known = photo.name in train or photo.stem in {Path(one.subject).stem for one in own}
    content = {
        "whose": escape(f"{name}'s" if name else "My"),
        "who": escape(name or "I"),
        "photo": escape(photo.name),
        "pixels": "{} × {}".format(*lr.shape[:-3:-1]),
        "truth": "There is no sharper original, so there are no scores."
        if hr is None
        else "The original is there to compare with.",
        "known": "The networks may have learned from this very photo, so expect less of other photos." if known else "",
        "detail": _detail(lr, hr, general, module),
        "whole": _slider(_answers(lr, {k: one for k, one in general.items() if one.what != "flow"}, module), hr, QUALITY),
        "subjects": "\n".join(_subject(one, networks, module) for one in {one.subject: 0 for one in own if one.subject}),
        "cards": "\n".join(_card(label, one, path.name, module, held_out) for label, one in networks.items()),
        "files": " and ".join(file for one in own if (file := _exported(one, out))) or "not exported",
    }
    template = files("srlab.course.workshops").joinpath("page.html").read_text(encoding="utf-8")
    write_atomic(out, Template(template).substitute(content).encode(errors="replace"))
    if running_shell():
        display(FileLink(os.path.relpath(out)))
    return out


def _read(photo: Path) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return LR and HR of a photo, ``(1, 3, H, W)``; without HR if the photo is small."""
    image = srlab.read_image(photo)[None]
    factor = 4 * LONGEST / max(image.shape[-2:])
    if factor < 1:
        size = [round(side * factor) for side in image.shape[-2:]]
        image = F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)
    hr = None if factor >= 4 or min(image.shape[-2:]) < 4 else srlab.mod_crop(image, 4)
    lr = image if hr is None else srlab.downsample(hr, 4).clamp(0, 1)
    if min(lr.shape[-2:]) < SHORTEST:
        raise SrlabError(f"{photo.name} is too small or too narrow for a page. Use another photo.")
    return lr, hr


def _label(one: Kept, name: str) -> str:
    whose = "the course's" if not one.code else f"{name}'s" if name else "my"
    return f"{whose} {'GAN' if one.what == 'gan' else one.what}"


def _sample(one: Kept, lr: torch.Tensor, module: ModuleType, seed: int = 0) -> torch.Tensor:
    with torch.no_grad():
        return module.sample(one.network, lr, STEPS, torch.Generator().manual_seed(seed)).clamp(0, 1)


def _answers(lr: torch.Tensor, networks: Networks, module: ModuleType) -> dict[str, torch.Tensor]:
    """Return label -> SR of bicubic and of each network; a flow has several answers, and their mean."""
    images = {"bicubic": srlab.upsample(lr, 4).clamp(0, 1)}
    for label, one in networks.items():
        if one.what == "flow":
            answers = [_sample(one, lr, module, seed) for seed in range(ANSWERS)]
            images |= {f"{label}, answer {seed + 1}": answer for seed, answer in enumerate(answers)}
            images[f"{label}, mean"] = torch.stack(answers).mean(0)
        else:
            images[label] = srlab.upscale(one.network, lr, 4)
    return images


def _slider(images: dict[str, torch.Tensor], hr: torch.Tensor | None, quality: int | None = None) -> str:
    """Return a slider from bicubic to the student's GAN or first network; with HR, its notes are scores."""
    own = [label for label in images if not label.startswith(("bicubic", "the course's"))] or [*images][1:]
    right = next((label for label in own if label.endswith("GAN")), own[0])
    notes = {} if hr is None else {label: f"{srlab.psnr(sr, hr, RGB).item():.2f} dB" for label, sr in images.items()}
    images = images if hr is None else images | {"original": hr}
    return srlab.compare(images, "bicubic", right, notes, limit_mb=4, quality=quality, visitors=True).html


def _detail(lr: torch.Tensor, hr: torch.Tensor | None, networks: Networks, module: ModuleType) -> str:
    """Return a slider over the part of an image with the strongest edges."""
    height, width = (min(most, side // 16 * 16) for most, side in zip(DETAIL, lr.shape[-2:], strict=True))
    edges = lr.diff(dim=-1)[..., 1:, :].abs() + lr.diff(dim=-2)[..., 1:].abs()
    sums = F.avg_pool2d(F.pad(edges.mean(1, keepdim=True), (1, 0, 1, 0)), (height, width), stride=1)[0, 0]
    top, left = divmod(int(sums.argmax()), sums.shape[1])
    rows, columns = (slice(start, start + side) for start, side in ((top, height), (left, width)))
    part = None if hr is None else hr[..., 4 * top : 4 * rows.stop, 4 * left : 4 * columns.stop]
    return _slider(_answers(lr[..., rows, columns], networks, module), part)


def _subject(subject: str, networks: Networks, module: ModuleType) -> str:
    """Return a section with a detail of the half of a subject that its networks did not learn from."""
    name, hr = next(iter(split_photo(subject)[1]))
    hr = srlab.mod_crop(hr, 4)
    learned = " and ".join(label for label, one in networks.items() if one.subject == subject)
    return (
        f"<h2>Half of {escape(name)}</h2>\n<p>This is a detail of the right half of a photo. {escape(learned)} learned "
        f"only from its left half.</p>\n{_detail(srlab.downsample(hr, 4).clamp(0, 1), hr, networks, module)}"
    )


def _card(label: str, one: Kept, file: str, module: ModuleType, held_out: Mapping[str, torch.Tensor]) -> str:
    """Return what a network is, who trained it, and its score on what it never saw, as HTML."""
    made = f"{one.made}, code: {file}" if one.code else "from the course, trained on twelve photos"
    score = _score(one, module, held_out) if one.code else ""
    return f"<article><h3>{escape(label)}</h3>\n<p>{escape(made)}</p>\n{score}</article>"


def _score(one: Kept, module: ModuleType, held_out: Mapping[str, torch.Tensor]) -> str:
    """Return the scores of a network and of bicubic on held-out photos, or on the other half of its subject."""
    half = split_photo(one.subject)[1] if one.subject else ()
    photos = [(name, image[0]) for name, image in half] or [*held_out.items()][: 2 if one.what == "flow" else SCORED]
    cuts = {name: [min(SIDE, side // 64 * 64) for side in image.shape[-2:]] for name, image in photos}
    crops = {name: srlab.to_uint8(center_crop(image, cuts[name])) for name, image in photos if min(cuts[name])}
    if not crops:
        return ""
    methods = {
        "bicubic": lambda lr: srlab.upsample(lr, 4),
        "own": one.network if one.what != "flow" else lambda lr: _sample(one, lr, module),
    }
    metrics = ["psnr", "lpips"] if find_weights("alexnet") else ["psnr"]
    images = srlab.ImageSet.from_images("held-out photos", crops)
    table = srlab.summarize(srlab.evaluate_all(methods, images, protocol=RGB, metrics=metrics))
    (_, bicubic), (_, own) = table.iterrows()
    change = 10 ** ((bicubic.psnr - own.psnr) / 20) - 1
    where = f"the other half of {half.names[0]}" if half else f"{len(crops)} photos that it never saw"
    perceived = f" LPIPS is {own.lpips:.3f}, and {bicubic.lpips:.3f} for bicubic." if "lpips" in table else ""
    return (
        f"<p class=score>{own.psnr:.2f} dB</p>\n<p>PSNR on {escape(where)}. Bicubic has {bicubic.psnr:.2f} dB, so the "
        f"error is {abs(change):.0%} {'larger' if change > 0 else 'smaller'}.{perceived}</p>\n"
    )


def _exported(one: Kept, out: Path) -> str:
    """Write a network as ONNX next to the page, and return the name of the file; "" for a flow, which has more inputs."""
    try:
        file = out.with_name(f"{out.stem}-{one.what}.onnx")
        return "" if one.what == "flow" else srlab.export(one.network, file, smallest=8, force=True).name
    except SrlabError as error:  # such as a missing package
        print(error)
        return ""
