"""The command line ``srlab``."""

import argparse
import difflib
import os
import pkgutil
import signal
import sys
import warnings
from collections.abc import Sequence

from srlab import __version__
from srlab.errors import SrlabError
from srlab.text import printable

# Command, in the order of the help -> the function that adds its arguments to a parser, and its line in the help. The
# function's module is imported only for its command, because most of them import torch, which takes seconds.
COMMANDS = {
    "execute": ("srlab.course.cli.execute_command:add_execute", "run labs headlessly and print a summary"),
    "plan": (
        "srlab.course.cli.execute_command:add_plan",
        "show what a lab would train, and on a GPU how long it would take (dry run)",
    ),
    "runs": ("srlab.course.cli.runs:add_runs", "list training runs with progress and scores"),
    "diagnose": ("srlab.course.cli.runs:add_diagnose", "diagnose a training run from its curves"),
    "evaluate": ("srlab.cli.evaluate_command:add_evaluate", "score images or a run against ground truth"),
    "upscale": ("srlab.cli.upscale_command:add_upscale", "upscale images or folders of images"),
    "export": ("srlab.cli.export_command:add_export", "write a network for other programs"),
    "page": ("srlab.course.cli.page_command:add_page", "write your networks on a photo as a page"),
    "doctor": ("srlab.course.cli.doctor:add_doctor", "check this machine (about 10 s)"),
    "progress": ("srlab.course.grading:add_progress", "show exercise results from saved notebooks"),
    "grade": ("srlab.course.grading:add_grade", "list a class's submissions and write a gradebook"),
    "handout": ("srlab.course.handouts:add_handout", "write the text of a lab as a page, without code and answers"),
    "short": ("srlab.course.handouts:add_short", "write a copy of a lab without some sections"),
    "solutions": (
        "srlab.course.solutions:add_solutions",
        "write a solved copy of a lab to solutions/ in the folder of runs",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. Print errors that the user can fix as one line on stderr."""
    parser = argparse.ArgumentParser(prog="srlab", description="Command-line tools for the super-resolution course.")
    parser.add_argument("--version", action="version", version=f"srlab {__version__}")
    parser.set_defaults(when_stopped="Completed files were kept; partial files were removed.")
    commands = parser.add_subparsers(required=True, metavar="command")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    given = arguments[0] if arguments else ""
    for name, (where, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name == given:
            pkgutil.resolve_name(where)(command)
    if near := difflib.get_close_matches(given, COMMANDS) if given not in COMMANDS else []:
        parser.error(f"'{given}' is not a command. Did you mean {' or '.join(near)}?")
    options = parser.parse_args(arguments)
    if not sys.warnoptions:  # hide warnings of other libraries, unless python -W requests them
        warnings.simplefilter("ignore")
    if hasattr(sys.stdout, "reconfigure"):  # because Windows redirects output in a legacy encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, so that labs can save
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print(f"\nsrlab: stopped. {options.when_stopped}", file=sys.stderr)
        return 130
    except SrlabError as error:
        print(f"srlab: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # for example `srlab progress | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python fails to flush at exit
        return 1
    except OSError as error:  # for example a path that is too long
        what = printable(error.filename or "a file")
        print(f"srlab: {what}: {error.strerror or printable(error)}. Check the path.", file=sys.stderr)
        return 2
