"""Check that a student's file runs in a process of its own, without srlab."""

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

# Upscale a photo as in a terminal, from another folder.
PROGRAM = """
import os, runpy, shutil
home, weights, photo = sys.argv[1:]
shutil.copy(weights, home + "/network.pt")
os.chdir(os.path.dirname(weights))
sys.argv, sys.modules["spandrel"] = [mine.__file__, photo], None
runpy.run_path(mine.__file__, run_name="__main__")
"""


def alone(mine: ModuleType) -> Iterator[Promise]:
    """Check in a new process that a file needs no srlab, and upscales a photo."""
    torch.manual_seed(0)
    network = moved(new_generator(mine))  # other weights than any new network
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        weights, photo = Path(temporary, "weights.pt"), Path(temporary, "photos", "photo.jpg")
        photo.parent.mkdir()
        write_image(sample(3, 45, 38), photo)  # from black to white, so that SR leaves [0, 1]
        torch.save(network.state_dict(), weights)
        run_alone(own_file(mine), PROGRAM, str(weights), str(photo))
        yield True, "It runs in a new process without srlab.", ""
        results = [file for file in photo.parent.iterdir() if file.suffix.lower() in EXTENSIONS and file != photo]
        names = " and ".join(file.name for file in results)
        sr = read_image(results[0]) if len(results) == 1 else torch.zeros(0)
        with torch.no_grad():
            wanted = network(read_image(photo)[None])[0].clamp(0, 1)
        error = (sr - wanted).abs() if sr.shape == wanted.shape else torch.ones(1)
        yield (
            error.mean().item() < 0.02
            and error.max().item() < 0.5  # a value that wraps around is 1 off
            and results[0].suffix.lower() == ".png",
            f"`python mine.py photo.jpg` writes {names or 'no image'} next to the photo, with the shape "
            f"{tuple(sr.shape)} for (3, 45, 38). It's {error.mean():.3f} off what network.pt computes, and "
            f"{error.max():.3f} at its worst pixel.",
            'Does the file end with `if __name__ == "__main__":` and a call with sys.argv[1]? Load the weights from '
            "Path(__file__).parent, switch to eval mode, clamp to [0, 1] before you convert to 8 bits, and save a "
            "PNG next to the photo, under another name, and not in the current folder.",
        )
