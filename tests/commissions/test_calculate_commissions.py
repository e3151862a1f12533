"""What people are due: by tier, for help, and taken back when deals are reopened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from hypothesis import given
from hypothesis import strategies as st

from apps.commissions.models import CommissionEntry
from apps.commissions.rules import Earning, Rates, Tier, shares_of
from apps.commissions.selectors import statements
from apps.commissions.services.calculation import calculate_commissions
from apps.commissions.services.plans import put_on_plan
from apps.core.errors import InvalidInput
from apps.core.models import BusinessEvent
from apps.core.periods import PeriodKind, organisation_today, period_containing
from apps.opportunities.services.splits import split_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from apps.quotas.services.quotas import change_quota, set_quota
from tests.factories.opportunities import make_deal
from tests.factories.users import UserFactory

QUARTER = period_containing(
    organisation_today(), PeriodKind.QUARTER, start_month=settings.FISCAL_YEAR_START_MONTH
)


@pytest.fixture
def quota(rep, system):
    """The rep is to bring in 1,000."""
    return set_quota(
        user_id=rep.pk,
        period=QUARTER.key,
        quota_type="revenue",
        quota_amount=Decimal(1000),
        actor=system,
    )


def sell(owner, amount, deliver_events):
    deal = make_deal(owner=owner, stage="closed_won", amount=Decimal(amount))
    deliver_events()
    return deal


def told():
    found = BusinessEvent.objects.filter(name="commission.calculated").order_by("sequence")
    return [(one.payload["commission_amount"], one.payload["change"]) for one in found]


def owed(rep):
    return CommissionEntry.objects.filter(user=rep).aggregate(Sum("amount"))["amount__sum"]


# --- By tier ----------------------------------------------------------------------------------


def test_what_lies_above_the_quota_is_paid_better(api, admin, rep, on_plan, quota, deliver_events):
    first = sell(rep, "600.00", deliver_events)
    second = sell(rep, "600.00", deliver_events)
    answer = api(admin).call("POST", "/commissions/calculate", {"period": QUARTER.key})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "period": QUARTER.key,
        "currency": "USD",
        "is_kept": True,
        "commission_amount": 66.0,
        "change": 66.0,
        "statements": [
            {
                "user": {"id": str(rep.pk), "name": rep.name},
                "quota_amount": 1000.0,
                "credited_amount": 1200.0,
                "commission_amount": 66.0,
                "change": 66.0,
                "lines": [
                    {
                        "plan_id": str(on_plan.plan_id),
                        "kind": "revenue",
                        "rate": 5.0,
                        "base_amount": 1000.0,
                        "amount": 50.0,
                    },
                    {
                        "plan_id": str(on_plan.plan_id),
                        "kind": "revenue",
                        "rate": 8.0,
                        "base_amount": 200.0,
                        "amount": 16.0,
                    },
                ],
            }
        ],
    }
    query = f"/commissions/deals?period={QUARTER.key}&user_id={rep.pk}"
    deals = api(rep).call("GET", query).json()["deals"]
    assert [(one["opportunity"]["id"], one["base_amount"], one["rate"]) for one in deals] == [
        (str(first.pk), 600.0, 5.0),
        (str(second.pk), 400.0, 5.0),
        (str(second.pk), 200.0, 8.0),
    ]
    assert told() == [(66.0, 66.0)]


def test_without_a_quota_all_is_paid_at_the_first_rate(rep, on_plan, system, deliver_events):
    sell(rep, "5000.00", deliver_events)
    (one,) = calculate_commissions(period=QUARTER.key, actor=system).statements
    assert one.commission == Decimal("250.00")


def test_help_is_paid_at_its_own_rate(rep, manager, on_plan, system, deliver_events):
    other = UserFactory(name="Rita Rep", manager=manager)
    deal = make_deal(owner=other, amount=Decimal(1000))
    split_opportunity(
        opportunity_id=deal.pk,
        splits=[
            {"user_id": other.pk, "kind": "revenue", "percentage": Decimal(100)},
            {"user_id": rep.pk, "kind": "overlay", "percentage": Decimal(50)},
        ],
        actor=system,
    )
    for stage in ("proposal", "negotiation", "closed_won"):
        move_opportunity(opportunity_id=deal.pk, stage=stage, actor=system)
    deliver_events()
    (one,) = calculate_commissions(period=QUARTER.key, actor=system).statements
    assert (one.credited, one.commission) == (500, Decimal("5.00"))


def test_a_plan_pays_for_its_own_kind_of_period_only(rep, on_plan, system, deliver_events):
    sell(rep, "100.00", deliver_events)
    year = period_containing(organisation_today(), PeriodKind.YEAR)
    assert calculate_commissions(period=year.key, actor=system).statements == []
    assert not CommissionEntry.objects.exists()


# --- Again ------------------------------------------------------------------------------------


def test_the_same_again_writes_and_tells_nothing(rep, on_plan, system, deliver_events):
    sell(rep, "100.00", deliver_events)
    for _ in range(2):
        found = calculate_commissions(period=QUARTER.key, actor=system)
    assert found.change == 0
    assert CommissionEntry.objects.count() == 1
    assert told() == [(5.0, 5.0)]


def test_what_is_only_tried_out_is_not_kept(api, admin, rep, on_plan, deliver_events):
    sell(rep, "100.00", deliver_events)
    body = {"period": QUARTER.key, "dry_run": True}
    found = api(admin).call("POST", "/commissions/calculate", body).json()
    assert (found["is_kept"], found["commission_amount"]) == (False, 5.0)
    assert not CommissionEntry.objects.exists()


def test_a_reopened_deal_is_taken_back(rep, on_plan, quota, system, deliver_events):
    first = sell(rep, "900.00", deliver_events)
    sell(rep, "300.00", deliver_events)
    calculate_commissions(period=QUARTER.key, actor=system)
    assert owed(rep) == Decimal("66.00")
    reopen_opportunity(opportunity_id=first.pk, actor=system)
    deliver_events()
    (one,) = calculate_commissions(period=QUARTER.key, actor=system).statements
    assert (one.commission, one.change) == (Decimal("15.00"), Decimal("-51.00"))
    assert owed(rep) == Decimal("15.00")
    assert told() == [(66.0, 66.0), (15.0, -51.0)]


def test_another_quota_changes_what_is_due(rep, on_plan, quota, system, deliver_events):
    sell(rep, "1000.00", deliver_events)
    calculate_commissions(period=QUARTER.key, actor=system)
    change_quota(quota_id=quota.pk, quota_amount=Decimal(500), actor=system)
    calculate_commissions(period=QUARTER.key, actor=system)
    assert owed(rep) == Decimal("65.00")


@pytest.mark.django_db(transaction=True)
def test_two_at_once_pay_once(rep, on_plan, system, deliver_events):
    sell(rep, "100.00", deliver_events)

    def calculate(_):
        try:
            return calculate_commissions(period=QUARTER.key, actor=system).change
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(calculate, range(2))) == [0, 5]
    assert owed(rep) == 5


def test_entries_are_never_altered(rep, on_plan, system, deliver_events):
    sell(rep, "100.00", deliver_events)
    calculate_commissions(period=QUARTER.key, actor=system)
    with pytest.raises(IntegrityError), transaction.atomic():
        CommissionEntry.objects.update(amount=1)


# --- Who --------------------------------------------------------------------------------------


def test_a_manager_works_out_what_their_own_people_are_due(
    api, manager, rep, outsider, plan, on_plan, system, deliver_events
):
    put_on_plan(plan_id=plan.pk, user_id=outsider.pk, starts_on=date(2020, 1, 1), actor=system)
    sell(outsider, "100.00", deliver_events)
    found = api(manager).call("POST", "/commissions/calculate", {"period": QUARTER.key}).json()
    assert [one["user"]["name"] for one in found["statements"]] == [rep.name]
    body = {"period": QUARTER.key, "user_ids": [str(outsider.pk)]}
    assert api(manager).call("POST", "/commissions/calculate", body).status_code == 400
    assert not CommissionEntry.objects.exists()


def test_a_rep_sees_their_own_and_works_out_nothing(
    api, rep, outsider, on_plan, system, deliver_events
):
    sell(rep, "100.00", deliver_events)
    calculate_commissions(period=QUARTER.key, actor=system)
    assert [one["amount"] for one in api(rep).call("GET", "/commissions").json()["data"]] == [5.0]
    assert api(outsider).call("GET", "/commissions").json()["data"] == []
    query = f"/commissions/deals?period={QUARTER.key}&user_id={rep.pk}"
    assert api(outsider).call("GET", query).status_code == 404
    body = {"period": QUARTER.key}
    assert api(rep).call("POST", "/commissions/calculate", body).status_code == 403


def test_who_only_reads_sees_no_commissions(api, on_plan):
    viewer = UserFactory(role="read_only")
    assert api(viewer).call("GET", "/commissions").status_code == 403
    assert api(viewer).call("GET", "/commissions/plans").status_code == 403


def test_names_who_is_on_no_plan(rep, system):
    with pytest.raises(InvalidInput) as refused:
        calculate_commissions(period=QUARTER.key, user_ids=[rep.pk], actor=system)
    assert str(rep.pk) in refused.value.message


def test_a_few_statements_whatever_the_number_of_people(
    django_assert_num_queries, plan, manager, system, deliver_events
):
    people = [UserFactory(manager=manager) for _ in range(5)]
    for one in people:
        put_on_plan(plan_id=plan.pk, user_id=one.pk, starts_on=date(2020, 1, 1), actor=system)
        sell(one, "100.00", deliver_events)
    with django_assert_num_queries(4):
        assert len(list(statements(QUARTER, [one.pk for one in people]))) == 5


# --- Rules ------------------------------------------------------------------------------------

PLAN = UUID(int=1)
cents = st.integers(1, 10**9).map(lambda amount: Decimal(amount) / 100)


@given(
    amounts=st.lists(cents, max_size=12),
    quota=st.one_of(st.none(), cents),
    thresholds=st.sets(st.integers(1, 300), max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_every_cent_is_paid_once_whatever_the_order(amounts, quota, thresholds, order):
    tiers = (
        Tier(Decimal(0), Decimal(1)),
        *(Tier(Decimal(one), Decimal(place)) for place, one in enumerate(sorted(thresholds), 2)),
    )
    rates = {PLAN: Rates(tiers, Decimal(0))}

    def bases(some):
        earnings = [
            Earning(UUID(int=place), PLAN, "revenue", date(2026, 1, 1), amount)
            for place, amount in enumerate(some, 1)
        ]
        found = {}
        for share in shares_of(earnings, quota=quota, rates=rates):
            assert share.amount > 0
            found[share.rate] = found.get(share.rate, Decimal(0)) + share.amount
        return found

    first = bases(amounts)
    assert sum(first.values()) == sum(amounts)
    shuffled = list(amounts)
    order.shuffle(shuffled)
    assert bases(shuffled) == first
