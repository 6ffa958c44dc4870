"""``python -m srlab``, the same as ``srlab``."""

import sys

from srlab.course.cli.main import main

sys.exit(main())
