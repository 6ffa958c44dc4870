"""Download data sets of the papers; --list prints which there are.

``python data_scripts/download_data.py div2k set5``; what breaks off goes on where it stopped with the same command.
"""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from srlab.base import places
from srlab.base.errors import SrlabError
from srlab.base.files import amount
from srlab.data import catalog
from srlab.data.download import fetch

TRAINING = "papermill notebooks/01_srresnet.ipynb out.ipynb -p recipe paper -p images {}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Errors that the user can put right are one line on stderr."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog="SRLAB_MIRROR: an address under which the archives lie with their names; it is asked first.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(catalog.SETS)}, or all")
    parser.add_argument("--list", action="store_true", help="print what there is, with licences and citations")
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where to (default: $SRLAB_DATA, or data/ of the course)"
    )
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(_row(name) for name in catalog.SETS))
        return 0
    if not options.names:
        parser.error("give the names of data sets, or --list")
    names = list(catalog.SETS) if "all" in options.names else list(dict.fromkeys(options.names))
    try:
        _fetch_all(names, options)
    except SrlabError as error:
        print(f"download_data: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print("\ndownload_data: stopped; the same command goes on from here.", file=sys.stderr)
        return 128 + (error.args[0] if error.args else signal.SIGINT)
    return 0


def _row(name: str) -> str:
    data_set = catalog.data_set(name)
    sizes = [archive.size for archive in data_set.archives]
    size = "size not known" if None in sizes else amount(sum(sizes))
    names = ", ".join(archive.name for archive in data_set.archives)
    return f"{name}: {names} ({size})\n  licence: {data_set.licence}\n  cite: {data_set.citation}"


def _fetch_all(names: list[str], options: argparse.Namespace) -> None:
    home = options.to.expanduser().absolute() if options.to else places.data_home()
    data_sets = {name: catalog.data_set(name) for name in names}  # a name that is wrong is said before the first byte
    for name, data_set in data_sets.items():
        print(f"{data_set.title}\n  licence: {data_set.licence}\n  cite: {data_set.citation}", flush=True)
        fetch(name, home)
    for name, data_set in data_sets.items():
        print(f"{data_set.title}: {catalog.folder_of(name, home)}")
        if data_set.trains:
            print(f"  {TRAINING.format(shlex.quote(str(catalog.folder_of(name, home))))}")


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
