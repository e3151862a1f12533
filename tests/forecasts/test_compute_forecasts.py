"""Computing forecasts from deals: exact, complete, and by whatever node and period."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from apps.core.errors import NotAllowed
from apps.core.models import BusinessEvent
from apps.core.money import weighted
from apps.core.periods import parse_period
from apps.forecasts.metrics import forecast_computed_at
from apps.forecasts.models import ForecastFact, ForecastLine, ForecastSnapshot
from apps.forecasts.rules import Node, open_periods
from apps.forecasts.selectors.nodes import period_named, periods_open_at
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.facts import WEIGHTED
from apps.opportunities.models import Opportunity
from apps.opportunities.services.deals import delete_opportunity
from apps.territories.models import Territory
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import this_quarter, this_year, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory


def current(node, period):
    return ForecastSnapshot.objects.get(node_id=node.pk, period=period.key, is_current=True)


def lines(snapshot):
    return {
        (one.currency, one.category): (one.count, one.amount, one.weighted_amount)
        for one in snapshot.lines.all()
    }


def test_adds_up_a_person_and_a_territory_to_the_cent(rep, west, system):
    account = AccountFactory(owner=rep)
    for stage, amount in (
        ("discovery", "1000.10"),
        ("qualification", "0.03"),
        ("proposal", "0.25"),
        ("proposal", "0.27"),
        ("negotiation", "99.99"),
        ("closed_won", "500.50"),
    ):
        make_deal(
            account=account,
            territory_id=west.pk,
            stage=stage,
            amount=Decimal(amount),
            expected_close_date=today(),
        )
    make_deal(account=account, amount=Decimal("7.00"), expected_close_date=today())
    compute_forecasts(actor=system, periods=[this_quarter()])

    of_territory = current(west, this_quarter())
    assert lines(of_territory) == {
        ("USD", "pipeline"): (2, Decimal("1000.13"), Decimal("200.03")),
        # 0.125 and 0.135 come to 0.12 and 0.14: halves go to the even cent.
        ("USD", "best_case"): (2, Decimal("0.52"), Decimal("0.26")),
        ("USD", "commit"): (1, Decimal("99.99"), Decimal("89.99")),
        ("USD", "closed"): (1, Decimal("500.50"), Decimal("500.50")),
    }
    assert of_territory.open_amount == Decimal("1100.64")
    assert of_territory.closed_amount == Decimal("500.50")
    assert of_territory.weighted_amount == Decimal("790.78")
    assert (of_territory.user_id, of_territory.currency, of_territory.kind) == (
        None,
        "USD",
        "request",
    )
    assert (of_territory.starts_on, of_territory.ends_on) == (
        this_quarter().starts_on,
        this_quarter().ends_on,
    )
    assert of_territory.lines.get(category="pipeline").breakdown == [
        {"stage": "discovery", "count": 1, "total_amount": 1000.10, "weighted_amount": 200.02},
        {"stage": "qualification", "count": 1, "total_amount": 0.03, "weighted_amount": 0.01},
    ]

    of_person = current(rep, this_quarter())
    assert lines(of_person)["USD", "pipeline"] == (3, Decimal("1007.13"), Decimal("201.43"))
    assert of_person.weighted_amount == Decimal("792.18")


def test_leaves_out_what_does_not_count(rep, west, system):
    account = AccountFactory(owner=rep)
    place = {"account": account, "territory_id": west.pk, "amount": Decimal("100.00")}
    make_deal(**place)
    make_deal(**place, expected_close_date=today(), stage="closed_lost")
    make_deal(**place, expected_close_date=today(), forecast_category="omitted")
    make_deal(**place, expected_close_date=this_quarter().starts_on - timedelta(days=1))
    make_deal(**place, expected_close_date=this_quarter().ends_on + timedelta(days=1))
    gone = make_deal(**place, expected_close_date=today())
    delete_opportunity(opportunity_id=gone.pk, actor=system)
    first = make_deal(**place, expected_close_date=this_quarter().starts_on)
    last = make_deal(**place, expected_close_date=this_quarter().ends_on)
    # Won today, though it was expected in another period.
    won = make_deal(
        **place,
        expected_close_date=this_quarter().ends_on + timedelta(days=200),
        stage="closed_won",
    )
    compute_forecasts(actor=system, periods=[this_quarter()])
    assert lines(current(west, this_quarter())) == {
        ("USD", "pipeline"): (2, Decimal("200.00"), Decimal("40.00")),
        ("USD", "closed"): (1, Decimal("100.00"), Decimal("100.00")),
    }
    facts = ForecastFact.objects.filter(ended_at=None)
    assert {one.opportunity_id for one in facts} == {first.pk, last.pk, won.pk}


def test_never_mixes_currencies(rep, system):
    account = AccountFactory(owner=rep)
    for currency, amount in (("EUR", "10.00"), ("EUR", "20.00"), ("CHF", "5.00")):
        make_deal(
            account=account,
            amount=Decimal(amount),
            currency=currency,
            expected_close_date=today(),
        )
    compute_forecasts(actor=system, periods=[this_quarter()])
    snapshot = current(rep, this_quarter())
    assert (snapshot.currency, snapshot.open_amount) == ("EUR", Decimal("30.00"))
    assert lines(snapshot) == {
        ("EUR", "pipeline"): (2, Decimal("30.00"), Decimal("6.00")),
        ("CHF", "pipeline"): (1, Decimal("5.00"), Decimal("1.00")),
    }
    make_deal(account=account, amount=Decimal("1.00"), expected_close_date=today())
    compute_forecasts(actor=system, periods=[this_quarter()])
    snapshot = current(rep, this_quarter())
    assert (snapshot.currency, snapshot.open_amount) == ("USD", Decimal("1.00"))


def test_forecasts_everybody_who_sells_and_every_territory(rep, manager, system):
    UserFactory(role=Role.READ_ONLY)
    UserFactory(role=Role.INTEGRATION)
    UserFactory(is_active=False)
    left = UserFactory(is_active=False)
    make_deal(owner=left, amount=Decimal("1.00"), expected_close_date=today())
    west, closed = TerritoryFactory(), TerritoryFactory(is_active=False)
    count = compute_forecasts(actor=system, periods=[this_quarter()])
    nodes = set(ForecastSnapshot.objects.values_list("node_id", flat=True))
    assert {rep.pk, manager.pk, west.pk, left.pk} <= nodes
    assert closed.pk not in nodes
    assert count == len(nodes) == ForecastSnapshot.objects.count()
    empty = current(west, this_quarter())
    assert (empty.weighted_amount, empty.open_amount, empty.currency) == (0, 0, "USD")
    assert not empty.lines.exists()


def test_the_latest_is_current_and_earlier_ones_stay(rep, system):
    deal = make_deal(owner=rep, amount=Decimal("100.00"), expected_close_date=today())
    compute_forecasts(actor=system, periods=[this_quarter()])
    earlier = current(rep, this_quarter())
    before = list(earlier.lines.values())
    Opportunity.objects.filter(pk=deal.pk).update(amount=Decimal("300.00"))
    compute_forecasts(actor=system, periods=[this_quarter()])
    later = current(rep, this_quarter())
    assert (later.open_amount, later.taken_at > earlier.taken_at) == (Decimal("300.00"), True)
    earlier.refresh_from_db()
    assert (earlier.is_current, earlier.open_amount) == (False, Decimal("100.00"))
    assert list(earlier.lines.values()) == before
    assert [behind(one).get().amount for one in (earlier, later)] == [100, 300]


def test_a_forecast_that_lost_its_deals_goes_to_nothing(rep, system):
    left = UserFactory(is_active=False)
    deal = make_deal(owner=left, amount=Decimal("100.00"), expected_close_date=today())
    compute_forecasts(actor=system, periods=[this_quarter()])
    Opportunity.objects.filter(pk=deal.pk).update(owner=rep)
    compute_forecasts(actor=system, periods=[this_quarter()])
    assert current(left, this_quarter()).open_amount == 0
    assert current(rep, this_quarter()).open_amount == Decimal("100.00")


def test_computes_only_what_is_asked_for(rep, west, system):
    make_deal(owner=rep, territory_id=west.pk, expected_close_date=today())
    node = Node(territory_id=west.pk)
    assert compute_forecasts(actor=system, periods=[this_year()], nodes=[node]) == 1
    assert ForecastSnapshot.objects.get().node_id == west.pk


def test_open_periods_are_this_year_and_this_and_the_next_quarter_and_month():
    day = parse_period("M11_2026").starts_on
    assert [one.key for one in open_periods(day, start_month=1)] == [
        "FY_2026",
        "Q4_2026",
        "Q1_2027",
        "M11_2026",
        "M12_2026",
    ]
    assert [one.key for one in open_periods(day, start_month=12)][:3] == [
        "FY_2026",
        "Q4_2026",
        "Q1_2027",
    ]


def test_refuses_who_may_not(acting, manager, rep):
    make_deal(owner=rep, expected_close_date=today())
    with pytest.raises(NotAllowed):
        compute_forecasts(actor=acting(manager), periods=[this_quarter()])
    assert not ForecastSnapshot.objects.exists()
    assert not ForecastFact.objects.exists()


def test_the_gauge_tells_when(rep, system, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        compute_forecasts(actor=system, periods=[this_quarter()])
    taken_at = current(rep, this_quarter()).taken_at
    gauge = forecast_computed_at.labels(occasion="request")
    assert gauge._value.get() == taken_at.timestamp()


def test_the_command_computes_open_periods_or_those_named(rep, capsys):
    make_deal(owner=rep, expected_close_date=today())
    call_command("compute_forecasts")
    assert "Computed" in capsys.readouterr().out
    assert ForecastSnapshot.objects.values("period").distinct().count() == 5
    call_command("compute_forecasts", "Q1_2020", "Q1_2020")
    assert ForecastSnapshot.objects.filter(period="Q1_2020", user=rep).count() == 1
    with pytest.raises(CommandError, match="Q1_2026"):
        call_command("compute_forecasts", "Q5_2020")


def test_the_database_keeps_what_a_forecast_promises(rep, west, system):
    make_deal(owner=rep, expected_close_date=today(), amount=Decimal("5.00"))
    compute_forecasts(actor=system, periods=[this_quarter()])
    snapshot = current(rep, this_quarter())
    line = snapshot.lines.get()
    fact = ForecastFact.objects.get()
    for row, change in (
        (snapshot, {"territory": west}),
        (snapshot, {"user": None}),
        (snapshot, {"ends_on": snapshot.starts_on - timedelta(days=1)}),
        (line, {"category": "omitted"}),
        (line, {"weighted_amount": Decimal("5.01")}),
        (line, {"count": 0}),
        (fact, {"probability": 101}),
        (fact, {"ended_at": fact.began_at - timedelta(seconds=1)}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        ForecastSnapshot.objects.create(
            **{
                name: getattr(snapshot, name)
                for name in ("user", "period", "starts_on", "ends_on", "kind", "taken_at")
            },
            is_current=True,
            currency="USD",
            weighted_amount=0,
            open_amount=0,
            closed_amount=0,
        )


# --- Exactness --------------------------------------------------------------------------------


def test_weighting_rounds_in_the_database_as_everywhere():
    chance = random.Random(7)
    amounts = [Decimal(chance.randrange(10 ** chance.randrange(1, 15))) / 100 for _ in range(4000)]
    amounts += [Decimal(cents) / 100 for cents in range(100)] * 10
    pairs = [(amount, chance.choice([0, 1, 25, 33, 50, 75, 100])) for amount in amounts]
    sql = WEIGHTED.format(amount="p.amount", probability="p.probability")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT ({sql})::numeric(15,2) FROM unnest(%s::numeric(15,2)[], %s::smallint[]) "
            "WITH ORDINALITY AS p(amount, probability, place) ORDER BY place",
            [[one[0] for one in pairs], [one[1] for one in pairs]],
        )
        found = [row[0] for row in cursor.fetchall()]
    assert found == [weighted(amount, probability) for amount, probability in pairs]


def behind(snapshot, **narrowed):
    """The facts that a snapshot, or a line of it, was the sum of."""
    node = {"territory": snapshot.territory_id} if snapshot.territory_id else {}
    facts = ForecastFact.objects.filter(
        **(node or {"owner": snapshot.user_id}),
        **narrowed,
        counts_on__range=(snapshot.starts_on, snapshot.ends_on),
        began_at__lte=snapshot.taken_at,
    )
    return facts.filter(ended_at=None) | facts.filter(ended_at__gt=snapshot.taken_at)


def _from_deals(period):
    """What the deals say, computed the slow way."""
    expected = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    for deal in Opportunity.objects.exclude(forecast_category="omitted"):
        day = deal.actual_close_date if deal.kind == "won" else deal.expected_close_date
        if day is None or day not in period:
            continue
        for node_id in filter(None, (deal.owner_id, deal.territory_id)):
            line = expected[node_id, deal.currency, deal.forecast_category]
            line[0] += 1
            line[1] += deal.amount
            line[2] += weighted(deal.amount, deal.probability)
    return {key: tuple(value) for key, value in expected.items()}


def _computed(period):
    found = ForecastLine.objects.filter(snapshot__period=period.key, snapshot__is_current=True)
    return {
        (one.snapshot.node_id, one.currency, one.category): (
            one.count,
            one.amount,
            one.weighted_amount,
        )
        for one in found.select_related("snapshot")
    }


def _change_somehow(deal, chance, people, territories):
    days = (this_year().ends_on - this_year().starts_on).days
    Opportunity.objects.filter(pk=deal.pk).update(
        owner=chance.choice(people),
        territory=chance.choice(territories),
        amount=Decimal(chance.randrange(100_000)) / 100,
        probability=chance.randrange(101),
        forecast_category=chance.choice(["pipeline", "best_case", "commit", "omitted"]),
        currency=chance.choice(["USD", "USD", "EUR"]),
        expected_close_date=this_year().starts_on
        + timedelta(days=chance.randrange(-30, days + 30)),
    )


@pytest.mark.parametrize("seed", range(4))
def test_facts_lines_and_deals_always_agree(seed, system):
    chance = random.Random(seed)
    people = [UserFactory() for _ in range(3)]
    territories = [*(TerritoryFactory() for _ in range(3)), None]
    account = AccountFactory()
    deals = [make_deal(account=account, owner=chance.choice(people)) for _ in range(25)]
    won = [make_deal(account=account, stage="closed_won", amount=Decimal("3.33"))]
    for _ in range(4):
        for deal in chance.sample(deals, 12):
            _change_somehow(deal, chance, people, territories)
        Opportunity.objects.filter(pk=won[0].pk).update(owner=chance.choice(people))
        compute_forecasts(actor=system)
        for period in periods_open_at(current(people[0], this_year()).taken_at):
            assert _computed(period) == _from_deals(period)
    snapshots = ForecastSnapshot.objects.prefetch_related("lines")
    assert (
        snapshots.filter(is_current=False).count() == 3 * snapshots.filter(is_current=True).count()
    )
    for snapshot in snapshots:
        told = lines(snapshot)
        summed = defaultdict(lambda: (0, Decimal(0), Decimal(0)))
        stages = Counter()
        for fact in behind(snapshot):
            count, amount, expected = summed[fact.currency, fact.category]
            summed[fact.currency, fact.category] = (
                count + 1,
                amount + fact.amount,
                expected + fact.weighted_amount,
            )
            stages[fact.currency, fact.category, fact.stage] += 1
        assert told == dict(summed)
        for line in snapshot.lines.all():
            for part in line.breakdown:
                assert part["count"] == stages.pop((line.currency, line.category, part["stage"]))
        assert not stages
        leading = [line for line in snapshot.lines.all() if line.currency == snapshot.currency]
        assert snapshot.weighted_amount == sum(one.weighted_amount for one in leading)


def test_needs_the_same_queries_however_many_deals(rep, west, system, django_assert_num_queries):
    account = AccountFactory(owner=rep)
    for _ in range(15):
        make_deal(account=account, territory_id=west.pk, expected_close_date=today())
    with django_assert_num_queries(18):
        compute_forecasts(actor=system)
    assert Territory.objects.count() == 1
    told = BusinessEvent.objects.filter(name="forecast.updated").count()
    assert told == ForecastLine.objects.count()
    assert period_named(this_quarter().key) == this_quarter()
