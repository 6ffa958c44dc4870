"""``srlab page``: write a student's page."""

import argparse

from srlab.paths import expand_user
from srlab.text import printable
from srlab_course.workshops import page


def run(options: argparse.Namespace) -> int:
    """Write the page, print its path, and return the exit code."""
    print(printable(page(options.mine, options.photo, options.name, expand_user(options.out))))
    return 0
