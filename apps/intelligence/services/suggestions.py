"""What is suggested about deals and leads, and what people make of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
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
from apps.intelligence.events import (
    LeadSuggestionAccepted,
    LeadSuggestionDismissed,
    SuggestionAccepted,
    SuggestionDismissed,
)
from apps.intelligence.models import Suggestion
from apps.intelligence.permissions import SUGGEST
from apps.intelligence.rules.suggestions import (
    ASSIGN,
    PATIENCE,
    Decision,
    Ending,
    OpenDeal,
    Suggested,
    suggestions_for,
)
from apps.leads.permissions import WRITE_LEAD
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import WRITE_OPPORTUNITY
from apps.opportunities.selectors import processes
from apps.opportunities.services.scores import health_of
from apps.territories.permissions import ASSIGN_TERRITORY

BATCH = 1_000
_SAID = ("sentence", "reason", "gain", "value")
_ENDED = ("ended_at", "ended_as")


# What is to be suggested about one of them, by key, and what that is worth where it is known.
Wanted = Mapping[str, tuple[Suggested, Decimal | None]]


@dataclass
class News:
    """What is new about the suggestions of some deals, or of some leads (`about`)."""

    about: str
    now: datetime
    standing: dict[UUID, list[Suggestion]]
    made: list[Suggestion] = field(default_factory=list)
    changed: list[Suggestion] = field(default_factory=list)
    ended: list[Suggestion] = field(default_factory=list)

    @classmethod
    def of(cls, about: str, ids: Sequence[UUID], now: datetime) -> News:
        """None so far: what stands about these, locked until the transaction ends."""
        standing: dict[UUID, list[Suggestion]] = defaultdict(list)
        rows = Suggestion.objects.standing().filter(**{f"{about}__any": ids})
        for row in rows.select_for_update().order_by(about, "key"):
            standing[getattr(row, about)].append(row)
        return cls(about, now, standing)

    def compare(self, one_id: UUID, wanted: Wanted, ending: Ending) -> None:
        """Put in what differs between what stands about one of them and what is wanted."""
        fresh = dict(wanted)
        for row in self.standing[one_id]:
            if row.key not in wanted:
                self._end(row, ending)
            elif _is_long_decided(row, self.now):
                self._end(row, Ending.LAPSED)
            else:
                self._say(row, *fresh.pop(row.key))
        for key, (suggested, value) in fresh.items():
            if not suggested.is_early:
                row = Suggestion(key=key, made_at=self.now, **{self.about: one_id})
                _put(row, _said(suggested, value))
                self.made.append(row)

    def _say(self, row: Suggestion, suggested: Suggested, value: Decimal | None) -> None:
        said = _said(suggested, value)
        if not row.decision and said != {name: getattr(row, name) for name in said}:
            _put(row, said)
            self.changed.append(row)

    def _end(self, row: Suggestion, ending: Ending) -> None:
        row.ended_at, row.ended_as = self.now, ending
        self.ended.append(row)

    def keep(self) -> int:
        """Write it; returns how many suggestions were made, changed or ended."""
        update_rows(self.changed, _SAID)
        update_rows(self.ended, _ENDED)
        # Two who look at one of them at once suggest the same.
        Suggestion.objects.bulk_create(self.made, ignore_conflicts=True)
        return len(self.made) + len(self.changed) + len(self.ended)


def _said(suggested: Suggested, value: Decimal | None) -> dict[str, Any]:
    return {
        "sentence": suggested.sentence,
        "reason": suggested.reason,
        "gain": suggested.gain,
        "value": value,
    }


def _put(row: Suggestion, said: Mapping[str, Any]) -> None:
    for name, value in said.items():
        setattr(row, name, value)


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
    news = News.of("opportunity_id", [one.pk for one in deals], now)
    wanted = _wanted([one for one in deals if one.is_open and not one.is_in_bin], now)
    for deal in deals:
        news.compare(deal.pk, wanted.get(deal.pk, {}), _ending(deal))
    return news.keep()


def suggest_to_customers(*, account_ids: Collection[UUID], actor: Actor) -> int:
    """Look at the open deals of customers who fare otherwise than they did.

    Returns how many suggestions were made, changed or ended. Raises NotAllowed.
    """
    deals = Opportunity.objects.open().filter(account_id__any=account_ids).order_by("pk")
    ids = list(deals.values_list("pk", flat=True))
    return sum(suggest(ids=ids[at : at + BATCH], actor=actor) for at in range(0, len(ids), BATCH))


def suggest_everywhere(*, actor: Actor) -> int:
    """Look at every open deal, some at a time: days pass without anybody changing a deal.

    And at those that are over, where nobody told so while something was still suggested.

    Returns how many suggestions were made, changed or ended. Raises NotAllowed.
    """
    news, last = 0, UUID(int=0)
    deals = Opportunity.objects.open()
    while ids := ids_to_look_at("opportunity_id", deals, after=last):
        news += suggest(ids=ids, actor=actor)
        last = ids[-1]
    return news


def ids_to_look_at(about: str, still_open: QuerySet, *, after: UUID) -> list[UUID]:
    """The next deals, or leads, that are open or about which something stands, in the order of
    their ids."""
    told = Suggestion.objects.standing().filter(**{f"{about}__gt": after}).order_by(about)
    found = {
        *still_open.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH],
        *told.values_list(about, flat=True).distinct()[:BATCH],
    }
    return sorted(found)[:BATCH]


@command
def accept_suggestion(*, suggestion_id: UUID, actor: Actor) -> Suggestion:
    """Say that it will be done: it is suggested again if it is not done two weeks later.

    Raises NotAllowed, NotFound, SuggestionOver, DecidedOtherwise.
    """
    row, is_news = _decide(suggestion_id, Decision.ACCEPTED, "", actor)
    if is_news:
        told = LeadSuggestionAccepted if row.lead_id else SuggestionAccepted
        publish(told(**_about(row)), actor=actor)
    return row


@command
def dismiss_suggestion(*, suggestion_id: UUID, because: str = "", actor: Actor) -> Suggestion:
    """Say that it will not be done: it is suggested again a month later, if it still holds.

    Raises NotAllowed, NotFound, SuggestionOver, DecidedOtherwise.
    """
    row, is_news = _decide(suggestion_id, Decision.DISMISSED, because, actor)
    if is_news:
        told = LeadSuggestionDismissed if row.lead_id else SuggestionDismissed
        publish(told(**_about(row)), actor=actor)
    return row


def _decide(
    suggestion_id: UUID, decision: Decision, because: str, actor: Actor
) -> tuple[Suggestion, bool]:
    """The suggestion as decided on, and whether it was not decided so before."""
    visible = Suggestion.objects.visible_by_key(actor).filter(pk=suggestion_id).values("pk")
    row = Suggestion.objects.select_for_update().filter(pk__in=visible).first()
    if row is None:
        raise NotFound
    require(actor, right_to_decide(row))
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


def right_to_decide(row: Suggestion) -> str:
    """What somebody needs to decide on a suggestion: to do it."""
    if row.lead_id is None:
        return WRITE_OPPORTUNITY
    return ASSIGN_TERRITORY if row.key == ASSIGN else WRITE_LEAD


def _about(row: Suggestion) -> dict[str, Any]:
    about = {"lead_id": row.lead_id} if row.lead_id else {"opportunity_id": row.opportunity_id}
    return {**about, "suggestion_id": row.pk, "key": row.key}


def _is_long_decided(row: Suggestion, now: datetime) -> bool:
    return row.decided_at is not None and row.decided_at + PATIENCE[Decision(row.decision)] <= now


def _ending(deal: Opportunity) -> Ending:
    if deal.is_in_bin:
        return Ending.DELETED
    return Ending.DONE if deal.is_open else Ending(deal.kind)


def _wanted(deals: Sequence[Opportunity], now: datetime) -> dict[UUID, Wanted]:
    """What is to be suggested about open deals, by key, and what it is worth."""
    today = organisation_day(now)
    compiled = processes({one.pipeline_id for one in deals})
    heard = dict(_heard_of(deals, now))
    rates = rates_on({(one.currency, today) for one in deals})
    customers = standings_of({one.account_id for one in deals})
    found: dict[UUID, Wanted] = {}
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
