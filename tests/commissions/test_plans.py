"""Commission plans, and who earns by them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from apps.commissions.models import CommissionMember, CommissionPlan
from apps.commissions.rules import Tier
from apps.commissions.services.plans import (
    add_commission_plan,
    put_on_plan,
    retire_commission_plan,
)
from tests.at_once import outcomes_at_once

PLAN = {
    "name": "Inside sales",
    "pays_by": "month",
    "tiers": [{"above": 100, "rate": 7.5}, {"above": 0, "rate": 4}],
}


def periods(person):
    rows = CommissionMember.objects.filter(user=person).order_by("starts_on")
    return [(one.plan.name, one.starts_on, one.ends_on) for one in rows]


def test_tiers_stand_in_their_order(api, admin):
    answer = api(admin).call("POST", "/commissions/plans", PLAN)
    assert answer.status_code == 201, answer.content
    assert answer.json()["tiers"] == [{"above": 0, "rate": 4.0}, {"above": 100, "rate": 7.5}]
    again = api(admin).call("POST", "/commissions/plans", PLAN)
    assert (again.status_code, CommissionPlan.objects.count()) == (409, 1)


def test_refuses_tiers_that_do_not_begin_at_nothing_or_begin_twice(api, admin):
    for tiers in (
        [{"above": 10, "rate": 4}],
        [{"above": 0, "rate": 4}, {"above": 0, "rate": 5}],
        [{"above": 0, "rate": 101}],
        [],
    ):
        answer = api(admin).call("POST", "/commissions/plans", {**PLAN, "tiers": tiers})
        assert answer.status_code == 400
        assert "tiers" in answer.json()["error"]["details"]["fields"]
    assert not CommissionPlan.objects.exists()


def test_only_who_plans_sets_plans_up(api, manager, plan, rep):
    assert api(manager).call("POST", "/commissions/plans", PLAN).status_code == 403
    body = {"user_id": str(rep.pk), "starts_on": "2026-01-01"}
    answer = api(manager).call("POST", f"/commissions/plans/{plan.pk}/members", body)
    assert answer.status_code == 403
    assert (CommissionPlan.objects.count(), CommissionMember.objects.count()) == (1, 0)


def test_the_next_plan_ends_the_one_before(api, admin, rep, plan):
    client = api(admin)
    other = client.call("POST", "/commissions/plans", PLAN).json()
    for plan_id, starts_on in ((plan.pk, "2026-01-01"), (other["id"], "2026-04-01")):
        body = {"user_id": str(rep.pk), "starts_on": starts_on}
        answer = client.call("POST", f"/commissions/plans/{plan_id}/members", body)
        assert answer.status_code == 201, answer.content
    assert periods(rep) == [
        ("Field sales", date(2026, 1, 1), date(2026, 3, 31)),
        ("Inside sales", date(2026, 4, 1), None),
    ]
    late = {"user_id": str(rep.pk), "starts_on": "2026-02-01"}
    answer = client.call("POST", f"/commissions/plans/{plan.pk}/members", late)
    assert answer.json()["error"]["details"]["reason"] == "on_plan_later"
    assert len(periods(rep)) == 2


def test_nobody_new_goes_on_a_retired_plan(api, admin, rep, outsider, plan, system):
    put_on_plan(plan_id=plan.pk, user_id=rep.pk, starts_on=date(2026, 1, 1), actor=system)
    retire_commission_plan(plan_id=plan.pk, actor=system)
    body = {"user_id": str(outsider.pk), "starts_on": "2026-01-01"}
    answer = api(admin).call("POST", f"/commissions/plans/{plan.pk}/members", body)
    assert answer.json()["error"]["details"]["reason"] == "plan_is_retired"
    assert periods(rep) == [("Field sales", date(2026, 1, 1), None)]


@pytest.mark.django_db(transaction=True)
def test_of_two_plans_of_one_name_at_once_one_is_refused(system):
    tiers = [Tier(Decimal(0), Decimal(5))]

    def add(_):
        add_commission_plan(name="Inside sales", pays_by="month", tiers=tiers, actor=system)

    assert outcomes_at_once(add, range(2)) == ["done", "plan_name_taken"]
    assert CommissionPlan.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_plans_for_a_person_at_once_one_is_refused(rep, plan, system):
    tiers = [Tier(Decimal(0), Decimal(5))]
    other = add_commission_plan(name="Inside sales", pays_by="month", tiers=tiers, actor=system)

    def put(number):
        put_on_plan(
            plan_id=(plan, other)[number].pk,
            user_id=rep.pk,
            starts_on=date(2026, 1, 1),
            actor=system,
        )

    assert outcomes_at_once(put, range(2)) == ["done", "on_plan_later"]
    assert len(periods(rep)) == 1
