"""``srlab diagnose``: say what looks wrong with the curves of a training run."""

import argparse

from srlab.course.diagnosis import diagnose


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``."""
    parser = commands.add_parser("diagnose", help="say what looks wrong with the curves of a training run")
    parser.add_argument("run", metavar="RUN", help="<lab>/<name>, or the path of its folder")
    parser.set_defaults(command=run, when_stopped="nothing was written.")


def run(options: argparse.Namespace) -> int:
    """Print the diagnosis; returns 1 where something looks wrong."""
    found = diagnose(options.run)
    print(found)
    return 1 if found.findings else 0
