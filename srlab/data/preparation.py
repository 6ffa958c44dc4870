"""Training and validation sets from a folder of photos: crops with their LR images, as `srlab.data.datasets` reads them.

Training gets overlapping crops, because decoding a large photo for one patch is slow. Validation gets whole photos: a
score is a mean over photos, and crops would count a large photo many times, and its overlaps twice. A photo is on one
side as a whole.
"""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from tqdm.auto import tqdm

from srlab.base.errors import SrlabError
from srlab.base.parallel import cores
from srlab.data.photo_crops import Recipe, Row, foresee, make
from srlab.data.photo_sources import Photo, photo_files, photos_of
from srlab.data.prepared import SPLITS, Prepared

BEGUN_AT_ONCE = 32  # photos that are noted with one fsync


@dataclass
class Summary:
    """What became of the photos; of a dry run, what would.

    Attributes
    ----------
    photos
        How many the source has.
    made, unchanged
        Photos that this run has worked on, and those that it could leave as they were.
    sides
        ``train`` and ``validation`` -> photos that have files there.
    pairs
        HR images with their LR images, those of unchanged photos included.
    bytes
        What all those take on the disk (dry run: about).
    flat
        Photo -> how many of its crops were left out because they are flat (dry run: of unchanged photos only).
    skipped, failed
        Photo -> why there is nothing of it, and why it could not be made.
    gone
        Photos that were made before and are no longer in the source; their files stay.
    """

    photos: int = 0
    made: int = 0
    unchanged: int = 0
    sides: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    pairs: int = 0
    bytes: int = 0
    flat: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Count a photo by its line of the manifest."""
        self.sides[row["split"]] += not row["skipped"]
        self.pairs += len(row["files"]) // 2
        self.bytes += sum(row["files"].values())
        if row["skipped"]:
            self.skipped[row["photo"]] = row["skipped"]
        elif row["flat"]:
            self.flat[row["photo"]] = row["flat"]


def prepare(
    source: str | os.PathLike,
    output: str | os.PathLike,
    size: int = 480,
    step: int = 240,
    scale: int = 4,
    validation: float = 0.05,
    *,
    min_contrast: float = 4.0,
    workers: int | None = None,
    dry_run: bool = False,
    progress: bool = True,
) -> Summary:
    """Make ``train/`` and ``validation/`` with ``HR/`` and ``LRx4/`` inside from a folder of photos.

    A second call makes only what is new, has changed, or is no longer as it was written. After a kill the next call
    goes on, and no file is ever there in part. Crops are not forced onto the disk one by one, which would take as long
    as making them: after a power cut call it again, and it makes anew what is missing or short.

    Parameters
    ----------
    source
        Photos in any format that `srlab.data.images.read_image` takes, in folders below as well; see
        `srlab.data.photo_sources.photo_files`.
    output
        Where to; made if it is missing. What else is in it stays.
    size, step
        Side of a training crop, and from one crop to the next, in HR pixels; multiples of `scale`. The last crop lies
        at the border. Photos smaller than a crop are skipped, on both sides.
    scale
        HR pixels per LR pixel; LR is MATLAB's bicubic.
    validation
        Share of photos for validation, each drawn by its path. So a small set may get none, or even all; it is for the
        caller to look at ``sides`` then, because a photo that was moved over would not stay there when others come.
    min_contrast
        Crops whose luma has a smaller standard deviation are left out; in 8-bit levels.
    workers
        Threads, each with one photo at a time in memory; default: the number of cores.
    dry_run
        Write nothing, and read only the headers of the photos to be made.
    progress
        Show a bar over the photos.

    Returns
    -------
    Summary
        With the photos that could not be read among it: they do not stop the others.

    Raises
    ------
    SrlabError
        Nothing was begun (no photos, numbers that make no sense, an output of other settings, in the source or in
        use), or the output cannot be written (no space, no permission).
    """
    source, output = Path(source).resolve(), Path(output).resolve()
    recipe = Recipe(size, step, scale, validation, min_contrast)
    workers = cores() if workers is None else workers
    if workers < 1:
        raise SrlabError(f"There must be at least 1 worker, but workers is {workers}.")
    if output.exists() and not output.is_dir():
        raise SrlabError(f"{output} is a file, but the crops go into a folder; give the name of one.")
    files, failed = photo_files(source, output)
    prepared = Prepared(output, {"source": str(source)} | asdict(recipe))
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(prepared.lock())
        prepared.read()
        photos, unseen = photos_of(files, prepared.names(), validation)
        summary = Summary(len(files), failed=failed | unseen)
        summary.gone = sorted(photo for photo in prepared.done if photo not in files)
        todo = _sort_out(photos, prepared, summary)
        if dry_run:
            rows = ((photo, foresee(photo, recipe)) for photo in todo)
        else:
            stack.enter_context(prepared.writing())
            # Closed at the end, whatever it is: otherwise the threads would go on after Ctrl-C.
            rows = stack.enter_context(closing(_make_all(todo, recipe, prepared, workers)))
        for photo, row in tqdm(rows, total=len(todo), disable=not (progress and todo), unit="photo"):
            if isinstance(row, SrlabError):
                summary.failed[photo.photo] = str(row)
                continue
            if not dry_run:
                prepared.finish(row)
            summary.made += 1
            summary.add(row)
    return summary


def _sort_out(photos: list[Photo], prepared: Prepared, summary: Summary) -> list[Photo]:
    """Count the photos that can stay as they are and those whose names are taken; returns those to be made."""
    todo = []
    for photo in photos:
        if prepared.is_whole(photo.photo, photo.size, photo.mtime_ns):
            summary.unchanged += 1
            summary.add(prepared.done[photo.photo])
        elif strangers := prepared.strangers(photo.photo, photo.split, photo.name):
            file = prepared.path / strangers[0]
            summary.failed[photo.photo] = f"{file} has the name of its crop but is somebody else's; move it away."
        else:
            todo.append(photo)
    return todo


def _make_all(
    photos: list[Photo], recipe: Recipe, prepared: Prepared, workers: int
) -> Iterator[tuple[Photo, Row | SrlabError]]:
    """Make the files of all photos in threads; yields each photo when its files are there.

    Threads are enough: Pillow, zlib and torch let go of Python's lock while they work.
    """
    before, stop = torch.get_num_threads(), threading.Event()
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    running: dict[Future, Photo] = {}
    try:
        for number, photo in enumerate(photos):
            if number % BEGUN_AT_ONCE == 0:
                prepared.begin({photo.photo: photo.name for photo in photos[number : number + BEGUN_AT_ONCE]})
            running[pool.submit(make, photo, recipe, prepared.path, stop)] = photo
            if len(running) == 2 * workers:
                yield from _ended(running)
        while running:
            yield from _ended(running)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _ended(running: dict[Future, Photo]) -> Iterator[tuple[Photo, Row | SrlabError]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()
