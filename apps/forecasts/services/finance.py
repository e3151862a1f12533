"""Reports to finance: issued once a month and quarter ended, and whenever they are asked for."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput
from apps.core.journal import publish
from apps.core.periods import Period, organisation_day
from apps.core.permissions import require
from apps.forecasts.events import ReportIssued
from apps.forecasts.models import FinanceReport
from apps.forecasts.permissions import ISSUE_REPORT
from apps.forecasts.selectors.finance import KINDS, figures_of, periods_due
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.nightly import request_nightly_forecast


@command
def issue_report(*, period: str, actor: Actor) -> FinanceReport:
    """Tell finance how a month or quarter stands now, however often it was told before.

    Raises NotAllowed, InvalidInput.
    """
    require(actor, ISSUE_REPORT)
    now, meant = timezone.now(), period_named(period, kinds=KINDS)
    if meant.starts_on > organisation_day(now):
        raise InvalidInput.field("period", f"{meant} has not begun.")
    return _issue(meant, now=now, is_scheduled=False, actor=actor)


@command
def issue_due_reports(*, now: datetime, actor: Actor) -> list[FinanceReport]:
    """Tell finance of the months and quarters that ended, of each once, however often it is asked.

    They wait for the forecasts of the day's night, and make them where it failed. What became due
    while nobody was there is told with what is forecast now. Raises NotAllowed.
    """
    require(actor, ISSUE_REPORT)
    take_turn("finance reports")
    due = list(periods_due(now))
    if not due:
        return []
    night = request_nightly_forecast(now=now, actor=actor).job
    if not night.has_ended:
        return []
    if not night.has_gone_through:
        compute_forecasts(actor=actor)
    return [_issue(one, now=now, is_scheduled=True, actor=actor) for one in due]


def _issue(period: Period, *, now: datetime, is_scheduled: bool, actor: Actor) -> FinanceReport:
    take_turn(f"finance report {period}")
    before = FinanceReport.objects.filter(starts_on=period.starts_on, ends_on=period.ends_on)
    report = FinanceReport.objects.create(
        kind=KINDS[period.kind],
        period=period.key,
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        number=before.count() + 1,
        is_scheduled=is_scheduled,
        issued_at=now,
        issued_by_id=actor.id,
        currency=settings.DEFAULT_CURRENCY,
        figures=figures_of(period, now=now),
    )
    publish(
        ReportIssued(
            report_id=report.pk,
            kind=report.kind,
            period=report.period,
            number=report.number,
            issued_at=report.issued_at,
        ),
        actor=actor,
    )
    return report
