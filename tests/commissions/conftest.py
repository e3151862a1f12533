"""What tests of commissions start from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from apps.commissions.models import CommissionPlan
from apps.commissions.rules import Tier
from apps.commissions.services.plans import add_commission_plan, put_on_plan
from tests.factories.opportunities import default_pipeline


@pytest.fixture(autouse=True)
def pipeline(db: None) -> None:
    """The default pipeline."""
    default_pipeline()


@pytest.fixture
def plan(system) -> CommissionPlan:
    """5 % up to the quota, 8 % above it, 1 % for help with the deals of others; by quarter."""
    return add_commission_plan(
        name="Field sales",
        pays_by="quarter",
        tiers=[Tier(Decimal(100), Decimal(8)), Tier(Decimal(0), Decimal(5))],
        overlay_rate=Decimal(1),
        actor=system,
    )


@pytest.fixture
def on_plan(plan, rep, system):
    """The rep earns by it."""
    return put_on_plan(plan_id=plan.pk, user_id=rep.pk, starts_on=date(2020, 1, 1), actor=system)
