"""Sharing a quota out: top-down, over people and periods, without losing a cent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.identifiers import new_id
from apps.core.models import BusinessEvent
from apps.core.periods import PeriodKind, parse_period, parts_of
from apps.quotas.errors import AllocatedElsewhere, OwnQuota, QuotaTaken
from apps.quotas.models import Quota
from apps.quotas.rules import QuotaShare, allocated
from apps.quotas.services import quotas
from apps.quotas.services.allocation import allocate_quota
from apps.quotas.services.quotas import set_quota
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

YEAR = "FY_2027"
CENT = Decimal("0.01")


@pytest.fixture
def team(manager, rep):
    """Two people who report to the manager."""
    return rep, UserFactory(name="Rita Rep", manager=manager)


@pytest.fixture
def whole(manager, system):
    """What the manager is to bring in."""
    return set_quota(
        user_id=manager.pk,
        period=YEAR,
        quota_type="revenue",
        quota_amount=Decimal("1000.00"),
        actor=system,
    )


def shares_of(*people, **facts):
    return [QuotaShare(user_id=one.pk, **facts) for one in people]


def parts(whole):
    return [
        (one.user.name, one.period, one.amount)
        for one in whole.children.select_related("user").order_by("starts_on", "user__name")
    ]


def told(name):
    return [one.payload for one in BusinessEvent.objects.filter(name=name).order_by("sequence")]


# --- By weight, season and role ---------------------------------------------------------------


def test_parts_go_by_weight_and_come_to_the_whole(team, whole, manager, acting):
    rep, other = team
    shares = [QuotaShare(user_id=rep.pk, weight=Decimal(2)), QuotaShare(user_id=other.pk)]
    found = allocate_quota(quota_id=whole.pk, shares=shares, actor=acting(manager))
    assert parts(whole) == [
        ("Rex Rep", YEAR, Decimal("666.67")),
        ("Rita Rep", YEAR, Decimal("333.33")),
    ]
    assert (found.allocated, found.gap) == (Decimal("1000.00"), Decimal("0.00"))
    assert [one["amount"] for one in told("quota.set")] == [1000, 666.67, 333.33]


def test_a_year_goes_over_its_quarters_by_season(team, whole, manager, acting):
    allocate_quota(
        quota_id=whole.pk,
        shares=shares_of(*team),
        by="quarter",
        seasonality=[Decimal(one) for one in (1, 2, 3, 4)],
        actor=acting(manager),
    )
    assert [amount for name, _, amount in parts(whole) if name == "Rex Rep"] == [50, 100, 150, 200]
    assert {period for _, period, _ in parts(whole)} == {f"Q{one}_2027" for one in (1, 2, 3, 4)}


def test_whoever_comes_later_or_ramps_up_carries_less_and_the_others_more(
    team, whole, manager, acting
):
    rep, other = team
    new = QuotaShare(
        user_id=other.pk, since=date(2027, 4, 1), ramp=(Decimal(0), Decimal(50), Decimal(50))
    )
    allocate_quota(
        quota_id=whole.pk, shares=[*shares_of(rep), new], by="quarter", actor=acting(manager)
    )
    amounts = {(name, period): amount for name, period, amount in parts(whole)}
    assert amounts["Rex Rep", "Q1_2027"] == 250
    assert amounts["Rita Rep", "Q1_2027"] == 0
    # 65 working days in the quarter; half of those in May (21) and June (22).
    ramped = Decimal("21.5") / 65
    assert amounts["Rita Rep", "Q2_2027"] == round(250 * ramped / (1 + ramped), 2)
    assert amounts["Rex Rep", "Q3_2027"] == amounts["Rita Rep", "Q3_2027"] == 125
    assert sum(amounts.values()) == 1000


def test_over_assignment_is_on_top_and_shows_as_a_gap_below_zero(team, whole, manager, acting):
    found = allocate_quota(
        quota_id=whole.pk,
        shares=shares_of(*team),
        over_assignment=Decimal("12.5"),
        actor=acting(manager),
    )
    assert (found.allocated, found.gap) == (Decimal("1125.00"), Decimal("-125.00"))


def test_territories_get_parts_too(whole, system):
    west = TerritoryFactory()
    allocate_quota(
        quota_id=whole.pk, shares=[QuotaShare(territory_id=west.pk)], by="month", actor=system
    )
    assert list(whole.children.values_list("territory_id", flat=True)) == [west.pk] * 12


# --- Anew -------------------------------------------------------------------------------------


def test_the_same_again_changes_and_tells_nothing(team, whole, manager, acting):
    for _ in range(2):
        allocate_quota(quota_id=whole.pk, shares=shares_of(*team), actor=acting(manager))
    assert Quota.objects.count() == 3
    assert (len(told("quota.set")), told("quota.updated")) == (3, [])


def test_anew_changes_the_parts_and_leaves_a_quota_of_0_to_who_has_none(
    team, whole, manager, acting
):
    rep, _ = team
    allocate_quota(quota_id=whole.pk, shares=shares_of(*team), actor=acting(manager))
    allocate_quota(quota_id=whole.pk, shares=shares_of(rep), actor=acting(manager))
    assert parts(whole) == [
        ("Rex Rep", YEAR, Decimal("1000.00")),
        ("Rita Rep", YEAR, Decimal("0.00")),
    ]
    assert [(one["previous_amount"], one["amount"]) for one in told("quota.updated")] == [
        (500, 1000),
        (500, 0),
    ]


def test_a_quota_that_was_set_before_becomes_a_part(team, whole, manager, acting):
    rep, _ = team
    facts = {"period": YEAR, "quota_type": "revenue", "quota_amount": Decimal("500.00")}
    before = set_quota(user_id=rep.pk, **facts, actor=acting(manager))
    allocate_quota(quota_id=whole.pk, shares=shares_of(*team), actor=acting(manager))
    before.refresh_from_db()
    assert (before.parent_id, before.amount) == (whole.pk, Decimal("500.00"))
    assert told("quota.updated") == []


def test_a_trial_keeps_nothing(team, whole, manager, acting):
    found = allocate_quota(
        quota_id=whole.pk, shares=shares_of(*team), dry_run=True, actor=acting(manager)
    )
    assert [one.quota.amount for one in found.parts] == [500, 500]
    assert not whole.children.exists()


# --- Refusals ---------------------------------------------------------------------------------


def test_refuses_strangers_oneself_and_whoever_sets_no_quotas(
    team, whole, manager, outsider, acting
):
    rep, _ = team
    for who, refusal in ((manager, OwnQuota), (outsider, InvalidInput)):
        with pytest.raises(refusal):
            allocate_quota(quota_id=whole.pk, shares=shares_of(who), actor=acting(manager))
    with pytest.raises(NotFound):
        allocate_quota(quota_id=whole.pk, shares=shares_of(rep), actor=acting(outsider))
    own = set_quota(
        user_id=rep.pk,
        period=YEAR,
        quota_type="revenue",
        quota_amount=Decimal(1),
        actor=acting(manager),
    )
    with pytest.raises(NotAllowed):
        allocate_quota(quota_id=own.pk, shares=shares_of(rep), actor=acting(rep))
    assert not Quota.objects.exclude(parent=None).exists()


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"shares": []}, "shares"),
        ({"twice": True}, "shares"),
        ({"nobody": True}, "shares"),
        ({"weight": Decimal(-1)}, "shares"),
        ({"weight": Decimal(0)}, "shares"),
        ({"ramp": (Decimal(101),)}, "shares"),
        ({"since": date(2028, 1, 1)}, "shares"),
        ({"by": "week"}, "by"),
        ({"by": "year"}, "by"),
        ({"by": "quarter", "seasonality": [Decimal(1)]}, "seasonality"),
        ({"seasonality": [Decimal(0)]}, "seasonality"),
        ({"seasonality": [Decimal(-1)]}, "seasonality"),
        ({"over_assignment": Decimal(-1)}, "over_assignment"),
        ({"over_assignment": Decimal(101)}, "over_assignment"),
    ],
)
def test_refuses_what_makes_no_sense(rep, whole, manager, acting, facts, field):
    share = {name: facts.pop(name) for name in ("weight", "ramp", "since") if name in facts}
    shares = shares_of(rep, **share) * (2 if facts.pop("twice", False) else 1)
    if facts.pop("nobody", False):
        shares = [QuotaShare()]
    with pytest.raises(InvalidInput) as refused:
        allocate_quota(**{"quota_id": whole.pk, "shares": shares, **facts}, actor=acting(manager))
    assert list(refused.value.details["fields"]) == [field]
    assert not whole.children.exists()


def test_a_month_has_no_quarters(rep, manager, system):
    month = set_quota(
        user_id=manager.pk,
        period="M02_2027",
        quota_type="deals",
        quota_amount=Decimal(9),
        actor=system,
    )
    with pytest.raises(InvalidInput):
        allocate_quota(quota_id=month.pk, shares=shares_of(rep), by="quarter", actor=system)
    allocate_quota(quota_id=month.pk, shares=shares_of(rep), by="month", actor=system)
    assert parts(month) == [("Rex Rep", "M02_2027", Decimal("9.00"))]


def test_nothing_is_part_of_two_or_of_itself(team, whole, manager, system):
    rep, other = team
    allocate_quota(quota_id=whole.pk, shares=shares_of(rep), actor=system)
    below = whole.children.get()
    with pytest.raises(AllocatedElsewhere):
        allocate_quota(quota_id=below.pk, shares=shares_of(manager), actor=system)
    with pytest.raises(AllocatedElsewhere):
        allocate_quota(quota_id=whole.pk, shares=shares_of(manager), actor=system)
    allocate_quota(quota_id=below.pk, shares=shares_of(other), actor=system)
    with pytest.raises(AllocatedElsewhere):
        allocate_quota(quota_id=whole.pk, shares=shares_of(rep, other), actor=system)
    assert parts(whole) == [("Rex Rep", YEAR, Decimal("1000.00"))]


@pytest.mark.django_db(transaction=True)
def test_whoever_sets_a_part_at_the_same_time_wins(team, whole, system, monkeypatch):
    rep, _ = team
    insert = quotas.insert_rows

    def too_late(model, rows):
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(_set_elsewhere, rep, system).result()
        insert(model, rows)

    monkeypatch.setattr(quotas, "insert_rows", too_late)
    with pytest.raises(QuotaTaken):
        allocate_quota(quota_id=whole.pk, shares=shares_of(*team), actor=system)
    assert not whole.children.exists()
    assert Quota.objects.get(user=rep).amount == 7


def _set_elsewhere(user, actor):
    facts = {"period": YEAR, "quota_type": "revenue", "quota_amount": Decimal(7)}
    try:
        set_quota(user_id=user.pk, **facts, actor=actor)
    finally:
        connection.close()


# --- Doors ------------------------------------------------------------------------------------


def test_is_shared_out_over_rest(team, whole, manager, rep, api):
    rep, other = team
    body = {
        "quota_id": str(whole.pk),
        "shares": [{"user_id": str(rep.pk), "weight": 3}, {"user_id": str(other.pk)}],
        "by": "quarter",
        "dry_run": True,
    }
    trial = api(manager).call("POST", "/quotas/allocate", body)
    assert trial.status_code == 200, trial.content
    assert trial.json()["quotas"][0] == {
        "quota_id": None,
        "user_id": str(rep.pk),
        "territory_id": None,
        "period": "Q1_2027",
        "quota_amount": 187.5,
        "previous_amount": None,
    }
    kept = api(manager).call("POST", "/quotas/allocate", {**body, "dry_run": False}).json()
    assert (kept["allocated_amount"], kept["allocation_gap"], kept["is_kept"]) == (1000, 0, True)
    row = api(manager).call("GET", f"/quotas/{whole.pk}").json()
    assert (row["allocated_amount"], row["allocation_gap"]) == (1000, 0)
    rows = api(rep).call("GET", f"/quotas?parent_id={whole.pk}").json()["data"]
    assert [one["quota_amount"] for one in rows] == [187.5] * 4
    assert api(rep).call("POST", "/quotas/allocate", body).status_code == 404


def test_is_shared_out_in_the_back_office(team, whole, admin, client):
    client.force_login(admin)
    page = f"/admin/quotas/quota/{whole.pk}/"
    facts = {"shares": "rita@", "by": "quarter", "over_assignment": "10"}
    assert "There is no person rita@." in client.post(f"{page}allocate/", facts).content.decode()
    lines = "\n".join((f"{team[0].email} 3", team[1].email))
    client.post(f"{page}allocate/", {**facts, "shares": lines})
    assert [amount for name, _, amount in parts(whole) if name == "Rita Rep"] == [
        Decimal("68.75")
    ] * 4
    told = client.get(f"{page}change/").content.decode()
    assert "1,100.00" in told
    assert "Q4_2027" in told


# --- In all cases -----------------------------------------------------------------------------

PERCENT = st.decimals(0, 100, places=2)
PORTIONS = st.lists(
    st.builds(
        QuotaShare,
        user_id=st.builds(new_id),
        weight=st.decimals(0, 1000, places=4),
        since=st.none() | st.dates(date(2026, 1, 1), date(2028, 3, 31)),
        ramp=st.lists(PERCENT, max_size=24).map(tuple),
    ),
    max_size=12,
)


@given(
    total=st.decimals(0, 9_999_999_999_999, places=2),
    kind=st.sampled_from([PeriodKind.MONTH, PeriodKind.QUARTER, PeriodKind.YEAR]),
    start_month=st.integers(1, 12),
    portions=PORTIONS,
    data=st.data(),
)
def test_every_cent_is_given_out_once(total, kind, start_month, portions, data):
    whole = parse_period("FY_2027", start_month=start_month)
    there = parts_of(whole, kind, start_month=start_month)
    assert [one.starts_on for one in there[1:]] == [
        one.ends_on + timedelta(days=1) for one in there[:-1]
    ]
    weight = st.decimals(0, 100, places=2)
    seasons = data.draw(st.lists(weight, min_size=len(there), max_size=len(there)).filter(any))
    full = QuotaShare(new_id())
    found = allocated(total, parts=there, seasonality=seasons, shares=[*portions, full])
    assert sum(found.values()) == total
    assert min(found.values()) >= 0
    for part, season in zip(there, seasons, strict=True):
        given_out = sum(found[one.holder_id, part] for one in (*portions, full))
        assert abs(given_out - total * season / sum(seasons)) < CENT
        assert all(0 <= one.carried_in(part) <= 1 for one in portions)
