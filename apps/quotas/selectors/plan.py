"""The plan of a fiscal year: who is to bring what, in the year and in each of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from apps.core.actors import Actor
from apps.core.errors import NotFound
from apps.core.money import ZERO
from apps.core.periods import Period, PeriodKind, parse_period, parts_of
from apps.core.permissions import require
from apps.quotas.models import Quota
from apps.quotas.permissions import READ_QUOTA
from apps.users.models import User

MOST_PEOPLE = 200


@dataclass(frozen=True)
class PlannedPerson:
    """What somebody is to bring, by period; where nothing was set, there is none."""

    user_id: UUID
    name: str
    leads_others: bool
    amounts: dict[str, Decimal]


@dataclass(frozen=True)
class QuotaPlan:
    """The quotas of a fiscal year of somebody and of those who report to them.

    Attributes:
        year: the fiscal year.
        parts: its quarters or months.
        lead: who leads the others; None at the top.
        people: the others, by name.
        totals: what all of them are to bring together, by period.
        has_more: whether there are more of them than are told.
    """

    quota_type: str
    year: Period
    parts: Sequence[Period]
    lead: PlannedPerson | None
    people: Sequence[PlannedPerson]
    totals: dict[str, Decimal]
    has_more: bool

    @property
    def periods(self) -> list[Period]:
        """The year, and its parts."""
        return [self.year, *self.parts]

    def total(self, period: str) -> Decimal:
        """What the people are to bring together."""
        return self.totals.get(period, ZERO)

    def gap(self, period: str) -> Decimal | None:
        """What the lead is to bring and nobody below was given; below zero where more was given."""
        own = None if self.lead is None else self.lead.amounts.get(period)
        return None if own is None else own - self.total(period)


def quota_plan(
    *,
    actor: Actor,
    fiscal_year: str,
    quota_type: str,
    by: str = PeriodKind.QUARTER,
    lead_id: UUID | None = None,
) -> QuotaPlan:
    """How a fiscal year is planned for those who report to somebody.

    Args:
        actor: whose reach counts.
        fiscal_year: such as FY_2026.
        quota_type: one of `QuotaType`.
        by: `quarter` or `month`.
        lead_id: whose reports; without it, the people within reach who report to nobody in it.

    Raises NotAllowed, InvalidInput, NotFound (sales-core, Quotas).
    """
    require(actor, READ_QUOTA)
    start_month = settings.FISCAL_YEAR_START_MONTH
    year = parse_period(
        fiscal_year, start_month=start_month, kinds=[PeriodKind.YEAR], name="fiscal_year"
    )
    if lead_id is not None and not actor.reach.includes(owner_id=lead_id, territory_id=None):
        raise NotFound
    parts = parts_of(year, PeriodKind(by), start_month=start_month)
    reports = _people(actor, lead_id)
    people = list(reports[: MOST_PEOPLE + 1])
    lead = User.objects.filter(pk=lead_id).first() if lead_id else None
    amounts = _amounts([*people, *([lead] if lead else [])], [year, *parts], quota_type)
    planned = [
        PlannedPerson(one.pk, one.name, one.leads_others, amounts.get(one.pk, {}))
        for one in people[:MOST_PEOPLE]
    ]
    return QuotaPlan(
        quota_type=quota_type,
        year=year,
        parts=parts,
        lead=lead and PlannedPerson(lead.pk, lead.name, True, amounts.get(lead.pk, {})),
        people=planned,
        totals=_totals(reports, [year, *parts], quota_type),
        has_more=len(people) > MOST_PEOPLE,
    )


def _people(actor: Actor, lead_id: UUID | None) -> QuerySet:
    reports = User.objects.active().filter(manager=OuterRef("pk"))
    people = User.objects.active().annotate(leads_others=Exists(reports)).order_by("name", "pk")
    if not actor.reach.everything:
        people = people.filter(pk__any=actor.reach.user_ids)
    if lead_id is not None:
        return people.filter(manager=lead_id)
    if actor.reach.everything:
        return people.filter(manager=None)
    return people.filter(Q(manager=None) | ~Q(manager__any=actor.reach.user_ids))


def _totals(people: QuerySet, periods: Sequence[Period], quota_type: str) -> dict[str, Decimal]:
    rows = Quota.objects.filter(
        user__in=people.order_by().values("pk"),
        period__in=[one.key for one in periods],
        quota_type=quota_type,
    )
    return dict(rows.values_list("period").annotate(Sum("amount")).order_by())


def _amounts(
    people: Sequence[User], periods: Sequence[Period], quota_type: str
) -> dict[UUID, dict[str, Decimal]]:
    found: dict[UUID, dict[str, Decimal]] = {}
    rows = Quota.objects.filter(
        user_id__any=[one.pk for one in people],
        period__in=[one.key for one in periods],
        quota_type=quota_type,
    )
    for user_id, period, amount in rows.values_list("user_id", "period", "amount"):
        found.setdefault(user_id, {})[period] = amount
    return found
