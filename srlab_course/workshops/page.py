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

import srlab
from srlab import SrlabError
from srlab.files import write_atomic
from srlab.paths import expand_user
from srlab.shell import running_shell
from srlab.tiling import Upscaler
from srlab_course.material.subjects import split_photo
from srlab_course.workshops.kept import KINDS, Kept, course_network, find_kept
from srlab_course.workshops.network import RGB
from srlab_course.workshops.own_file import File, load
from srlab_course.workshops.photos_and_pairs import photo_folder

LONGEST, SHORTEST = 256, 16  # LR pixels of a photo's longer side, for 5 MB and a minute, and of its shorter side
DETAIL = (48, 64)  # LR pixels of a close-up
SCORED, SIDE = 8, 512  # held-out photos, at most, and pixels per side of their center crops
ANSWERS, STEPS, MULTIPLE = 4, 16, 16  # of a flow: its answers, the steps for each, and what its LR sides are padded to
QUALITY = 95  # of WebP, for a whole photo; a close-up is lossless
WHITE = 32  # gray levels: standard deviation of a flow's answers that is white in the map of where they differ
BICUBIC, MEAN, MAP = "bicubic (usual method)", "mean of guesses", "where guesses differ"
EXPLAINED = {
    "network": "A <b>network</b> is trained to come as close to the original as it can, so it is careful: it draws "
    "what the small photo suggests, and little else.",
    "gan": "A <b>GAN</b> is also trained to fool a second network that looks for fakes, so it invents detail that is "
    "plausible, but isn't what was there.",
    "flow": "A <b>flow</b> turns random noise into detail, so each noise gives another guess, and the mean of the "
    "guesses shows what they have in common. The die chooses among guesses that were drawn before, and the map shows "
    "where they differ: it's their standard deviation.",
}
DECIBELS = (
    "Scores in dB say how close an image is to the original, pixel by pixel (PSNR); higher is better. They don't say "
    "how sharp an image looks."
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


def page(mine: File, photo: File, name: str = "", out: File | None = None, images: str = "") -> Path:
    """Write a student's page, with her networks as ONNX next to it, link it in a notebook, and return its path.

    Parameters
    ----------
    mine
        Path of her file. Her networks are next to it, see `keep`. Until there is one, the page shows the course's.
    photo
        Image file. A photo of more than 256 pixels is the original: it is shown with at most 1024 pixels, and upscaled
        from a quarter of them. A smaller photo is upscaled as it is, without scores.
    name
        Her name.
    out
        HTML file to write or replace (default: ``page.html`` next to her file).
    images
        Folder for her `load_photos` (default: the bundled photos).
    """
    path, photo = expand_user(mine), expand_user(photo)
    out = expand_user(out or path.with_name("page.html"))
    found = [find_kept(path, what) if path.is_file() else course_network(what) for what in KINDS]
    own = [one for one in found if one and one.code]
    networks = {_label(one, name): one for one in own + [one for one in found if one and not one.code]}
    lr, hr = _read(photo)
    if own:
        module = load(path)
        train, held_out = module.load_photos(photo_folder(images))
    else:
        print(f"No network of yours is next to {path} yet, so the page shows the course's.")
        module, train, held_out = None, srlab.bundled_photos("train").names, {}
    subjects = dict.fromkeys(one.subject for one in own if one.subject or one.what == "flow")
    known = photo.stem in {Path(file).stem for file in (*train, *subjects)}
    learned = f"{len(train)} photos {f'from the folder {Path(images).name}' if images else 'of the course'}"
    by = f"with code written by {name or 'me'} ({path.name})"
    cards = {label: _card(label, one, learned, by, module, held_out) for label, one in networks.items()}
    whole = {label: one for label, one in networks.items() if not one.subject and one.what != "flow"}
    content = {
        "whose": escape(f"{name}'s" if name and own else "My" if own else "The course's", quote=False),
        "lead": _lead(own, name),
        "guess": "." if hr is None else ': choose "original" to see what was really there.',
        "photo": escape(photo.name),
        "pixels": "{1} × {0}".format(*lr.shape[-2:]),
        "truth": "There is no sharper original, and so no score." if hr is None else "",
        "known": "A network may have learned from this photo, so expect less of other photos." if known else "",
        "slider": _slider(_answers(lr, whole, module), hr, _view(lr), QUALITY),
        "cards": "\n".join(cards[label] for label in whole),
        "subjects": "\n".join(_subject(subject, networks, cards, module, lr, hr) for subject in subjects),
        "explained": " ".join(EXPLAINED[what] for what in KINDS if what in {one.what for one in networks.values()}),
    }
    if own or hr is not None:
        content["explained"] += f" {DECIBELS}"
    template = files("srlab_course.workshops").joinpath("page.html").read_text(encoding="utf-8")
    write_atomic(out, Template(template).substitute(content).encode(errors="replace"))
    for one in own:
        if one.what != "flow":  # which has more inputs
            _export(one, out.with_name(f"{out.stem}-{one.what}.onnx"))
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


def _pair(photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return LR and HR of a photo."""
    hr = srlab.mod_crop(photo, 4)
    return srlab.downsample(hr, 4).clamp(0, 1), hr


def _label(one: Kept, name: str) -> str:
    whose = (f"{name}'s" if name else "my") if one.code else "the course's"
    return f"{whose} {one.what.replace('gan', 'GAN')}"


def _lead(own: list[Kept], name: str) -> str:
    """Return who trained what, and how long."""
    if not own:
        return "The course trained these small neural networks to enlarge photos four times."
    one = own[0]
    time = f" in {one.time}" * bool(one.steps and not one.resumed)
    such = f" such as {escape(Path(one.subject).stem)}" * bool(one.subject)
    return f"{escape(name or 'I')} trained a small neural network{time} to enlarge photos{such} four times."


def _upscaler(one: Kept, module: ModuleType | None, seed: int = 0) -> Upscaler:
    """Return a network, or the function that draws a flow's answer; it pads LR for a flow that downsamples."""

    def sample(lr: torch.Tensor) -> torch.Tensor:
        height, width = lr.shape[-2:]
        lr = F.pad(lr, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        answer = module.sample(one.network, lr, STEPS, torch.Generator().manual_seed(seed))
        return answer[..., : 4 * height, : 4 * width]

    return sample if one.what == "flow" else one.network


def _answers(lr: torch.Tensor, networks: Networks, module: ModuleType | None) -> dict[str, torch.Tensor]:
    """Return label -> SR of each network, bicubic, and LR; a flow has several answers, their mean, and their map."""
    images = {"small photo": lr, BICUBIC: srlab.upsample(lr, 4).clamp(0, 1)}
    for label, one in networks.items():
        if one.what == "flow":
            answers = [srlab.upscale(_upscaler(one, module, seed), lr, 4) for seed in range(ANSWERS)]
            images |= {f"guess {seed + 1}": answer for seed, answer in enumerate(answers)}
            images |= {MEAN: torch.stack(answers).mean(0), MAP: map_of_guesses(torch.stack(answers))}
        else:
            images[label] = srlab.upscale(one.network, lr, 4)
    return images


def map_of_guesses(answers: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of answers ``(count, 1, 3, H, W)`` in which `WHITE` gray levels are 1."""
    spread = 255 * answers.var(0).mean(1, keepdim=True).sqrt()
    return (spread / WHITE).clamp(0, 1).expand(-1, 3, -1, -1)


def _slider(
    images: dict[str, torch.Tensor],
    hr: torch.Tensor | None,
    view: tuple[float, float, float] | None = None,
    quality: int | None = None,
) -> str:
    """Return a slider from bicubic to the first network, with a die for a flow; with HR, its notes are scores."""
    _, _, first, *_ = images
    notes = {}
    if hr is not None:
        scored = {label: sr for label, sr in images.items() if sr.shape == hr.shape and label != MAP}
        notes = {label: f"{srlab.psnr(sr, hr, RGB).item():.2f} dB" for label, sr in scored.items()}
        images = images | {"original": hr}
    options = {"limit_mb": 6, "view": view, "quality": quality, "visitors": True}
    slider = srlab.compare(images, BICUBIC, first, notes, **options).html
    if MAP not in images:
        return slider
    place = list(images).index(MAP)
    return f'<div class="thrown" data-map="{place}" data-guesses="{ANSWERS}">\n{slider}\n{DIE}</div>'


def _close_up(lr: torch.Tensor) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the part of LR with the strongest edges."""
    height, width = (min(most, side - 1) for most, side in zip(DETAIL, lr.shape[-2:], strict=True))
    edges = lr.diff(dim=-1)[..., 1:, :].abs() + lr.diff(dim=-2)[..., 1:].abs()
    sums = F.avg_pool2d(edges.mean(1), (height, width), stride=1)[0]
    return *divmod(int(sums.argmax()), sums.shape[1]), height, width


def _view(lr: torch.Tensor) -> tuple[float, float, float]:
    """Return the view of a slider that opens on the strongest edges."""
    top, left, _, width = _close_up(lr)
    return 4 * top, 4 * left, lr.shape[-1] / width


def _subject(
    subject: str,
    networks: Networks,
    cards: Mapping[str, str],
    module: ModuleType,
    lr: torch.Tensor,
    hr: torch.Tensor | None,
) -> str:
    """Return a section with a close-up of the half of a subject that its networks did not learn from.

    Without a subject, it is a close-up of the photo, because a flow takes long for all of it.
    """
    own = {label: one for label, one in networks.items() if one.subject == subject and (subject or one.what == "flow")}
    others = {label: one for label, one in networks.items() if not one.subject and one.what != "flow"}
    where, text = "the photo", ""
    if subject:
        ((where, photo),) = split_photo(subject)[1]
        lr, hr = _pair(photo)
        where = f"the right half of {escape(where)}"
        learned = escape(" and ".join(own), quote=False)
        text = f"{learned} learned from the left half. This is a close-up of the right half."
    top, left, height, width = _close_up(lr)
    lr = lr[..., top : top + height, left : left + width]
    hr = None if hr is None else hr[..., 4 * top : 4 * (top + height), 4 * left : 4 * (left + width)]
    slider, shown = _slider(_answers(lr, own | others, module), hr), "\n".join(cards[label] for label in own)
    return f'<h2>Invented detail, on {where}</h2>\n<p>{text}</p>\n{slider}\n<div class="cards">\n{shown}\n</div>'


def _card(
    label: str, one: Kept, learned: str, by: str, module: ModuleType | None, held_out: Mapping[str, torch.Tensor]
) -> str:
    """Return what a network learned from, how it was trained, and its score on what it didn't learn from, as HTML."""
    numbers = f"{srlab.parameter_count(one.network):,} adjustable numbers"
    title = f"<h3>{escape(label)}</h3>\n"
    if not one.code:
        return f"<article>{title}<p>Trained by the course on 12 photos ({numbers}).</p></article>"
    if one.subject:
        images = split_photo(one.subject)[1]
        learned, where = f"the left half of {images.names[0]}", f"the right half of {images.names[0]}"
    else:
        photos = {name: srlab.to_uint8(photo) for name, photo in [*held_out.items()][:SCORED]}
        images, where = srlab.ImageSet.from_images("held-out photos", photos), f"{len(photos)} held-out photos"
    methods = {"bicubic": lambda lr: srlab.upsample(lr, 4), "own": _upscaler(one, module)}
    table = srlab.evaluate_all(methods, images.center_crop(SIDE), protocol=RGB, metrics=["psnr"])
    bicubic, own = srlab.summarize(table).psnr
    made = f"for {one.made} ({numbers}), {by}" if one.steps else f"{by} ({numbers})"
    return (
        f"<article>{title}<p>Learned from: {escape(learned)}. Trained {escape(made)}.</p>\n"
        f"<p class=score>{own:.2f} dB</p>\n<p>{'for one guess ' * (one.what == 'flow')}on {escape(where)}. Bicubic has "
        f"{bicubic:.2f} dB.</p></article>"
    )


def _export(one: Kept, file: Path) -> None:
    """Write a network as ONNX, or print why it can't be exported."""
    try:
        srlab.export(one.network, file, force=True)
    except SrlabError as error:  # such as a missing package
        print(error)
