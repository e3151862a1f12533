"""Importing files of leads: what the kernel's imports ask about a lead."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.errors import Refusal
from apps.core.imports.engine import register_imports
from apps.core.imports.kind import Facts, ImportKind, Key
from apps.core.journal import publish
from apps.leads.errors import DuplicateLead, LeadAlreadyConverted
from apps.leads.events import LeadUpdated
from apps.leads.models import Lead, LeadImport, LeadImportRow
from apps.leads.permissions import IMPORT_LEAD
from apps.leads.rules.facts import FACT_NAMES, LeadFacts, check_changes
from apps.leads.rules.mapping import TARGETS
from apps.leads.services.capture import capture, put_changes
from apps.leads.services.merging import put_back, values_of
from apps.territories.models import AssignmentPeriod

EMAIL, EXTERNAL_ID = LeadImport.MatchOn.EMAIL, LeadImport.MatchOn.EXTERNAL_ID

_IMPORTED_FIELDS = (
    *FACT_NAMES,
    "score",
    "score_reasons",
    "score_version",
    "scored_at",
    "version",
    "updated_at",
    "deleted_at",
    "deleted_by_id",
)


class LeadImports(ImportKind):
    """Files of leads. Rows are captured as single leads are."""

    name = "leads"
    permission = IMPORT_LEAD
    files = LeadImport
    rows = LeadImportRow
    targets = TARGETS
    needed = ("source", "email")

    def check(self, given: Mapping[str, Any]) -> Facts:
        """Facts in one form, with the keys that duplicates are found by."""
        return check_changes(given, country=settings.DEFAULT_COUNTRY)

    def keys(self, facts: Facts, *, match_on: str) -> list[Key]:
        """Address and external id: each belongs to one lead."""
        keys: list[Key] = []
        if email_key := facts.get("email_key"):
            keys.append((EMAIL, email_key))
        if external_id := facts.get("external_id"):
            keys.append((EXTERNAL_ID, (facts.get("external_source", ""), external_id)))
        return keys

    def existing(self, keys: Collection[Key]) -> Mapping[Key, Sequence[Lead]]:
        """The open leads with these addresses, and the leads with these external ids."""
        emails = [value for kind, value in keys if kind == EMAIL]
        origins: list[Any] = [value for kind, value in keys if kind == EXTERNAL_ID]
        by_email = list(Lead.objects.open().filter(email_key__in=emails).lock())
        found: dict[Key, Sequence[Lead]] = {(EMAIL, lead.email_key): [lead] for lead in by_email}
        if origins:
            same = {lead.pk: lead for lead in by_email}
            for lead in Lead.objects.unmerged().from_origins(origins).lock():
                key = (EXTERNAL_ID, (lead.external_source, lead.external_id))
                found[key] = [same.get(lead.pk, lead)]
        return found

    def duplicate(self, record: Lead, *, is_visible: bool) -> Refusal:
        """There already is such a lead."""
        return DuplicateLead.of(record.pk, is_visible=is_visible)

    def write_new(self, new: Sequence[Facts], *, actor: Actor) -> Sequence[Lead]:
        """Score, route, assign and tell."""
        facts = [LeadFacts(**one) for one in new]
        return capture(facts, actor=actor, cause=AssignmentPeriod.Cause.IMPORT)

    def put(self, record: Lead, facts: Facts) -> Sequence[str]:
        """Change and score anew."""
        return put_changes(record, facts)

    def write_changed(self, changed: Sequence[tuple[Lead, Sequence[str]]], *, actor: Actor) -> None:
        """Write leads in one statement, and tell what changed of each."""
        leads = [lead for lead, _ in changed]
        for lead in leads:
            lead.updated_at = timezone.now()
        Lead.objects.bulk_create(
            leads,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=_IMPORTED_FIELDS,
        )
        publish(
            *(LeadUpdated(lead_id=lead.pk, changed=tuple(names)) for lead, names in changed),
            actor=actor,
        )

    def values_of(self, record: Lead) -> dict[str, Any]:
        """Every fact."""
        return values_of(record)

    def locked(self, ids: Collection[UUID]) -> Sequence[Lead]:
        """Those that were not folded into another since."""
        return list(Lead.objects.unmerged().with_ids(ids).lock())

    def not_undoable(
        self, records: Sequence[Lead], created: Collection[UUID]
    ) -> Mapping[UUID, Refusal]:
        """A lead that became an opportunity stays."""
        return {
            lead.pk: LeadAlreadyConverted(opportunity_id=lead.converted_opportunity_id)
            for lead in records
            if lead.status == Lead.Status.CONVERTED
        }

    def put_in_bin(self, record: Lead, *, actor: Actor) -> None:
        """Put a lead into the bin."""
        record.deleted_at, record.deleted_by_id = timezone.now(), actor.id
        record.version += 1
        self.write_changed([(record, ["bin"])], actor=actor)

    def put_back(self, record: Lead, values: Mapping[str, Any], *, actor: Actor) -> None:
        """Restore a lead's facts; it is scored anew."""
        changed = put_back(record, values)
        record.version += 1
        self.write_changed([(record, changed)], actor=actor)


LEAD_IMPORTS = register_imports(LeadImports())
