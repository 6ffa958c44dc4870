"""srlab: the thin helper package of the super-resolution course.

Importing it costs almost nothing: ``__init__.pyi`` says where each public name stands, for editors as well, and a name
is looked up there when it is first used.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
