"""The command line: ``srlab labs`` and the others, each in a file of its own."""

import argparse
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from srlab.base.errors import SrlabError
from srlab.base.text import printable

COMMANDS = {  # in the order of the help -> the module of each, which is imported when it is called
    "labs": "labs_command",
    "plan": "plan",
    "runs": "runs_command",
    "evaluate": "evaluate_command",
    "upscale": "upscale_command",
    "diagnose": "diagnose_command",
    "doctor": "doctor",
    "progress": "progress",
    "solutions": "solutions",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. Errors that the user can put right are one line on stderr."""
    parser = argparse.ArgumentParser(prog="srlab", description="Tools of the super-resolution course.")
    parser.set_defaults(when_stopped="files that were finished are whole, and no others are left.")
    commands = parser.add_subparsers(required=True, metavar="command")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for name in arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else COMMANDS:
        importlib.import_module(f"srlab.course.cli.{COMMANDS[name]}").add_parser(commands)
    options = parser.parse_args(arguments)
    if not sys.warnoptions:  # what other libraries warn of is for whoever asks for it, by python -W
        warnings.simplefilter("ignore")
    if hasattr(sys.stdout, "reconfigure"):  # into a file, Windows writes an old encoding that lacks most signs
        sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: the labs get the time to save
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print(f"\nsrlab: stopped; {options.when_stopped}", file=sys.stderr)
        return 130
    except SrlabError as error:
        print(f"srlab: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads has enough, as in `srlab progress | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python would still print at its end
        return 1
    except OSError as error:  # such as a path that is longer than the system takes
        what = printable(error.filename or "a file")
        print(f"srlab: {what}: {error.strerror or printable(error)}; check the path.", file=sys.stderr)
        return 2
