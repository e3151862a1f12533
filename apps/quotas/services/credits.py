"""The ledger: what won deals are credited to whom, and taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.exchange_rates import ExchangeRateMissing, rates_on
from apps.core.journal import publish
from apps.core.loading import insert_rows
from apps.core.money import ZERO
from apps.opportunities.events import OpportunityCreditChanged
from apps.opportunities.models import Opportunity
from apps.opportunities.services.announcements import credits_told
from apps.quotas.events import CreditGiven, CreditReversed, CreditShare
from apps.quotas.models import CreditedDeal, QuotaCredit
from apps.quotas.rules import Credit, CreditKind, QuotaType, Share, WonDeal, credits_of
from apps.quotas.services.attaining import tell_attained

BATCH = 1_000

Rates = Mapping[tuple[str, date], Decimal]

# A deal whose row is taken here belongs to this transaction until it ends.
_HEAR = """
INSERT INTO quotas_crediteddeal AS heard (opportunity_id, version)
SELECT opportunity_id, version FROM unnest(%s::uuid[], %s::int[]) AS told(opportunity_id, version)
ORDER BY opportunity_id
ON CONFLICT (opportunity_id) DO UPDATE SET version = excluded.version
WHERE heard.version < excluded.version
RETURNING opportunity_id
"""


@command
def credit_deals(*, told: Sequence[OpportunityCreditChanged], actor: Actor) -> int:
    """Credit what deals count for now, and take back what they counted for before.

    It goes by what is told alone; the latest of each deal counts, and what was heard before, or is
    older than what was, changes nothing. Returns how many entries were written.

    Raises ExchangeRateMissing.
    """
    latest: dict[UUID, OpportunityCreditChanged] = {}
    for one in sorted(told, key=lambda one: one.version):
        latest[one.opportunity_id] = one
    news = [latest[one] for one in _heard(latest.values())]
    if not news:
        return 0
    standing = _standing([one.opportunity_id for one in news])
    rates = rates_on({(one.currency, one.closed_on) for one in news if one.closed_on})
    entries: list[QuotaCredit] = []
    for one in news:
        entries += _settled(one, standing[one.opportunity_id], rates)
    insert_rows(QuotaCredit, entries)
    publish(*_told(entries), actor=actor)
    tell_attained(
        {one.user_id or one.territory_id for one in entries},
        types=[QuotaType.REVENUE, QuotaType.DEALS],
        days={one.closed_on for one in entries},
        actor=actor,
    )
    return len(entries)


@command
def credit_unheard(*, actor: Actor) -> int:
    """Credit the won deals that nobody was told of: those won before there was a ledger.

    Returns how many entries were written. Raises ExchangeRateMissing.
    """
    written = 0
    heard = CreditedDeal.objects.filter(opportunity_id=OuterRef("pk"))
    unheard = Opportunity.objects.won().filter(~Exists(heard)).order_by("pk")
    while deals := list(unheard[:BATCH]):
        written += credit_deals(told=credits_told(deals), actor=actor)
    return written


def _heard(told: Collection[OpportunityCreditChanged]) -> list[UUID]:
    """The deals of which this is news."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAR, [[one.opportunity_id for one in told], [one.version for one in told]])
        return [opportunity_id for (opportunity_id,) in cursor.fetchall()]


def _standing(opportunity_ids: Sequence[UUID]) -> dict[UUID, list[QuotaCredit]]:
    """The credits that were not taken back, by deal."""
    found: dict[UUID, list[QuotaCredit]] = defaultdict(list)
    rows = QuotaCredit.objects.filter(
        opportunity_id__any=opportunity_ids, reverses=None, reversed_by=None
    )
    for one in rows.order_by("opportunity_id", "id"):
        found[one.opportunity_id].append(one)
    return found


def _settled(
    told: OpportunityCreditChanged, standing: Sequence[QuotaCredit], rates: Rates
) -> Iterable[QuotaCredit]:
    """What makes of the credits that stand those that are due."""
    due = _due(told, standing, rates)
    kept = [one for one in standing if _content(one) in due]
    known = {_content(one) for one in kept}
    yield from (_reversal(one, told.version) for one in standing if one not in kept)
    yield from (
        QuotaCredit(
            opportunity_id=told.opportunity_id,
            version=told.version,
            **{name: getattr(one, name) for name in _CONTENT},
        )
        for one in due.values()
        if _content(one) not in known
    )


_CONTENT = (
    "user_id",
    "territory_id",
    "kind",
    "closed_on",
    "amount",
    "currency",
    "rate",
    "converted",
    "deals",
)


def _content(one: Credit | QuotaCredit) -> tuple[object, ...]:
    """What makes two credits the same."""
    return tuple(getattr(one, name) for name in _CONTENT)


def _due(
    told: OpportunityCreditChanged, standing: Sequence[QuotaCredit], rates: Rates
) -> dict[tuple[object, ...], Credit]:
    """What is due, by content; a rate that a deal was credited by stays with it."""
    if told.closed_on is None:
        return {}
    wanted = (told.currency, told.closed_on)
    frozen = [one.rate for one in standing if (one.currency, one.closed_on) == wanted]
    rate = frozen[0] if frozen else rates.get(wanted)
    if rate is None:
        raise ExchangeRateMissing.of(*wanted)
    deal = WonDeal(
        amount=told.amount,
        currency=told.currency,
        closed_on=told.closed_on,
        territory_id=told.territory_id,
        shares=[Share(one.user_id, one.kind, one.percentage) for one in told.splits],
        rate=rate,
    )
    return {_content(one): one for one in credits_of(deal)}


def _reversal(one: QuotaCredit, version: int) -> QuotaCredit:
    """What takes a credit back, by the rate it was made with."""
    return QuotaCredit(
        opportunity_id=one.opportunity_id,
        version=version,
        user_id=one.user_id,
        territory_id=one.territory_id,
        kind=one.kind,
        closed_on=one.closed_on,
        amount=-one.amount,
        currency=one.currency,
        rate=one.rate,
        converted=-one.converted,
        deals=-one.deals,
        reverses=one,
    )


def _told(entries: Iterable[QuotaCredit]) -> Iterable[CreditGiven | CreditReversed]:
    """What is told of entries, those of a deal next to each other: first what is taken back.

    Entries of a deal that stand at once are of one day, currency and rate.
    """
    for (_, is_reversal), found in groupby(
        entries, key=lambda one: (one.opportunity_id, one.reverses_id is not None)
    ):
        some = list(found)
        sold = [one for one in some if one.kind == CreditKind.REVENUE]
        kind = CreditReversed if is_reversal else CreditGiven
        yield kind(
            opportunity_id=some[0].opportunity_id,
            version=some[0].version,
            closed_on=some[0].closed_on,
            amount=sum((one.amount for one in sold), ZERO),
            currency=some[0].currency,
            converted_amount=sum((one.converted for one in sold), ZERO),
            converted_currency=settings.DEFAULT_CURRENCY,
            shares=tuple(
                CreditShare(
                    user_id=one.user_id,
                    territory_id=one.territory_id,
                    kind=one.kind,
                    amount=one.amount,
                    converted_amount=one.converted,
                )
                for one in some
            ),
        )
