"""What changed in a forecast: every change in one bar, and the bars balance to the cent."""

from __future__ import annotations

import random
from dataclasses import astuple
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidInput, NotFound
from apps.forecasts.models import ForecastFact, ForecastSnapshot
from apps.forecasts.rules import HERE, Movement, Standing, movement
from apps.forecasts.selectors.changes import Sums, changed_deals, span_asked_for, waterfalls
from apps.forecasts.services.computation import compute_forecasts, recompute_affected
from apps.opportunities.models import Opportunity
from apps.opportunities.services.deals import delete_opportunity
from apps.opportunities.services.stages import move_opportunity
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import this_quarter, this_year, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

NEXT_YEAR = timedelta(days=370)


def compared(actor, first, last=None, **node):
    span = span_asked_for(
        actor=actor, period=this_quarter(), first=first, last=last or timezone.now(), **node
    )
    return waterfalls(span), span


def recompute_all(system):
    """What the handler does when it hears of every deal."""
    ids = Opportunity.objects.with_bin().values_list("pk", flat=True)
    recompute_affected(opportunity_ids=ids, actor=system)


def told(found):
    return {
        one: (sums.count, sums.open_amount, sums.closed_amount, sums.weighted_amount)
        for one, sums in found.changes.items()
    }


@given(st.sampled_from(Standing), st.sampled_from(Standing))
def test_every_change_of_standing_has_one_reason(before, after):
    is_seen = before != after and (before in HERE or after in HERE)
    assert (movement(before, after) is not None) == is_seen


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("absent", "open", "new"),
        ("absent", "closed", "won"),
        ("open", "closed", "won"),
        ("open_elsewhen", "closed", "won"),
        ("lost", "closed", "won"),
        ("closed_elsewhen", "closed", "pulled"),
        ("elsewhere", "closed", "moved_in"),
        ("closed", "open", "reopened"),
        ("closed", "open_elsewhen", "reopened"),
        ("lost", "open", "reopened"),
        ("closed", "lost", "lost"),
        ("removed", "open", "restored"),
        ("open", "open_elsewhen", "pushed"),
        ("open", "closed_elsewhen", "pushed"),
        ("open", "elsewhere", "moved_out"),
        ("closed", "removed", "removed"),
        ("open", "open", None),
        ("lost", "elsewhere", None),
    ],
)
def test_names_the_reason(before, after, expected):
    assert movement(Standing(before), Standing(after)) == (expected and Movement(expected))


def test_tells_each_kind_of_change_with_its_amounts(rep, manager, outsider, system, acting):
    account = AccountFactory(owner=rep)

    def deal(**facts):
        facts = {"amount": Decimal("100.00"), "expected_close_date": today(), **facts}
        return make_deal(account=account, **facts)

    up, down, likely, pushed, over, gone, bin_, won = (deal() for _ in range(8))
    pulled = deal(expected_close_date=today() + NEXT_YEAR)
    recompute_all(system)
    first = timezone.now()
    change = Opportunity.objects.filter
    change(pk=up.pk).update(amount=Decimal("150.00"))
    change(pk=down.pk).update(amount=Decimal("70.01"))
    change(pk=likely.pk).update(probability=50)
    change(pk=pushed.pk).update(expected_close_date=today() + NEXT_YEAR)
    change(pk=pulled.pk).update(expected_close_date=today())
    change(pk=over.pk).update(owner=outsider)
    move_opportunity(opportunity_id=gone.pk, stage="closed_lost", loss_reason="No", actor=system)
    delete_opportunity(opportunity_id=bin_.pk, actor=system)
    for stage in ("proposal", "negotiation", "closed_won"):
        move_opportunity(opportunity_id=won.pk, stage=stage, actor=system)
    deal(amount=Decimal("10.00"))
    recompute_all(system)

    (found,), span = compared(acting(manager), first, user_id=manager.pk)
    assert astuple(found.opening) == (8, Decimal("800.00"), 0, Decimal("160.00"))
    cents = Decimal
    assert told(found) == {
        "new": (1, cents("10.00"), 0, cents("2.00")),
        "pulled": (1, cents("100.00"), 0, cents("20.00")),
        "up": (1, cents("50.00"), 0, cents("10.00")),
        "down": (1, cents("-29.99"), 0, cents("-6.00")),
        "reweighted": (1, 0, 0, cents("30.00")),
        "won": (1, cents("-100.00"), cents("100.00"), cents("80.00")),
        "pushed": (1, cents("-100.00"), 0, cents("-20.00")),
        "moved_out": (1, cents("-100.00"), 0, cents("-20.00")),
        "removed": (1, cents("-100.00"), 0, cents("-20.00")),
        "lost": (1, cents("-100.00"), 0, cents("-20.00")),
    }
    assert list(found.changes) == sorted(found.changes, key=list(Movement).index)
    shown = changed_deals(span, actor=acting(manager), limit=50)
    assert {one.movement for one in shown} == {*found.changes} - {"removed", "moved_out"}
    (of_win,) = changed_deals(span, actor=acting(manager), limit=50, movement="won")
    assert (of_win.opportunity_id, of_win.amounts.closed_amount) == (won.pk, Decimal("100.00"))


def test_what_changes_its_currency_leaves_one_and_enters_another(rep, system, acting):
    deal = make_deal(owner=rep, amount=Decimal("100.00"), expected_close_date=today())
    compute_forecasts(actor=system, periods=[this_year()])
    first = timezone.now()
    Opportunity.objects.filter(pk=deal.pk).update(currency="EUR", amount=Decimal("90.00"))
    recompute_affected(opportunity_ids=[deal.pk], actor=system)
    (euro, dollar), _ = compared(acting(rep), first, user_id=rep.pk)
    assert told(euro) == {"currency": (1, Decimal("90.00"), 0, Decimal("18.00"))}
    assert told(dollar) == {"currency": (1, Decimal("-100.00"), 0, Decimal("-20.00"))}
    assert (dollar.opening.count, dollar.closing.count) == (1, 0)


def test_a_deal_that_the_night_finds_in_another_year_was_pushed_there(rep, system, acting):
    deal = make_deal(owner=rep, amount=Decimal("100.00"), expected_close_date=today())
    compute_forecasts(actor=system, periods=[this_year()])
    first = timezone.now()
    Opportunity.objects.filter(pk=deal.pk).update(expected_close_date=today() + NEXT_YEAR)
    compute_forecasts(actor=system, periods=[this_year()])
    (found,), _ = compared(acting(rep), first, user_id=rep.pk)
    assert told(found) == {"pushed": (1, Decimal("-100.00"), 0, Decimal("-20.00"))}
    assert ForecastFact.objects.get(ended_at=None).counts_on == today() + NEXT_YEAR


def _change_somehow(deal, chance, people, places, system):
    now = Opportunity.objects.with_bin().get(pk=deal.pk)
    if now.deleted_at or now.kind != "open":
        return
    fate = chance.random()
    if fate < 0.1:
        move_opportunity(
            opportunity_id=deal.pk, stage="closed_lost", loss_reason="No", actor=system
        )
    elif fate < 0.15:
        delete_opportunity(opportunity_id=deal.pk, actor=system)
    elif fate < 0.3 and now.stage_key == "negotiation":
        move_opportunity(opportunity_id=deal.pk, stage="closed_won", actor=system)
    else:
        Opportunity.objects.filter(pk=deal.pk).update(
            owner=chance.choice(people),
            territory=chance.choice(places),
            amount=Decimal(chance.randrange(100_000)) / 100,
            probability=chance.randrange(101),
            forecast_category=chance.choice(["pipeline", "best_case", "commit", "omitted"]),
            currency=chance.choice(["USD", "USD", "EUR"]),
            expected_close_date=today() + timedelta(days=chance.choice([0, 0, 0, -200, 200])),
        )


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_it_balances(seed, manager, system):
    chance = random.Random(seed)
    people = [UserFactory(manager=manager), UserFactory(manager=manager), UserFactory()]
    region = TerritoryFactory()
    places = [TerritoryFactory(parent_territory=region), TerritoryFactory(), None]
    account = AccountFactory()
    deals = [
        make_deal(account=account, stage=chance.choice(["discovery", "negotiation"]))
        for _ in range(20)
    ]
    moments = [timezone.now()]
    for _ in range(4):
        for deal in chance.sample(deals, 10):
            _change_somehow(deal, chance, people, places, system)
        compute_forecasts(actor=system, periods=[this_year(), this_quarter()])
        moments.append(ForecastSnapshot.objects.latest("taken_at").taken_at)
    spans = [*pairwise(moments), (moments[0], moments[-1]), (moments[1], moments[3])]
    for node in ({"user_id": manager.pk}, {"user_id": people[0].pk}, {"territory_id": region.pk}):
        for first, last in spans:
            found, span = compared(system, first, last, **node)
            for one in found:
                changed = sum(one.changes.values(), Sums())
                assert astuple(one.opening + changed)[1:] == astuple(one.closing)[1:]
                deals_told = changed_deals(span, actor=system, limit=99, currency=one.currency)
                assert len(deals_told) <= changed.count
    last = ForecastSnapshot.objects.get(
        node_id=people[0].pk, period=this_quarter().key, is_current=True
    )
    found, _ = compared(system, moments[0], moments[-1], user_id=people[0].pk)
    closing = next((one.closing for one in found if one.currency == last.currency), Sums())
    assert astuple(closing)[1:] == (last.open_amount, last.closed_amount, last.weighted_amount)


def test_the_door_answers_with_bars_and_their_deals(api, rep, outsider, system):
    compute_forecasts(actor=system, periods=[this_year()])
    first = timezone.now().isoformat().replace("+00:00", "Z")
    deal = make_deal(owner=rep, name="Big", amount=Decimal("100.50"), expected_close_date=today())
    make_deal(owner=rep, name="Small", amount=Decimal("1.00"), expected_close_date=today())
    recompute_all(system)
    query = f"from={first}&period={this_quarter().key}&user_id={rep.pk}"
    answer = api(rep).call("GET", f"/forecasts/changes?{query}").json()
    nothing = {"count": 0, "open_amount": 0.0, "closed_amount": 0.0, "weighted_amount": 0.0}
    moved = {"count": 2, "open_amount": 101.5, "closed_amount": 0.0, "weighted_amount": 20.3}
    assert answer["currencies"] == [
        {
            "currency": "USD",
            "opening": nothing,
            "changes": [{"movement": "new", **moved}],
            "closing": moved,
        }
    ]
    page = api(rep).call("GET", f"/forecasts/changes/deals?{query}&movement=new&limit=1").json()
    assert page["pagination"] == {"limit": 1, "offset": 0, "has_more": True}
    assert page["data"] == [
        {
            "opportunity": {"id": str(deal.pk), "name": "Big"},
            "currency": "USD",
            "movement": "new",
            "open_amount": 100.5,
            "closed_amount": 0.0,
            "weighted_amount": 20.1,
            "before": {
                "standing": "absent",
                "stage": None,
                "amount": None,
                "probability": None,
                "counts_on": None,
            },
            "after": {
                "standing": "open",
                "stage": "discovery",
                "amount": 100.5,
                "probability": 20,
                "counts_on": today().isoformat(),
            },
        }
    ]
    for path in ("", "/deals"):
        assert api(outsider).call("GET", f"/forecasts/changes{path}?{query}").status_code == 404
    assert ForecastFact.objects.count() == 2


def test_refuses_what_makes_no_sense(rep, outsider, acting):
    now = timezone.now()
    with pytest.raises(InvalidInput):
        compared(acting(rep), now)
    with pytest.raises(InvalidInput):
        compared(acting(rep), now, user_id=rep.pk, territory_id=rep.pk)
    with pytest.raises(InvalidInput):
        compared(acting(rep), now, now - timedelta(seconds=1), user_id=rep.pk)
    with pytest.raises(NotFound):
        compared(acting(rep), now, user_id=outsider.pk)
