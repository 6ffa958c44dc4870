"""A student's page: her trained networks on a photo, as one HTML file that opens anywhere and explains itself."""

import os
from collections.abc import Container, Iterable, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from IPython.display import FileLink, display

import srlab
from srlab import SrlabError
from srlab.course.subjects import split_photo
from srlab.course.workshops.kept import KINDS, Kept, find_kept
from srlab.course.workshops.network import RGB
from srlab.course.workshops.own_file import File, Mine, load, own_file
from srlab.course.workshops.photos_and_pairs import photo_folder
from srlab.files import write_atomic
from srlab.models.backbones import find_weights
from srlab.paths import expand_user
from srlab.shell import running_shell
from srlab.tiling import Upscaler

LONGEST, SHORTEST = 256, 16  # LR pixels of a photo's longer side, for 5 MB and a minute, and of its shorter side
DETAIL = (48, 64)  # LR pixels
SCORED, SIDE = 8, 512  # held-out photos, at most, and pixels per side of their center crops
ANSWERS, STEPS, MULTIPLE = 4, 16, 16  # of a flow: its answers, the steps for each, and what its LR sides are padded to
QUALITY = 85  # of WebP, for a whole photo; a detail is lossless
WHITE = 32  # gray levels: standard deviation of a flow's answers that is white in the map of where they differ
BICUBIC, GAN = "bicubic (usual method)", "GAN (inventive)"
GUESS, MEAN, MAP = "flow, guess", "flow, mean of guesses", "flow, where guesses differ"
DECIBELS = (
    "Scores in dB: closeness to the original, pixel by pixel (PSNR); higher is better. They don't say how sharp an "
    "image looks."
)
# Buttons that choose images of the slider above them; the script of page.html shows them, if scripts may run.
DIE = f"""<div class="die" role="group" aria-label="Guesses of the flow" hidden>
<button type="button" class="throw">Throw the die</button>
<button type="button" class="mapping" aria-pressed="false">Where do the guesses differ?</button>
<span role="status"></span>
<div class="legend" hidden><div role="img" aria-label="Legend of the map: from black, where the {ANSWERS} guesses \
agree, to white, where they differ by {WHITE} gray levels or more"></div>
<span aria-hidden="true">0</span><span aria-hidden="true">{WHITE} or more gray levels</span></div>
</div>
"""
Networks = Mapping[str, Kept]  # label -> network; the first is compared with bicubic
Score = tuple[str, Any, Any]  # on what, and rows of a table: that of bicubic, and that of a network


def page(
    mine: Mine, photo: File, name: str = "", out: File | None = None, images: str = "", everything: bool = False
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
    found = [one for what in KINDS if (one := find_kept(path, what))]
    own = [one for one in found if one.code]
    if not own:
        raise SrlabError(f"No network of yours is next to {path.name}. Train one, and keep it with workshops.keep.")
    lr, hr = _read(photo)
    networks = {_label(one): one for one in sorted(found, key=lambda one: not one.code)}
    general = {label: one for label, one in networks.items() if everything or not one.subject} or networks
    fast = {label: one for label, one in general.items() if one.what != "flow"}
    module = load(path)
    train, held_out = module.load_photos(photo_folder(images))
    subjects = dict.fromkeys(one.subject for one in own if one.subject)
    whole = _seen_whole(subjects, own, train)
    known = photo.name in train or photo.stem in {Path(subject).stem for subject in subjects}
    known |= any(torch.equal(lr, _right_half(subject)[1]) for subject in whole)
    scores = {label: _score(one, module, held_out, whole) for label, one in networks.items() if one.code}
    learned = f"{len(train)} photos {f'from the folder {Path(images).name}' if images else 'of the course'}"
    by = f"written by {name or 'me'} ({path.name})"
    exported = [_exported(one, out) for one in own if one.what != "flow"]  # a flow has more inputs
    onnx = " and ".join(filter(None, exported))
    content = {
        "whose": escape(f"{name}'s" if name else "My", quote=False),
        "lead": f"{escape(name or 'I')} {_lead(own[0], *next(iter(scores.values())))}",
        "guess": "." if hr is None else ': choose "original" to see what was really there.',
        "photo": escape(photo.name),
        "pixels": "{1} × {0}".format(*lr.shape[-2:]),
        "truth": "There is no sharper original, and so no score." if hr is None else DECIBELS,
        "known": "A network may have learned from this photo, so expect less of other photos." if known else "",
        "detail": _detail(lr, hr, general, module),
        "whole": _slider(_answers(lr, fast, module), hr, BICUBIC, QUALITY) if fast else "",
        "subjects": "\n".join(_subject(subject, networks, module, scores, lr, whole) for subject in subjects),
        "decibels": DECIBELS if hr is None else "",
        "cards": "\n".join(_card(one, name, learned, by, scores.get(label)) for label, one in networks.items()),
        "files": f"<p>For programmers: on the author's computer, and only there, the networks are next to this page as "
        f"{onnx}. Other programs run this format (ONNX), for example the course's try-it page.</p>" * bool(onnx),
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
        size = [max(1, round(side * factor)) for side in image.shape[-2:]]
        image = F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)
    if min(image.shape[-2:]) < (SHORTEST if factor >= 4 else 4 * SHORTEST):
        raise SrlabError(f"{photo.name} is too small or too narrow for a page. Use another photo.")
    return (image, None) if factor >= 4 else _pair(image)


def _seen_whole(subjects: Iterable[str], own: Iterable[Kept], train: Iterable[str]) -> set[str]:
    """Return the subjects of which the network, with which a GAN begins, may have learned from both halves."""
    trained = any(one.what == "network" for one in own)
    names = {Path(file).stem for file in (train if trained else srlab.bundled_photos("train"))}
    return {subject for subject in subjects if Path(subject).stem in names}


def _right_half(subject: str) -> tuple[str, torch.Tensor, torch.Tensor]:
    """Return the name of a subject, and LR and HR of the half that its networks did not learn from."""
    ((name, photo),) = split_photo(subject)[1]
    return name, *_pair(photo)


def _pair(photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return LR and HR of a photo."""
    hr = srlab.mod_crop(photo, 4)
    return srlab.downsample(hr, 4).clamp(0, 1), hr


def _label(one: Kept) -> str:
    return (GAN if one.what == "gan" else one.what) if one.code else f"the course's {one.what.replace('gan', 'GAN')}"


def _lead(one: Kept, where: str, bicubic: Any, own: Any) -> str:
    """Return what was trained and how good it is, without the name in front."""
    return (
        f"trained a small neural network{f' in {one.time}' * bool(one.steps and not one.resumed)} to enlarge photos"
        f"{f' such as {escape(Path(one.subject).stem)}' * bool(one.subject)} four times. On {where}, its error is "
        f"{_change(bicubic, own)} than that of the usual method, bicubic interpolation."
    )


def _upscaler(one: Kept, module: ModuleType, seed: int = 0) -> Upscaler:
    """Return a network, or the function that draws a flow's answer; it pads LR for a flow that downsamples."""

    def sample(lr: torch.Tensor) -> torch.Tensor:
        height, width = lr.shape[-2:]
        lr = F.pad(lr, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        answer = module.sample(one.network, lr, STEPS, torch.Generator().manual_seed(seed))
        return answer[..., : 4 * height, : 4 * width]

    return sample if one.what == "flow" else one.network


def _answers(lr: torch.Tensor, networks: Networks, module: ModuleType) -> dict[str, torch.Tensor]:
    """Return label -> SR of each network, bicubic, and LR; a flow has several answers, their mean, and their map."""
    images = {"small photo": lr, BICUBIC: srlab.upsample(lr, 4).clamp(0, 1)}
    for label, one in networks.items():
        if one.what == "flow":
            answers = [srlab.upscale(_upscaler(one, module, seed), lr, 4) for seed in range(ANSWERS)]
            images |= {f"{GUESS} {seed + 1}": answer for seed, answer in enumerate(answers)}
            images |= {MEAN: torch.stack(answers).mean(0), MAP: map_of_guesses(torch.stack(answers))}
        else:
            images[label] = srlab.upscale(one.network, lr, 4)
    return images


def map_of_guesses(answers: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of answers ``(count, 1, 3, H, W)`` in which `WHITE` gray levels are 1."""
    spread = 255 * answers.var(0).mean(1, keepdim=True).sqrt()
    return (spread / WHITE).clamp(0, 1).expand(-1, 3, -1, -1)


def _slider(images: dict[str, torch.Tensor], hr: torch.Tensor | None, left: str, quality: int | None = None) -> str:
    """Return a slider from an image to that of the first network; with HR, its notes are scores."""
    _, _, first, *_ = images
    notes = {}
    if hr is not None:
        notes = {
            label: f"{srlab.psnr(sr, hr, RGB).item():.2f} dB"
            for label, sr in images.items()
            if sr.shape == hr.shape and label != MAP
        }
        images = images | {"original": hr}
    slider = srlab.compare(images, left, first, notes, limit_mb=4, quality=quality, visitors=True).html
    return f'<div class="thrown">\n{slider}\n{DIE}</div>' if MAP in images else slider


def _detail(
    lr: torch.Tensor, hr: torch.Tensor | None, networks: Networks, module: ModuleType, left: str = BICUBIC
) -> str:
    """Return a slider over the part of an image with the strongest edges."""
    height, width = (min(most, side - 1) for most, side in zip(DETAIL, lr.shape[-2:], strict=True))
    edges = lr.diff(dim=-1)[..., 1:, :].abs() + lr.diff(dim=-2)[..., 1:].abs()
    sums = F.avg_pool2d(edges.mean(1), (height, width), stride=1)[0]
    top, start = divmod(int(sums.argmax()), sums.shape[1])
    lr = lr[..., top : top + height, start : start + width]
    part = None if hr is None else hr[..., 4 * top : 4 * (top + height), 4 * start : 4 * (start + width)]
    return _slider(_answers(lr, networks, module), part, left)


def _subject(
    subject: str,
    networks: Networks,
    module: ModuleType,
    scores: Mapping[str, Score],
    shown: torch.Tensor,
    whole: Container[str],
) -> str:
    """Return a section with a detail of the half of a subject that its networks did not learn from."""
    name, lr, hr = _right_half(subject)
    networks = dict(sorted(networks.items(), key=lambda item: item[1].subject != subject))
    learned = [label for label, one in networks.items() if one.subject == subject]
    text = f"Only the left half was used to train the {' and the '.join(learned)}"
    if GAN in learned and subject in whole:
        text += ", but the GAN began with a network that may have learned from both halves"
    text += ". This is a close-up of the right half."
    text += " It's the same one as at the top of this page." * torch.equal(lr, shown)
    if GAN in learned and scores[GAN][2].psnr < scores[GAN][1].psnr:
        things = "stones look real but aren't the ones" if name == "gravel" else "details look real but aren't those"
        text += f" The GAN's {things} in the photo, so it scores worse than a blur."
    title = "Networks that invent" if len(learned) > 1 else "A network that invents"
    return (
        f"<h2>{title} detail, on the right half of {escape(name)}</h2>\n<p>{text}</p>\n"
        f"{_detail(lr, hr, networks, module, 'original')}"
    )


def _score(one: Kept, module: ModuleType, held_out: Mapping[str, torch.Tensor], whole: Container[str]) -> Score:
    """Score a network and bicubic on what the network never saw, or only before it was a GAN."""
    half = split_photo(one.subject)[1] if one.subject else None
    photos = {name: srlab.to_uint8(photo) for name, photo in [*held_out.items()][:SCORED]}
    images = half or srlab.ImageSet.from_images("held-out photos", photos)
    methods = {"bicubic": lambda lr: srlab.upsample(lr, 4), "own": _upscaler(one, module)}
    metrics = ["psnr", "lpips"] if find_weights("alexnet") else ["psnr"]
    table = srlab.evaluate_all(methods, images.center_crop(SIDE), protocol=RGB, metrics=metrics)
    (_, bicubic), (_, own) = srlab.summarize(table).iterrows()
    where = f"the right half of {escape(images.names[0])}" if half else f"{len(images)} photo{'s' * (len(images) > 1)}"
    began = one.what == "gan" and one.subject in whole
    seen = ", which the network that it began with may have seen" if began else " that it had never seen"
    return where + seen, bicubic, own


def _change(bicubic: Any, own: Any) -> str:
    change = 10 ** ((bicubic.psnr - own.psnr) / 20) - 1
    return f"{abs(change):.0%} {'larger' if change > 0 else 'smaller'}"


def _card(one: Kept, name: str, learned: str, by: str, score: Score | None) -> str:
    """Return what a network learned from, how it was trained, and its score, as HTML."""
    whose = "The course's" if score is None else f"{name}'s" if name else "My"
    numbers = f"{srlab.parameter_count(one.network):,} adjustable numbers"
    made = f" for {one.made} ({numbers}), with code {by}" if one.steps else f" with code {by} ({numbers})"
    if score is None:
        learned, made = "12 photos of the course", f" by the course ({numbers})"
    elif one.subject:
        learned = f"the left half of {Path(one.subject).stem}"
    text = f"<h3>{escape(f'{whose} {one.what}'.replace('gan', 'GAN'))}</h3>\n<p>Learned from: {escape(learned)}. "
    text += f"Trained{escape(made)}.</p>\n"
    if score:
        where, bicubic, own = score
        guess = "for one guess " * (one.what == "flow")
        text += f"<p class=score>{own.psnr:.2f} dB</p>\n<p>{guess}on {where}. Bicubic has {bicubic.psnr:.2f} dB, "
        text += f"so the error is {_change(bicubic, own)}."
        if "lpips" in own:
            text += (
                f" Visible difference (LPIPS; lower is better): {own.lpips:.3f}, and {bicubic.lpips:.3f} for bicubic."
            )
        text += "</p>"
    return f"<article>{text}</article>"


def _exported(one: Kept, out: Path) -> str:
    """Write a network as ONNX next to the page, and return the file's name, or "" if it can't be exported."""
    try:
        return srlab.export(one.network, out.with_name(f"{out.stem}-{one.what}.onnx"), smallest=8, force=True).name
    except SrlabError as error:  # such as a missing package
        print(error)
        return ""
