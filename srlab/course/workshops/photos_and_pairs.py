"""Check how photos are read and split, and how training pairs are drawn."""

from collections.abc import Callable, Iterator, Mapping
from math import inf
from pathlib import Path
from types import ModuleType

import torch
import torch.nn.functional as F

from srlab.course.difference import difference
from srlab.course.exercise import filled, sample
from srlab.course.workshops.promises import Promise
from srlab.data.datasets import PHOTOS, photo_file
from srlab.data.images import EXTENSIONS, read_image
from srlab.data.resampling import upsample
from srlab.errors import SrlabError
from srlab.files import write_atomic, writing
from srlab.paths import data_home, find_in_course

SAME_SCENE = 0.8  # correlation of thumbnails: 0.87 for the bundled stereo pair, at most 0.58 for other bundled photos


def photo_folder(path: str = "") -> Path:
    """Return a folder of photos: `path`, or ``data/bundled_photos`` with copies of the sixteen bundled photos.

    Files that are already there are kept as they are.
    """
    if path:
        if not (folder := find_in_course(path)).is_dir():
            raise SrlabError(f"Folder {path} not found. Correct `images`, or use the bundled photos with images = ''.")
        return folder
    folder = data_home() / "bundled_photos"
    with writing(folder, "with SRLAB_DATA"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in PHOTOS:
            file = photo_file(name)
            if not (copied := folder / f"{name}{file.suffix}").exists():
                write_atomic(copied, file.read_bytes())
    return folder


def photos(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that each photo of a folder is read correctly and is either for training or held out."""
    train, held_out = filled(mine.load_photos(folder))
    images = (file for file in folder.iterdir() if file.name.lower().endswith(EXTENSIONS))
    files = {file.name: file for file in images if file.name[0] != "."}  # macOS writes ._NAME.jpg, which is no image
    twice, missing = sorted(train.keys() & held_out.keys()), sorted(files.keys() - train.keys() - held_out.keys())
    yield (
        bool(train and held_out) and not twice and not missing,
        f"Each file is in one of the two sets: {len(train)} for training, {len(held_out)} held out, {len(twice)} in "
        f"both, {len(missing)} in neither.",
        f"Look at {', '.join((twice or missing)[:3]) or 'the empty set'}. Don't score a network on photos that it has "
        "learned from.",
    )
    if not (train and held_out):
        return
    wrong = [problem for name, photo in {**train, **held_out}.items() if (problem := _misread(name, photo, files))]
    yield (
        not wrong,
        wrong[0] if wrong else "Each photo is (3, H, W), float32 in [0, 1], and equals its file.",
        "Some files are gray, and a tag may rotate others. In which mode and range does your reader return them?",
    )
    again = [[*photos] for photos in mine.load_photos(folder)]
    yield (
        again == [[*train], [*held_out]],
        "A second call returns the same sets.",
        "Choose the held-out photos by name, or with a seed after sorting. The order of files differs by machine.",
    )
    seen, unseen = ({name: _thumbnail(photo) for name, photo in photos.items()} for photos in (train, held_out))
    likeness, pair = max(((a * b).sum().item(), f"{m} and {n}") for m, a in seen.items() for n, b in unseen.items())
    yield (
        likeness < SAME_SCENE,
        f"No held-out photo looks like a training photo. The nearest are {pair}, with a correlation of {likeness:.2f}.",
        "If both show the same scene, put them into the same set. If they don't, ignore this line.",
    )


def _misread(name: str, photo: torch.Tensor, files: Mapping[str, Path]) -> str:
    """Return what is wrong with a photo as it was read, or ""."""
    if name not in files:
        return f"{name} is not the name of a file in the folder."
    wanted = read_image(files[name])
    if problem := difference(photo, wanted, inf, place=name):
        return problem
    error = (photo - wanted).abs().mean().item()  # decoders of JPEG differ by less than a gray level
    return f"{name} differs from its file by {error:.3g} on average; white is 1." if error > 0.01 else ""


def _thumbnail(photo: torch.Tensor) -> torch.Tensor:
    """Return a gray thumbnail with mean 0 and norm 1: the sum of the product of two is their correlation."""
    small = F.interpolate(photo.mean(0)[None, None], (16, 16), mode="area")
    return F.normalize((small - small.mean()).flatten(), dim=0)


def pairs(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check on artificial photos that pairs are varied patches of these photos, aligned and antialiased."""
    count, side = 32, 16
    soft = make_photos("soft", lambda k: upsample(sample(1, 3, 8 + k, 12, seed=k), 16)[0])
    lr, hr = filled(mine.sample_pairs(soft, count, side, torch.Generator().manual_seed(0)))
    shapes, wanted = [tuple(lr.shape), tuple(hr.shape)], [(count, 3, side, side), (count, 3, 4 * side, 4 * side)]
    yield shapes == wanted, f"lr is {shapes[0]} and hr is {shapes[1]}.", f"They should be {wanted[0]} and {wanted[1]}."
    if shapes != wanted:
        return
    levels = (255 * hr.double()).flatten(1)
    photos = levels.round().long() % len(soft)
    inside = ((levels - levels.round()).abs() < 0.01).all(1) & (photos == photos[:, :1]).all(1)
    yield (
        bool(inside.all()),
        f"{int(inside.sum())} of {count} HR patches are parts of the photos that you pass.",
        "Use only the photos of the argument, and keep their pixels: no resizing, no noise.",
    )
    used, different = len(photos[:, 0].unique()), len(levels.unique(dim=0))
    yield (
        used == len(soft) and different > 0.9 * count,
        f"The {count} patches are from {used} of {len(soft)} photos, and {different} of them are different.",
        "Draw a photo and a place for each patch.",
    )
    repeated, other = (mine.sample_pairs(soft, count, side, torch.Generator().manual_seed(seed))[1] for seed in (0, 1))
    same, new = torch.equal(repeated, hr), not torch.equal(other, hr)
    yield (
        same and new,
        f"The same random state draws {'the same' if same else 'other'} pairs, and another one draws "
        f"{'other' if new else 'the same'} pairs.",
        "Draw every random number from the argument `random`.",
    )
    (down, right), error = _shift(lr, hr)
    yield (
        (down, right) == (0, 0) and error < 0.02,
        f"Pairs are aligned: LR fits HR best with a shift of {down} pixels down and {right} to the right, and an error "
        f"of {error:.3f}.",
        "An LR pixel belongs to a block of 4 x 4 HR pixels, and to its center. Are both cropped at the same place, and "
        "flipped in the same way?",
    )
    rough = make_photos("rough", lambda k: sample(3, 128 + 16 * k, 192, seed=k))
    lr, hr = mine.sample_pairs(rough, count, side, torch.Generator().manual_seed(0))
    ratio = (lr.std() / hr.std()).item()
    yield (
        ratio < 0.4,
        f"LR is antialiased: white noise keeps {ratio:.2f} of its standard deviation. An average over a block "
        "keeps about a quarter, single pixels 0.5 to 1.",
        "Fine patterns turn into coarse ones, as in section 1 of lab 00. Which option of your resize averages first?",
    )


def make_photos(name: str, draw: Callable[[int], torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return four artificial photos ``draw(k)``; the 8-bit levels of photo k have the remainder k modulo 4."""
    return {f"{name}-{k}.png": (4 * (62 * draw(k)).round() + k) / 255 for k in range(4)}


def _shift(lr: torch.Tensor, hr: torch.Tensor) -> tuple[tuple[int, int], float]:
    """Return by how many HR pixels (down, right) the blocks of HR fit LR best, and the error that is left."""
    height, width = hr.shape[-2:]
    errors = {}
    for down in range(-6, 7):
        for right in range(-6, 7):
            blocks = F.avg_pool2d(hr[..., 8 + down : height - 8 + down, 8 + right : width - 8 + right], 4)
            errors[down, right] = (blocks - lr[..., 2:-2, 2:-2]).square().mean().sqrt().item()
    best = min(errors, key=lambda shift: errors[shift])
    return best, errors[best]
