"""What tests of forecasts start from."""

from __future__ import annotations

import pytest

from apps.opportunities.models import Pipeline
from apps.territories.models import Territory
from apps.users.models import User
from tests.factories.opportunities import default_pipeline
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory


@pytest.fixture(autouse=True)
def pipeline(db: None) -> Pipeline:
    """The default pipeline."""
    return default_pipeline()


@pytest.fixture
def west(rep: User) -> Territory:
    """The rep's territory."""
    territory = TerritoryFactory(name="West")
    TerritoryMemberFactory(territory=territory, user=rep)
    return territory
