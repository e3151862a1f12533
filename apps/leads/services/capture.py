"""Capturing leads: normalise, look for duplicates, score, route, assign, tell. One transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput, Refusal, StaleVersion
from apps.core.journal import publish
from apps.core.loading import insert_rows, update_rows
from apps.core.permissions import SALES_REP, require
from apps.leads.errors import DuplicateLead
from apps.leads.events import LeadAssigned, LeadCreated, LeadUpdated
from apps.leads.metrics import leads_created, leads_refused
from apps.leads.models import Lead, LeadAssignment
from apps.leads.permissions import WRITE_LEAD
from apps.leads.querysets import OPEN_STATUSES
from apps.leads.rules.facts import FACT_NAMES, LeadFacts, check_changes, check_facts
from apps.leads.rules.scoring import score_lead
from apps.leads.selectors import open_lead_counts
from apps.leads.services.lifecycle import lock_lead
from apps.territories.models import AssignmentPeriod
from apps.territories.rules import Subject, TerritoryRule, reason_for
from apps.territories.selectors import current_atlas
from apps.territories.services.assignment import hand_out
from apps.territories.services.history import Move, note_assignments
from apps.users.models import User


def create_lead(
    *,
    actor: Actor,
    assigned_to: UUID | None = None,
    on_duplicate: str = "refuse",
    **facts: Any,
) -> tuple[Lead, bool]:
    """Capture a lead: normalised, scored, routed and assigned.

    Args:
        actor: needs `lead:write`.
        assigned_to: a person within reach who gets it, instead of the territory's choice.
        on_duplicate: `update` fills an open lead with the same e-mail instead of refusing.
        facts: as in `rules.facts.WRITABLE`; `score` is marketing's.

    Returns:
        The lead, and whether it is new.

    Raises:
        NotAllowed, InvalidInput; DuplicateLead (sales-system-integrations, Create Lead).
    """
    try:
        return _create_or_update(actor, assigned_to, on_duplicate, facts)
    except IntegrityError:
        # Somebody captured the same address between our look and our write: look again.
        return _create_or_update(actor, assigned_to, on_duplicate, facts)
    except Refusal as refusal:
        leads_refused.labels(reason=refusal.reason).inc()
        raise


@command
def _create_or_update(
    actor: Actor, assigned_to: UUID | None, on_duplicate: str, given: Mapping[str, Any]
) -> tuple[Lead, bool]:
    require(actor, WRITE_LEAD)
    facts = check_facts(given, country=settings.DEFAULT_COUNTRY)
    if assigned_to is not None:
        _check_assignee(assigned_to, actor)
    known = _open_lead_with(facts.email_key)
    if known is None:
        (lead,) = capture([facts], actor=actor, owner_id=assigned_to)
        return lead, True
    lead_id, is_visible = known[0], actor.reach.includes(owner_id=known[1], territory_id=known[2])
    if on_duplicate != "update" or not is_visible:
        raise DuplicateLead.of(lead_id, is_visible=is_visible)
    return change_lead(lead_id=lead_id, actor=actor, **given), False


def _open_lead_with(email_key: str) -> tuple[UUID, UUID | None, UUID | None] | None:
    """Id, owner and territory of the open lead, anywhere, that has this e-mail address."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_WITH_ADDRESS, [email_key])
        return cast("tuple[UUID, UUID | None, UUID | None] | None", cursor.fetchone())


# `Lead.objects.open()`, as every capture asks: compiling it costs more than the answer.
_OPEN_WITH_ADDRESS = f"""
SELECT id, owner_id, territory_id FROM leads_lead
WHERE email_key = %s AND deleted_at IS NULL AND merged_into_id IS NULL
  AND status IN ({", ".join(f"'{status}'" for status in OPEN_STATUSES)})
"""


def capture(
    captured: Sequence[LeadFacts],
    *,
    actor: Actor,
    owner_id: UUID | None = None,
    cause: str = AssignmentPeriod.Cause.RULE,
) -> list[Lead]:
    """Write leads that are known to be new: scored, routed, assigned, told. In a transaction.

    Args:
        captured: checked facts; none may duplicate another or an open lead.
        actor: who captures them.
        owner_id: who gets them all, instead of their territories' choice.
        cause: what the assignment history says.
    """
    now = timezone.now()
    atlas = current_atlas()
    rules = [atlas.winner(subject_of(facts)) for facts in captured]
    owners = _owners(rules, actor, owner_id)
    leads = [
        _new_lead(facts, rule, owner, now)
        for facts, rule, owner in zip(captured, rules, owners, strict=True)
    ]
    insert_rows(Lead, leads)
    assigned = [lead for lead in leads if lead.owner_id or lead.territory_id]
    note_assignments(
        LeadAssignment,
        [Move(lead.pk, lead.owner_id, lead.territory_id, lead.routing_reason) for lead in assigned],
        cause=cause,
        at=now,
        actor=actor,
        are_new=True,
    )
    publish(*(event for lead in leads for event in _told_of(lead, cause)), actor=actor)
    leads_created.labels(door=actor.door).inc(len(leads))
    return leads


def subject_of(facts: LeadFacts | Lead) -> Subject:
    """What routing asks about a lead."""
    return Subject(
        country=facts.country,
        state=facts.state,
        postal_code=facts.postal_code,
        industry=facts.industry,
        company=facts.company,
        domain=facts.domain,
        employee_count=facts.employee_count,
        annual_revenue=facts.annual_revenue,
    )


def _owners(
    rules: Sequence[TerritoryRule | None], actor: Actor, owner_id: UUID | None
) -> list[UUID | None]:
    if owner_id is not None:
        return [owner_id] * len(rules)
    chosen = iter(hand_out([rule.territory_id for rule in rules if rule], loads=open_lead_counts))
    # A rep's own find that no territory claims stays with the rep instead of vanishing.
    finder = actor.id if actor.role == SALES_REP else None
    return [next(chosen) if rule else finder for rule in rules]


def _new_lead(
    facts: LeadFacts, rule: TerritoryRule | None, owner_id: UUID | None, now: Any
) -> Lead:
    lead = Lead(
        **facts.values(),
        owner_id=owner_id,
        territory_id=rule.territory_id if rule else None,
        routing_reason=reason_for(rule)[:255],
        created_at=now,
    )
    put_score(lead, facts, now)
    return lead


def put_score(lead: Lead, facts: LeadFacts, now: Any) -> None:
    """Score a lead by the rules, on the row."""
    score = score_lead(facts)
    lead.score = score.value
    lead.score_reasons = [dict(vars(reason)) for reason in score.reasons]
    lead.score_source = Lead.ScoreSource.RULES
    lead.score_version = score.version
    lead.scored_at = now


def _told_of(lead: Lead, cause: str) -> list[object]:
    told: list[object] = [
        LeadCreated(
            lead_id=lead.pk,
            source=lead.source,
            status=lead.status,
            score=lead.score,
            owner_id=lead.owner_id,
            territory_id=lead.territory_id,
        )
    ]
    if lead.owner_id:
        told.append(
            LeadAssigned(
                lead_id=lead.pk,
                owner_id=lead.owner_id,
                territory_id=lead.territory_id,
                cause=cause,
                reason=lead.routing_reason,
            )
        )
    return told


@command
def change_lead(
    *, lead_id: UUID, actor: Actor, expected_version: int | None = None, **facts: Any
) -> Lead:
    """Correct or complete what is known of a lead; it is scored anew and stays where it is.

    Raises NotFound, NotAllowed, InvalidInput, StaleVersion, DuplicateLead.
    """
    lead = lock_lead(lead_id, actor=actor)
    require(actor, WRITE_LEAD)
    if expected_version is not None and lead.version != expected_version:
        raise StaleVersion(current_version=lead.version)
    changes = check_changes(facts, country=settings.DEFAULT_COUNTRY)
    changed = put_changes(lead, changes)
    if not changed:
        return lead
    if "email_key" in changed and lead.is_open:
        _refuse_taken_address(lead, actor)
    lead.updated_at = timezone.now()
    update_rows([lead], (*changed, *FOLLOWING))
    publish(LeadUpdated(lead_id=lead.pk, changed=tuple(changed)), actor=actor)
    return lead


# What every change of the facts brings with it.
FOLLOWING = ("score", "score_reasons", "score_version", "scored_at", "version", "updated_at")


def put_changes(lead: Lead, changes: Mapping[str, Any]) -> list[str]:
    """Put checked facts on a row and score it anew; returns the names of those that differ.

    What a model said stays: it goes by what was known when the lead was captured.
    """
    changed = []
    for name, value in changes.items():
        merged = {**getattr(lead, name), **value} if isinstance(value, dict) else value
        if getattr(lead, name) != merged:
            setattr(lead, name, merged)
            changed.append(name)
    if changed:
        if lead.score_source == Lead.ScoreSource.RULES:
            put_score(lead, facts_of(lead), timezone.now())
        lead.version += 1
    return changed


def facts_of(lead: Lead) -> LeadFacts:
    """The facts that a row holds."""
    return LeadFacts(**{name: getattr(lead, name) for name in FACT_NAMES})


def _refuse_taken_address(lead: Lead, actor: Actor) -> None:
    taken = Lead.objects.open().filter(email_key=lead.email_key).exclude(pk=lead.pk).first()
    if taken is not None:
        raise DuplicateLead.of(
            taken.pk,
            is_visible=actor.reach.includes(
                owner_id=taken.owner_id, territory_id=taken.territory_id
            ),
        )


def _check_assignee(user_id: UUID, actor: Actor) -> None:
    is_within = actor.reach.everything or user_id in actor.reach.user_ids
    if not is_within or not User.objects.active().filter(pk=user_id).exists():
        raise InvalidInput.field("assigned_to", "There is no such person within your reach.")
