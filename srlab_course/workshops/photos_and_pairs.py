"""Make photos for the checks, and check how training pairs are drawn."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import torch
import torch.nn.functional as F

from srlab.data.datasets import PHOTOS, photo_file
from srlab.data.resampling import resize, upsample
from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.paths import find_in_course, runs_home
from srlab_course.feedback.exercise import sample
from srlab_course.workshops.promises import Promise, expect_items, expect_tensor, trying

# Largest error of LR for white noise, in its standard deviations. Rounded to 8 bits: 0.02, another bicubic kernel
# (a = -0.75): 0.09; Lanczos 0.17, bilinear 0.23, area 0.60, a shift of one HR pixel 0.42.
NOT_BICUBIC = 0.125
Photos = dict[str, torch.Tensor]  # file name -> (3, H, W)


def photo_folder(path: str = "") -> Path:
    """Return a folder of photos: `path`, or one in the cache of your runs with copies of the sixteen bundled photos.

    Files that are already there are kept as they are. The data folder would not do, because a class may share it.
    """
    if path:
        if not (folder := find_in_course(path)).is_dir():
            raise SrlabError(f"Folder {path} not found. Correct `images`, or use the bundled photos with images = ''.")
        return folder
    folder = runs_home() / "cache" / "bundled_photos"
    for name in PHOTOS:
        file = photo_file(name)
        if not (copied := folder / f"{name}{file.suffix}").exists():
            write_atomic(copied, file.read_bytes(), "with SRLAB_HOME")
    return folder


def pairs(mine: ModuleType) -> Iterator[Promise]:
    """Check on photos of white noise that pairs are varied patches of these photos, and that LR is HR downscaled."""
    sizes = ((128, 240), (240, 128), (144, 176), (176, 144))
    noise = make_photos("noise", lambda k: sample(3, *sizes[k], seed=k))
    random = torch.Generator().manual_seed(0)
    batches = [_drawn(mine, noise, random) for _ in range(8)]
    lr, hr = (torch.cat(side) for side in zip(*batches, strict=True))
    places, exact = _places(hr, noise)
    yield (
        bool(exact.all()),
        f"{int(exact.sum())} of {len(hr)} HR patches are parts of the photos that you pass.",
        "Use only the photos of the argument, and keep their pixels: no resizing, no noise, no change in place.",
    )
    if not exact.all():
        return
    used = [len(batch.unique()) for batch in places[:, 0].reshape(len(batches), -1)]
    ranges = [torch.aminmax(places[places[:, 0] == k, 1:], dim=0) for k in places[:, 0].unique()]
    spread = min((last - first).min().item() for first, last in ranges)
    few, _ = _places(torch.cat([_drawn(mine, noise, random, 2)[1] for _ in range(40)]), noise)
    reached = len(few[:, 0].unique())
    yield (
        reached == len(noise) and min(used) > 1 and spread > 0.75,
        f"Patches come from everywhere: each batch of 32 draws from {min(used)} or more of {len(noise)} photos, 40 "
        f"batches of 2 from {reached}, and in each photo from at least {100 * spread:.0f} % of the possible places "
        "along each axis.",
        "Draw a photo, a row and a column for each patch. The rows depend on the height, the columns on the width.",
    )
    (_, again), (_, first), (_, second) = _drawn(mine, noise, torch.Generator().manual_seed(0)), *batches[:2]
    same, advances = torch.equal(again, first), not torch.equal(first, second)
    yield (
        same and advances,
        f"`random` decides: its state draws {'the same' if same else 'other'} pairs again, and a second call draws "
        f"{'other' if advances else 'the same'} pairs.",
        "Draw every number from `random` itself. If it doesn't advance, each step of a training run sees one batch.",
    )
    inside = (..., slice(3, -3), slice(3, -3))  # the patch may be cut out before or after downscaling
    wanted = resize(hr, 1 / 4)[inside]
    off = ((lr[inside] - wanted).square().mean().sqrt() / wanted.std()).item()
    yield (
        off < NOT_BICUBIC,
        f"LR is HR downscaled by 4, bicubic, antialiased: yours is {100 * off:.0f} % off.",
        "Another kernel is 9 to 60 % off, a resize that doesn't average first 300 %, and a shift by one HR pixel 40 % "
        "or more. Are LR and HR cropped, flipped and turned in the same way, without noise?",
    )
    with trying("A photo of 64 x 64 pixels is enough for a patch of this size"):
        _drawn(mine, make_photos("small", lambda k: sample(3, 64, 64, seed=k)), random)
    larger = make_photos("small", lambda k: sample(3, 68, 68, seed=k))
    places, _ = _places(torch.cat([_drawn(mine, larger, random)[1] for _ in range(4)]), larger)
    first, last = torch.aminmax(places[:, 1:], dim=0)
    yield (
        first.max() == 0 and last.min() == 1,
        "A photo of 64 x 64 pixels is enough for a patch of this size, and one of 68 x 68 is used to its borders.",
        "Is the last row or column never drawn? torch.randint(n) draws from 0 to n - 1.",
    )


def _drawn(
    mine: ModuleType, photos: Photos, random: torch.Generator, count: int = 32
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pairs with an LR side of 16 pixels, drawn from copies of photos."""
    copies = {name: photo.clone() for name, photo in photos.items()}
    lr, hr = expect_items(mine.sample_pairs(copies, count, 16, random), "The result of `sample_pairs`", 2)
    return expect_tensor(lr, "`lr`", (count, 3, 16, 16)), expect_tensor(hr, "`hr`", (count, 3, 64, 64))


def _places(hr: torch.Tensor, photos: Photos) -> tuple[torch.Tensor, torch.Tensor]:
    """Find patches in photos by their mean color: return (photo, top, left) of each, and whether it matches.

    The mean color is the same for flipped and turned patches. The top and left are relative, from 0 to 1.
    """
    colors, places, side = [], [], hr.shape[-1]
    for k, photo in enumerate(photos.values()):
        means = F.avg_pool2d(F.avg_pool2d(photo.double()[None], (side, 1), 1), (1, side), 1)[0]  # faster than 2D
        rows, columns = (torch.linspace(0, 1, size) for size in means.shape[1:])
        places.append(torch.cartesian_prod(torch.tensor([float(k)]), rows, columns))
        colors.append(means.flatten(1).T)
    distance, nearest = torch.cdist(hr.double().mean((2, 3)), torch.cat(colors)).min(1)
    return torch.cat(places)[nearest], distance < 1e-5


def make_photos(name: str, draw: Callable[[int], torch.Tensor]) -> Photos:
    """Return four artificial photos ``draw(k)``, rounded to 8 bits."""
    return {f"{name}-{k}.png": (255 * draw(k)).round() / 255 for k in range(4)}


def shapes(*size: int, zoom: int, seed: int) -> torch.Tensor:
    """Return random dark (0.2) and bright (0.8) shapes with sharp edges: a network learns them quickly."""
    return 0.2 + 0.6 * (upsample(sample(*size, seed=seed), zoom) > 0.5).float()


def photos_of_shapes(first: int = 0) -> Photos:
    """Return four gray artificial photos of shapes, of different widths; another `first` gives other shapes."""

    def draw(k: int) -> torch.Tensor:
        return shapes(1, 1, 20, 16 + first + k, zoom=16, seed=first + k)[0].expand(3, -1, -1)

    return make_photos("shapes", draw)
