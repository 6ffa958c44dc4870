"""The command line ``srlab``."""

import argparse
import os
import pkgutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from srlab import __version__
from srlab.cli.commands import add_evaluate, add_export, add_upscale
from srlab.errors import SrlabError
from srlab.text import printable

# Command, in the order of the help -> the function that adds its arguments to a parser, and its line in the help. The
# module that does the work is imported when its command is chosen, because most of them import torch.
Commands = dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]]
OWN: Commands = {
    "upscale": (add_upscale, "upscale images and folders of images"),
    "evaluate": (add_evaluate, "score images, runs or interpolations against ground truth"),
    "export": (add_export, "write a network for other programs"),
}

NOT_LOADED = (126, 127, 1114)  # errors of Windows if a library, or what it needs, is missing or too old
RUNTIME = "Install Microsoft's Visual C++ runtime: https://aka.ms/vs/17/release/vc_redist.x64.exe"


def all_commands() -> Commands:
    """Return srlab's commands, then those of other packages: each entry point ``srlab.commands`` is such a dict."""
    commands = dict(OWN)
    for point in entry_points(group="srlab.commands"):
        commands |= point.load()
    return commands


def main(typed: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. Print errors that the user can fix as one line on stderr."""
    parser = argparse.ArgumentParser(prog="srlab", description="Command-line tools for the super-resolution course.")
    parser.add_argument("--version", action="version", version=f"srlab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, (add_arguments, text) in all_commands().items():
        add_arguments(commands.add_parser(name, help=text, description=text))
    words = list(sys.argv[1:] if typed is None else typed)
    if words and words[0] in commands.choices:
        options = commands.choices[words[0]].parse_intermixed_args(words[1:])  # options may be between files
    else:
        options = parser.parse_args(words)
    if not sys.warnoptions:  # hide warnings of other libraries, unless python -W requests them
        warnings.simplefilter("ignore")
    if hasattr(sys.stdout, "reconfigure"):  # because Windows redirects output in a legacy encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, so that labs can save
    try:
        return pkgutil.resolve_name(options.command)(options)
    except KeyboardInterrupt:
        kept = getattr(options, "when_stopped", "Completed files were kept; partial files were removed.")
        print(f"\nsrlab: stopped. {kept}", file=sys.stderr)
        return 130
    except SrlabError as error:
        print(f"srlab: {error}", file=sys.stderr)
        return 2
    except MemoryError:  # before a command can tell for what
        print("srlab: Out of memory. Raise the memory limit, or close other programs.", file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"srlab: {missing_part(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # for example `srlab progress | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python fails to flush at exit
        return 1
    except OSError as error:
        print(f"srlab: {failure_of_system(error)}", file=sys.stderr)
        return 2


def failure_of_system(error: OSError) -> str:
    """Explain an error of the system: about a file, such as a path that is too long, or about a library on Windows."""
    reason = printable(error.strerror or error).rstrip(".")
    if error.filename:
        return f"{printable(error.filename)}: {reason}. Check the path."
    return f"{reason}. {RUNTIME}" if getattr(error, "winerror", None) in NOT_LOADED else f"{reason}."


def missing_part(error: ImportError) -> str:
    """Explain an error of an import: a part of Python is missing, or a package."""
    cause: BaseException | None = error
    while cause:  # sqlite3 is missing where an error names pysqlite2
        if (name := getattr(cause, "name", "")) in sys.stdlib_module_names:
            return f"This Python was built without {name}, which the course needs. Use another Python."
        cause = cause.__context__
    if "DLL load failed" in str(error):
        return f"{printable(error).rstrip('.')}. {RUNTIME}"
    return f"A package cannot be imported ({printable(error)}). {remedy(error)}"


def remedy(error: BaseException) -> str:
    """Return what to do about a package that raised an error: it may be of another Python, found with PYTHONPATH."""
    file = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    folder = max((place for place in sys.path if place and file.is_relative_to(place)), key=len, default="")
    given = [Path(place).absolute() for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    if Path(folder) in given and not (package := file.relative_to(folder).parts[0]).startswith("srlab"):
        return f"{package} comes from {printable(folder)}, a folder in PYTHONPATH. Unset PYTHONPATH."
    return "Install the course again."
