"""Run the ``srlab`` commands with ``python -m srlab``."""

import sys

from srlab.course.cli.main import main

sys.exit(main())
