"""What was known of a deal at a moment: rebuilt from its history, whatever happened since."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.services.accounts import change_account
from apps.activities.services.activities import delete_activity
from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.intelligence.rules.facts import DEAL_COLUMNS
from apps.intelligence.services.deals import MOMENTS, Moment, closed_deals, known_of_deals
from apps.opportunities.services.deals import change_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from tests.factories import intelligence
from tests.factories.accounts import AccountFactory
from tests.factories.activities import make_activity
from tests.factories.catalog import ProductFactory
from tests.factories.opportunities import make_deal

ACTOR = system_actor(door="test")


def known(deal, at=None):
    (one,) = known_of_deals([Moment(deal.pk, at or timezone.now())])
    return one.facts


def test_knows_what_there_is_to_know(rep, admin):
    account = AccountFactory(owner=rep, industry="Software", employee_count=120)
    deal = make_deal(
        account=account, amount=Decimal(500), expected_close_date=timezone.localdate(), name="A"
    )
    later = timezone.localdate() + timedelta(days=40)
    change_opportunity(
        opportunity_id=deal.pk, expected_close_date=later, next_step="Call", actor=ACTOR
    )
    move_opportunity(opportunity_id=deal.pk, stage="proposal", actor=ACTOR)
    change_opportunity(opportunity_id=deal.pk, amount=Decimal(1500), actor=ACTOR)
    make_activity(by=rep, opportunity_id=deal.pk)
    for stage in ("closed_won", "closed_won", "closed_won", "closed_lost"):
        make_deal(owner=rep, account=account, stage=stage)
    facts = known(deal)
    assert set(facts) == {one.name for one in DEAL_COLUMNS}
    assert {
        "stage": "proposal",
        "probability": 50,
        "amount": Decimal(1500),
        "amount_growth": Decimal(3),
        "days_to_close": 40,
        "moves": 1,
        "pushes": 1,
        "pulls": 0,
        "handovers": 0,
        "next_step": "agreed",
        "products": "not named",
        "origin": "no lead",
        "activities": 1,
        "recent_activities": 1,
        "industry": "Software",
        "employee_count": 120.0,
        "owner_win_rate": 75.0,
        "owner_closings": 4,
    }.items() <= facts.items()


def test_a_deal_is_unknown_before_it_began_and_once_it_is_closed(rep):
    deal = make_deal(owner=rep, stage="closed_won")
    began = deal.created_at
    asked = [Moment(deal.pk, began - timedelta(days=1)), Moment(deal.pk, timezone.now())]
    assert known_of_deals(asked) == []
    assert len(known_of_deals([Moment(deal.pk, began)])) == 1


def test_nothing_is_known_of_no_deal(db):
    assert known_of_deals([]) == []


@pytest.fixture
def deal(rep):
    """A deal with a little history."""
    deal = make_deal(owner=rep, amount=Decimal(100), expected_close_date=timezone.localdate())
    make_activity(by=rep, opportunity_id=deal.pk)
    return deal


FACTS = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.decimals(0, 10_000, places=2),
        "expected_close_date": st.none() | st.dates(timezone.localdate().replace(day=1)),
        "probability": st.none() | st.integers(0, 99),
        "forecast_category": st.sampled_from(("pipeline", "commit", "omitted")),
        "next_step": st.sampled_from(("", "Call")),
    },
)
STAGES = st.sampled_from(("qualification", "proposal", "negotiation", "closed_won", "closed_lost"))


def _changed(deal, rep, facts):
    change_opportunity(opportunity_id=deal.pk, **facts, actor=ACTOR)


def _moved(deal, rep, stage):
    reason = {"loss_reason": "Price"} if stage == "closed_lost" else {}
    move_opportunity(opportunity_id=deal.pk, stage=stage, actor=ACTOR, **reason)


def _reopened(deal, rep, _):
    reopen_opportunity(opportunity_id=deal.pk, actor=ACTOR)


def _sold(deal, rep, _):
    product = ProductFactory()
    line = {"product_id": product.code, "quantity": 1, "unit_price": Decimal(5)}
    change_opportunity(opportunity_id=deal.pk, products=[line], actor=ACTOR)


def _grown(deal, rep, people):
    change_account(account_id=deal.account_id, employee_count=people, industry="X", actor=ACTOR)


def _talked(deal, rep, ago):
    at = timezone.now() - timedelta(days=ago)
    make_activity(by=rep, opportunity_id=deal.pk, completed_at=at)


def _untalked(deal, rep, _):
    for one in deal.activities.all()[:1]:
        delete_activity(activity_id=one.pk, actor=ACTOR)


def _closed_another(deal, rep, stage):
    make_deal(owner=rep, account=deal.account, stage=stage)


EVENTS = st.one_of(
    st.tuples(st.just(_changed), FACTS),
    st.tuples(st.just(_moved), STAGES),
    st.tuples(st.just(_reopened), st.none()),
    st.tuples(st.just(_sold), st.none()),
    st.tuples(st.just(_grown), st.integers(1, 1000)),
    st.tuples(st.just(_talked), st.integers(0, 60)),
    st.tuples(st.just(_untalked), st.none()),
    st.tuples(st.just(_closed_another), st.sampled_from(("closed_won", "closed_lost"))),
)


@pytest.mark.django_db(transaction=True)
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(events=st.lists(EVENTS, min_size=1, max_size=6))
def test_what_was_known_never_changes_when_something_happens_after(rep, deal, events):
    """In transactions of their own: the history has the moment of the transaction."""
    deal.refresh_from_db()
    if not deal.is_open:
        reopen_opportunity(opportunity_id=deal.pk, actor=ACTOR)
    moment = timezone.now()
    before = known(deal, moment)
    for act, facts in events:
        try:
            act(deal, rep, facts)
        except Refusal:
            continue
        assert known(deal, moment) == before


def test_a_closed_deal_is_seen_at_the_same_moments_of_its_life_every_time(rep):
    deals = intelligence.closed_deals(20, owner=rep)
    parts = closed_deals()
    assert closed_deals() == parts
    moments = [one for part in parts for one in part]
    assert len(moments) == MOMENTS * len(deals)
    ends = {one.pk: (one.created_at, one.won_at or one.lost_at, one.kind == "won") for one in deals}
    for one in moments:
        began, ended, is_won = ends[one.deal_id]
        assert began <= one.at < ended
        assert (one.closed_at, one.is_won) == (ended, is_won)
    assert len(known_of_deals(moments)) == len(moments)
