"""srlab: a small super-resolution package. `srlab_course` has what only the labs need."""

import lazy_loader

__version__ = "0.1.0"

# The public names are in __init__.pyi. Each is imported at its first use, because torch takes seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
