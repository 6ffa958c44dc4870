"""Keep networks that a study registers out of the other tests."""

import pytest

from srlab import models
from srlab.models import backbones, features
from srlab_course.lab import sizes

TABLES = (models.GENERATORS, models.DISCRIMINATORS, sizes.TRAINED_ON_PAIRS, backbones.NETWORKS, features.BUILDERS)


@pytest.fixture(autouse=True)
def _restored_tables():
    """Restore the content of the tables, which other modules have imported."""
    before = [table.copy() for table in TABLES]
    yield
    for table, content in zip(TABLES, before, strict=True):
        table.clear()
        table.extend(content) if isinstance(table, list) else table.update(content)
