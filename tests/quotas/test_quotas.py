"""Quotas: set, changed, read and attained."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.models import BusinessEvent
from apps.core.periods import organisation_today, parse_period
from apps.opportunities.services.splits import split_opportunity
from apps.quotas.errors import OwnQuota, QuotaTaken
from apps.quotas.models import Quota
from apps.quotas.rules import pace, percentage_of, working_days
from apps.quotas.selectors.attainment import attainments
from apps.quotas.services.quotas import change_quota, set_quota
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

PERIOD = f"FY_{organisation_today().year}"


def quota_of(user, *, actor, amount="1000.00", quota_type="revenue", period=PERIOD):
    return set_quota(
        user_id=user.pk,
        period=period,
        quota_type=quota_type,
        quota_amount=Decimal(amount),
        actor=actor,
    )


def told(name):
    return [one.payload for one in BusinessEvent.objects.filter(name=name).order_by("sequence")]


def test_a_manager_sets_the_quota_of_a_report(rep, manager, acting):
    quota = quota_of(rep, actor=acting(manager))
    assert (quota.user_id, quota.period, quota.amount) == (rep.pk, PERIOD, Decimal("1000.00"))
    assert [one["amount"] for one in told("quota.set")] == [1000]


def test_refuses_strangers_oneself_a_second_one_and_reps(rep, manager, outsider, acting):
    quota_of(rep, actor=acting(manager))
    with pytest.raises(QuotaTaken):
        quota_of(rep, actor=acting(manager))
    with pytest.raises(InvalidInput):
        quota_of(outsider, actor=acting(manager))
    with pytest.raises(OwnQuota):
        quota_of(manager, actor=acting(manager))
    with pytest.raises(NotAllowed):
        quota_of(rep, actor=acting(rep))
    assert Quota.objects.count() == 1


def test_refuses_nobody_everybody_and_other_currencies(rep, system):
    facts = {"period": PERIOD, "quota_type": "revenue", "quota_amount": Decimal(1)}
    with pytest.raises(InvalidInput):
        set_quota(**facts, actor=system)
    with pytest.raises(InvalidInput):
        set_quota(**facts, user_id=rep.pk, currency="JPY", actor=system)
    with pytest.raises(InvalidInput):
        set_quota(**facts | {"period": "Q5_2026"}, user_id=rep.pk, actor=system)
    with pytest.raises(IntegrityError), transaction.atomic():
        Quota.objects.create(
            period=PERIOD,
            starts_on=date(2026, 1, 1),
            ends_on=date(2026, 12, 31),
            quota_type="revenue",
            amount=Decimal(1),
            currency="USD",
        )
    assert not Quota.objects.exists()


def test_changes_a_quota_once(rep, manager, outsider, acting):
    quota = quota_of(rep, actor=acting(manager))
    for _ in range(2):
        change_quota(quota_id=quota.pk, quota_amount=Decimal("5.00"), actor=acting(manager))
    with pytest.raises(NotFound):
        change_quota(quota_id=quota.pk, quota_amount=Decimal("6.00"), actor=acting(outsider))
    with pytest.raises(NotAllowed):
        change_quota(quota_id=quota.pk, quota_amount=Decimal("6.00"), actor=acting(rep))
    assert [(one["previous_amount"], one["amount"]) for one in told("quota.updated")] == [(1000, 5)]


def test_is_attained_once_and_beyond_all_limits(rep, manager, acting, deliver_events):
    quota_of(rep, actor=acting(manager))
    quota_of(rep, actor=acting(manager), amount="4", quota_type="deals")
    for amount in ("600.00", "600.00", "600.00"):
        make_deal(owner=rep, amount=Decimal(amount), stage="closed_won")
        deliver_events()
    assert [(one["quota_type"], one["attainment_amount"]) for one in told("quota.attained")] == [
        ("revenue", 1200)
    ]
    deals, revenue = attainments(
        actor=acting(rep), period=PERIOD, today=organisation_today(), user_id=rep.pk
    )
    assert (revenue.attained, revenue.percentage) == (Decimal("1800.00"), Decimal("180.00"))
    assert (deals.attained, deals.percentage) == (Decimal("3.00"), Decimal("75.00"))


def test_a_manager_attains_by_what_the_team_sells_and_no_deal_counts_twice(
    rep, manager, outsider, acting, system, deliver_events
):
    other = UserFactory(manager=manager)
    for quota_type, amount in (("revenue", "1500.00"), ("deals", "10")):
        quota_of(manager, actor=system, quota_type=quota_type, amount=amount)
    deal = make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    split_opportunity(
        opportunity_id=deal.pk,
        splits=[
            {"user_id": rep.pk, "kind": "revenue", "percentage": Decimal(100)},
            {"user_id": other.pk, "kind": "overlay", "percentage": Decimal(50)},
        ],
        actor=system,
    )
    make_deal(owner=manager, amount=Decimal("400.00"), stage="closed_won")
    make_deal(owner=outsider, amount=Decimal("9000.00"), stage="closed_won")
    deliver_events()
    facts = {"actor": acting(manager), "period": PERIOD, "today": organisation_today()}
    deals, revenue = attainments(**facts, user_id=manager.pk)
    assert (revenue.attained, deals.attained) == (Decimal("1400.00"), Decimal("2.00"))
    assert told("quota.attained") == []
    make_deal(owner=other, amount=Decimal("100.00"), stage="closed_won")
    deliver_events()
    assert [one["attainment_amount"] for one in told("quota.attained")] == [1500]


def test_a_territory_attains_by_those_below_it(rep, system, deliver_events):
    west = TerritoryFactory()
    north = TerritoryFactory(parent_territory=TerritoryFactory(parent_territory=west))
    set_quota(
        territory_id=west.pk,
        period=PERIOD,
        quota_type="revenue",
        quota_amount=Decimal("500.00"),
        actor=system,
    )
    make_deal(owner=rep, territory_id=north.pk, amount=Decimal("600.00"), stage="closed_won")
    deliver_events()
    (found,) = attainments(
        actor=system, period=PERIOD, today=organisation_today(), territory_id=west.pk
    )
    assert found.attained == Decimal("600.00")
    assert [one["territory_id"] for one in told("quota.attained")] == [str(west.pk)]


def test_a_quota_set_late_is_attained_at_once(rep, manager, acting, deliver_events):
    make_deal(owner=rep, amount=Decimal("600.00"), stage="closed_won")
    deliver_events()
    quota_of(rep, actor=acting(manager), amount="600.00")
    assert len(told("quota.attained")) == 1


def test_everybody_sees_the_quotas_within_reach(rep, manager, outsider, acting, api):
    quota = quota_of(rep, actor=acting(manager))
    seen = {
        who.name: [one["id"] for one in api(who).call("GET", "/quotas").json()["data"]]
        for who in (rep, manager, outsider)
    }
    assert seen == {
        "Rex Rep": [str(quota.pk)],
        "Mia Manager": [str(quota.pk)],
        "Olga Outsider": [],
    }
    address = f"/quotas/attainment?period={PERIOD}&user_id={rep.pk}"
    assert api(outsider).call("GET", address).status_code == 404
    answer = api(rep).call("GET", address)
    assert answer.status_code == 200, answer.content
    assert [one["attainment_percentage"] for one in answer.json()["quotas"]] == [0]


def test_is_set_and_changed_over_rest(rep, manager, api, deliver_events):
    body = {
        "user_id": str(rep.pk),
        "period": PERIOD,
        "quota_type": "revenue",
        "quota_amount": 500000,
    }
    made = api(manager).call("POST", "/quotas", body)
    assert made.status_code == 201, made.content
    assert api(manager).call("POST", "/quotas", body).status_code == 409
    make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    deliver_events()
    address = f"/quotas/{made.json()['id']}"
    changed = api(manager).call("PUT", address, {"quota_amount": "250000.00"}).json()
    assert (changed["quota_amount"], changed["attainment_amount"]) == (250000, 1000)
    assert changed["attainment_percentage"] == 0.4
    assert api(rep).call("PUT", address, {"quota_amount": 1}).status_code == 403
    credits_there = api(rep).call("GET", "/quotas/credits").json()["data"]
    assert [one["converted"] for one in credits_there] == [1000]


def test_is_set_and_changed_in_the_back_office(rep, manager, client, deliver_events):
    client.force_login(manager)
    facts = {"user": rep.pk, "period": PERIOD, "quota_type": "revenue", "amount": "700.00"}
    client.post("/admin/quotas/quota/add/", facts)
    quota = Quota.objects.get()
    assert (quota.user_id, quota.amount) == (rep.pk, Decimal("700.00"))
    changed = {"amount": "800.00", "children-TOTAL_FORMS": 0, "children-INITIAL_FORMS": 0}
    client.post(f"/admin/quotas/quota/{quota.pk}/change/", changed)
    quota.refresh_from_db()
    assert quota.amount == Decimal("800.00")
    make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    deliver_events()
    for address in ("/admin/quotas/quota/", f"/admin/quotas/quota/{quota.pk}/change/"):
        assert "125.00 %" in client.get(address).content.decode()


def test_pace_goes_by_working_days():
    quarter = parse_period("Q1_2026")
    assert working_days(quarter.starts_on, quarter.ends_on) == 64
    friday, sunday = date(2026, 1, 30), date(2026, 2, 1)
    on_friday = pace(
        amount=Decimal("6400.00"), attained=Decimal("1100.00"), period=quarter, today=friday
    )
    assert (on_friday.expected, on_friday.projected) == (Decimal("2200.00"), Decimal("3200.00"))
    assert on_friday == pace(
        amount=Decimal("6400.00"), attained=Decimal("1100.00"), period=quarter, today=sunday
    )
    before = pace(
        amount=Decimal("6400.00"), attained=Decimal(0), period=quarter, today=date(2025, 12, 31)
    )
    assert (before.expected, before.projected) == (Decimal("0.00"), None)
    after = pace(
        amount=Decimal("6400.00"), attained=Decimal("9.00"), period=quarter, today=date(2026, 6, 1)
    )
    assert (after.expected, after.projected) == (Decimal("6400.00"), Decimal("9.00"))
    assert percentage_of(Decimal(1), Decimal(0)) is None
