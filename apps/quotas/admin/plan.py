"""The page on which a fiscal year is planned: people down, periods across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.more_pages import MorePage
from apps.core.errors import InvalidInput
from apps.core.money import LARGEST, ZERO
from apps.core.periods import PeriodKind, organisation_today, period_containing
from apps.quotas.models import Quota
from apps.quotas.permissions import SET_QUOTA
from apps.quotas.rules import QuotaType
from apps.quotas.selectors.plan import PlannedPerson, QuotaPlan, quota_plan
from apps.quotas.services.plans import PlannedQuota, plan_quotas

EVERYBODY = "all"
BY = {PeriodKind.QUARTER: "Quarters", PeriodKind.MONTH: "Months"}
# What the fields of a person and period are named after: what is typed there, and what was read.
_TYPED, _READ = "quota", "read"


@dataclass(frozen=True)
class Cell:
    """What somebody is to bring in a period: what is typed there, and what was read."""

    place: str
    label: str
    typed: str
    read: str


@dataclass(frozen=True)
class Row:
    """Somebody's quotas; `address` leads to those who report to them."""

    name: str
    address: str
    cells: list[Cell]


def _show(actor: Actor, parameters: Mapping[str, str]) -> dict[str, Any]:
    asked = {
        "year": parameters.get("year") or _this_year(),
        "type": _one_of(parameters, "type", QuotaType.values, QuotaType.REVENUE),
        "by": _one_of(parameters, "by", list(BY), PeriodKind.QUARTER),
    }
    plan = quota_plan(
        actor=actor,
        fiscal_year=asked["year"],
        quota_type=asked["type"],
        by=asked["by"],
        lead_id=_lead(actor, parameters),
    )
    return {
        **asked,
        "years": _years(plan.year.key),
        "types": QuotaType.choices,
        "kinds": BY.items(),
        "plan": plan,
        "top": PLAN.address(Quota._meta, **asked, lead=EVERYBODY) if plan.lead else "",
        "totals": _totals(plan),
        "rows": [_row(one, plan, parameters, asked) for one in plan.people],
        "can_plan": actor.may(SET_QUOTA) and bool(plan.people),
    }


def _change(actor: Actor, sent: Mapping[str, str]) -> str:
    quotas = list(_typed(sent))
    if not quotas:
        return "Nothing was changed."
    planned = plan_quotas(quota_type=sent.get("type", ""), quotas=quotas, actor=actor)
    return "A quota was planned." if len(planned) == 1 else f"{len(planned):,} quotas were planned."


def _typed(sent: Mapping[str, str]) -> Iterator[PlannedQuota]:
    """The quotas that are not any more what was read. Raises InvalidInput."""
    for name, text in sent.items():
        kind, _, place = name.partition(" ")
        read = sent.get(f"{_READ} {place}", "")
        if kind != _TYPED or not (text.strip() or read):
            continue
        user_id, _, period = place.partition(" ")
        try:
            before, amount = Decimal(read) if read else None, _amount(text)
            if amount != before:
                yield PlannedQuota(UUID(user_id), period, amount, before)
        except (ValueError, InvalidOperation):
            raise InvalidInput.field(
                "quotas", f"{text or 'Nothing'} is no amount; a quota that was set can become 0."
            ) from None


def _amount(text: str) -> Decimal:
    """What somebody typed, thousands separated or not. Raises InvalidOperation, ValueError."""
    amount = Decimal(text.replace(",", "").replace(" ", ""))
    if not ZERO <= amount <= LARGEST or amount != round(amount, 2):
        raise ValueError
    return amount


def _one_of(parameters: Mapping[str, str], name: str, known: list[Any], usual: str) -> str:
    found = parameters.get(name) or usual
    if found not in known:
        raise InvalidInput.field(name, "Choose what is offered.")
    return str(found)


def _lead(actor: Actor, parameters: Mapping[str, str]) -> UUID | None:
    """Whose reports are planned: one's own, unless somebody else is asked for."""
    found = parameters.get("lead") or (EVERYBODY if actor.reach.everything else str(actor.id))
    if found == EVERYBODY:
        return None
    try:
        return UUID(found)
    except ValueError:
        raise InvalidInput.field("lead", "There is no such person.") from None


def _this_year() -> str:
    start_month = settings.FISCAL_YEAR_START_MONTH
    return period_containing(organisation_today(), PeriodKind.YEAR, start_month=start_month).key


def _years(chosen: str) -> list[str]:
    """The fiscal years that are offered: the last, this and the next two."""
    this = int(_this_year().removeprefix("FY_"))
    offered = [f"FY_{this + ahead}" for ahead in range(-1, 3)]
    return offered if chosen in offered else [chosen, *offered]


def _row(
    person: PlannedPerson, plan: QuotaPlan, parameters: Mapping[str, str], asked: dict[str, str]
) -> Row:
    below = PLAN.address(Quota._meta, **asked, lead=person.user_id) if person.leads_others else ""
    return Row(
        name=person.name,
        address=below,
        cells=[_cell(person, one.key, parameters) for one in plan.periods],
    )


def _cell(person: PlannedPerson, period: str, parameters: Mapping[str, str]) -> Cell:
    place = f"{person.user_id} {period}"
    amount = person.amounts.get(period)
    read, shown = ("", "") if amount is None else (str(amount), show.plain_money(amount))
    return Cell(
        place=place,
        label=f"{person.name}, {period}",
        typed=parameters.get(f"{_TYPED} {place}", shown),
        read=parameters.get(f"{_READ} {place}", read),
    )


def _totals(plan: QuotaPlan) -> list[tuple[str, list[Any]]]:
    """What everybody comes to in each period, and what their lead is to bring besides."""
    found = [("Together", [show.whole_money(plan.total(one.key)) for one in plan.periods])]
    if plan.lead is not None:
        own = [show.whole_money(plan.lead.amounts.get(one.key)) for one in plan.periods]
        gaps = [show.whole_money(plan.gap(one.key)) for one in plan.periods]
        found += [(plan.lead.name, own), ("Gap", gaps)]
    return found


PLAN = MorePage(
    name="plan",
    title="Quota plan",
    template="admin/quotas/plan.html",
    show=_show,
    change=_change,
)
