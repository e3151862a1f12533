"""The report of the night, by e-mail: what is forecast for the quarter, as far as each sees."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from smtplib import SMTPException
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage

from apps.core.actors import Actor, become
from apps.core.errors import NotAllowed
from apps.core.periods import Period
from apps.forecasts.permissions import GET_FORECAST_REPORT, READ_FORECAST
from apps.forecasts.rules import ForecastType, Node
from apps.forecasts.selectors.changes import Span, Sums, waterfalls
from apps.forecasts.selectors.nodes import periods_open_at
from apps.forecasts.selectors.roll_up import Branch, Figures, RollUp, roll_up
from apps.users.fields import USER_NAMES
from apps.users.models import User
from apps.users.selectors import people_with

log = logging.getLogger(__name__)

NOWHERE = "django.core.mail.backends.dummy.EmailBackend"
BRANCHES = 20


def who_gets_a_report() -> list[UUID]:
    """Everybody with the right to it; nobody where no e-mail leaves the platform (EMAIL_URL)."""
    return [] if settings.EMAIL_BACKEND == NOWHERE else people_with(GET_FORECAST_REPORT)


def send_report(*, user_id: UUID, day: date, now: datetime, actor: Actor) -> bool:
    """Send somebody the report of a night; whether it is on its way.

    It holds what they may see: whoever lost the right meanwhile gets none. A worker that dies after
    sending sends it again, under the same id.
    """
    try:
        reader = become(user_id, door="report", request_id=actor.request_id)
    except NotAllowed:
        return True
    if not (reader.may(GET_FORECAST_REPORT) and reader.may(READ_FORECAST)):
        return True
    period = periods_open_at(now)[1]
    found = roll_up(actor=reader, period=period)
    message = EmailMessage(
        subject=f"Forecast of {day}: {_subject(found)}",
        body="\n".join(_lines(found, now)),
        to=[User.objects.values_list("email", flat=True).get(pk=user_id)],
        headers={"Message-ID": f"<forecast-{day}-{user_id}@{settings.TOKEN_ISSUER}>"},
    )
    try:
        return message.send() == 1
    except (OSError, SMTPException):
        log.exception("the forecast of %s could not be sent to %s", day, user_id)
        return False


def _subject(found: RollUp) -> str:
    total = found.total[settings.DEFAULT_CURRENCY]
    return f"{_money(total.weighted_amount, total.currency)} for {found.period}"


def _lines(found: RollUp, now: datetime) -> Iterator[str]:
    for total in found.total.in_order():
        yield f"{found.period} in {total.currency}"
        yield ""
        yield from _figures(total, found)
        yield ""
    if found.node_id is not None:
        yield from _changes(Node(user_id=found.node_id), found.period, now)
    if found.branches:
        yield from _branches(found)
    yield "Who holds the right forecast:report gets this every night."


def _figures(total: Figures, found: RollUp) -> Iterator[str]:
    yield _row("Closed", total.closed_amount)
    yield _row("Forecast", total.weighted_amount)
    if total.model_weighted_amount is not None:
        yield _row("By the score model", total.model_weighted_amount)
    if outlook := found.outlooks.get(total.currency):
        yield _row("Its deals at least", outlook.low)
        yield _row("Its deals at most", outlook.high)
    yield _row("Open", total.open_amount)
    if rate := found.run_rates.get(total.currency):
        yield _row("At the run rate", rate.amount)
        yield _row("that is at least", rate.low)
        yield _row("and at most", rate.high)
    for name, said in (("Submitted", total.submitted), ("Adjusted", total.adjusted)):
        if ForecastType.COMMIT in said:
            yield _row(name, said[ForecastType.COMMIT])
    if total.quota is not None:
        yield _row("Quota", total.quota)
        yield _row("Gap", total.gap)
    if total.coverage is not None:
        yield f"{'Covered by open':<24}{total.coverage:>18.1f} times"


def _changes(node: Node, period: Period, now: datetime) -> Iterator[str]:
    """What the last day changed, in the organisation's currency."""
    span = Span(node=node, period=period, first=now - timedelta(days=1), last=now)
    ours = [one for one in waterfalls(span) if one.currency == settings.DEFAULT_CURRENCY]
    changes = [(one.label, sums) for found in ours for one, sums in found.changes.items()]
    if changes:
        yield "Since yesterday, by how much the forecast moved"
        yield ""
        yield from (_change(label, sums) for label, sums in changes)
        yield ""


def _change(label: str, sums: Sums) -> str:
    return f"{f'{label} ({sums.count})':<24}{sums.weighted_amount:>+18,.2f}"


def _branches(found: RollUp) -> Iterator[str]:
    names = USER_NAMES.cards(str(one.head) for one in found.branches if one.head)
    yield f"{'':<24}{'Closed':>18}{'Forecast':>18}{'Submitted':>18}{'Gap':>18}"
    for one in found.branches[:BRANCHES]:
        card = names.get(str(one.head))
        yield _branch(card["name"] if card else "Others", one)
    if len(found.branches) > BRANCHES:
        yield f"and {len(found.branches) - BRANCHES} more"
    yield ""


def _branch(name: str, branch: Branch) -> str:
    ours = branch.sheet[settings.DEFAULT_CURRENCY]
    said = ours.submitted.get(ForecastType.COMMIT)
    amounts = (ours.closed_amount, ours.weighted_amount, said, ours.gap)
    return f"{name[:23]:<24}" + "".join(f"{_plain(one):>18}" for one in amounts)


def _row(label: str, amount: Decimal | None) -> str:
    return f"{label:<24}{_plain(amount):>18}"


def _plain(amount: Decimal | None) -> str:
    return "–" if amount is None else f"{amount:,.2f}"


def _money(amount: Decimal, currency: str) -> str:
    return f"{amount:,.0f} {currency}"
