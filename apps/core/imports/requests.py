"""What is asked of imports: to preview a file, to take it in, to report on it, to take it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO
from uuid import UUID

from apps.core.actors import Actor
from apps.core.commands import acting, command
from apps.core.encryption.files import keep_file
from apps.core.errors import InvalidInput, NotFound, RuleBroken
from apps.core.identifiers import new_id
from apps.core.imports.files import open_file, read_rows
from apps.core.imports.kind import ImportKind
from apps.core.imports.mapping import ColumnMapping, check_mapping, suggest_mapping
from apps.core.imports.models import ImportedFile, ImportedRow
from apps.core.jobs import request_job
from apps.core.models import DataKey, Job
from apps.core.permissions import MANAGE_SYSTEM, require

SAMPLE = 20


class ImportNotUndoable(RuleBroken):
    """The import has not ended, wrote nothing, or was undone before."""

    reason = "import_not_undoable"


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


def preview_import(kind: ImportKind, *, file: BinaryIO, actor: Actor) -> Preview:
    """Show how a file would be read, and a mapping to start from.

    Raises NotAllowed, InvalidInput.
    """
    require(actor, kind.permission)
    table = open_file(file)
    with closing(read_rows(table)) as rows:
        sample = tuple(row.values for row in islice(rows, SAMPLE))
    return Preview(
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        columns=table.columns,
        rows=sample,
        problems=tuple(
            {"reason": one.reason, "message": one.sentence, "line": one.line}
            for one in table.problems
        ),
        suggested_mapping=suggest_mapping(table.columns, kind.targets),
    )


def request_import(
    kind: ImportKind,
    *,
    file: BinaryIO,
    filename: str,
    mapping: Any,
    mode: str,
    match_on: str,
    actor: Actor,
) -> Any:
    """Take in a file, to be worked off in the background; returns the app's imported file.

    Args:
        kind: of its rows.
        file: CSV or XLSX, whatever its name says.
        filename: for people.
        mapping: the JSON object of `mapping`.
        mode: `dry_run` finds every problem and writes no record; `apply` writes them.
        match_on: what makes a row the same as a record that is there.
        actor: needs the permission of the kind.

    Raises:
        NotAllowed, InvalidInput.
    """
    require(actor, kind.permission)
    _check_choice("mode", mode, ImportedFile.Mode.values)
    _check_choice("match_on", match_on, kind.files.MatchOn.values)
    table = open_file(file)
    checked = check_mapping(mapping, table.columns, kind.targets)
    kind.check(checked.constants)
    _check_reachable(kind, checked, match_on)
    file.seek(0)
    import_id = new_id()
    key = DataKey.fresh()
    cipher: Any = key.cipher
    stored = keep_file(file, f"imports/{import_id}", cipher)
    with acting(actor):
        key.save(force_insert=True)
        job = request_job(kind.job_kind, parameters={"import": str(import_id)}, actor=actor)
        return kind.files._default_manager.create(
            id=import_id,
            job=job,
            filename=filename[:255],
            columns=table.columns,
            file=stored,
            data_key=key,
            mapping=mapping,
            mode=mode,
            match_on=match_on,
        )


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InvalidInput.field(name, f"Choose one of {', '.join(choices)}.")


def _check_reachable(kind: ImportKind, mapping: ColumnMapping, match_on: str) -> None:
    if not mapping.fills(kind.target_of(match_on)):
        raise InvalidInput.field("mapping", f"Rows are matched on {match_on}; fill it.")


def import_visible_to(kind: ImportKind, actor: Actor, import_id: UUID) -> Any:
    """An import of the actor's own, or anybody's for those who manage the system.

    Its failed rows are raw data of people, whoever's records they were to become. Raises NotFound.
    """
    files = kind.files._default_manager.select_related("job", "undo_job")
    found: Any = files.filter(pk=import_id).first()
    if found is None or not (found.job.actor_id == actor.id or actor.may(MANAGE_SYSTEM)):
        raise NotFound("There is no such import.", reason="import_not_found")
    return found


def failed_rows(imported: ImportedFile) -> Iterator[dict[str, Any]]:
    """The rows of a file that failed, as they were, each with its line and what is wrong."""
    failed = imported.rows.filter(outcome=ImportedRow.Outcome.FAILED).order_by("line")
    for row in failed.iterator(chunk_size=1000):
        yield {**(row.values or {}), "line": row.line, "error": _sentence(row.errors or {})}


def _sentence(errors: Mapping[str, Any]) -> str:
    fields = errors.get("fields")
    if isinstance(fields, dict):
        return "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
    return str(errors.get("message", ""))


@command
def undo_import(kind: ImportKind, *, import_id: UUID, actor: Actor) -> Job:
    """Take an import back: created records go to the bin, updated ones get back their values.

    A record that somebody changed since is left alone and reported.
    Raises NotFound, NotAllowed, ImportNotUndoable.
    """
    import_visible_to(kind, actor, import_id)
    require(actor, kind.permission)
    imported: Any = kind.files._default_manager.select_for_update(of=("self",)).get(pk=import_id)
    if imported.undo_job is not None and (imported.is_undone or not imported.undo_job.has_ended):
        raise ImportNotUndoable("The import was already undone.", reason="import_already_undone")
    if not imported.job.has_ended:
        raise ImportNotUndoable("The import is still running; cancel it first.")
    written = imported.rows.filter(outcome__in=ImportedRow.WRITTEN).count()
    if not written:
        raise ImportNotUndoable("The import wrote nothing.")
    imported.undo_job = request_job(
        kind.undo_job_kind,
        parameters={"import": str(import_id)},
        total=written,
        actor=actor,
    )
    imported.save(update_fields=["undo_job", "updated_at"])
    return imported.undo_job
