"""Show which designs of a function our own tests catch: ``python -m srlab_course.workshops.designs walk``."""

import argparse
import sys

from srlab.errors import SrlabError
from srlab_course.workshops.own_tests import FOLDER, FUNCTIONS, try_tests

parser = argparse.ArgumentParser(description="Show which designs of a function our own tests catch.")
parser.add_argument("function", choices=FUNCTIONS)
function = parser.parse_args().function
try:
    try_tests(FOLDER / f"{function}_tests.py", function, FOLDER / f"{function}_reference.py")
except SrlabError as error:
    sys.exit(str(error))
