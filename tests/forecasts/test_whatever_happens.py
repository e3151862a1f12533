"""Whatever happens to deals, in whatever order: the ledger, what changed and the roll-up are what
the deals come to, at every moment at which everything was heard."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import astuple
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from apps.core.actors import system_actor
from apps.core.errors import Refusal
from apps.core.exchange_rates import rates_on, set_exchange_rate
from apps.core.journal import deliver, replay
from apps.core.models import BusinessEvent
from apps.core.money import ZERO, weighted
from apps.forecasts.selectors.changes import Sums, span_asked_for, waterfalls
from apps.forecasts.selectors.roll_up import roll_up
from apps.opportunities.models import Opportunity, OpportunitySplit
from apps.opportunities.services.deals import (
    change_opportunity,
    delete_opportunity,
    reassign_opportunity,
    restore_opportunity,
)
from apps.opportunities.services.splits import split_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from apps.quotas.models import QuotaCredit
from apps.quotas.rules import Share, WonDeal, credits_of
from apps.quotas.selectors.attainment import disagreements
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import this_quarter, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

SYSTEM = system_actor(door="test")
LONG_AGO = date(2020, 1, 1)
HEARD_AFTER = 3

WHICH = st.integers(0, 1_000)
AMOUNTS = st.integers(0, 10_000_000).map(lambda cents: Decimal(cents) / 100)
CURRENCIES = st.sampled_from(["USD", "EUR"])
RATES = st.integers(1, 30_000).map(lambda rate: Decimal(rate) / 10_000)
DAYS_AHEAD = st.sampled_from([0, 0, -200, 200])
CATEGORIES = st.sampled_from(["pipeline", "best_case", "commit", "omitted", None])


def deals_that_count():
    """The deals that a forecast counts, with the day on which each does."""
    for deal in Opportunity.objects.all():
        if deal.kind != "lost" and deal.forecast_category != "omitted":
            is_won = deal.kind == "won"
            yield deal, deal.actual_close_date if is_won else deal.expected_close_date


class Deals(RuleBasedStateMachine):
    """A team, a region, and everything that can happen to their deals."""

    def __init__(self):
        super().__init__()
        self.example = transaction.atomic()
        self.example.__enter__()

    def teardown(self):
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)

    @initialize()
    def begin(self):
        manager = UserFactory()
        self.people = [UserFactory(manager=manager), UserFactory(manager=manager), UserFactory()]
        region = TerritoryFactory()
        self.places = [TerritoryFactory(parent_territory=region), TerritoryFactory()]
        self.accounts = [AccountFactory(), AccountFactory()]
        self.nodes = {
            "manager": ("user_id", manager, {manager.pk, *(one.pk for one in self.people[:2])}),
            "person": ("user_id", self.people[0], {self.people[0].pk}),
            "region": ("territory_id", region, {region.pk, self.places[0].pk}),
            "place": ("territory_id", self.places[1], {self.places[1].pk}),
        }
        self.deals = []
        self.frozen = {}
        self.moments = []
        set_exchange_rate(currency="EUR", valid_from=LONG_AGO, rate=Decimal("1.0825"), actor=SYSTEM)
        for number, currency in enumerate(["USD", "EUR", "EUR"], start=1):
            self.create(number, Decimal("1234.57"), currency)
        self.win(2)
        self.steps = 0
        self.hear()

    def one(self, which):
        """What happens to a deal: which one, and in whose name."""
        return {"opportunity_id": self.deals[which % len(self.deals)].pk, "actor": SYSTEM}

    def attempt(self, service, **facts):
        """What is refused changes nothing, and everything goes on."""
        try:
            with transaction.atomic():
                service(**facts)
        except Refusal:
            pass

    @rule(which=WHICH, amount=AMOUNTS, currency=CURRENCIES)
    def create(self, which, amount, currency):
        self.deals.append(
            make_deal(
                account=self.accounts[which % 2],
                owner=self.people[which % 3],
                territory_id=self.places[which % 2].pk if which % 5 else None,
                amount=amount,
                currency=currency,
                expected_close_date=today(),
            )
        )

    @rule(which=WHICH)
    def win(self, which):
        for stage in ("proposal", "negotiation", "closed_won"):
            self.attempt(move_opportunity, **self.one(which), stage=stage)

    @rule(which=WHICH)
    def lose(self, which):
        self.attempt(
            move_opportunity, **self.one(which), stage="closed_lost", loss_reason="Too expensive"
        )

    @rule(which=WHICH)
    def reopen(self, which):
        self.attempt(reopen_opportunity, **self.one(which))

    @rule(which=WHICH)
    def delete(self, which):
        self.attempt(delete_opportunity, **self.one(which))

    @rule(which=WHICH)
    def restore(self, which):
        self.attempt(restore_opportunity, **self.one(which))

    @rule(which=WHICH, to=WHICH)
    def hand_over(self, which, to):
        self.attempt(reassign_opportunity, **self.one(which), owner_id=self.people[to % 3].pk)

    @rule(which=WHICH, to=WHICH)
    def move_to_territory(self, which, to):
        place = self.places[to % 2].pk
        self.attempt(reassign_opportunity, **self.one(which), territory_id=place)

    @rule(which=WHICH, to=WHICH)
    def change_account(self, which, to):
        account = self.accounts[to % 2].pk
        self.attempt(change_opportunity, **self.one(which), account_id=account)

    @rule(which=WHICH, part=st.integers(0, 99), to=WHICH)
    def split(self, which, part, to):
        who, other = (self.people[(to + ahead) % 3].pk for ahead in (0, 1))
        shares = [(who, part, "revenue"), (other, 100 - part, "revenue"), (who, part, "overlay")]
        splits = [
            {"user_id": user_id, "percentage": Decimal(percentage), "kind": kind}
            for user_id, percentage, kind in (shares if part else [])
        ]
        self.attempt(split_opportunity, **self.one(which), splits=splits)

    @rule(which=WHICH, amount=AMOUNTS)
    def change_amount(self, which, amount):
        self.attempt(change_opportunity, **self.one(which), amount=amount)

    @rule(which=WHICH, currency=CURRENCIES)
    def change_currency(self, which, currency):
        self.attempt(change_opportunity, **self.one(which), currency=currency)

    @rule(which=WHICH, ahead=DAYS_AHEAD)
    def change_close_date(self, which, ahead):
        day = today() + timedelta(days=ahead)
        self.attempt(change_opportunity, **self.one(which), expected_close_date=day)

    @rule(which=WHICH, probability=st.integers(0, 100), category=CATEGORIES)
    def judge(self, which, probability, category):
        self.attempt(
            change_opportunity,
            **self.one(which),
            probability=probability,
            forecast_category=category,
        )

    @rule(rate=RATES, ago=st.sampled_from([0, 1]))
    def set_rate(self, rate, ago):
        set_exchange_rate(
            currency="EUR", valid_from=today() - timedelta(days=ago), rate=rate, actor=SYSTEM
        )

    @invariant()
    def hear_now_and_then(self):
        """Several things happen before they are heard."""
        self.steps += 1
        if self.steps % HEARD_AFTER == 0:
            self.hear()

    def hear(self):
        """Everything is heard: everything agrees, with the deals and with what was before."""
        while deliver():
            pass
        self.check_ledger()
        self.moments.append((timezone.now(), self.counted()))
        self.check_waterfalls()
        self.check_roll_ups()

    @rule(which=WHICH)
    def hear_again(self, which):
        """What was heard before, in any order, changes nothing."""
        rows = BusinessEvent.objects.filter(name="opportunity.credit_changed")
        sequences = list(rows.values_list("sequence", flat=True))
        if not sequences:
            return
        self.hear()
        written = QuotaCredit.objects.count()
        replay(event_sequence=sequences[which % len(sequences)], subscriber="quotas.credit_quotas")
        self.hear()
        assert QuotaCredit.objects.count() == written

    def check_ledger(self):
        assert not [str(one) for one in disagreements()]
        due, self.frozen = Counter(), self.rates_of_won_deals()
        for deal in Opportunity.objects.filter(kind="won"):
            splits = OpportunitySplit.objects.filter(opportunity=deal)
            shares = [Share(one.user_id, one.kind, one.percentage) for one in splits]
            won = WonDeal(
                amount=deal.amount,
                currency=deal.currency,
                closed_on=deal.actual_close_date,
                territory_id=deal.territory_id,
                shares=shares
                if any(one.kind == "revenue" for one in shares)
                else [Share(deal.owner_id, "revenue", Decimal(100)), *shares],
                rate=self.frozen[deal.pk][1],
            )
            for one in credits_of(won):
                due[one.holder_id, one.kind, "money"] += one.converted
                due[one.holder_id, one.kind, "deals"] += round(one.deals, 4)
        held = Counter()
        for one in QuotaCredit.objects.all():
            held[one.holder_id, one.kind, "money"] += one.converted
            held[one.holder_id, one.kind, "deals"] += one.deals
        assert {key: sum_ for key, sum_ in held.items() if sum_} == {
            key: sum_ for key, sum_ in due.items() if sum_
        }

    def rates_of_won_deals(self):
        """By which rate each is credited: that of the day it was won, as it was when heard."""
        found = {}
        for deal in Opportunity.objects.filter(kind="won"):
            wanted = (deal.currency, deal.actual_close_date)
            known, rate = self.frozen.get(deal.pk, (None, None))
            found[deal.pk] = (wanted, rate if known == wanted else rates_on({wanted})[wanted])
        return found

    def counted(self):
        """What the deals come to for each node, by currency."""
        found = {name: defaultdict(Sums) for name in self.nodes}
        for deal, day in deals_that_count():
            for name, (column, _, below) in self.nodes.items():
                holder = deal.owner_id if column == "user_id" else deal.territory_id
                if holder in below and day in this_quarter():
                    is_won = deal.kind == "won"
                    found[name][deal.currency] += Sums(
                        1,
                        ZERO if is_won else deal.amount,
                        deal.amount if is_won else ZERO,
                        weighted(deal.amount, deal.probability),
                    )
        return found

    def check_waterfalls(self):
        """From every moment before to the last, for everybody."""
        last, after = self.moments[-1]
        for first, before in self.moments:
            for name in self.nodes:
                self.check_waterfall(name, first, last, before[name], after[name])

    def check_waterfall(self, name, first: datetime, last: datetime, before, after):
        column, node, _ = self.nodes[name]
        span = span_asked_for(
            actor=SYSTEM, period=this_quarter(), first=first, last=last, **{column: node.pk}
        )
        found = {one.currency: one for one in waterfalls(span)}
        assert set(before) | set(after) <= set(found)
        for currency, one in found.items():
            assert one.opening == before.get(currency, Sums())
            assert one.closing == after.get(currency, Sums())
            moved = sum(one.changes.values(), Sums())
            assert astuple(one.opening + moved)[1:] == astuple(one.closing)[1:]

    def check_roll_ups(self):
        for name, (column, node, _) in self.nodes.items():
            found = roll_up(actor=SYSTEM, period=this_quarter(), **{column: node.pk})
            due = self.moments[-1][1][name]
            for sheet in ([found.total], [found.own, *(one.sheet for one in found.branches)]):
                assert _added(sheet) == {
                    currency: (sums.open_amount, sums.closed_amount, sums.weighted_amount)
                    for currency, sums in due.items()
                    if any(astuple(sums)[1:])
                }


def _added(sheets):
    """What figures come to, by currency: open, closed, weighted."""
    found = {}
    for sheet in sheets:
        for figures in sheet.values():
            sums = (figures.open_amount, figures.amount_of("closed"), figures.weighted_amount)
            known = found.get(figures.currency, (ZERO, ZERO, ZERO))
            found[figures.currency] = tuple(a + b for a, b in zip(known, sums, strict=True))
    return {currency: sums for currency, sums in found.items() if any(sums)}


def test_whatever_happens_ledger_changes_and_roll_up_are_what_the_deals_come_to(db):
    run_state_machine_as_test(
        Deals,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
