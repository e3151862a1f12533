"""The ledger: what won deals are credited to whom."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.errors import Refusal
from apps.core.events import from_payload
from apps.core.exchange_rates import set_exchange_rate
from apps.core.journal import deliver, replay
from apps.core.models import BusinessEvent, EventDelivery
from apps.core.money import shared
from apps.opportunities.services.deals import (
    change_opportunity,
    delete_opportunity,
    reassign_opportunity,
    restore_opportunity,
)
from apps.opportunities.services.splits import split_opportunity
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from apps.quotas.models import CreditedDeal, QuotaCredit
from apps.quotas.selectors.attainment import disagreements
from apps.quotas.services.credits import credit_deals
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory

LISTENER = "quotas.credit_quotas"


def entries():
    rows = QuotaCredit.objects.order_by("id")
    return [(one.holder_id, one.kind, one.converted, one.deals) for one in rows]


def share(user, percentage, kind="revenue"):
    return {"user_id": user.pk, "kind": kind, "percentage": Decimal(percentage)}


def replay_everything():
    for one in BusinessEvent.objects.filter(name="opportunity.credit_changed"):
        replay(event_sequence=one.sequence, subscriber=LISTENER)


def test_a_won_deal_is_credited_to_its_owner_and_territory(rep, system, deliver_events):
    west = TerritoryFactory()
    make_deal(owner=rep, territory_id=west.pk, amount=Decimal("1000.00"), stage="closed_won")
    deliver_events()
    assert sorted(entries()) == sorted(
        [
            (rep.pk, "revenue", Decimal("1000.00"), Decimal(1)),
            (west.pk, "territory", Decimal("1000.00"), Decimal(1)),
        ]
    )
    assert not list(disagreements())


def test_shares_come_to_the_deal_to_the_cent_and_overlays_are_on_top(
    rep, manager, outsider, system, deliver_events
):
    deal = make_deal(owner=rep, amount=Decimal("100.01"))
    splits = [share(rep, "50"), share(manager, "50"), share(outsider, "10", "overlay")]
    split_opportunity(opportunity_id=deal.pk, splits=splits, actor=system)
    for stage in ("proposal", "negotiation", "closed_won"):
        move_opportunity(opportunity_id=deal.pk, stage=stage, actor=system)
    deliver_events()
    found = {who: (converted, deals) for who, _, converted, deals in entries()}
    assert found[outsider.pk] == (Decimal("10.00"), Decimal(0))
    assert sorted([found[rep.pk][0], found[manager.pk][0]]) == [Decimal("50.00"), Decimal("50.01")]
    assert found[rep.pk][1] + found[manager.pk][1] == 1


def test_reopening_writes_reversals_that_net_to_zero(rep, system, deliver_events):
    deal = make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    reopen_opportunity(opportunity_id=deal.pk, actor=system)
    deliver_events()
    assert entries() == []
    move_opportunity(opportunity_id=deal.pk, stage="closed_won", actor=system)
    deliver_events()
    reopen_opportunity(opportunity_id=deal.pk, actor=system)
    deliver_events()
    assert [one[2] for one in entries()] == [Decimal("1000.00"), Decimal("-1000.00")]
    assert not list(disagreements())


def test_an_owner_who_changes_takes_the_credit_along(rep, manager, system, deliver_events):
    deal = make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    deliver_events()
    reassign_opportunity(opportunity_id=deal.pk, owner_id=manager.pk, actor=system)
    deliver_events()
    assert [(who, converted) for who, _, converted, _ in entries()] == [
        (rep.pk, Decimal("1000.00")),
        (rep.pk, Decimal("-1000.00")),
        (manager.pk, Decimal("1000.00")),
    ]


def test_what_is_heard_again_changes_nothing(rep, manager, system, deliver_events):
    deal = make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    reassign_opportunity(opportunity_id=deal.pk, owner_id=manager.pk, actor=system)
    deliver_events()
    before = entries()
    first = BusinessEvent.objects.filter(name="opportunity.credit_changed").earliest("sequence")
    replay(event_sequence=first.sequence, subscriber=LISTENER)
    deliver_events()
    replay_everything()
    deliver_events()
    assert entries() == before


def test_the_rate_of_a_credit_stays_whatever_rates_become(rep, manager, system, deliver_events):
    def rate(value):
        set_exchange_rate(
            currency="EUR", valid_from=date(2020, 1, 1), rate=Decimal(value), actor=system
        )

    rate("1.10")
    deal = make_deal(owner=rep, amount=Decimal("1000.00"), currency="EUR", stage="closed_won")
    deliver_events()
    rate("2")
    reassign_opportunity(opportunity_id=deal.pk, owner_id=manager.pk, actor=system)
    deliver_events()
    assert [one[2] for one in entries()] == [
        Decimal("1100.00"),
        Decimal("-1100.00"),
        Decimal("1100.00"),
    ]


def test_without_a_rate_nothing_is_credited_until_there_is_one(rep, system, deliver_events):
    make_deal(owner=rep, amount=Decimal("1000.00"), currency="JPY", stage="closed_won")
    deliver_events()
    assert entries() == []
    waiting = EventDelivery.objects.get(subscriber=LISTENER)
    assert "No exchange rate from JPY" in waiting.error
    assert len(list(disagreements())) == 1
    set_exchange_rate(
        currency="JPY", valid_from=date(2020, 1, 1), rate=Decimal("0.007"), actor=system
    )
    replay_everything()
    deliver_events()
    assert [one[2] for one in entries()] == [Decimal("7.00")]


def test_the_database_lets_nobody_alter_the_ledger(rep, deliver_events):
    make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    deliver_events()
    for statement in (
        "UPDATE quotas_quotacredit SET converted = 1",
        "DELETE FROM quotas_quotacredit",
    ):
        with (
            pytest.raises(DatabaseError, match="never altered"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert [one[2] for one in entries()] == [Decimal("1000.00")]


def test_the_command_tells_what_differs_and_credits_what_nobody_heard(rep, deliver_events):
    make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
    EventDelivery.objects.filter(subscriber=LISTENER).delete()
    with pytest.raises(CommandError, match=r"is due 1000\.00 \(revenue\) and credited 0"):
        call_command("verify_credits", stdout=StringIO())
    told = StringIO()
    call_command("verify_credits", "--credit", stdout=told)
    assert told.getvalue() == (
        "Wrote 1 entries and counted 0 days.\n"
        "What is credited agrees with the deals and activities.\n"
    )
    assert CreditedDeal.objects.count() == 1


def test_a_batch_costs_the_same_few_statements(rep, system, django_assert_max_num_queries):
    for _ in range(20):
        make_deal(owner=rep, amount=Decimal("10.00"), stage="closed_won")
    rows = BusinessEvent.objects.filter(name="opportunity.credit_changed")
    told = [from_payload(one.name, json.dumps(one.payload)) for one in rows]
    with django_assert_max_num_queries(8):
        assert credit_deals(told=told, actor=system) == 20


# --- Whatever happens ---------------------------------------------------------------------------


def win(subject, people, number):
    for stage in ("proposal", "negotiation", "closed_won"):
        move_opportunity(**subject, stage=stage)


def split(subject, people, number):
    who, other = people[number % 3], people[(number + 1) % 3]
    part = 1 + number % 99
    shares = [share(who, part), share(other, 100 - part), share(who, part, "overlay")]
    split_opportunity(**subject, splits=shares)


def hear(*_):
    while deliver():
        pass


ACTIONS = {
    "win": win,
    "reopen": lambda subject, people, number: reopen_opportunity(**subject),
    "delete": lambda subject, people, number: delete_opportunity(**subject),
    "restore": lambda subject, people, number: restore_opportunity(**subject),
    "hand over": lambda subject, people, number: reassign_opportunity(
        **subject, owner_id=people[number % 3].pk
    ),
    "split": split,
    "unsplit": lambda subject, people, number: split_opportunity(**subject, splits=[]),
    "amount": lambda subject, people, number: change_opportunity(
        **subject, amount=Decimal(number) / 100
    ),
    "currency": lambda subject, people, number: change_opportunity(
        **subject, currency=("USD", "EUR")[number % 2]
    ),
    "hear": hear,
    "hear again": lambda *_: replay_everything(),
}
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(0, 10_000_000)), max_size=10
)


def test_the_ledger_is_what_the_deals_come_to_whatever_happens(rep, manager, outsider, system):
    set_exchange_rate(
        currency="EUR", valid_from=date(2020, 1, 1), rate=Decimal("1.0825"), actor=system
    )
    west = TerritoryFactory()

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(HAPPENINGS, HAPPENINGS)
    def agrees(before_it_is_won, afterwards):
        deal = make_deal(owner=rep, territory_id=west.pk, amount=Decimal("999.99"))
        subject = {"opportunity_id": deal.pk, "actor": system}
        for action, number in [*before_it_is_won, ("win", 0), ("hear", 0), *afterwards]:
            try:
                with transaction.atomic():
                    ACTIONS[action](subject, [rep, manager, outsider], number)
            except Refusal:
                continue
        hear()
        assert not [str(one) for one in disagreements()]
        written = QuotaCredit.objects.count()
        replay_everything()
        hear()
        assert QuotaCredit.objects.count() == written

    agrees()
    assert QuotaCredit.objects.exclude(reverses=None).exists()


@given(
    st.integers(0, 10**12).map(lambda cents: Decimal(cents) / 100),
    st.lists(st.integers(1, 10_000).map(Decimal), min_size=1, max_size=12),
)
def test_parting_an_amount_conserves_it_to_the_cent(amount, weights):
    parts = shared(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - amount * weight / sum(weights)) < Decimal("0.01")


def test_nothing_is_shared_among_nobody():
    assert shared(Decimal("1.00"), []) == []
