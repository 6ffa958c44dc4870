"""``srlab recheck``: execute the answers of a class again, apart from all else, and say where the outputs differ."""

import argparse
import os
import sys
from functools import partial

from srlab.base.errors import SrlabError
from srlab.cli.progress import add_table, grade


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("recheck", help="execute the answers that a class handed in, each apart, and compare")
    parser.add_argument("paths", nargs=1, metavar="FOLDER", help="what was handed in")
    add_table(parser)
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="processes at the same time; default: 2")
    parser.add_argument("--seconds", type=int, default=30, help="for each exercise; default: 30")
    parser.add_argument("--memory", type=int, default=2048, metavar="MIB", help="for each exercise; default: 2048")
    parser.add_argument(
        "--not-isolated", action="store_true", help="where this machine can't isolate, and nothing of it is of value"
    )
    parser.set_defaults(command=run, when_stopped="no hand-in was changed, and no table was written.")


def run(options: argparse.Namespace) -> int:
    """Print a line for each file and for each difference; returns 2 where something wasn't counted."""
    from srlab.grading import isolation

    if min(options.at_once, options.seconds, options.memory) < 1:
        raise SrlabError("--at-once, --seconds and --memory are whole numbers from 1.")
    if sys.platform != "linux":
        raise SrlabError("srlab recheck needs Linux; elsewhere, run it in a container or a virtual machine.")
    if not options.not_isolated and not isolation.available():
        raise SrlabError(
            "This machine can't isolate a hand-in, for which it takes Linux 6.12 or newer, with Landlock. Use one that "
            "can, or one that holds nothing of value, such as a container of your own, and there --not-isolated."
        )
    if options.not_isolated:
        print("srlab: Nothing is isolated: what was handed in runs with all your rights.", file=sys.stderr)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: a process that forks can't share a GPU
    from srlab.grading.recheck import recheck

    limits = {"at_once": options.at_once, "seconds": options.seconds, "memory": options.memory * 1024**2}
    return grade(options, partial(recheck, **limits, isolated=not options.not_isolated))
