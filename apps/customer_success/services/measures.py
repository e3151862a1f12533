"""What is said of accounts in numbers: the newest is kept, and older news changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.facts import check_told_at
from apps.core.journal import publish
from apps.core.permissions import require
from apps.customer_success.events import AccountHealthChanged
from apps.customer_success.models import Measure
from apps.customer_success.permissions import REPORT_CUSTOMER
from apps.customer_success.rules import MeasureKind
from apps.customer_success.services.news import News, account_meant


def record_health(*, news: News, score: int, actor: Actor) -> Measure:
    """Note how healthy a customer is, 0 to 100 (sales-system-integrations, Customer Experience).

    It is told when that is another level than before. Raises as every `record_…`: NotFound where
    no account within reach is meant, NotAllowed, InvalidInput.
    """
    return _record(MeasureKind.HEALTH, {"score": score}, news=news, actor=actor)


def record_usage(*, news: News, metrics: Mapping[str, float], actor: Actor) -> Measure:
    """Note how much a customer uses: numbers by name, in place of those before.

    Raises as `record_health`.
    """
    return _record(MeasureKind.USAGE, {"metrics": dict(metrics)}, news=news, actor=actor)


def record_nps(*, news: News, score: int, actor: Actor) -> Measure:
    """Note whether a customer would recommend us, -100 to 100. Raises as `record_health`."""
    return _record(MeasureKind.NPS, {"score": score}, news=news, actor=actor)


@command
def _record(kind: str, facts: Mapping[str, Any], *, news: News, actor: Actor) -> Measure:
    """Keep a measure. The account is locked, so that two at once come one after the other."""
    account = account_meant(news, actor=actor)
    require(actor, REPORT_CUSTOMER)
    check_told_at(news.as_of, timezone.now())
    measure = Measure.objects.filter(account=account, kind=kind).first()
    if measure is None:
        measure = Measure(account=account, kind=kind)
    elif news.as_of <= measure.as_of:
        return measure
    level_before, measure.previous_score = measure.level, measure.score
    measure.partner, measure.as_of = news.partner, news.as_of
    for name, value in facts.items():
        setattr(measure, name, value)
    measure.save()
    if measure.level != level_before:
        publish(_health_changed(measure, level_before), actor=actor)
    return measure


def _health_changed(measure: Measure, level_before: str) -> AccountHealthChanged:
    assert measure.score is not None
    return AccountHealthChanged(
        account_id=measure.account_id,
        level=str(measure.level),
        previous_level=str(level_before),
        score=measure.score,
        previous_score=measure.previous_score,
        partner=measure.partner,
        as_of=measure.as_of,
    )
