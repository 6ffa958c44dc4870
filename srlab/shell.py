"""The notebook that code runs in, if it does: a script need not even have IPython."""

import sys
from typing import Any


def running_shell() -> Any:
    """Return the IPython shell that runs this code, or None in a script."""
    ipython = sys.modules.get("IPython")  # whoever runs within it has imported it
    return ipython.get_ipython() if ipython else None
