"""Show which designs of a function our own tests catch: ``python -m srlab_course.workshops.designs walk``."""

import argparse
import sys

from srlab.errors import SrlabError
from srlab_course.workshops.our_tests import PARTS
from srlab_course.workshops.own_tests import FOLDER, FUNCTIONS, try_tests
from srlab_course.workshops.runner import folder

parser = argparse.ArgumentParser(description="Show which designs of a function our own tests catch.")
parser.add_argument("function", choices=FUNCTIONS)
function = parser.parse_args().function
try:
    (tests,) = (folder() / name for name, parts in PARTS.items() if function in parts)
    try_tests(tests, function, FOLDER / f"{function}_reference.py")
except SrlabError as error:
    sys.exit(str(error))
