"""Check that a student's file runs in a process of its own, without srlab."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch

from srlab.data.images import EXTENSIONS, read_image, write_image
from srlab_course.feedback.exercise import sample
from srlab_course.workshops.network import moved, new_generator
from srlab_course.workshops.own_file import own_file, run_alone
from srlab_course.workshops.promises import Promise

# Write which photos are for training, and upscale a photo as in a terminal, from another folder.
PROGRAM = """
import json, os, pathlib, runpy, shutil
home, *folders, split, weights, photo = sys.argv[1:]
train = [name for folder in folders for name in mine.load_photos(pathlib.Path(folder))[0]]
pathlib.Path(split).write_text(json.dumps(train))
shutil.copy(weights, home + "/network.pt")
os.chdir(os.path.dirname(split))
sys.argv, sys.modules["spandrel"] = [mine.__file__, photo], None
runpy.run_path(mine.__file__, run_name="__main__")
"""


def alone(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check in a new process that a file needs no srlab, splits photos as here, and upscales a photo."""
    torch.manual_seed(0)
    network = moved(new_generator(mine))  # other weights than any new network
    with tempfile.TemporaryDirectory() as temporary:
        split, weights, photo = (Path(temporary, name) for name in ("split.json", "weights.pt", "photos/photo.jpg"))
        photo.parent.mkdir()
        many = Path(temporary, "many")  # so many that a split by chance is another one
        many.mkdir()
        for k in range(32):
            write_image(sample(3, 16, 16, seed=k), many / f"{k}.png")
        write_image(sample(3, 45, 38), photo)  # from black to white, so that SR leaves [0, 1]
        torch.save(network.state_dict(), weights)
        paths = (folder.resolve(), many, split, weights, photo)
        run_alone(own_file(mine), PROGRAM, *(str(path) for path in paths))
        yield True, "It runs in a new process without srlab.", ""
        here = {name for one in (folder, many) for name in mine.load_photos(one)[0]}
        other = sorted({*json.loads(split.read_text())} ^ here)
        yield (
            not other,
            f"load_photos splits photos there as here: {len(other)} of them are in the other set.",
            f"Look at {', '.join(other[:3])}. hash() of a string, the time and the order of a set differ by process.",
        )
        results = [file for file in photo.parent.iterdir() if file.suffix.lower() in EXTENSIONS and file != photo]
        if not results:
            yield (
                False,
                "`python mine.py photo.jpg` writes no image next to the photo.",
                'Does the file end with `if __name__ == "__main__":` and a call with sys.argv[1]? Do you save next to '
                "the photo, and not in the current folder?",
            )
            return
        sr = read_image(results[0]) if len(results) == 1 else torch.zeros(0)
        with torch.no_grad():
            wanted = network(read_image(photo)[None])[0].clamp(0, 1)
        error = (sr - wanted).abs() if sr.shape == wanted.shape else torch.ones(1)
        yield (
            error.mean().item() < 0.02
            and error.max().item() < 0.5  # a value that wraps around is 1 off
            and results[0].suffix.lower() == ".png",
            f"The argument photo.jpg gives {len(results)} new image next to it, {results[0].name}, with the shape "
            f"{tuple(sr.shape)} for (3, 45, 38), and {error.mean():.3f} off what network.pt computes, at most "
            f"{error.max():.2f}.",
            "Write a PNG. Load the weights from Path(__file__).parent, switch to eval mode, clamp to [0, 1] before you "
            "convert to 8 bits, and save next to the photo, under another name.",
        )
