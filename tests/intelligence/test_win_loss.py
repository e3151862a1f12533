"""What wins and what loses deals: counted, with intervals, and nothing said of too few."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.intelligence.rules.shares import share_of
from apps.intelligence.rules.win_loss import Aspect, Tally, ranked
from apps.opportunities.models import Opportunity
from apps.opportunities.services.stages import move_opportunity
from tests.factories.accounts import AccountFactory
from tests.factories.opportunities import make_deal


@pytest.fixture
def closed(rep, system):
    """Deals of an account of some industry, won and lost."""

    def close(won, lost, reason="Too expensive", metadata=None, **account):
        customer = AccountFactory(owner=rep, **account)
        facts = {"account": customer, "metadata": metadata or {}}
        for _ in range(won):
            make_deal(stage="closed_won", **facts)
        for _ in range(lost):
            deal = make_deal(stage="proposal", **facts)
            move_opportunity(
                opportunity_id=deal.pk, stage="closed_lost", loss_reason=reason, actor=system
            )

    return close


def told(client, by, **query):
    answer = client.call("GET", f"/intelligence/win-loss?{urlencode({'by': by, **query})}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def brief(found):
    return [
        (one["name"], one["won"], one["lost"], one["share"]["value"], one["rank"])
        for one in found["groups"]
    ]


def test_industries_go_by_their_win_rate_and_those_with_few_deals_have_no_rank(api, rep, closed):
    closed(9, 1, industry="Retail")
    closed(2, 10, industry="banking")
    closed(1, 0, industry="Farming")
    found = told(api(rep), "industry")
    assert brief(found) == [
        ("Retail", 9, 1, 0.9, 1),
        ("banking", 2, 10, 0.1667, 2),
        ("Farming", 1, 0, 1.0, None),
    ]
    assert [one["stands_out"] for one in found["groups"]] == ["above", "below", ""]
    assert found["groups"][0]["share"] == {"value": 0.9, "low": 0.5958, "high": 0.9821}
    assert (found["total"]["won"], found["total"]["lost"]) == (12, 11)
    assert found["total"]["win_rate"] == {"value": 0.5217, "low": 0.3296, "high": 0.7076}
    assert (found["share_of"], found["groups_total"]) == ("won", 3)


def test_reasons_and_stages_are_shares_of_the_losses(api, rep, closed):
    closed(5, 6)
    closed(0, 5, reason=" too EXPENSIVE")
    closed(0, 1, reason="No budget")
    found = told(api(rep), "reason")
    assert brief(found) == [
        ("Too expensive", 0, 11, 0.9167, 1),
        ("No budget", 0, 1, 0.0833, None),
    ]
    assert [one["key"] for one in found["groups"]] == ["too expensive", "no budget"]
    assert found["share_of"] == "losses"
    [stage] = told(api(rep), "stage")["groups"]
    assert (stage["key"], stage["name"], stage["share"]["value"]) == ("proposal", "Proposal", 1.0)


def test_a_deal_with_two_competitors_is_in_the_group_of_each_and_once_in_the_total(
    api, rep, closed
):
    closed(1, 0, metadata={"competition": ["Acme", "Beta"]})
    closed(0, 1, metadata={"competition": ["acme "]})
    closed(1, 0, metadata={"competition": "not a list"})
    found = told(api(rep), "competitor")
    assert sorted(brief(found)) == [
        ("", 1, 0, 1.0, None),
        ("Acme", 1, 1, 0.5, None),
        ("Beta", 1, 0, 1.0, None),
    ]
    assert (found["total"]["won"], found["total"]["lost"]) == (2, 1)


@pytest.mark.parametrize(
    ("by", "account", "name"),
    [
        ("size", {"employee_count": 50}, "11–50"),
        ("size", {"employee_count": 51}, "51–200"),
        ("size", {"employee_count": 9_000}, "more than 5,000"),
        ("size", {"employee_count": None}, ""),
        ("country", {"country": "DE"}, "DE"),
        ("source", {}, ""),
        ("owner", {}, "Rex Rep"),
        ("territory", {}, ""),
        ("cycle", {}, "a week"),
    ],
)
def test_deals_are_told_apart_by(api, rep, closed, by, account, name):
    closed(1, 1, **account)
    assert brief(told(api(rep), by)) == [(name, 1, 1, 0.5, None)]


def test_how_long_deals_took_is_their_median(api, rep, system):
    began = timezone.now() - timedelta(days=100)
    for days in (3, 40, 90):
        with time_machine.travel(began):
            deal = make_deal(owner=rep, stage="negotiation")
        with time_machine.travel(began + timedelta(days=days)):
            move_opportunity(opportunity_id=deal.pk, stage="closed_won", actor=system)
    found = told(api(rep), "cycle")
    assert {one["name"] for one in found["groups"]} == {"a week", "three months"}
    assert found["total"]["median_days"] == 40


def test_only_deals_within_reach_that_were_closed_in_these_days_count(
    api, rep, outsider, manager, closed
):
    closed(1, 1)
    make_deal(owner=outsider, stage="closed_won")
    make_deal(owner=rep)
    today = timezone.localdate()
    Opportunity.objects.filter(owner=rep, kind="lost").update(
        actual_close_date=today - timedelta(days=30)
    )
    assert told(api(manager), "owner")["total"]["won"] == 1
    assert told(api(outsider), "owner")["total"] == {
        "won": 1,
        "lost": 0,
        "median_days": 0,
        "win_rate": {"value": 1.0, "low": 0.2065, "high": 1.0},
    }
    week = {"from": (today - timedelta(days=7)).isoformat(), "to": today.isoformat()}
    assert brief(told(api(rep), "owner", **week)) == [("Rex Rep", 1, 0, 1.0, None)]


def test_of_nothing_nothing_is_said(api, rep):
    found = told(api(rep), "reason", **{"from": "2026-01-01", "to": "2026-01-31"})
    assert found == {
        "by": "reason",
        "share_of": "losses",
        "first": "2026-01-01",
        "last": "2026-01-31",
        "total": {"won": 0, "lost": 0, "median_days": None, "win_rate": None},
        "groups": [],
        "groups_total": 0,
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "by"),
        ({"by": "weather"}, "by"),
        ({"by": "owner", "from": "2026-02-01", "to": "2026-01-01"}, "to"),
        ({"by": "owner", "from": "2010-01-01"}, "to"),
        ({"by": "owner", "from": "yesterday"}, "from"),
        ({"by": "owner", "to": "0001-01-01"}, "to"),
        ({"by": "owner", "from": "9999-12-31", "to": "9999-12-31"}, "to"),
        ({"by": "owner", "sort": "up"}, "sort"),
    ],
)
def test_refuses_what_can_not_be_asked(api, rep, query, field):
    answer = api(rep).call("GET", f"/intelligence/win-loss?{urlencode(query)}")
    assert answer.status_code == 400
    assert field in answer.json()["error"]["details"]["fields"]


def test_the_back_office_shows_them_within_reach(client, rep, outsider, closed):
    closed(9, 1, industry="Retail")
    closed(2, 10, industry="Banking")
    address = reverse("admin:opportunities_opportunity_win_loss")
    client.force_login(rep)
    page = client.get(f"{address}?by=industry&days=90").content.decode()
    assert "above the others" in page
    assert "60% to 98%" in page
    assert "Too expensive" in client.get(address).content.decode()
    refused = client.get(f"{address}?by=weather", follow=True).content.decode()
    assert "Choose what is offered." in refused
    client.force_login(outsider)
    assert "No deals that you see were lost in these days." in client.get(address).content.decode()


@given(hits=st.integers(0, 10_000), misses=st.integers(0, 10_000))
def test_an_interval_holds_its_share_and_narrows_with_the_count(hits, misses):
    share = share_of(hits, hits + misses)
    if not hits + misses:
        assert share is None
        return
    assert 0 <= share.low <= share.value <= share.high <= 1
    many = share_of(10 * hits, 10 * (hits + misses))
    assert many.high - many.low < share.high - share.low


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50)).filter(any), min_size=1, max_size=12
    ),
    st.sampled_from(Aspect),
)
def test_ranks_go_from_one_on_by_share_and_only_to_those_with_ten_deals(counts, aspect):
    tallies = [(str(place), "", Tally(*one)) for place, one in enumerate(counts)]
    total = Tally(sum(won for won, _ in counts), sum(lost for _, lost in counts))
    groups = ranked(aspect, total, tallies)
    telling = [one for one in groups if one.tally.count >= 10]
    assert [one.rank for one in telling] == list(range(1, len(telling) + 1))
    assert {one.rank for one in groups if one.tally.count < 10} <= {None}
    shares = [one.share.value for one in telling]
    assert shares == sorted(shares, reverse=True)
