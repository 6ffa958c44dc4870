"""Run the ``srlab`` commands with ``python -m srlab``."""

import sys

from srlab.cli.main import main

sys.exit(main())
