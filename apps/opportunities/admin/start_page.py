"""What opportunities add to the start page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.admin.display import list_of, plain_money, short_money, words
from apps.core.admin.start_page import (
    Chart,
    Empty,
    Figure,
    Panel,
    Series,
    kept,
    panel,
    tells_of,
)
from apps.core.periods import PeriodKind, organisation_day, period_containing
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import READ_OPPORTUNITY, WRITE_OPPORTUNITY
from apps.opportunities.selectors import Amounts, pipeline_summary


@panel(order=20, needs=READ_OPPORTUNITY)
def pipeline_by_stage(actor: Actor) -> Panel:
    """What is in the pipeline for the current quarter."""
    found = kept("pipeline", actor, lambda: _summary(actor))
    stages, currency, total = found["stages"], found["currency"], found["total"]
    deals = list_of(Opportunity, kind="open")
    return Panel(
        title="Pipeline by stage",
        note=f"Open deals that close in {found['period']}",
        address=deals,
        figures=[
            Figure(
                "Open pipeline",
                short_money(total["amount"], currency),
                note=f"{total['count']:,} deals in {found['period']}",
                address=deals,
            ),
            Figure(
                "Weighted",
                short_money(total["weighted"], currency),
                note="by probability",
                address=deals,
            ),
            Figure(
                "Overdue",
                short_money(found["overdue"]["amount"], currency),
                note=f"{found['overdue']['count']:,} deals past their day",
                address=deals,
                tone="warning" if found["overdue"]["count"] else "",
            ),
        ],
        empty=None if stages else _nothing_yet(actor, found["period"]),
        chart=Chart(
            title=f"Pipeline by stage for {found['period']} in {currency}",
            labels=[words(one["stage"]) for one in stages],
            series=[
                Series("Amount", [one["amount"] for one in stages], "var(--color-primary-300)"),
                Series("Weighted", [one["weighted"] for one in stages], "var(--color-primary-600)"),
            ],
            headers=("Stage", "Deals", f"Amount {currency}", f"Weighted {currency}"),
            rows=[
                (
                    words(one["stage"]),
                    f"{one['count']:,}",
                    plain_money(one["amount"]),
                    plain_money(one["weighted"]),
                )
                for one in stages
            ],
        ),
    )


def _nothing_yet(actor: Actor, period: str) -> Empty:
    sentence = f"No open deals are expected to close in {period}."
    if actor.may(WRITE_OPPORTUNITY):
        return Empty(sentence, "Begin an opportunity", f"{list_of(Opportunity)}add/")
    return Empty(sentence)


def _summary(actor: Actor) -> dict[str, Any]:
    today = organisation_day(timezone.now())
    quarter = period_containing(
        today, PeriodKind.QUARTER, start_month=settings.FISCAL_YEAR_START_MONTH
    )
    found = pipeline_summary(actor=actor, period=quarter, today=today)
    return {
        "period": quarter.key,
        "currency": found.currency,
        "total": _plain(found.summary),
        "overdue": _plain(found.overdue),
        "stages": [{"stage": one.stage, **_plain(one.amounts)} for one in found.by_stage],
    }


def _plain(amounts: Amounts) -> dict[str, Any]:
    return {
        "count": amounts.count,
        "amount": float(amounts.total_amount),
        "weighted": float(amounts.weighted_amount),
    }


tells_of(
    Opportunity,
    needs=READ_OPPORTUNITY,
    rows=lambda actor: Opportunity.objects.visible_to(actor).defer("search_vector"),
)
