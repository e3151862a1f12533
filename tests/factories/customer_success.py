"""What partners say of customers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.core.actors import system_actor
from apps.customer_success.models import Case, Measure
from apps.customer_success.services.cases import record_ticket
from apps.customer_success.services.measures import record_health
from apps.customer_success.services.news import News


def news_of(account: Any, *, as_of: datetime | None = None, **facts: Any) -> News:
    """News of an account, of now."""
    told = {"account_id": str(account.pk), "partner": "cx", **facts}
    return News(as_of=as_of or timezone.now(), **told)


def make_health(account: Any, score: int, **facts: Any) -> Measure:
    """The health of an account."""
    actor = system_actor(door="test")
    return record_health(news=news_of(account, **facts), score=score, actor=actor)


def make_ticket(account: Any, external_id: str = "T-1", **facts: Any) -> Case:
    """A ticket of an account, critical and open."""
    told = {
        "title": "Nothing works",
        "severity": "critical",
        "status": "open",
        "opened_at": timezone.now() - timedelta(days=1),
    }
    of_news = {one: facts.pop(one) for one in ("as_of", "partner", "account_id") if one in facts}
    return record_ticket(
        news=news_of(account, **of_news),
        external_id=external_id,
        actor=facts.pop("actor", None) or system_actor(door="test"),
        **{**told, **facts},
    )
