"""Download datasets of the papers; --list prints all of them.

``python data_scripts/download_data.py div2k set5``; to resume, run the same command again. docs/data.md has the
citations.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from srlab.data.catalog import SETS, data_set
from srlab.data.download import fetch
from srlab.errors import SrlabError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. Errors that the user can fix are one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(SETS)}, or all")
    parser.add_argument("--list", action="store_true", help="print the datasets with their licenses")
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="target folder (default: $SRLAB_DATA, or data/ in the course folder)"
    )
    options = parser.parse_args(arguments)
    if not options.names and not options.list:
        parser.error("pass names of datasets, or --list")
    try:
        names = SETS if options.list or "all" in options.names else dict.fromkeys(options.names)
        data_sets = {name: data_set(name) for name in names}  # a wrong name is an error before the first download
        for name, known in data_sets.items():
            print(f"{name}\n  license: {known.license}", flush=True)
            if not options.list:
                print(f"  folder: {fetch(name, options.to and options.to.expanduser().absolute())}", flush=True)
    except SrlabError as error:
        print(f"download_data: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndownload_data: stopped. Run the same command again to resume.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
