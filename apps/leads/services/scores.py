"""How leads are scored: by the rules at every change, by a model from above where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.loading import read_rows, update_rows
from apps.core.permissions import require
from apps.leads.models import Lead
from apps.leads.permissions import SCORE_LEAD
from apps.leads.services.capture import facts_of, put_score

_COLUMNS = ("score", "score_reasons", "score_source", "score_version")


@dataclass(frozen=True, kw_only=True)
class LeadScoreGiven:
    """What a model says of a lead: 0 to 100, with reasons as `feature`, `points`, `sentence`."""

    lead_id: UUID
    value: int
    version: str
    reasons: Sequence[Mapping[str, Any]]


def record_lead_scores(*, scores: Sequence[LeadScoreGiven], actor: Actor) -> int:
    """Keep what a model says of open leads; their version and moment of change stay.

    Returns how many got another score. In a transaction. Raises NotAllowed.
    """
    require(actor, SCORE_LEAD)
    given = {one.lead_id: one for one in scores}
    leads = _open_leads(given)
    before = [_score_of(one) for one in leads]
    for lead in leads:
        score = given[lead.pk]
        lead.score = score.value
        lead.score_reasons = [dict(one) for one in score.reasons]
        lead.score_source = Lead.ScoreSource.MODEL
        lead.score_version = score.version
        lead.scored_at = timezone.now()
    return _write_differing(leads, before)


def score_leads_by_rules(*, ids: Sequence[UUID], actor: Actor) -> int:
    """Give open leads that a model scored back to the rules; how many got another score.

    In a transaction. Raises NotAllowed.
    """
    require(actor, SCORE_LEAD)
    by_model = Lead.objects.filter(score_source=Lead.ScoreSource.MODEL)
    leads = _open_leads(list(by_model.with_ids(ids).values_list("pk", flat=True)))
    before = [_score_of(one) for one in leads]
    for lead in leads:
        put_score(lead, facts_of(lead), timezone.now())
    return _write_differing(leads, before)


def _open_leads(ids: Sequence[UUID] | Mapping[UUID, Any]) -> list[Lead]:
    return [one for one in read_rows(Lead, ids, lock=True) if one.is_open and not one.is_in_bin]


def _score_of(lead: Lead) -> tuple[Any, ...]:
    return tuple(getattr(lead, name) for name in _COLUMNS)


def _write_differing(leads: Sequence[Lead], before: Sequence[tuple[Any, ...]]) -> int:
    differing = [
        lead for lead, known in zip(leads, before, strict=True) if _score_of(lead) != known
    ]
    update_rows(differing, (*_COLUMNS, "scored_at"))
    return len(differing)
