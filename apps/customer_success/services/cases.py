"""Tickets, escalations and feature requests: each known by its partner's id, the newest counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import Account
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import NotFound
from apps.core.facts import check_told_at
from apps.core.journal import publish
from apps.core.permissions import require
from apps.customer_success.events import CriticalTicketClosed, CriticalTicketOpened
from apps.customer_success.models import Case
from apps.customer_success.permissions import REPORT_CUSTOMER
from apps.customer_success.rules import CaseKind, check_times, is_over
from apps.customer_success.services.news import News, account_meant


def record_ticket(
    *,
    news: News,
    external_id: str,
    title: str,
    severity: str,
    status: str,
    opened_at: datetime,
    actor: Actor,
    ended_at: datetime | None = None,
) -> Case:
    """Note how a customer's ticket stands (sales-system-integrations, Support System).

    It is told when a critical one opens, and when it is no longer open, critical or that account's.

    Args:
        news: of which account, by whom.
        external_id: the partner's own.
        title: its subject.
        severity, status: as in `Severity`, `ACTIVE` and `OVER`.
        opened_at: when it began.
        actor: needs `customer:report`.
        ended_at: when it was solved, where that was earlier than it was told.

    Raises:
        NotFound where no account within reach is meant, NotAllowed, InvalidInput.
    """
    facts = {"title": title, "severity": severity, "status": status, "opened_at": opened_at}
    return _record(CaseKind.TICKET, external_id, facts, ended_at, news=news, actor=actor)


def record_escalation(
    *,
    news: News,
    external_id: str,
    title: str,
    severity: str,
    status: str,
    opened_at: datetime,
    actor: Actor,
    ended_at: datetime | None = None,
) -> Case:
    """Note how something stands that a customer took further up. Raises as `record_ticket`."""
    facts = {"title": title, "severity": severity, "status": status, "opened_at": opened_at}
    return _record(CaseKind.ESCALATION, external_id, facts, ended_at, news=news, actor=actor)


def record_feature_request(
    *,
    news: News,
    external_id: str,
    title: str,
    status: str,
    opened_at: datetime,
    actor: Actor,
    ended_at: datetime | None = None,
) -> Case:
    """Note what becomes of something that a customer wishes for. Raises as `record_ticket`."""
    facts = {"title": title, "status": status, "opened_at": opened_at}
    return _record(CaseKind.FEATURE_REQUEST, external_id, facts, ended_at, news=news, actor=actor)


def close_unlisted_tickets(*, news: News, listed: Collection[str], actor: Actor) -> int:
    """Close the critical tickets of an account that their partner lists no longer; how many.

    Args:
        news: of which account, by whom, and when the list was made: what was said after that stays.
        listed: the partner's ids of those that are open and critical.
        actor: needs `customer:report`.

    Raises:
        NotFound where no account within reach is meant, NotAllowed, InvalidInput.
    """
    return _close_unlisted(listed, news=news, actor=actor)


@command
def _close_unlisted(listed: Collection[str], *, news: News, actor: Actor) -> int:
    account = account_meant(news, actor=actor)
    require(actor, REPORT_CUSTOMER)
    check_told_at(news.as_of, timezone.now())
    before = Case.objects.critical().filter(
        account=account, partner=news.partner, as_of__lt=news.as_of, opened_at__lt=news.as_of
    )
    gone = list(before.exclude(external_id__in=listed).select_for_update().order_by("pk"))
    for case in gone:
        case.status, case.ended_at, case.as_of = "closed", news.as_of, news.as_of
        case.save(update_fields=["status", "ended_at", "as_of", "updated_at"])
        _tell(case, account.pk, actor)
    return len(gone)


@command
def _record(
    kind: str,
    external_id: str,
    facts: Mapping[str, Any],
    ended_at: datetime | None,
    *,
    news: News,
    actor: Actor,
) -> Case:
    """Keep a case; what says the same of it at once waits for its turn."""
    take_turn(f"case {news.partner} {kind} {external_id}")
    account = account_meant(news, actor=actor)
    require(actor, REPORT_CUSTOMER)
    check_told_at(news.as_of, timezone.now())
    names = {"partner": news.partner, "kind": kind, "external_id": external_id}
    case = Case.objects.filter(**names).first() or Case(**names)
    if not case._state.adding:
        _check_within_reach(case.account_id, actor)
        if news.as_of <= case.as_of:
            return case
    critical_before = case.account_id if case.is_critical else None
    case.account, case.as_of = account, news.as_of
    for name, value in facts.items():
        setattr(case, name, value)
    case.ended_at = (ended_at or news.as_of) if is_over(kind, case.status) else None
    check_times(case.opened_at, case.ended_at)
    case.save()
    _tell(case, critical_before, actor)
    return case


def _check_within_reach(account_id: UUID, actor: Actor) -> None:
    """Nobody takes a case from an account they do not see. Raises NotFound."""
    if not Account.objects.with_bin().visible_to(actor).with_ids([account_id]).exists():
        raise NotFound


def _tell(case: Case, critical_before: UUID | None, actor: Actor) -> None:
    """Tell of which account a ticket is critical now, and of which no longer."""
    critical_now = case.account_id if case.is_critical else None
    if critical_now == critical_before:
        return
    facts: dict[str, Any] = {
        "ticket_id": case.pk,
        "partner": case.partner,
        "external_id": case.external_id,
        "as_of": case.as_of,
    }
    if critical_before is not None:
        publish(CriticalTicketClosed(account_id=critical_before, **facts), actor=actor)
    if critical_now is not None:
        publish(CriticalTicketOpened(account_id=critical_now, **facts), actor=actor)
