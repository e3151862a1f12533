"""Who shares the credit for a deal."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidInput, NotAllowed, NotFound, StaleVersion
from apps.core.models import BusinessEvent, Change
from apps.opportunities.models import OpportunitySplit
from apps.opportunities.rules import Split, check_splits, credited
from apps.opportunities.services.deals import reassign_opportunity
from apps.opportunities.services.splits import split_opportunity
from apps.opportunities.services.stages import reopen_opportunity
from tests.factories.opportunities import make_deal


def share(user, percentage, kind="revenue"):
    return {"user_id": user.pk, "kind": kind, "percentage": Decimal(percentage)}


def shares_of(deal):
    rows = OpportunitySplit.objects.filter(opportunity=deal).order_by("kind", "percentage")
    return [(one.user_id, one.kind, one.percentage) for one in rows]


def credits_told(deal):
    told = BusinessEvent.objects.filter(name="opportunity.credit_changed", aggregate_id=deal.pk)
    return [one.payload for one in told.order_by("sequence")]


@pytest.fixture
def deal(rep):
    return make_deal(owner=rep, amount=Decimal("1000.00"))


def test_shares_a_deal_and_keeps_the_history(deal, rep, outsider, acting):
    split_opportunity(
        opportunity_id=deal.pk,
        splits=[share(rep, "60"), share(outsider, "40"), share(outsider, "15.5", "overlay")],
        actor=acting(rep),
    )
    assert shares_of(deal) == [
        (outsider.pk, "overlay", Decimal("15.50")),
        (outsider.pk, "revenue", Decimal("40.00")),
        (rep.pk, "revenue", Decimal("60.00")),
    ]
    assert Change.objects.filter(kind="opportunity_splits", action="made").count() == 3
    updated = BusinessEvent.objects.filter(name="opportunity.updated", aggregate_id=deal.pk)
    assert [one.payload["changed"] for one in updated] == [["splits"]]
    assert credits_told(deal) == []


@pytest.mark.parametrize("percentages", [("60",), ("60", "40.01"), ("99.99",)])
def test_refuses_revenue_shares_that_are_not_whole(deal, rep, manager, acting, percentages):
    people = [rep, manager]
    with pytest.raises(InvalidInput) as refusal:
        split_opportunity(
            opportunity_id=deal.pk,
            splits=[share(*pair) for pair in zip(people, percentages, strict=False)],
            actor=acting(rep),
        )
    assert list(refusal.value.details["fields"]) == ["splits"]
    assert shares_of(deal) == []


@pytest.mark.parametrize("percentage", ["0", "-1", "100.01", "33.333"])
def test_refuses_a_share_that_is_none(deal, rep, acting, percentage):
    with pytest.raises(InvalidInput):
        split_opportunity(
            opportunity_id=deal.pk,
            splits=[share(rep, percentage, "overlay")],
            actor=acting(rep),
        )
    assert shares_of(deal) == []


def test_refuses_two_shares_of_a_kind_strangers_and_stale_versions(deal, rep, outsider, acting):
    twice = [share(rep, "50"), share(rep, "50")]
    nobody = [{"user_id": uuid4(), "kind": "overlay", "percentage": Decimal(5)}]
    for splits in (twice, nobody):
        with pytest.raises(InvalidInput):
            split_opportunity(opportunity_id=deal.pk, splits=splits, actor=acting(rep))
    with pytest.raises(StaleVersion):
        split_opportunity(opportunity_id=deal.pk, splits=[], version=7, actor=acting(rep))
    with pytest.raises(NotFound):
        split_opportunity(opportunity_id=deal.pk, splits=[], actor=acting(outsider))
    assert shares_of(deal) == []


def test_the_same_shares_again_change_nothing(deal, rep, acting):
    for _ in range(2):
        changed = split_opportunity(
            opportunity_id=deal.pk, splits=[share(rep, "100")], actor=acting(rep)
        )
    assert changed.version == 2
    assert BusinessEvent.objects.filter(name="opportunity.updated").count() == 1


def test_the_database_refuses_shares_that_are_not_whole(deal, rep):
    OpportunitySplit.objects.create(
        opportunity=deal, user=rep, kind="revenue", percentage=Decimal("99.99")
    )
    with pytest.raises(IntegrityError, match="100 percent"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_won_deal_is_shared_anew_by_managers_only(rep, manager, acting):
    deal = make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    splits = [share(rep, "70"), share(manager, "30")]
    with pytest.raises(NotAllowed):
        split_opportunity(opportunity_id=deal.pk, splits=splits, actor=acting(rep))
    split_opportunity(opportunity_id=deal.pk, splits=splits, actor=acting(manager))
    assert [len(one["splits"]) for one in credits_told(deal)] == [1, 2]


def test_tells_what_a_deal_counts_for_whenever_that_changes(rep, manager, acting):
    deal = make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    reassign_opportunity(opportunity_id=deal.pk, owner_id=manager.pk, actor=acting(manager))
    reopen_opportunity(opportunity_id=deal.pk, actor=acting(manager))
    told = credits_told(deal)
    assert [one["owner_id"] for one in told] == [str(rep.pk), str(manager.pk), str(manager.pk)]
    assert [[two["user_id"] for two in one["splits"]] for one in told] == [
        [str(rep.pk)],
        [str(manager.pk)],
        [],
    ]
    assert [one["closed_on"] is None for one in told] == [False, False, True]
    versions = [one["version"] for one in told]
    assert versions == sorted(set(versions))


def test_the_won_event_says_who_is_credited(rep):
    deal = make_deal(owner=rep, stage="closed_won")
    won = BusinessEvent.objects.get(name="opportunity.won", aggregate_id=deal.pk)
    assert won.payload["splits"] == [{"user_id": str(rep.pk), "kind": "revenue", "percentage": 100}]


def test_is_read_and_written_over_rest(deal, rep, manager, outsider, api):
    address = f"/opportunities/{deal.pk}/splits"
    body = {
        "splits": [
            {"user_id": str(rep.pk), "kind": "revenue", "percentage": 75.5},
            {"user_id": str(manager.pk), "kind": "revenue", "percentage": "24.50"},
        ]
    }
    answer = api(rep).call("PUT", address, body)
    assert answer.status_code == 200, answer.content
    rows = api(rep).call("GET", address).json()["data"]
    assert [(one["user"]["id"], one["percentage"]) for one in rows] == [
        (str(rep.pk), 75.5),
        (str(manager.pk), 24.5),
    ]
    assert api(outsider).call("GET", address).status_code == 404
    body["splits"].pop()
    assert api(rep).call("PUT", address, body).status_code == 400


def test_is_shared_in_the_back_office(deal, rep, manager, client):
    client.force_login(rep)
    address = f"/admin/opportunities/opportunity/{deal.pk}/split/"
    typed = f"{rep.email} 60\n{manager.email} 40\n{manager.email} 5 overlay"
    client.post(address, {"splits": typed})
    assert shares_of(deal) == [
        (manager.pk, "overlay", Decimal("5.00")),
        (manager.pk, "revenue", Decimal("40.00")),
        (rep.pk, "revenue", Decimal("60.00")),
    ]
    client.post(address, {"splits": "nobody@nowhere.test 100"})
    assert len(shares_of(deal)) == 3


PEOPLE = [uuid4() for _ in range(5)]
CUTS = st.lists(st.integers(1, 9_999), min_size=0, max_size=4, unique=True).map(sorted)


@given(CUTS)
def test_whatever_is_cut_out_of_a_whole_is_accepted(cuts):
    edges = [0, *cuts, 10_000]
    parts = [Decimal(end - start) / 100 for start, end in zip(edges, edges[1:], strict=False)]
    splits = [Split(who, "revenue", part) for who, part in zip(PEOPLE, parts, strict=False)]
    check_splits(splits)
    assert sum(one.percentage for one in credited(splits, PEOPLE[0])) == 100


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=5).filter(lambda x: sum(x) != 10_000))
def test_whatever_is_not_a_whole_is_refused(hundredths):
    splits = [
        Split(who, "revenue", Decimal(part) / 100)
        for who, part in zip(PEOPLE, hundredths, strict=False)
    ]
    with pytest.raises(InvalidInput):
        check_splits(splits)
