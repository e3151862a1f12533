"""What is suggested about deals, and what people make of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import NotFound
from apps.core.exchange_rates import rates_on
from apps.core.journal import publish
from apps.core.loading import read_rows, update_rows
from apps.core.periods import organisation_day
from apps.core.permissions import require
from apps.customer_success.selectors import standings_of
from apps.intelligence.errors import DecidedOtherwise, SuggestionOver
from apps.intelligence.events import SuggestionAccepted, SuggestionDismissed
from apps.intelligence.models import Suggestion
from apps.intelligence.permissions import SUGGEST
from apps.intelligence.rules.suggestions import (
    PATIENCE,
    Decision,
    Ending,
    OpenDeal,
    Suggested,
    suggestions_for,
)
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import WRITE_OPPORTUNITY
from apps.opportunities.selectors import processes
from apps.opportunities.services.scores import health_of

BATCH = 1_000
_SAID = ("sentence", "reason", "gain", "value")
_ENDED = ("ended_at", "ended_as")


@dataclass
class _News:
    """What is new about the suggestions of some deals."""

    made: list[Suggestion] = field(default_factory=list)
    changed: list[Suggestion] = field(default_factory=list)
    ended: list[Suggestion] = field(default_factory=list)


@command
def suggest(*, ids: Sequence[UUID], actor: Actor) -> int:
    """Look at deals, and keep what is suggested about each as it is now.

    What is done ends, and so does what was decided too long ago, to be suggested anew. Doing it
    twice is harmless. Returns how many suggestions were made, changed or ended.

    Raises NotAllowed (sales-core, Intelligence).
    """
    require(actor, SUGGEST)
    now = timezone.now()
    deals = read_rows(Opportunity, set(ids))
    rows = Suggestion.objects.standing().filter(opportunity_id__any=[one.pk for one in deals])
    standing: dict[UUID, list[Suggestion]] = defaultdict(list)
    for row in rows.select_for_update().order_by("opportunity_id", "key"):
        standing[row.opportunity_id].append(row)
    wanted = _wanted([one for one in deals if one.is_open and not one.is_in_bin], now)
    news = _News()
    for deal in deals:
        _compare(deal, standing[deal.pk], wanted.get(deal.pk, {}), now, news)
    update_rows(news.changed, _SAID)
    update_rows(news.ended, _ENDED)
    # Two who look at a deal at once suggest the same.
    Suggestion.objects.bulk_create(news.made, ignore_conflicts=True)
    return len(news.made) + len(news.changed) + len(news.ended)


def suggest_to_customers(*, account_ids: Collection[UUID], actor: Actor) -> int:
    """Look at the open deals of customers who fare otherwise than they did.

    Returns how many suggestions were made, changed or ended. Raises NotAllowed.
    """
    deals = Opportunity.objects.open().filter(account_id__any=account_ids).order_by("pk")
    ids = list(deals.values_list("pk", flat=True))
    return sum(suggest(ids=ids[at : at + BATCH], actor=actor) for at in range(0, len(ids), BATCH))


def suggest_everywhere(*, actor: Actor) -> int:
    """Look at every open deal, some at a time: days pass without anybody changing a deal.

    Returns how many suggestions were made, changed or ended. Raises NotAllowed.
    """
    news, last = 0, UUID(int=0)
    deals = Opportunity.objects.open().order_by("pk")
    while ids := list(deals.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]):
        news += suggest(ids=ids, actor=actor)
        last = ids[-1]
    return news


@command
def accept_suggestion(*, suggestion_id: UUID, actor: Actor) -> Suggestion:
    """Say that it will be done: it is suggested again if it is not done two weeks later.

    Raises NotAllowed, NotFound, SuggestionOver, DecidedOtherwise.
    """
    row, is_news = _decide(suggestion_id, Decision.ACCEPTED, "", actor)
    if is_news:
        publish(SuggestionAccepted(**_about(row)), actor=actor)
    return row


@command
def dismiss_suggestion(*, suggestion_id: UUID, because: str = "", actor: Actor) -> Suggestion:
    """Say that it will not be done: it is suggested again a month later, if it still holds.

    Raises NotAllowed, NotFound, SuggestionOver, DecidedOtherwise.
    """
    row, is_news = _decide(suggestion_id, Decision.DISMISSED, because, actor)
    if is_news:
        publish(SuggestionDismissed(**_about(row)), actor=actor)
    return row


def _decide(
    suggestion_id: UUID, decision: Decision, because: str, actor: Actor
) -> tuple[Suggestion, bool]:
    """The suggestion as decided on, and whether it was not decided so before."""
    visible = Suggestion.objects.visible_to(actor).filter(pk=suggestion_id).values("pk")
    row = Suggestion.objects.select_for_update().filter(pk__in=visible).first()
    if row is None:
        raise NotFound
    require(actor, WRITE_OPPORTUNITY)
    if row.decision == decision:
        return row, False
    if row.ended_at is not None:
        raise SuggestionOver
    if row.decision:
        raise DecidedOtherwise
    row.decision, row.because = decision, because
    row.decided_at, row.decided_by_id = timezone.now(), actor.id
    row.save(update_fields=["decision", "because", "decided_at", "decided_by"])
    return row, True


def _about(row: Suggestion) -> dict[str, Any]:
    return {"opportunity_id": row.opportunity_id, "suggestion_id": row.pk, "key": row.key}


def _compare(
    deal: Opportunity,
    standing: Sequence[Suggestion],
    wanted: Mapping[str, tuple[Suggested, Decimal | None]],
    now: datetime,
    news: _News,
) -> None:
    """Put what differs between what stands and what is wanted into the news."""
    fresh = dict(wanted)
    for row in standing:
        if row.key not in wanted:
            _end(row, _ending(deal), now, news)
        elif _is_long_decided(row, now):
            _end(row, Ending.LAPSED, now, news)
        else:
            suggested, value = fresh.pop(row.key)
            said = (suggested.sentence, suggested.reason, suggested.gain, value)
            if not row.decision and said != tuple(getattr(row, name) for name in _SAID):
                row.sentence, row.reason, row.gain, row.value = said
                news.changed.append(row)
    for key, (suggested, value) in fresh.items():
        if suggested.is_early:
            continue
        news.made.append(
            Suggestion(
                opportunity_id=deal.pk,
                key=key,
                sentence=suggested.sentence,
                reason=suggested.reason,
                gain=suggested.gain,
                value=value,
                made_at=now,
            )
        )


def _is_long_decided(row: Suggestion, now: datetime) -> bool:
    return row.decided_at is not None and row.decided_at + PATIENCE[Decision(row.decision)] <= now


def _end(row: Suggestion, ending: Ending, now: datetime, news: _News) -> None:
    row.ended_at, row.ended_as = now, ending
    news.ended.append(row)


def _ending(deal: Opportunity) -> Ending:
    if deal.is_in_bin:
        return Ending.DELETED
    return Ending.DONE if deal.is_open else Ending(deal.kind)


def _wanted(
    deals: Sequence[Opportunity], now: datetime
) -> dict[UUID, dict[str, tuple[Suggested, Decimal | None]]]:
    """What is to be suggested about open deals, by key, and what it is worth."""
    today = organisation_day(now)
    compiled = processes({one.pipeline_id for one in deals})
    heard = dict(_heard_of(deals, now))
    rates = rates_on({(one.currency, today) for one in deals})
    customers = standings_of({one.account_id for one in deals})
    found = {}
    for deal in deals:
        last, has_plan = heard.get(deal.pk, (None, False))
        stage = compiled[deal.pipeline_id].stage(deal.stage_key)
        suggested = suggestions_for(
            OpenDeal(
                health=health_of(deal, stage, customers[deal.account_id], now),
                stage_since=organisation_day(deal.stage_entered_at),
                closes_on=deal.expected_close_date,
                heard_on=organisation_day(last or deal.created_at),
                has_plan=has_plan,
            ),
            today,
        )
        worth = _worth(deal, rates, today)
        found[deal.pk] = {
            one.key: (one, None if worth is None else one.value_of(worth)) for one in suggested
        }
    return found


def _worth(
    deal: Opportunity, rates: Mapping[tuple[str, date], Decimal], today: date
) -> Decimal | None:
    """A deal's amount in the organisation's currency, where there is a rate."""
    rate = rates.get((deal.currency, today))
    return None if rate is None else deal.amount * rate


_HEARD = """
SELECT a.opportunity_id, max(a.completed_at),
       coalesce(bool_or(a.completed_at IS NULL AND a.scheduled_at >= %s), FALSE)
FROM activities_activity a
WHERE a.opportunity_id = ANY(%s::uuid[]) AND a.deleted_at IS NULL
GROUP BY a.opportunity_id
"""


def _heard_of(
    deals: Sequence[Opportunity], now: datetime
) -> Iterator[tuple[UUID, tuple[datetime | None, bool]]]:
    """When somebody was last in touch about deals, and whether something is planned."""
    with connection.cursor() as cursor:
        cursor.execute(_HEARD, [now, [one.pk for one in deals]])
        for opportunity_id, last, has_plan in cursor.fetchall():
            yield opportunity_id, (last, has_plan)
