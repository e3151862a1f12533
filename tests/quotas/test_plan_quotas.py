"""Planning a fiscal year: many quotas at once, all or none of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from apps.core.errors import InvalidInput, NotAllowed
from apps.core.models import BusinessEvent
from apps.core.periods import organisation_today
from apps.quotas.errors import OwnQuota, QuotaChangedMeanwhile
from apps.quotas.models import Quota
from apps.quotas.services.plans import PlannedQuota, plan_quotas
from tests.at_once import outcomes_at_once
from tests.factories.users import UserFactory

YEAR = organisation_today().year
FY, Q1, Q2 = f"FY_{YEAR}", f"Q1_{YEAR}", f"Q2_{YEAR}"


def planned(user, amount, period=Q1, read=None):
    return PlannedQuota(user.pk, period, Decimal(amount), None if read is None else Decimal(read))


def plan(*quotas, actor):
    return plan_quotas(quota_type="revenue", quotas=quotas, actor=actor)


def kept():
    rows = Quota.objects.order_by("user__name", "period")
    return [(one.user.name, one.period, one.amount) for one in rows.select_related("user")]


@pytest.fixture
def second(manager):
    """Another who reports to the manager."""
    return UserFactory(name="Sam Second", manager=manager)


def test_quotas_are_set_and_changed_together(rep, second, manager, acting):
    plan(planned(rep, 100), planned(second, 50), planned(rep, 400, FY), actor=acting(manager))
    again = (planned(rep, 120, read=100), planned(second, 50, read=50), planned(second, 7, Q2))
    plan(*again, actor=acting(manager))
    assert kept() == [
        ("Rex Rep", FY, Decimal(400)),
        ("Rex Rep", Q1, Decimal(120)),
        ("Sam Second", Q1, Decimal(50)),
        ("Sam Second", Q2, Decimal(7)),
    ]
    names = BusinessEvent.objects.filter(name__startswith="quota.").order_by("sequence")
    assert [one.name for one in names] == ["quota.set"] * 4 + ["quota.updated"]


@pytest.mark.parametrize("read", [None, 99])
def test_refuses_all_where_one_is_not_any_more_what_was_read(rep, second, manager, acting, read):
    plan(planned(rep, 100), actor=acting(manager))
    with pytest.raises(QuotaChangedMeanwhile):
        plan(planned(second, 5), planned(rep, 1, read=read), actor=acting(manager))
    assert kept() == [("Rex Rep", Q1, Decimal(100))]


def test_refuses_strangers_oneself_reps_and_what_makes_no_sense(rep, outsider, manager, acting):
    for wrong, refusal in (
        ([planned(outsider, 5)], InvalidInput),
        ([planned(manager, 5)], OwnQuota),
        ([], InvalidInput),
        ([planned(rep, 5), planned(rep, 6)], InvalidInput),
        ([planned(rep, 5), planned(rep, 5, "Q9_2026")], InvalidInput),
    ):
        with pytest.raises(refusal):
            plan(*wrong, actor=acting(manager))
    with pytest.raises(NotAllowed):
        plan(planned(rep, 5), actor=acting(rep))
    with pytest.raises(InvalidInput):
        plan_quotas(quota_type="fame", quotas=[planned(rep, 5)], actor=acting(manager))
    assert kept() == []


def test_many_cost_the_same_few_statements(manager, acting, django_assert_max_num_queries):
    team = UserFactory.create_batch(20, manager=manager)
    actor = acting(manager)
    cells = [planned(one, 5, period) for one in team for period in (FY, Q1, Q2)]
    with django_assert_max_num_queries(14):
        plan(*cells, actor=actor)
    assert len(kept()) == 60


@pytest.mark.django_db(transaction=True)
def test_of_two_who_plan_at_once_one_is_refused(rep, manager, acting):
    actor = acting(manager)
    found = outcomes_at_once(lambda amount: plan(planned(rep, amount), actor=actor), [5, 6])
    assert found in (["done", "quota_changed_meanwhile"], ["done", "quota_taken"])
    assert len(kept()) == 1


# --- Doors --------------------------------------------------------------------------------------


def test_a_year_is_read_and_planned_over_rest(api, rep, second, manager, system, outsider):
    plan(planned(manager, 1000, FY), actor=system)
    client = api(manager)
    quotas = [
        {"user_id": str(rep.pk), "period": FY, "quota_amount": 700},
        {"user_id": str(second.pk), "period": FY, "quota_amount": 250.50},
    ]
    sent = client.call("PUT", "/quotas/plan", {"quota_type": "revenue", "quotas": quotas})
    assert (sent.status_code, sent.json()) == (200, {"count": 2})
    asked = f"/quotas/plan?fiscal_year={FY}&quota_type=revenue"
    found = client.call("GET", f"{asked}&lead_id={manager.pk}").json()
    assert found["lead"]["quotas"] == [{"period": FY, "quota_amount": 1000}]
    assert [(one["user"]["name"], one["quotas"]) for one in found["people"]] == [
        ("Rex Rep", [{"period": FY, "quota_amount": 700}]),
        ("Sam Second", [{"period": FY, "quota_amount": 250.50}]),
    ]
    assert found["totals"][0] == {"period": FY, "quota_amount": 950.50, "gap": 49.50}
    assert found["totals"][1] == {"period": Q1, "quota_amount": 0, "gap": None}
    top = client.call("GET", asked).json()
    assert [(one["user"]["name"], one["leads_others"]) for one in top["people"]] == [
        ("Mia Manager", True)
    ]
    assert len(client.call("GET", f"{asked}&by=month").json()["totals"]) == 13
    assert api(outsider).call("GET", f"{asked}&lead_id={manager.pk}").status_code == 404
    for year in (Q1, "2026"):
        refused = client.call("GET", f"/quotas/plan?fiscal_year={year}&quota_type=deals")
        assert refused.status_code == 400
        assert refused.json()["error"]["details"]["fields"] == {
            "fiscal_year": ["Write a fiscal year as FY_2026."]
        }
    stale = client.call("PUT", "/quotas/plan", {"quota_type": "revenue", "quotas": quotas})
    assert (stale.status_code, stale.json()["error"]["details"]["reason"]) == (
        409,
        "quota_changed_meanwhile",
    )


def test_a_gap_goes_by_everybody_though_not_all_are_told(
    api, rep, second, manager, system, monkeypatch
):
    monkeypatch.setattr("apps.quotas.selectors.plan.MOST_PEOPLE", 1)
    quotas = (planned(manager, 100, FY), planned(rep, 60, FY), planned(second, 40, FY))
    plan(*quotas, actor=system)
    asked = f"/quotas/plan?fiscal_year={FY}&quota_type=revenue&lead_id={manager.pk}"
    found = api(manager).call("GET", asked).json()
    assert (len(found["people"]), found["has_more"]) == (1, True)
    assert found["totals"][0] == {"period": FY, "quota_amount": 100, "gap": 0}


def test_a_year_is_planned_in_the_back_office(client, rep, second, manager, system):
    plan(planned(manager, 1000, FY), actor=system)
    client.force_login(manager)
    address = reverse("admin:quotas_quota_plan")
    page = client.get(address).content.decode()
    assert "Reports to Mia Manager" in page
    assert f'aria-label="Rex Rep, {Q1}"' in page
    typed = {
        "type": "revenue",
        f"quota {rep.pk} {FY}": "1,200.50",
        f"read {rep.pk} {FY}": "",
        f"quota {second.pk} {FY}": "",
        f"read {second.pk} {FY}": "",
    }
    page = client.post(address, typed, follow=True).content.decode()
    assert "A quota was planned." in page
    assert 'title="-200.50"' in page
    assert ("Rex Rep", FY, Decimal("1200.50")) in kept()
    page = client.post(address, {**typed, f"quota {rep.pk} {FY}": "7"}).content.decode()
    assert "Somebody changed one of these quotas meanwhile." in page
    assert 'value="7"' in page
    for wrong in ("many", "-1", "0.001", "1e99", "NaN"):
        page = client.post(address, {**typed, f"quota {rep.pk} {FY}": wrong}).content.decode()
        assert f"{wrong} is no amount" in page
    assert ("Rex Rep", FY, Decimal("1200.50")) in kept()
    client.force_login(rep)
    assert "Nobody reports to Rex Rep." in client.get(address).content.decode()
