"""Find the IPython shell that code runs in, if any; a script does not even need IPython."""

import sys
from typing import Any


def running_shell() -> Any:
    """Return the IPython shell that runs this code, or None in a script."""
    ipython = sys.modules.get("IPython")  # code that runs in IPython runs after its import
    return ipython.get_ipython() if ipython else None
