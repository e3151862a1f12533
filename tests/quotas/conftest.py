"""What tests of quotas start from."""

from __future__ import annotations

import pytest

from apps.opportunities.models import Pipeline
from tests.factories.opportunities import default_pipeline


@pytest.fixture(autouse=True)
def pipeline(db: None) -> Pipeline:
    """The default pipeline."""
    return default_pipeline()
