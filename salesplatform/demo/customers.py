"""How the demo's customers fare, as customer experience and support would say it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.accounts.models import Account
from apps.accounts.services.accounts import change_account
from apps.core.actors import Actor
from apps.customer_success.services.cases import (
    record_escalation,
    record_feature_request,
    record_ticket,
)
from apps.customer_success.services.measures import record_health, record_nps, record_usage
from apps.customer_success.services.news import News

CX, SUPPORT = "cx", "support"
TOLD_OF = 40
_TICKETS = (
    ("Sign-in fails since the update", "critical"),
    ("Invoices show the wrong currency", "high"),
    ("Report takes a minute to open", "medium"),
    ("Typo on the start page", "low"),
)


def tell_of_customers(deals: Sequence[Any], chance: random.Random, actor: Actor) -> int:
    """Say how the accounts of some deals fare, and under which ids they are known outside.

    Returns of how many.
    """
    ids = list(dict.fromkeys(one.account_id for one in deals))[:TOLD_OF]
    for number, account in enumerate(Account.objects.with_ids(ids).order_by("pk")):
        outside = {CX: f"C-{1000 + number}", SUPPORT: f"S-{1000 + number}"}
        change_account(account_id=account.pk, external_ids=outside, actor=actor)
        _measure(account, chance, actor)
        _complain(account, number, chance, actor)
    return len(ids)


def _news(account: Any, partner: str, **ago: int) -> News:
    return News(
        account_id=str(account.pk), partner=partner, as_of=timezone.now() - timedelta(**ago)
    )


def _measure(account: Any, chance: random.Random, actor: Actor) -> None:
    before = chance.randint(55, 95)
    record_health(news=_news(account, CX, days=7), score=before, actor=actor)
    now = max(0, before - chance.choice((-4, 0, 3, 25, 45)))
    record_health(news=_news(account, CX, hours=3), score=min(now, 100), actor=actor)
    record_nps(news=_news(account, CX, days=2), score=chance.randint(-30, 80), actor=actor)
    usage = {
        "active_users": chance.randint(5, 400),
        "sign_ins_of_30_days": chance.randint(50, 9000),
    }
    record_usage(news=_news(account, CX, hours=3), metrics=usage, actor=actor)


def _complain(account: Any, number: int, chance: random.Random, actor: Actor) -> None:
    common: dict[str, Any] = {"news": _news(account, SUPPORT, hours=1), "actor": actor}
    for place in range(chance.randint(0, 3)):
        title, severity = chance.choice(_TICKETS)
        record_ticket(
            external_id=f"T-{number}{place}",
            title=title,
            severity=severity,
            status=chance.choice(("open", "pending", "solved")),
            opened_at=timezone.now() - timedelta(days=chance.randint(1, 20)),
            **common,
        )
    opened_at = timezone.now() - timedelta(days=30)
    if number % 5 == 0:
        record_escalation(
            external_id=f"E-{number}",
            title="Asks for somebody who can decide",
            severity="high",
            status="open",
            opened_at=opened_at,
            **common,
        )
    if number % 4 == 0:
        record_feature_request(
            external_id=f"F-{number}",
            title="Single sign-on for contractors",
            status="planned",
            opened_at=opened_at,
            **common,
        )
