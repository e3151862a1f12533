"""What other currencies are worth in the organisation's: dated, set by people, never assumed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, RuleBroken
from apps.core.events import event
from apps.core.history import audited
from apps.core.journal import publish
from apps.core.models import ExchangeRate
from apps.core.money import CURRENCIES, to_cents
from apps.core.permissions import READ_EXCHANGE_RATE, SET_EXCHANGE_RATE, require
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import at_least, at_most, equals
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import OpenScope

audited("exchange_rates")(ExchangeRate)

ONE = Decimal(1)
LARGEST_RATE = Decimal(10) ** 10
SMALLEST_RATE = Decimal("0.0000000001")

EXCHANGE_RATES = Listing(
    name="exchange_rates",
    model=ExchangeRate,
    read=READ_EXCHANGE_RATE,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("currency"),
        Field("valid_from"),
        Field("rate", expression="trim_scale(t.rate)::text", kind=Kind.TEXT),
        Field("updated_at"),
    ),
    filters=(
        equals("currency"),
        at_least("valid_after", "valid_from", "day"),
        at_most("valid_before", "valid_from", "day"),
    ),
    orderings=(Ordering("valid_from", 't."valid_from"', Kind.DAY),),
    default_ordering="-valid_from",
)


class ExchangeRateMissing(RuleBroken):
    """Nobody said what a currency is worth on a day."""

    reason = "exchange_rate_missing"

    @classmethod
    def of(cls, currency: str, day: date) -> ExchangeRateMissing:
        """The refusal, saying which rate is wanted."""
        return cls(
            f"No exchange rate from {currency} to {settings.DEFAULT_CURRENCY} counts on {day}.",
            currency=currency,
            day=day.isoformat(),
        )


@event("exchange_rate.set", topic="sales.rates", about="exchange_rate_id")
@dataclass(frozen=True, kw_only=True)
class ExchangeRateSet:
    """Somebody said what a currency is worth from a day on."""

    exchange_rate_id: UUID
    currency: str
    valid_from: date
    rate: Decimal
    previous_rate: Decimal | None


@command
def set_exchange_rate(
    *, currency: str, valid_from: date, rate: Decimal, actor: Actor
) -> ExchangeRate:
    """Say what one unit of a currency is worth in the organisation's, from a day on.

    A rate of the same day is corrected; what was converted by it stays as it is.

    Raises NotAllowed, InvalidInput.
    """
    require(actor, SET_EXCHANGE_RATE)
    if currency not in CURRENCIES:
        raise InvalidInput.field("currency", "This is not an ISO 4217 currency.")
    if currency == settings.DEFAULT_CURRENCY:
        raise InvalidInput.field("currency", "The organisation's own currency is always worth 1.")
    if not _is_rate(rate):
        raise InvalidInput.field("rate", "Give a positive number with at most ten decimals.")
    _lock(currency)
    found = ExchangeRate.objects.filter(currency=currency, valid_from=valid_from).first()
    previous = found.rate if found else None
    if found is not None and previous == rate:
        return found
    kept = found or ExchangeRate(currency=currency, valid_from=valid_from)
    kept.rate = rate
    kept.save()
    publish(
        ExchangeRateSet(
            exchange_rate_id=kept.pk,
            currency=currency,
            valid_from=valid_from,
            rate=rate,
            previous_rate=previous,
        ),
        actor=actor,
    )
    return kept


def _is_rate(rate: Decimal) -> bool:
    is_within = rate.is_finite() and SMALLEST_RATE <= rate < LARGEST_RATE
    return is_within and rate == rate.quantize(SMALLEST_RATE)


def _lock(currency: str) -> None:
    """One rate of a currency at a time: two at once could be of one day."""
    take_turn(f"exchange rate {currency}")


def rate_on(currency: str, day: date) -> Decimal:
    """What a unit is worth in the organisation's currency on a day. Raises ExchangeRateMissing."""
    found = rates_on({(currency, day)}).get((currency, day))
    if found is None:
        raise ExchangeRateMissing.of(currency, day)
    return found


_RATES = """
SELECT wanted.currency, wanted.day, latest.rate
FROM unnest(%s::text[], %s::date[]) AS wanted(currency, day)
CROSS JOIN LATERAL (
    SELECT r.rate FROM core_exchangerate r
    WHERE r.currency = wanted.currency AND r.valid_from <= wanted.day
    ORDER BY r.valid_from DESC LIMIT 1) AS latest
"""


def rates_on(wanted: Collection[tuple[str, date]]) -> dict[tuple[str, date], Decimal]:
    """The rates of currencies on days, in one statement; those that nobody stated are left out."""
    own = {one: ONE for one in wanted if one[0] == settings.DEFAULT_CURRENCY}
    foreign = [one for one in wanted if one not in own]
    if not foreign:
        return own
    with connection.cursor() as cursor:
        cursor.execute(_RATES, [[one for one, _ in foreign], [day for _, day in foreign]])
        return own | {(currency, day): rate for currency, day, rate in cursor.fetchall()}


def converted(amount: Decimal, currency: str, day: date) -> Decimal:
    """An amount in the organisation's currency, by the rate of a day, half-even to two places.

    Raises ExchangeRateMissing.
    """
    return to_cents(amount * rate_on(currency, day))
