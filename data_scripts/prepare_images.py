"""Cut a folder of photos into crops with LR images, and keep some photos for validation.

``python data_scripts/prepare_images.py photos prepared``, and then in Python
``srlab.image_set("prepared/train")``. Run it again when there are new photos, or after a stop: what was made stays.

Training gets overlapping crops, because decoding a large photo for one patch is slow. Validation gets whole photos: a
score is a mean over photos, and crops would count a large photo many times, and its overlaps twice. A photo is on one
side as a whole.
"""

import argparse
import hashlib
import io
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from srlab.base.errors import SrlabError
from srlab.base.files import lock, open_atomic, sweep_parts, write_atomic
from srlab.base.parallel import cores, in_order
from srlab.base.text import printable
from srlab.data.images import EXTENSIONS, luma, mod_crop, read_levels, to_float, to_uint8
from srlab.data.resampling import downsample

STATE = "prepared.json"  # in the output: the settings, the names of the photos, and what was made of each
SAVE_EVERY = 20  # seconds: work that a kill may cost
LONGEST = 200  # bytes of a name, so that crop numbers and the parts of atomic writes find room in the usual 255
COMPRESSION = 1  # of zlib: files as small as with Pillow's 6, in a third of the time
NAMED = 5  # photos of a kind that are told by name
ADVICE = "free some space, and run it again to go on from here"

Record = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Errors that the user can put right are one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="a folder of photos, with folders below but no links to folders"
    )
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="the folder to make, elsewhere")
    parser.add_argument("--size", type=int, default=480, metavar="N", help="side of a crop in pixels (default: 480)")
    parser.add_argument("--step", type=int, default=240, metavar="N", help="from crop to crop (default: 240)")
    parser.add_argument("--scale", type=int, default=4, metavar="N", help="HR pixels per LR pixel (default: 4)")
    parser.add_argument("--validation", type=float, default=0.05, metavar="SHARE", help="of photos (default: 0.05)")
    flat = "leave out crops whose luma varies less, in 8-bit levels (default: 4)"
    parser.add_argument("--min-contrast", type=float, default=4.0, metavar="T", help=flat)
    parser.add_argument("--workers", type=int, default=cores(), metavar="N", help="threads (default: one a core)")
    options = parser.parse_args(arguments)
    try:
        check(options)
        return prepare(options)
    except SrlabError as error:
        print(f"prepare_images: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nprepare_images: stopped; files are whole, and the same command goes on from there.", file=sys.stderr)
        return 130


def check(options: argparse.Namespace) -> None:
    """Refuse numbers that make no sense."""
    size, step, scale = options.size, options.step, options.scale
    if scale < 1 or size % scale or step % scale:
        raise SrlabError(f"Size {size} and step {step} must be multiples of the scale, {scale}, and that at least 1.")
    if not 1 <= step <= size:
        raise SrlabError(f"The step must be from 1 to the size of a crop, {size}, but is {step}.")
    if not 0 <= options.validation < 1:
        raise SrlabError(f"The share for validation must be at least 0 and below 1, but is {options.validation}.")
    if not options.min_contrast >= 0:
        raise SrlabError(f"The least contrast must be at least 0, but is {options.min_contrast}.")
    if options.workers < 1:
        raise SrlabError(f"There must be at least 1 worker, but workers is {options.workers}.")


def prepare(options: argparse.Namespace) -> int:
    """Make what is new, has changed or is not there, and say what became of the photos; returns the exit code.

    Each worker is a thread with one photo in memory. Threads are enough: Pillow, zlib and torch let go of Python's lock
    while they work.

    Raises
    ------
    SrlabError
        Nothing was begun (no photos, an output of other settings or in use), or the output cannot be written. A photo
        that cannot be read stops nothing: it is named at the end.
    """
    source, output = options.source.resolve(), options.output.resolve()
    settings = {key: value for key, value in vars(options).items() if key not in ("output", "workers")}
    settings["source"] = str(source)
    photos, failed = find_photos(source, output), {}
    busy = f"{output} is being filled by another process; wait for it to end."
    with lock(output / ".prepared.lock", "choose an output folder that you may write", busy):
        names, records = read_state(output, settings)
        names = name_photos(photos, names)
        write_state(output, settings, names, records)  # before the first crop, so that each is known to be ours
        todo = [photo for photo in photos if not is_made(records.get(photo), source / photo, output)]
        torch.set_num_threads(1)  # for each worker
        made = in_order(lambda photo: make(photo, names[photo], settings, output, records), todo, options.workers)
        saved = time.monotonic()
        try:
            with closing(made):  # otherwise the threads would go on after Ctrl-C
                for photo, record in zip(todo, tqdm(made, total=len(todo), unit="photo", disable=None), strict=True):
                    if isinstance(record, SrlabError):
                        failed[photo] = str(record)
                        continue
                    records[photo] = record
                    if time.monotonic() - saved > SAVE_EVERY:
                        write_state(output, settings, names, records)
                        saved = time.monotonic()
        finally:
            write_state(output, settings, names, records)
    report(photos, todo, records, failed)
    return 1 if failed else 0


def find_photos(source: Path, output: Path) -> list[str]:
    """Paths of all image files in a folder and below, with slashes; no hidden ones, and no links to folders."""
    if not source.is_dir():
        raise SrlabError(f"There is no folder {source}; check the path.")
    made = [output / "train", output / "validation"]
    if output.is_relative_to(source) or any(source.is_relative_to(folder) for folder in made):
        raise SrlabError(f"The output {output} and the photos in {source} lie in each other; choose another output.")
    found = []
    for place, below, names in os.walk(source, onerror=refuse_folder):
        below[:] = [name for name in below if not name.startswith(".")]
        images = [name for name in names if name.lower().endswith(EXTENSIONS) and not name.startswith(".")]
        found += [(Path(place) / name).relative_to(source).as_posix() for name in images]
    if not found:
        raise SrlabError(f"There are no photos in {source}; it needs files that end in {', '.join(EXTENSIONS)}.")
    return sorted(found)


def refuse_folder(error: OSError) -> None:
    """Stop at a folder that may not be read: its photos would be missing without a word."""
    raise SrlabError(f"The folder {error.filename} cannot be read ({error.strerror}); change its permissions.")


def name_photos(photos: list[str], names: dict[str, str]) -> dict[str, str]:
    """How the names of each photo's crops begin; a photo keeps the name that it has in `names`.

    ``b/x.jpg`` becomes ``b-x``. Where that is taken or too long, a hash of the path follows it.
    """
    names = dict(names)
    taken = {name.casefold() for name in names.values()}  # some systems take X.png and x.png for one file
    for photo in photos:
        if photo not in names:
            flat, length = photo.rpartition(".")[0].replace("/", "-"), 8
            name = flat
            while name.casefold() in taken or len(os.fsencode(name)) > LONGEST:
                name = f"{os.fsdecode(os.fsencode(flat)[: LONGEST - 64])}-{digest(photo)[:length]}"
                length += 1
            names[photo] = name
            taken.add(name.casefold())
    return names


def side_of(photo: str, validation: float) -> str:
    """``"train"`` or ``"validation"``, drawn by the photo's path alone, so that it stays when photos are added."""
    return "validation" if int(digest(photo.rpartition(".")[0])[:16], 16) < validation * 2**64 else "train"


def digest(text: str) -> str:
    """SHA-256 of a path."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def read_state(output: Path, settings: dict[str, Any]) -> tuple[dict[str, str], dict[str, Record]]:
    """Names and records of earlier runs, photo by photo; refuses a folder of other settings or of somebody else."""
    file = output / STATE
    folders = [output / "train", output / "validation"]
    if not file.exists():
        if any(folder.exists() for folder in folders):
            raise SrlabError(f"{output} has images that this script has not made; choose another output folder.")
        return {}, {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        old, names, records = content["settings"], content["names"], content["photos"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SrlabError(f"{file} is damaged or not of this script; choose another output folder.") from error
    if changed := [key for key in old | settings if old.get(key) != settings.get(key)]:
        was = ", ".join(f"{key}={old.get(key)!r} (now {settings.get(key)!r})" for key in changed)
        raise SrlabError(f"{output} was made with {was}; use the same settings, or another output folder.")
    for folder in folders:
        for kind in ("HR", f"LRx{settings['scale']}"):
            sweep_parts(folder / kind)
    return names, records


def write_state(output: Path, settings: dict[str, Any], names: dict[str, str], records: dict[str, Record]) -> None:
    """Note the settings, the names, and what was made so far."""
    content = {"settings": settings, "names": names, "photos": records}
    write_atomic(output / STATE, json.dumps(content).encode(), ADVICE)


def state_of(file: Path) -> list[int]:
    """Size and date of a photo's file, which tell whether it has changed; nothing for a link to nowhere."""
    return [file.stat().st_size, file.stat().st_mtime_ns] if file.exists() else []


def is_made(record: Record | None, file: Path, output: Path) -> bool:
    """Whether a photo was made, has not changed since, and all its crops are there."""
    if record is None or record["state"] != state_of(file):
        return False
    return all((output / crop).exists() for crop in record["files"])


def make(
    photo: str, name: str, settings: dict[str, Any], output: Path, records: dict[str, Record]
) -> Record | SrlabError:
    """Write all files of a photo, and remove those that it had before and has no more.

    LR is made from the whole photo and cut at the same places as HR. Shrinking mirrors an image at its border, and a
    crop that is shrunk by itself gets mirrors at four borders that the photo does not have: a network would learn from
    pairs that do not fit each other.

    Returns
    -------
    dict or SrlabError
        The record of the photo; or why it cannot be read, which is no reason to stop with the others.
    """
    file, size, scale = Path(settings["source"], photo), settings["size"], settings["scale"]
    record = {"state": state_of(file), "files": [], "flat": 0, "skipped": ""}
    try:
        hr = read_levels(file, keep_grey=True)
    except SrlabError as error:
        return error
    split, (height, width) = side_of(photo, settings["validation"]), hr.shape[1:]
    if min(height, width) < size:
        record["skipped"] = f"its {width}x{height} pixels are less than a crop of {size}x{size}"
    else:
        hr = mod_crop(hr, scale)
        lr = to_uint8(downsample(to_float(hr)[None], scale))[0]
        whole = [("", hr, lr)]
        for end, large, small in whole if split == "validation" else crops(hr, lr, size, settings["step"]):
            if contrast(large) < settings["min_contrast"]:
                record["flat"] += 1
                continue
            for kind, image in (("HR", large), (f"LRx{scale}", small)):
                record["files"].append(f"{split}/{kind}/{name}{end}.png")
                write_png(output / record["files"][-1], image)
        if not record["files"]:
            record["skipped"] = "it is flat everywhere"
    before = records[photo]["files"] if photo in records else []
    for old in set(before) - set(record["files"]):
        (output / old).unlink(missing_ok=True)
    return record


def crops(hr: torch.Tensor, lr: torch.Tensor, size: int, step: int) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Overlapping crops, row by row: end of the name, HR and LR.

    Parameters
    ----------
    hr, lr
        The whole photo, ``(1 or 3, H, W)`` and ``(1 or 3, H / scale, W / scale)``.
    size, step
        Side of a crop, and from one crop to the next, in HR pixels; multiples of the scale.
    """
    scale = hr.shape[1] // lr.shape[1]
    tops, lefts = (positions(length, size, step) for length in hr.shape[1:])
    for number, (top, left) in enumerate(product(tops, lefts), 1):
        large = hr[:, top : top + size, left : left + size]
        small = lr[:, top // scale : (top + size) // scale, left // scale : (left + size) // scale]
        yield f"_s{number:03d}", large, small


def positions(length: int, size: int, step: int) -> list[int]:
    """Where crops begin along an axis: a step apart, and the last one flush with the border."""
    return [*range(0, length - size, step), length - size]


def contrast(crop: torch.Tensor) -> float:
    """Standard deviation of the luma of an 8-bit image ``(1 or 3, H, W)``, in levels."""
    return float(luma(to_float(crop).expand(3, -1, -1)).std(correction=0)) * 255


def write_png(path: Path, image: torch.Tensor) -> None:
    """Write an image ``(1 or 3, H, W)`` as a file that is whole or not there, without the wait for the disk."""
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    encoded = io.BytesIO()
    Image.fromarray(pixels[..., 0] if len(image) == 1 else pixels).save(encoded, "PNG", compress_level=COMPRESSION)
    with open_atomic(path, ADVICE, sync=False) as file:
        file.write(encoded.getbuffer())


def report(photos: list[str], todo: list[str], records: dict[str, Record], failed: dict[str, str]) -> None:
    """Print the counts, and name on stderr the photos that one should know of."""
    done = {photo: records[photo] for photo in photos if photo in records}
    files = Counter(file.partition("/")[0] for record in done.values() for file in record["files"])
    unchanged = len(photos) - len(todo)
    print(f"{len(photos)} photos: {len(todo) - len(failed)} made, {unchanged} as before, {len(failed)} failed.")
    print(f"There are {files['train'] // 2} pairs of HR and LR in train, {files['validation'] // 2} in validation.")
    gone = dict.fromkeys(records.keys() - set(photos), "no longer among the photos; its files stay")
    skipped = {photo: record["skipped"] for photo, record in done.items() if record["skipped"]}
    flat = {photo: f"{record['flat']} flat crops left out" for photo, record in done.items() if record["flat"]}
    for kind, reasons in {"flat": flat, "skipped": skipped, "gone": gone, "failed": failed}.items():
        for photo in sorted(reasons)[:NAMED]:
            print(f"{kind} {printable(photo)}: {reasons[photo]}", file=sys.stderr)
        if len(reasons) > NAMED:
            print(f"{kind}: and {len(reasons) - NAMED} more", file=sys.stderr)
    if not files["validation"]:
        print("There is no photo for validation: score on a benchmark set, or take a larger share.", file=sys.stderr)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    sys.exit(main())
