"""Working off imported files, and taking them back, batch by batch."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import orjson
from django.db import IntegrityError, transaction

from apps.core.actors import Actor
from apps.core.commands import acting
from apps.core.encryption.files import kept_file
from apps.core.errors import Conflict, InvalidInput, Refusal
from apps.core.imports.files import count_rows, open_file, read_rows
from apps.core.imports.kind import Facts, ImportKind, Key
from apps.core.imports.mapping import ColumnMapping, check_mapping
from apps.core.imports.models import ImportedFile, ImportedRow
from apps.core.jobs import Step, actor_of_job, runs
from apps.core.loading import insert_rows
from apps.core.models import Job
from apps.core.permissions import require
from apps.core.tables import Row

BATCH = 1000
UNDO_BATCH = 500
Outcome = ImportedRow.Outcome

Kind = TypeVar("Kind", bound=ImportKind)


class ImportedRowAmbiguous(Conflict):
    """Several records are what a row is matched on."""

    reason = "several_match"
    message = "Several records match this row."


def register_imports(kind: Kind) -> Kind:
    """Let the workers take in files of a kind of row, and take them back."""
    runs(kind.job_kind)(partial(start_import, kind))
    runs(kind.undo_job_kind)(partial(start_undo, kind))
    return kind


@dataclass
class _Entry:
    """One row on its way to its outcome."""

    row: Row
    facts: Facts = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    outcome: str = ""
    record: Any = None
    changed: Sequence[str] = ()
    values_before: dict[str, Any] | None = None
    errors: dict[str, Any] = field(default_factory=dict)

    def fail(self, refusal: Refusal) -> None:
        """Give the row up, with the reason."""
        self.outcome = Outcome.FAILED
        self.record = None
        self.errors = told_of(refusal)


def told_of(refusal: Refusal) -> dict[str, Any]:
    """A refusal as JSON keeps it."""
    told = {"reason": refusal.reason, "message": refusal.message, **refusal.details}
    kept: dict[str, Any] = orjson.loads(orjson.dumps(told))
    return kept


def start_import(kind: ImportKind, job: Job, resources: ExitStack) -> Step:
    """Work off a file from the row where the job stands."""
    imported: ImportedFile = kind.files._default_manager.get(job=job)
    key: Any = imported.data_key.cipher
    table = open_file(
        resources.enter_context(kept_file(imported.file, f"imports/{imported.pk}", key))
    )
    mapping = check_mapping(imported.mapping, table.columns, kind.targets)
    rows = resources.enter_context(closing(read_rows(table)))
    collections.deque(islice(rows, job.position), maxlen=0)

    def next_batch(job: Job) -> bool:
        if job.total is None:
            job.total = count_rows(table)
            return True
        batch = list(islice(rows, BATCH))
        actor = actor_of_job(job, door="import")
        require(actor, kind.permission)
        entries = _entries_of(kind, imported, batch, mapping, actor)
        _keep_outcomes(kind, imported, job, entries)
        job.position += len(batch)
        return len(batch) == BATCH

    return next_batch


def _entries_of(
    kind: ImportKind,
    imported: ImportedFile,
    batch: Sequence[Row],
    mapping: ColumnMapping,
    actor: Actor,
) -> list[_Entry]:
    """The rows of a batch with their outcomes; in a dry run nothing of it stays."""

    def written(rows: Sequence[Row]) -> list[_Entry]:
        entries = [_entry(kind, row, mapping, imported.match_on) for row in rows]
        with acting(actor):
            _write_in_waves(kind, entries, imported.match_on, actor)
            if imported.mode == ImportedFile.Mode.DRY_RUN:
                transaction.set_rollback(True)
        return entries

    def written_alone(row: Row) -> _Entry:
        try:
            (entry,) = written([row])
        except IntegrityError:
            entry = _Entry(row)
            entry.fail(
                Conflict(
                    f"It collides with {kind.targets.noun} that is there already.",
                    reason="duplicate_elsewhere",
                )
            )
        return entry

    try:
        return written(batch)
    except IntegrityError:
        # A row collides with what somebody wrote meanwhile, or in a way we did not look for: one
        # row at a time, so that only that one fails.
        return [written_alone(row) for row in batch]


def _entry(kind: ImportKind, row: Row, mapping: ColumnMapping, match_on: str) -> _Entry:
    entry = _Entry(row)
    try:
        if row.problem:
            raise InvalidInput(row.problem.sentence, reason=row.problem.reason)
        entry.facts = kind.check(mapping.facts_of(row.values))
        entry.keys = kind.keys(entry.facts, match_on=match_on)
    except Refusal as refusal:
        entry.fail(refusal)
    return entry


def _write_in_waves(
    kind: ImportKind, entries: Sequence[_Entry], match_on: str, actor: Actor
) -> None:
    """Write a batch in waves: rows that mean the same record come one after the other, whether
    they say so by the same key or by two keys of one record."""
    waiting = [entry for entry in entries if not entry.outcome]
    while waiting:
        wave: list[_Entry] = []
        later: list[_Entry] = []
        seen: set[Key] = set()
        for entry in waiting:
            (wave if seen.isdisjoint(entry.keys) else later).append(entry)
            seen.update(entry.keys)
        later += _write_wave(kind, wave, match_on, actor)
        waiting = sorted(later, key=lambda entry: entry.row.number)


def _write_wave(
    kind: ImportKind, wave: Sequence[_Entry], match_on: str, actor: Actor
) -> list[_Entry]:
    """Write what can be written at once; returns the rows that must wait for others of it."""
    found = kind.existing({key for entry in wave for key in entry.keys})
    new: list[_Entry] = []
    put_off: list[_Entry] = []
    taken: set[Any] = set()
    for entry in wave:
        try:
            match = _match(kind, entry, found, match_on, actor)
            if match is None:
                _check_complete(kind, entry)
                new.append(entry)
            elif match.pk in taken:
                put_off.append(entry)
            else:
                taken.add(match.pk)
                _put(kind, entry, match)
        except Refusal as refusal:
            entry.fail(refusal)
    _write_new(kind, new, actor)
    updated = [(entry.record, entry.changed) for entry in wave if entry.outcome == Outcome.UPDATED]
    if updated:
        kind.write_changed(updated, actor=actor)
    return put_off


def _match(
    kind: ImportKind,
    entry: _Entry,
    found: Mapping[Key, Sequence[Any]],
    match_on: str,
    actor: Actor,
) -> Any:
    """The record that a row means, or None; a row that means several is refused."""
    meant: dict[Any, Any] = {}
    others: dict[Any, Any] = {}
    for key in entry.keys:
        for record in found.get(key, ()):
            (meant if key[0] == match_on else others)[record.pk] = record
    visible = [record for record in meant.values() if _sees(actor, record)]
    if meant and not visible:
        raise kind.duplicate(next(iter(meant.values())), is_visible=False)
    if len(visible) > 1:
        raise ImportedRowAmbiguous(ids=[record.pk for record in visible])
    match = visible[0] if visible else None
    for record in others.values():
        if match is None or record.pk != match.pk:
            raise kind.duplicate(record, is_visible=_sees(actor, record))
    return match


def _sees(actor: Actor, record: Any) -> bool:
    return actor.reach.includes(owner_id=record.owner_id, territory_id=record.territory_id)


def _put(kind: ImportKind, entry: _Entry, record: Any) -> None:
    before = kind.values_of(record)
    entry.record = record
    entry.changed = kind.put(record, entry.facts)
    entry.outcome = Outcome.UPDATED if entry.changed else Outcome.SKIPPED
    if entry.changed:
        entry.values_before = before


def _check_complete(kind: ImportKind, entry: _Entry) -> None:
    for name in kind.needed:
        if not entry.facts.get(name):
            raise InvalidInput.field(name, "This is needed.")


def _write_new(kind: ImportKind, new: Sequence[_Entry], actor: Actor) -> None:
    if not new:
        return
    results = kind.write_new([entry.facts for entry in new], actor=actor)
    for entry, result in zip(new, results, strict=True):
        if isinstance(result, Refusal):
            entry.fail(result)
        else:
            entry.record, entry.outcome = result, Outcome.CREATED


def _keep_outcomes(
    kind: ImportKind, imported: ImportedFile, job: Job, entries: Sequence[_Entry]
) -> None:
    insert_rows(kind.rows, list(_rows_to_keep(kind, imported, entries)))
    for entry in entries:
        name = str(entry.outcome)
        setattr(imported, name, getattr(imported, name) + 1)
        if entry.outcome == Outcome.FAILED:
            job.note_error({"line": entry.row.number, **entry.errors})
        else:
            job.succeeded += 1
    imported.save(update_fields=["created", "updated", "skipped", "failed", "updated_at"])


def _rows_to_keep(
    kind: ImportKind, imported: ImportedFile, entries: Sequence[_Entry]
) -> Iterator[ImportedRow]:
    """What undo and the report need: of a dry run only what failed."""
    is_dry = imported.mode == ImportedFile.Mode.DRY_RUN
    for entry in entries:
        if is_dry and entry.outcome != Outcome.FAILED:
            continue
        written = {kind.rows.file_field: imported}
        if entry.record is not None:
            written[kind.rows.record_field] = entry.record.pk
        yield kind.rows(
            **written,
            line=entry.row.number,
            outcome=entry.outcome,
            version=entry.record.version if entry.record is not None else None,
            values_before=entry.values_before,
            values=_raw(entry.row) if entry.outcome == Outcome.FAILED else None,
            errors=entry.errors or None,
        )


def _raw(row: Row) -> dict[str, str]:
    return {**row.values, "extra": " | ".join(row.extra)} if row.extra else row.values


def start_undo(kind: ImportKind, job: Job, resources: ExitStack) -> Step:
    """Take an import back, from the row where the job stands."""
    imported: ImportedFile = kind.files._default_manager.get(undo_job=job)
    written = imported.rows.filter(outcome__in=ImportedRow.WRITTEN).order_by("-id")

    def next_batch(job: Job) -> bool:
        actor = actor_of_job(job, door="import")
        require(actor, kind.permission)
        rows = list(written[job.position : job.position + UNDO_BATCH])
        _undo_batch(kind, imported, job, rows, actor)
        job.position += len(rows)
        if len(rows) < UNDO_BATCH:
            imported.save(update_fields=["updated_at"])
        return len(rows) == UNDO_BATCH

    return next_batch


def _undo_batch(
    kind: ImportKind,
    imported: ImportedFile,
    job: Job,
    rows: Sequence[ImportedRow],
    actor: Actor,
) -> None:
    """Newest first, so that a record that two rows changed goes back step by step.

    Whoever imported may take back, wherever the records were routed to. A row that was undone
    keeps the version at which it left its record: what an earlier row finds there is our own work.
    """
    records = {record.pk: record for record in kind.locked([row.record_id for row in rows])}
    created = {row.record_id for row in rows if row.outcome == Outcome.CREATED}
    refused = kind.not_undoable(list(records.values()), created)
    put_back = _put_back_before(imported, rows, records)
    undone: list[ImportedRow] = []
    for row in rows:
        record = records.get(row.record_id)
        try:
            if record is None or (record.version != row.version and record.pk not in put_back):
                raise _changed_since()
            if record.pk in refused:
                raise refused[record.pk]
            _undo_row(kind, row, record, actor)
        except Refusal as refusal:
            put_back.discard(row.record_id)
            job.note_error({"line": row.line, "id": str(row.record_id), **told_of(refusal)})
            continue
        put_back.add(record.pk)
        if row.outcome == Outcome.UPDATED:
            row.version = record.version
            undone.append(row)
        job.succeeded += 1
    kind.rows._default_manager.bulk_update(undone, ["version"])


def _put_back_before(
    imported: ImportedFile, rows: Sequence[ImportedRow], records: Mapping[Any, Any]
) -> set[Any]:
    """The records of these rows that stand as undoing a later row left them, batches ago."""
    last = {row.record_id: row for row in reversed(rows)}
    changed = [pk for pk, record in records.items() if record.version != last[pk].version]
    if not changed:
        return set()
    later = imported.rows.filter(
        **{f"{rows[0].record_field}__in": changed}, id__gt=rows[0].pk, outcome=Outcome.UPDATED
    )
    left_at = {row.record_id: row.version for row in later.order_by("-id")}
    return {pk for pk in changed if left_at.get(pk) == records[pk].version}


def _undo_row(kind: ImportKind, row: ImportedRow, record: Any, actor: Actor) -> None:
    """Put a record back to what it was before a row. Raises Conflict when it collides by then."""
    try:
        with acting(actor):
            if row.outcome == Outcome.CREATED:
                kind.put_in_bin(record, actor=actor)
            else:
                kind.put_back(record, row.values_before or {}, actor=actor)
    except IntegrityError:
        raise _changed_since() from None


def _changed_since() -> Conflict:
    return Conflict(
        "It was changed since, or what it was is taken by another; it is left as it is.",
        reason="changed_since_import",
    )
