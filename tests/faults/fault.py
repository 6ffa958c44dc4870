"""The mark of a fault test: what happens, and how it must end."""

import pytest


def fault(happens: str, ends: str) -> pytest.MarkDecorator:
    """Mark a test, or a `pytest.param` of one."""
    return pytest.mark.fault(happens, ends)
