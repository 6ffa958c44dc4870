"""Runs the content-loss study: ``python studies/content_loss/run.py laptop``, short for ``studies/run.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from srlab.base.errors import SrlabError
from studies.run import main

if __name__ == "__main__":
    try:
        sys.exit(main(["content_loss", *sys.argv[1:]]))
    except SrlabError as error:
        sys.exit(f"Error: {error}")
