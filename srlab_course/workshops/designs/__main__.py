"""Show which designs our own tests catch, for example ``python -m srlab_course.workshops.designs walk``."""

import sys

from srlab_course.workshops.own_tests import FOLDER, try_tests

function = sys.argv[1]
try_tests(FOLDER / f"{function}_tests.py", function, FOLDER / f"{function}_reference.py")
