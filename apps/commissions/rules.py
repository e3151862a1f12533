"""What people are due: rates by how much of a quota was brought in, deal by deal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.core.errors import InvalidInput
from apps.core.money import ZERO, to_cents

MOST_TIERS = 10


@dataclass(frozen=True, order=True)
class Tier:
    """The percentage that is paid for what lies above so many percent of the quota."""

    above: Decimal
    rate: Decimal


@dataclass(frozen=True)
class Rates:
    """What a plan pays: tiers for sales, one rate for help with the sales of others."""

    tiers: tuple[Tier, ...]
    overlay: Decimal


@dataclass(frozen=True)
class Earning:
    """What somebody was credited of one deal, by which plan it is paid."""

    opportunity_id: UUID
    plan_id: UUID
    kind: str
    closed_on: date
    amount: Decimal


@dataclass(frozen=True)
class Share:
    """A part of what was credited, and the rate it is paid at."""

    earning: Earning
    rate: Decimal
    amount: Decimal


def check_tiers(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """The tiers in their order. Raises InvalidInput unless the first begins at nothing."""
    ordered = tuple(sorted(tiers))
    if not ordered or ordered[0].above != 0:
        raise InvalidInput.field("tiers", "The first tier is above 0 percent of the quota.")
    if len({one.above for one in ordered}) < len(ordered):
        raise InvalidInput.field("tiers", "Two tiers begin at the same percentage.")
    return ordered


def shares_of(
    earnings: Sequence[Earning], *, quota: Decimal | None, rates: dict[UUID, Rates]
) -> Iterator[Share]:
    """What each deal of one person is paid at, in the order they were won.

    A deal that takes them over a threshold is paid at both rates, each for its part. Without a
    quota there is nothing to exceed, and all is paid at the first.
    """
    sold = ZERO
    for one in sorted(earnings, key=lambda one: (one.closed_on, one.opportunity_id, one.kind)):
        plan = rates[one.plan_id]
        if one.kind == "overlay":
            yield Share(one, plan.overlay, one.amount)
            continue
        for tier, begins, ends in _bands(plan.tiers, quota):
            upper = sold + one.amount if ends is None else min(sold + one.amount, ends)
            if (part := upper - max(sold, begins)) > 0:
                yield Share(one, tier.rate, part)
        sold += one.amount


def _bands(
    tiers: Sequence[Tier], quota: Decimal | None
) -> Iterator[tuple[Tier, Decimal, Decimal | None]]:
    """The tiers with the amounts they begin and end at."""
    if not quota:
        yield tiers[0], ZERO, None
        return
    begins = [quota * one.above / 100 for one in tiers]
    yield from zip(tiers, begins, [*begins[1:], None], strict=True)


def commission(amount: Decimal, rate: Decimal) -> Decimal:
    """What a rate in percent makes of an amount, to the cent."""
    return to_cents(amount * rate / 100)


def tiers_kept(tiers: Sequence[Tier]) -> list[dict[str, str]]:
    """Tiers as a plan keeps them."""
    return [{"above": str(one.above), "rate": str(one.rate)} for one in tiers]


def tiers_read(kept: Sequence[dict[str, Any]]) -> tuple[Tier, ...]:
    """Tiers as a plan kept them."""
    return tuple(Tier(Decimal(one["above"]), Decimal(one["rate"])) for one in kept)
