"""The mark of a fault test: what happens, and how it must end. `make faults` writes the table of all of them."""

import os

import pytest

# How often each kill -9 loop kills; `make faults` asks for hundreds.
KILLS = int(os.environ.get("SRLAB_KILLS", "10"))


def fault(happens: str, ends: str) -> pytest.MarkDecorator:
    """Mark a test, or a `pytest.param` of one, as a row of the table."""
    return pytest.mark.fault(happens, ends)
