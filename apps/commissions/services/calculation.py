"""Working out what people are due, and what is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from apps.commissions.events import CommissionCalculated
from apps.commissions.models import CommissionEntry
from apps.commissions.permissions import CALCULATE_COMMISSION
from apps.commissions.selectors import Statement, people_on_plans, statements
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput
from apps.core.journal import publish
from apps.core.loading import insert_rows
from apps.core.money import ZERO
from apps.core.periods import Period, parse_period
from apps.core.permissions import require

AT_ONCE = 500


@dataclass(frozen=True)
class Calculation:
    """What people are due for a period; `is_kept` unless it was only tried out."""

    period: Period
    statements: list[Statement]
    is_kept: bool

    @property
    def commission(self) -> Decimal:
        """All that is due."""
        return sum((one.commission for one in self.statements), ZERO)

    @property
    def change(self) -> Decimal:
        """What comes to what was due before."""
        return sum((one.change for one in self.statements), ZERO)


@command
def calculate_commissions(
    *,
    period: str,
    actor: Actor,
    user_ids: Sequence[UUID] | None = None,
    dry_run: bool = False,
) -> Calculation:
    """Work out what people within reach are due for a period, by their plans and credits.

    The ledger gets the difference to what it held: nothing where nothing changed, and less than
    nothing where deals were reopened (sales-system-integrations, Finance System).

    Args:
        period: `Q1_2026`, `M03_2026` or `FY_2026`; plans that pay by another kind don't count.
        actor: needs `commission:calculate`.
        user_ids: of people within reach; everybody within reach who is on a plan, if left out.
        dry_run: tells what would be, and keeps nothing.

    Raises:
        NotAllowed, InvalidInput.
    """
    require(actor, CALCULATE_COMMISSION)
    meant = parse_period(period, start_month=settings.FISCAL_YEAR_START_MONTH)
    take_turn(f"commissions {meant}")
    people = people_on_plans(meant, actor)
    if user_ids is not None:
        if unknown := set(user_ids) - set(people):
            raise InvalidInput.field(
                "user_ids", f"Nobody on a plan for {meant}: {', '.join(map(str, unknown))}."
            )
        people = sorted(set(user_ids))
    found: list[Statement] = []
    for start in range(0, len(people), AT_ONCE):
        some = list(statements(meant, people[start : start + AT_ONCE]))
        if not dry_run:
            _keep(meant, some, actor)
        found += some
    return Calculation(meant, found, not dry_run)


def _keep(period: Period, found: Sequence[Statement], actor: Actor) -> None:
    changed = [one for one in found if one.due != one.before]
    insert_rows(
        CommissionEntry,
        [
            CommissionEntry(
                user_id=one.user_id,
                plan_id=plan_id,
                period=period.key,
                starts_on=period.starts_on,
                kind=kind,
                rate=rate,
                base=difference.base,
                amount=difference.amount,
                currency=settings.DEFAULT_CURRENCY,
                calculated_by_id=actor.id,
            )
            for one in changed
            for (plan_id, kind, rate), difference in one.differences()
        ],
    )
    publish(
        *(
            CommissionCalculated(
                user_id=one.user_id,
                period=period.key,
                credited_amount=one.credited,
                commission_amount=one.commission,
                change=one.change,
                currency=settings.DEFAULT_CURRENCY,
            )
            for one in changed
        ),
        actor=actor,
    )
