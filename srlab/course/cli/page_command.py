"""``srlab page``: write a student's page."""

import argparse
from importlib import import_module
from pathlib import Path

from srlab.files import refuse_existing
from srlab.paths import expand_user


def add_page(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("photo", metavar="PHOTO", help="image file to upscale")
    mine = "your file, with your kept networks next to it (default: notebooks/workshops/mine.py)"
    parser.add_argument("--mine", metavar="FILE", default="notebooks/workshops/mine.py", help=mine)
    parser.add_argument("--name", default="", help="your name, for the title")
    parser.add_argument("-o", "--out", metavar="FILE", default="page.html", help="page to write (default: page.html)")
    images = "folder of the photos that load_photos reads, as in the workshops (default: the bundled photos)"
    parser.add_argument("--images", metavar="FOLDER", default="", help=images)
    everything = "also show networks of one subject on the photo, where they look bad if it shows something else"
    parser.add_argument("--all", action="store_true", help=everything)
    parser.add_argument("--force", action="store_true", help="overwrite an earlier page")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the page, print its path, and return the exit code."""
    out = expand_user(options.out)
    refuse_existing(out, options.force)
    write = import_module("srlab.course.workshops").page  # imported here, because it imports torch, which takes seconds
    print(write(Path(options.mine), options.photo, options.name, out, options.images, options.all))
    return 0
