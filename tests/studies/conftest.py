"""Keep networks that a study registers out of the other tests."""

import pytest

from srlab import models
from srlab.models import backbones, features
from srlab_course.lab import sizes

TABLES = ((models, "GENERATORS"), (models, "DISCRIMINATORS"), (sizes, "TRAINED_ON_PAIRS"))
TABLES += ((backbones, "NETWORKS"), (features, "BUILDERS"))


@pytest.fixture(autouse=True)
def _copied_tables(monkeypatch):
    for module, name in TABLES:
        monkeypatch.setattr(module, name, getattr(module, name).copy())
