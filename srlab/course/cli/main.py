"""The command line: ``srlab labs`` and the others, each in a file of its own."""

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from srlab.base.errors import SrlabError
from srlab.base.text import printable
from srlab.course.cli import (
    diagnose_command,
    doctor,
    evaluate_command,
    labs_command,
    plan,
    progress,
    runs_command,
    solutions,
    upscale_command,
)

COMMANDS = (
    labs_command,
    plan,
    runs_command,
    evaluate_command,
    upscale_command,
    diagnose_command,
    doctor,
    progress,
    solutions,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. Errors that the user can put right are one line on stderr."""
    parser = argparse.ArgumentParser(prog="srlab", description="Tools of the super-resolution course.")
    parser.set_defaults(when_stopped="files that were finished are whole, and no others are left.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(commands)
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
