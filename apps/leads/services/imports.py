"""Importing files of leads: preview, dry run, apply in the background, undo.

Every row of a file ends in exactly one of created, updated, skipped and failed. A file is worked
off in batches, each one transaction with the same capture as a single lead, so a worker that is
killed loses nothing and repeats nothing.
"""

from __future__ import annotations

import collections
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO
from uuid import UUID

import orjson
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.actors import Actor, become
from apps.core.errors import Conflict, InvalidInput, NotFound, Refusal
from apps.core.identifiers import new_id
from apps.core.jobs import Step, request_job, runs
from apps.core.journal import publish
from apps.core.loading import insert_rows
from apps.core.models import Job
from apps.core.permissions import MANAGE_SYSTEM, require
from apps.core.tables import Row, Table, TableRefused, open_table
from apps.leads.errors import DuplicateLead, ImportNotUndoable
from apps.leads.events import LeadUpdated
from apps.leads.models import Lead, LeadImport, LeadImportRow
from apps.leads.permissions import IMPORT_LEAD
from apps.leads.rules.facts import FACT_NAMES, LeadFacts, check_changes
from apps.leads.rules.mapping import ColumnMapping, check_mapping, suggest_mapping
from apps.leads.services.capture import capture, put_changes
from apps.leads.services.merging import put_back, values_of
from apps.territories.models import AssignmentPeriod

SAMPLE = 20
BATCH = 1000
UNDO_BATCH = 500
Outcome = LeadImportRow.Outcome


@dataclass(frozen=True)
class Preview:
    """What a file looks like before anything is done with it."""

    format: str
    encoding: str | None
    delimiter: str | None
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    problems: tuple[dict[str, Any], ...]
    suggested_mapping: dict[str, dict[str, str]]


def preview_import(*, file: BinaryIO, actor: Actor) -> Preview:
    """Show how a file would be read, and a mapping to start from.

    Raises NotAllowed, InvalidInput.
    """
    require(actor, IMPORT_LEAD)
    table = _open(file)
    with closing(_read(table)) as rows:
        return _preview(table, list(islice(rows, SAMPLE)))


def _preview(table: Table, rows: Sequence[Row]) -> Preview:
    return Preview(
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        columns=table.columns,
        rows=tuple(row.values for row in rows),
        problems=tuple(
            {"reason": one.reason, "message": one.sentence, "line": one.line}
            for one in table.problems
        ),
        suggested_mapping=suggest_mapping(table.columns),
    )


def request_import(
    *,
    file: BinaryIO,
    filename: str,
    mapping: Any,
    mode: str,
    match_on: str,
    actor: Actor,
) -> LeadImport:
    """Take in a file of leads, to be worked off in the background.

    Args:
        file: CSV or XLSX, whatever its name says.
        filename: for people.
        mapping: `rules.mapping`'s JSON object.
        mode: `dry_run` finds every problem and writes no lead; `apply` writes them.
        match_on: `email` or `external_id`: what makes a row the same lead as one we have.
        actor: needs `lead:import`.

    Raises:
        NotAllowed, InvalidInput.
    """
    require(actor, IMPORT_LEAD)
    table = _open(file)
    checked = check_mapping(mapping, table.columns)
    _check_reachable(checked, match_on)
    file.seek(0)
    import_id = new_id()
    name = default_storage.save(f"imports/{import_id}", File(file))
    with transaction.atomic():
        job = request_job("leads.import", parameters={"import": str(import_id)}, actor=actor)
        return LeadImport.objects.create(
            id=import_id,
            job=job,
            filename=filename[:255],
            columns=table.columns,
            file=name,
            mapping=mapping,
            mode=mode,
            match_on=match_on,
        )


def _check_reachable(mapping: ColumnMapping, match_on: str) -> None:
    filled = {*mapping.columns.values(), *mapping.constants, *mapping.templates}
    if match_on not in filled:
        raise InvalidInput.field("mapping", f"Rows are matched on {match_on}; fill it.")


def import_visible_to(actor: Actor, import_id: UUID) -> LeadImport:
    """An import of the actor's own, or anybody's for those who manage the system.

    Its failed rows are raw data of people, whoever's leads they were to become. Raises NotFound.
    """
    found = LeadImport.objects.select_related("job", "undo_job").filter(pk=import_id).first()
    if found is None or not (found.job.actor_id == actor.id or actor.may(MANAGE_SYSTEM)):
        raise NotFound("There is no such import.", reason="import_not_found")
    return found


def failed_rows(lead_import: LeadImport) -> Iterator[dict[str, Any]]:
    """The rows of a file that failed, as they were, each with its line and what is wrong."""
    failed = lead_import.rows.filter(outcome=Outcome.FAILED).order_by("line")
    for row in failed.iterator(chunk_size=1000):
        yield {**(row.values or {}), "line": row.line, "error": _sentence(row.errors or {})}


@transaction.atomic
def undo_import(*, import_id: UUID, actor: Actor) -> Job:
    """Take an import back: created leads go to the bin, updated ones get back their values.

    A lead that somebody changed since is left alone and reported.
    Raises NotFound, NotAllowed, ImportNotUndoable.
    """
    import_visible_to(actor, import_id)
    require(actor, IMPORT_LEAD)
    lead_import = LeadImport.objects.select_for_update(of=("self",)).get(pk=import_id)
    if lead_import.undo_job is not None and (
        lead_import.is_undone or not lead_import.undo_job.has_ended
    ):
        raise ImportNotUndoable("The import was already undone.", reason="import_already_undone")
    if not lead_import.job.has_ended:
        raise ImportNotUndoable("The import is still running; cancel it first.")
    written = lead_import.rows.filter(outcome__in=(Outcome.CREATED, Outcome.UPDATED)).count()
    if not written:
        raise ImportNotUndoable("The import wrote nothing.")
    lead_import.undo_job = request_job(
        "leads.undo_import",
        parameters={"import": str(import_id)},
        total=written,
        actor=actor,
    )
    lead_import.save(update_fields=["undo_job", "updated_at"])
    return lead_import.undo_job


@dataclass
class _Entry:
    """One row on its way to its outcome."""

    row: Row
    given: dict[str, Any]
    changes: dict[str, Any]
    outcome: str = ""
    lead: Lead | None = None
    values_before: dict[str, Any] | None = None
    errors: dict[str, Any] = field(default_factory=dict)

    def fail(self, refusal: Refusal) -> None:
        """Give the row up, with the reason."""
        self.outcome = Outcome.FAILED
        self.lead = None
        told = {"reason": refusal.reason, "message": refusal.message, **refusal.details}
        self.errors = orjson.loads(orjson.dumps(told))


@runs("leads.import")
def start_import(job: Job, resources: ExitStack) -> Step:
    """Work off a file from the row where the job stands."""
    lead_import = LeadImport.objects.get(job=job)
    table = _open(resources.enter_context(default_storage.open(lead_import.file, "rb")))
    mapping = check_mapping(lead_import.mapping, table.columns)
    rows = resources.enter_context(closing(_read(table)))
    collections.deque(islice(rows, job.position), maxlen=0)

    def next_batch(job: Job) -> bool:
        if job.total is None:
            job.total = _count(table)
            return True
        batch = list(islice(rows, BATCH))
        actor = become(job.actor_id, door="import", request_id=job.correlation_id)
        _import_batch(lead_import, job, batch, mapping, actor)
        job.position += len(batch)
        return len(batch) == BATCH

    return next_batch


def _import_batch(
    lead_import: LeadImport,
    job: Job,
    batch: Sequence[Row],
    mapping: ColumnMapping,
    actor: Actor,
) -> None:
    is_dry = lead_import.mode == LeadImport.Mode.DRY_RUN
    try:
        entries = _written(batch, mapping, lead_import.match_on, is_dry, actor)
    except IntegrityError:
        # A row collides with what somebody wrote meanwhile, or in a way we did not look for: one
        # row at a time, so that only that one fails.
        entries = [_written_alone(row, mapping, lead_import, is_dry, actor) for row in batch]
    _keep_outcomes(lead_import, job, entries)


def _written(
    rows: Sequence[Row], mapping: ColumnMapping, match_on: str, is_dry: bool, actor: Actor
) -> list[_Entry]:
    entries = [_entry(row, mapping) for row in rows]
    with transaction.atomic():
        _decide_and_write(entries, match_on, actor)
        if is_dry:
            transaction.set_rollback(True)
    return entries


def _written_alone(
    row: Row, mapping: ColumnMapping, lead_import: LeadImport, is_dry: bool, actor: Actor
) -> _Entry:
    try:
        (entry,) = _written([row], mapping, lead_import.match_on, is_dry, actor)
    except IntegrityError:
        entry = _entry(row, mapping)
        entry.fail(Conflict("It collides with another lead.", reason="duplicate_elsewhere"))
    return entry


def _entry(row: Row, mapping: ColumnMapping) -> _Entry:
    entry = _Entry(row, {}, {})
    try:
        if row.problem:
            raise InvalidInput(row.problem.sentence, reason=row.problem.reason)
        entry.given = mapping.facts_of(row.values)
        entry.changes = check_changes(entry.given, country=settings.DEFAULT_COUNTRY)
    except Refusal as refusal:
        entry.fail(refusal)
    return entry


def _decide_and_write(entries: Sequence[_Entry], match_on: str, actor: Actor) -> None:
    """Write a batch in waves: rows that mean the same lead come one after the other."""
    waiting = [entry for entry in entries if not entry.outcome]
    while waiting:
        wave: list[_Entry] = []
        later: list[_Entry] = []
        seen: set[tuple[str, Any]] = set()
        for entry in waiting:
            keys = {
                ("email", entry.changes.get("email_key")),
                ("external_id", _external_key(entry.changes)),
            }
            keys = {key for key in keys if key[1]}
            if keys & seen:
                later.append(entry)
            else:
                wave.append(entry)
            seen |= keys
        _write_wave(wave, match_on, actor)
        waiting = later


def _external_key(changes: Mapping[str, Any]) -> tuple[str, str] | None:
    external_id = changes.get("external_id")
    return (changes.get("external_source", ""), external_id) if external_id else None


def _write_wave(wave: Sequence[_Entry], match_on: str, actor: Actor) -> None:
    by_email, by_external_id = _existing(wave)
    new: list[_Entry] = []
    for entry in wave:
        email_match = by_email.get(entry.changes.get("email_key", ""))
        external_match = by_external_id.get(_external_key(entry.changes) or ("", ""))
        match = email_match if match_on == LeadImport.MatchOn.EMAIL else external_match
        other = external_match if match_on == LeadImport.MatchOn.EMAIL else email_match
        try:
            if match is not None:
                _update(entry, match, other, actor)
            elif other is not None:
                raise DuplicateLead.of(other.pk, is_visible=_sees(actor, other))
            else:
                _check_complete(entry)
                new.append(entry)
        except Refusal as refusal:
            entry.fail(refusal)
    _write_new(new, actor)
    _write_updated([entry for entry in wave if entry.outcome == Outcome.UPDATED], actor)


def _existing(
    wave: Sequence[_Entry],
) -> tuple[dict[str, Lead], dict[tuple[str, str], Lead]]:
    """The open leads with these addresses, and the leads with these external ids, locked."""
    emails = [key for entry in wave if (key := entry.changes.get("email_key"))]
    external_ids = [key[1] for entry in wave if (key := _external_key(entry.changes))]
    by_email = {
        lead.email_key: lead for lead in Lead.objects.open().filter(email_key__in=emails).lock()
    }
    if not external_ids:
        return by_email, {}
    found = Lead.objects.unmerged().filter(external_id__in=external_ids).lock()
    same = {lead.pk: lead for lead in by_email.values()}
    return by_email, {
        (lead.external_source, lead.external_id): same.get(lead.pk, lead) for lead in found
    }


def _sees(actor: Actor, lead: Lead) -> bool:
    return actor.reach.includes(owner_id=lead.owner_id, territory_id=lead.territory_id)


def _update(entry: _Entry, lead: Lead, other: Lead | None, actor: Actor) -> None:
    if not _sees(actor, lead):
        raise DuplicateLead.of(lead.pk, is_visible=False)
    if other is not None and other.pk != lead.pk:
        raise DuplicateLead.of(other.pk, is_visible=_sees(actor, other))
    before = values_of(lead)
    entry.lead = lead
    changed = put_changes(lead, entry.changes)
    entry.outcome = Outcome.UPDATED if changed else Outcome.SKIPPED
    if changed:
        entry.values_before = before
        entry.changes = dict.fromkeys(changed)


def _check_complete(entry: _Entry) -> None:
    for name in ("source", "email"):
        if not entry.changes.get(name):
            raise InvalidInput.field(name, "This is needed.")


def _write_new(new: Sequence[_Entry], actor: Actor) -> None:
    if not new:
        return
    leads = capture(
        [LeadFacts(**entry.changes) for entry in new],
        actor=actor,
        cause=AssignmentPeriod.Cause.IMPORT,
    )
    for entry, lead in zip(new, leads, strict=True):
        entry.lead, entry.outcome = lead, Outcome.CREATED


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


def _write_updated(updated: Sequence[_Entry], actor: Actor) -> None:
    leads = [entry.lead for entry in updated if entry.lead]
    write_back(leads)
    publish(
        *(
            LeadUpdated(lead_id=entry.lead.pk, changed=tuple(entry.changes))
            for entry in updated
            if entry.lead
        ),
        actor=actor,
    )


def write_back(leads: Sequence[Lead]) -> None:
    """Write many changed rows in one statement."""
    for lead in leads:
        lead.updated_at = timezone.now()
    if leads:
        Lead.objects.bulk_create(
            leads,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=_IMPORTED_FIELDS,
        )


def _keep_outcomes(lead_import: LeadImport, job: Job, entries: Sequence[_Entry]) -> None:
    is_dry = lead_import.mode == LeadImport.Mode.DRY_RUN
    rows = [
        LeadImportRow(
            lead_import=lead_import,
            line=entry.row.number,
            outcome=entry.outcome,
            lead_id=entry.lead.pk if entry.lead and not is_dry else None,
            version=entry.lead.version if entry.lead and not is_dry else None,
            values_before=None if is_dry else entry.values_before,
            values=_raw(entry.row) if entry.outcome == Outcome.FAILED else None,
            errors=entry.errors or None,
        )
        for entry in entries
        if entry.outcome == Outcome.FAILED or not is_dry
    ]
    insert_rows(LeadImportRow, rows)
    for entry in entries:
        name = str(entry.outcome)
        setattr(lead_import, name, getattr(lead_import, name) + 1)
        if entry.outcome == Outcome.FAILED:
            job.note_error({"line": entry.row.number, **entry.errors})
        else:
            job.succeeded += 1
    lead_import.save(update_fields=["created", "updated", "skipped", "failed", "updated_at"])


def _raw(row: Row) -> dict[str, str]:
    return {**row.values, "extra": " | ".join(row.extra)} if row.extra else row.values


@runs("leads.undo_import")
def start_undo(job: Job, resources: ExitStack) -> Step:
    """Take an import back, from the row where the job stands."""
    lead_import = LeadImport.objects.get(undo_job=job)

    def next_batch(job: Job) -> bool:
        actor = become(job.actor_id, door="import", request_id=job.correlation_id)
        rows = list(
            lead_import.rows.filter(outcome__in=(Outcome.CREATED, Outcome.UPDATED)).order_by("-id")[
                job.position : job.position + UNDO_BATCH
            ]
        )
        _undo_batch(job, rows, actor)
        job.position += len(rows)
        if len(rows) < UNDO_BATCH:
            LeadImport.objects.filter(pk=lead_import.pk).update(updated_at=timezone.now())
        return len(rows) == UNDO_BATCH

    return next_batch


def _undo_batch(job: Job, rows: Sequence[LeadImportRow], actor: Actor) -> None:
    """Newest first, so that a lead that two rows changed goes back step by step.

    Whoever imported may take back, wherever the leads were routed to.
    """
    leads = {
        lead.pk: lead
        for lead in Lead.objects.unmerged()
        .with_ids([row.lead_id for row in rows if row.lead_id])
        .lock()
    }
    expected = {lead.pk: lead.version for lead in leads.values()}
    for row in rows:
        lead = leads.get(row.lead_id) if row.lead_id else None
        is_untouched = (
            lead is not None
            and expected[lead.pk] == row.version
            and lead.status != Lead.Status.CONVERTED
        )
        if lead is None or not is_untouched or not _undo_row(lead, row, actor):
            job.note_error(
                {
                    "line": row.line,
                    "id": str(row.lead_id),
                    "reason": "changed_since_import",
                    "message": "The lead was changed since, or its address was taken; "
                    "it is left as it is.",
                }
            )
            continue
        expected[lead.pk] = (row.version or 1) - 1
        job.succeeded += 1


def _undo_row(lead: Lead, row: LeadImportRow, actor: Actor) -> bool:
    """Put a lead back to what it was before a row; False when it collides with another."""
    if row.outcome == Outcome.CREATED:
        lead.deleted_at, lead.deleted_by_id = timezone.now(), actor.id
        changed = ["bin"]
    else:
        changed = put_back(lead, row.values_before or {})
    lead.version += 1
    try:
        with transaction.atomic():
            write_back([lead])
    except IntegrityError:
        return False
    publish(LeadUpdated(lead_id=lead.pk, changed=tuple(changed)), actor=actor)
    return True


def _open(file: Any) -> Table:
    try:
        return open_table(file, max_bytes=settings.IMPORT_MAX_BYTES)
    except TableRefused as refused:
        raise InvalidInput(refused.sentence, reason=refused.reason, line=refused.line) from None


def _count(table: Table) -> int:
    with closing(_read(table)) as rows:
        return sum(1 for _ in rows)


def _read(table: Table) -> Generator[Row]:
    """The rows of a table; a file that breaks off in the middle is refused in our words."""
    try:
        with closing(table.rows()) as rows:
            yield from rows
    except TableRefused as refused:
        raise InvalidInput(refused.sentence, reason=refused.reason, line=refused.line) from None


def _sentence(errors: Mapping[str, Any]) -> str:
    fields = errors.get("fields")
    if isinstance(fields, dict):
        return "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
    return str(errors.get("message", ""))
