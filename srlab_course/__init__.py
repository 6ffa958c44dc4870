"""Functions for a lab's notebook: setup, exercises, guesses, quizzes, ballots. The rest of srlab never imports this."""

import lazy_loader

# The public names are in __init__.pyi. Each is imported at its first use, because torch takes seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
