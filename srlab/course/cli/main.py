"""The command line ``srlab``."""

import argparse
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from srlab.errors import SrlabError
from srlab.text import printable

COMMANDS = {  # command, in the order of the help -> module, which is imported only when the command runs
    "execute": "srlab.course.cli.execute_command",
    "plan": "srlab.course.cli.execute_command",
    "runs": "srlab.course.cli.runs",
    "diagnose": "srlab.course.cli.runs",
    "evaluate": "srlab.cli.evaluate_command",
    "upscale": "srlab.cli.upscale_command",
    "export": "srlab.cli.export_command",
    "doctor": "srlab.course.cli.doctor",
    "progress": "srlab.course.grading",
    "grade": "srlab.course.grading",
    "solutions": "srlab.course.solutions",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. Print errors that the user can fix as one line on stderr."""
    parser = argparse.ArgumentParser(prog="srlab", description="Command-line tools for the super-resolution course.")
    parser.set_defaults(when_stopped="Completed files were kept; partial files were removed.")
    commands = parser.add_subparsers(required=True, metavar="command")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    known = COMMANDS.get(arguments[0]) if arguments else None
    for module in [known] if known else dict.fromkeys(COMMANDS.values()):
        importlib.import_module(module).add_parser(commands)
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
