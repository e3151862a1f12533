"""What a won deal is credited to whom, how a quota is shared out, and how it stands.

No database, no clock.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import TextChoices

from apps.core.errors import InvalidInput
from apps.core.money import ZERO, shared, to_cents
from apps.core.periods import Period
from apps.opportunities.rules import WHOLE, SplitKind

_WORKING_DAYS = 5


class QuotaType(TextChoices):
    """What a quota counts: money of won deals, won deals, or completed activities."""

    REVENUE = "revenue"
    DEALS = "deals"
    ACTIVITIES = "activities"


class CreditKind(TextChoices):
    """Why somebody is credited: as the person who sold, who helped, or as the territory."""

    REVENUE = "revenue"
    OVERLAY = "overlay"
    TERRITORY = "territory"


@dataclass(frozen=True)
class Share:
    """What somebody is credited of a deal, in percent."""

    user_id: UUID
    kind: str
    percentage: Decimal


@dataclass(frozen=True)
class WonDeal:
    """All that a deal's credit is worked out from. `rate` converts it for the organisation."""

    amount: Decimal
    currency: str
    closed_on: date
    territory_id: UUID | None
    shares: Sequence[Share]
    rate: Decimal


@dataclass(frozen=True)
class Credit:
    """What one person or territory is credited of a deal.

    `converted` is in the organisation's currency, `deals` the part of the deal that counts as one.
    """

    user_id: UUID | None
    territory_id: UUID | None
    kind: str
    closed_on: date
    amount: Decimal
    currency: str
    rate: Decimal
    converted: Decimal
    deals: Decimal

    @property
    def holder_id(self) -> UUID | None:
        """The person or the territory."""
        return self.user_id or self.territory_id


def credits_of(deal: WonDeal) -> list[Credit]:
    """What a won deal is credited to whom.

    Its revenue shares come to the deal to the cent, in both currencies; overlays are on top, and
    the territory is credited with all of it.
    """
    total = to_cents(deal.amount * deal.rate)
    sellers = [one for one in deal.shares if one.kind == SplitKind.REVENUE]
    weights = [one.percentage for one in sellers]
    found = [
        _credit(deal, CreditKind.REVENUE, amount, converted, one.percentage / WHOLE, one.user_id)
        for one, amount, converted in zip(
            sellers, shared(deal.amount, weights), shared(total, weights), strict=True
        )
    ]
    for one in deal.shares:
        if one.kind == SplitKind.OVERLAY:
            part = one.percentage / WHOLE
            amount, converted = to_cents(deal.amount * part), to_cents(total * part)
            found.append(_credit(deal, CreditKind.OVERLAY, amount, converted, ZERO, one.user_id))
    if deal.territory_id is not None:
        found.append(_credit(deal, CreditKind.TERRITORY, deal.amount, total, Decimal(1), None))
    return found


def _credit(
    deal: WonDeal,
    kind: str,
    amount: Decimal,
    converted: Decimal,
    deals: Decimal,
    user_id: UUID | None,
) -> Credit:
    return Credit(
        user_id=user_id,
        territory_id=deal.territory_id if user_id is None else None,
        kind=kind,
        closed_on=deal.closed_on,
        amount=amount,
        currency=deal.currency,
        rate=deal.rate,
        converted=converted,
        deals=deals,
    )


def working_days(first: date, last: date) -> int:
    """How many days from Monday to Friday lie between two days, both included."""
    days = max((last - first).days + 1, 0)
    weeks, rest = divmod(days, 7)
    starting = first + timedelta(days=weeks * 7)
    extra = (starting + timedelta(days=ahead) for ahead in range(rest))
    return weeks * _WORKING_DAYS + sum(one.weekday() < _WORKING_DAYS for one in extra)


def percentage_of(attained: Decimal, amount: Decimal) -> Decimal | None:
    """How much of a quota is attained, in percent and without a limit; None of a quota of 0."""
    return to_cents(attained * 100 / amount) if amount else None


@dataclass(frozen=True)
class Pace:
    """How a quota should stand on a day, and where it goes at the speed so far."""

    expected: Decimal
    projected: Decimal | None


def pace(*, amount: Decimal, attained: Decimal, period: Period, today: date) -> Pace:
    """What is expected of a quota by the end of a day, and projected for the end of its period.

    Both by working days; nothing is projected before the first of them.
    """
    total = working_days(period.starts_on, period.ends_on)
    gone = working_days(period.starts_on, min(today, period.ends_on))
    return Pace(
        expected=to_cents(amount * gone / total),
        projected=to_cents(attained * total / gone) if gone else None,
    )


@dataclass(frozen=True)
class QuotaShare:
    """The part of a person, or of a territory, in what is shared out.

    Attributes:
        weight: against those of the others.
        since: their first day in the role; they carry nothing before it.
        ramp: percent of a full target in each month from that day on; all of it afterwards.
    """

    user_id: UUID | None = None
    territory_id: UUID | None = None
    weight: Decimal = Decimal(1)
    since: date | None = None
    ramp: tuple[Decimal, ...] = ()

    @property
    def holder_id(self) -> UUID:
        """The person or the territory. Raises InvalidInput for neither and for both."""
        if (self.user_id is None) == (self.territory_id is None):
            raise InvalidInput.field("shares", "Give each either a user_id or a territory_id.")
        return self.user_id or self.territory_id  # type: ignore[return-value]

    def carried_in(self, period: Period) -> Decimal:
        """How much of a full target they carry in a period, by its working days: 0 to 1."""
        if self.since is None:
            return Decimal(1)
        first, carried = self.since, Decimal(0)
        for month, percent in enumerate(self.ramp, start=1):
            following = _months_after(self.since, month)
            carried += percent * _shared_days(period, first, following - timedelta(days=1))
            first = following
        carried += WHOLE * _shared_days(period, first, period.ends_on)
        return carried / WHOLE / working_days(period.starts_on, period.ends_on)


def _months_after(day: date, months: int) -> date:
    """The same day so many months later, or the last of a shorter month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _shared_days(period: Period, first: date, last: date) -> int:
    return working_days(max(first, period.starts_on), min(last, period.ends_on))


def allocated(
    total: Decimal,
    *,
    parts: Sequence[Period],
    seasonality: Sequence[Decimal],
    shares: Sequence[QuotaShare],
) -> dict[tuple[UUID, Period], Decimal]:
    """A total shared out over periods by their seasons, and in each over those who carry it.

    The parts come to the total exactly, in every period and in all. Where nobody carries anything
    in a period that has a part of it, ValueError names the period.
    """
    found: dict[tuple[UUID, Period], Decimal] = {}
    for part, target in zip(parts, shared(total, seasonality), strict=True):
        weights = [one.weight * one.carried_in(part) for one in shares]
        if target and not any(weights):
            raise ValueError(part.key)
        amounts = shared(target, weights)
        for one, amount in zip(shares, amounts, strict=True):
            found[one.holder_id, part] = amount
    return found
