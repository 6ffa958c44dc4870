"""``srlab page``: write a student's page."""

import argparse

from srlab.files import refuse_existing
from srlab.paths import expand_user
from srlab_course.workshops import page


def run(options: argparse.Namespace) -> int:
    """Write the page, print its path, and return the exit code."""
    out = expand_user(options.out)
    refuse_existing(out, options.force)
    print(page(options.mine, options.photo, options.name, out))
    return 0
