"""What was sold in a period, by month and territory, at the rates of the day."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings

from apps.core.periods import PeriodKind, organisation_today, period_containing
from apps.opportunities.services.splits import split_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from apps.quotas.services.quotas import set_quota
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory

TODAY = organisation_today()
QUARTER = period_containing(TODAY, PeriodKind.QUARTER, start_month=settings.FISCAL_YEAR_START_MONTH)
MONTH = period_containing(TODAY, PeriodKind.MONTH)


def test_what_was_sold_stands_by_month_and_territory(api, admin, rep, system, deliver_events):
    west = TerritoryFactory(name="West")
    make_deal(owner=rep, amount=Decimal("100.50"), stage="closed_won", territory_id=west.pk)
    make_deal(owner=rep, amount=Decimal("50.00"), stage="closed_won")
    gone = make_deal(owner=rep, amount=Decimal("7.00"), stage="closed_won", territory_id=west.pk)
    reopen_opportunity(opportunity_id=gone.pk, actor=system)
    set_quota(
        territory_id=west.pk,
        period=QUARTER.key,
        quota_type="revenue",
        quota_amount=Decimal(201),
        actor=system,
    )
    deliver_events()
    answer = api(admin).call("GET", f"/revenue/{QUARTER.key}")
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "period": QUARTER.key,
        "user_id": None,
        "territory_id": None,
        "currency": "USD",
        "amount": 150.5,
        "deals": 2.0,
        "by_month": [{"month": MONTH.key, "amount": 150.5, "deals": 2.0}],
        "by_territory": [
            {
                "territory": {"id": str(west.pk), "name": "West"},
                "amount": 100.5,
                "deals": 1.0,
                "quota_amount": 201.0,
                "attainment_percentage": 50.0,
            }
        ],
    }


def test_a_person_stands_for_those_who_report_to_them(
    api, manager, rep, outsider, system, deliver_events
):
    deal = make_deal(owner=rep, amount=Decimal("100.00"))
    split_opportunity(
        opportunity_id=deal.pk,
        splits=[
            {"user_id": rep.pk, "kind": "revenue", "percentage": Decimal(60)},
            {"user_id": outsider.pk, "kind": "revenue", "percentage": Decimal(40)},
        ],
        actor=system,
    )
    for stage in ("proposal", "negotiation", "closed_won"):
        move_opportunity(opportunity_id=deal.pk, stage=stage, actor=system)
    deliver_events()
    found = api(manager).call("GET", f"/revenue/{MONTH.key}?user_id={manager.pk}").json()
    assert (found["amount"], found["deals"], found["by_territory"]) == (60.0, 0.6, [])
    assert api(manager).call("GET", f"/revenue/{MONTH.key}").json()["amount"] == 60.0
    assert api(outsider).call("GET", f"/revenue/{MONTH.key}").json()["amount"] == 40.0


def test_a_territory_stands_for_those_below_it(api, admin, rep, deliver_events):
    country = TerritoryFactory(name="Country")
    state = TerritoryFactory(name="State", parent_territory=country)
    make_deal(owner=rep, amount=Decimal("10.00"), stage="closed_won", territory_id=state.pk)
    deliver_events()
    found = api(admin).call("GET", f"/revenue/{MONTH.key}?territory_id={country.pk}").json()
    assert found["amount"] == 10.0
    assert [one["territory"]["name"] for one in found["by_territory"]] == ["State"]


def test_nobody_sees_what_others_sold(api, rep, outsider, deliver_events):
    west = TerritoryFactory()
    TerritoryMemberFactory(territory=west, user=rep, role="rep")
    make_deal(owner=rep, amount=Decimal("10.00"), stage="closed_won", territory_id=west.pk)
    deliver_events()
    client = api(outsider)
    found = client.call("GET", f"/revenue/{MONTH.key}").json()
    assert (found["amount"], found["by_month"], found["by_territory"]) == (0, [], [])
    for query in (f"user_id={rep.pk}", f"territory_id={west.pk}"):
        assert client.call("GET", f"/revenue/{MONTH.key}?{query}").status_code == 404


def test_refuses_what_is_no_period_and_both_at_once(api, admin, rep):
    client = api(admin)
    assert client.call("GET", "/revenue/Q5_2026").status_code == 400
    west = TerritoryFactory()
    query = f"user_id={rep.pk}&territory_id={west.pk}"
    assert client.call("GET", f"/revenue/{MONTH.key}?{query}").status_code == 400
