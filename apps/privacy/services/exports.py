"""Copies of everything that is held on a person (GDPR 15 and 20, CCPA 1798.110)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import orjson
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from apps.core.access_log import accesses_visible_to, of_row
from apps.core.accesses import Reading, note_access
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.consents import consents_with
from apps.core.data_keys import destroy_keys
from apps.core.encryption.files import keep_file, kept_file
from apps.core.errors import NotFound
from apps.core.history import changes_visible_to, everything_audited, fields_of_each
from apps.core.identifiers import new_id
from apps.core.jobs import Step, actor_of_job, request_job, runs
from apps.core.models import BusinessEvent, DataKey, Job
from apps.core.permissions import READ_PERSON, require
from apps.core.personal_data import Person, holdings
from apps.core.retention import Due, Rows, forgets
from apps.privacy.errors import ExportNotReady
from apps.privacy.models import Export
from apps.privacy.selectors import Subject

FILE = "person.json"


@command
def request_export(*, subject: Subject, actor: Actor) -> Export:
    """Put together everything that is held on a person, in the background.

    Raises NotAllowed, InvalidInput, NothingHeld.
    """
    require(actor, READ_PERSON)
    subject.found()
    key = DataKey.fresh()
    key.save(force_insert=True)
    export = Export(
        id=new_id(),
        data_key=key,
        email=subject.email,
        email_key=subject.email_key,
        object_kind=subject.kind,
        object_id=subject.row_id,
        actor_id=actor.id,
    )
    export.job = request_job("privacy.export", parameters={"export": str(export.pk)}, actor=actor)
    export.save(force_insert=True)
    return export


@runs("privacy.export")
def start_export(job: Job, resources: ExitStack) -> Step:
    """Put the file together in one step: a person has tens of rows, not thousands."""

    def put_together(job: Job) -> bool:
        export = Export.objects.select_related("data_key").get(job=job)
        actor = actor_of_job(job, door="export")
        require(actor, READ_PERSON)
        subject = Subject(export.email, export.object_kind, export.object_id)
        told = everything_about(subject.found(), actor)
        cipher: Any = export.data_key.cipher
        export.file = keep_file(_zipped(told), _name(export), cipher)
        export.save(update_fields=["file", "updated_at"])
        job.total = job.position = job.succeeded = 1
        return False

    return put_together


def everything_about(person: Person, actor: Actor) -> dict[str, Any]:
    """All that is known of a person, in clear: rows, what became of them, what was agreed to."""
    for kind, ids_of_kind in person.ids.items():
        note_access(actor, kind, ids_of_kind, Reading.EXPORTED)
    ids = [row_id for of_kind in person.ids.values() for row_id in of_kind]
    events = BusinessEvent.objects.filter(aggregate_id__in=ids).order_by("sequence")
    return {
        "rows": {
            kind: [holdings()[kind].told(row) for row in rows] for kind, rows in person.rows.items()
        },
        "consents": [
            {
                "purpose": one.purpose,
                "is_given": one.is_given,
                "source": one.source,
                "noted_at": one.noted_at,
            }
            for one in consents_with(person.email_keys)
        ],
        "changes": _changes_of(person, actor),
        "accesses": _accesses_to(ids, actor),
        "events": [
            {"name": one.name, "at": one.occurred_at, "about": one.aggregate_id, **one.payload}
            for one in events
        ],
    }


def _changes_of(person: Person, actor: Actor) -> list[dict[str, Any]]:
    told = []
    for kind in person.rows.keys() & everything_audited().keys():
        changes = list(
            changes_visible_to(actor)
            .filter(kind=kind, row_id__in=person.ids[kind])
            .order_by("sequence")
        )
        told += [
            {
                "about": one.row_id,
                "action": one.action,
                "at": one.changed_at,
                "fields": {name: list(values) for name, values in sorted(fields.items())},
            }
            for one, fields in zip(changes, fields_of_each(changes, actor), strict=True)
        ]
    return told


def _accesses_to(ids: Sequence[UUID], actor: Actor) -> list[dict[str, Any]]:
    """When somebody looked, and how; whom they are the person has to ask for by name."""
    accesses = accesses_visible_to(actor)
    return [
        {"about": row_id, "at": one.read_at, "door": one.door, "reading": one.reading}
        for row_id in ids
        for one in of_row(accesses, row_id)
    ]


def _zipped(told: dict[str, Any]) -> BinaryIO:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        content = orjson.dumps(told, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)
        archive.writestr(FILE, content)
    file.seek(0)
    return file


def _name(export: Export) -> str:
    return f"privacy/{export.pk}"


def export_visible_to(actor: Actor, export_id: UUID) -> Export:
    """An export. Raises NotAllowed, NotFound."""
    require(actor, READ_PERSON)
    exports = Export.objects.select_related("data_key", "job")
    found: Export | None = exports.filter(pk=export_id).first()
    if found is None:
        raise NotFound("There is no such export.", reason="export_not_found")
    return found


def exported_file(*, export_id: UUID, actor: Actor) -> BinaryIO:
    """The zip file of an export. Raises NotAllowed, NotFound, ExportNotReady."""
    export = export_visible_to(actor, export_id)
    cipher = export.data_key.cipher
    if not export.file or cipher is None:
        raise ExportNotReady(status=export.job.status)
    return kept_file(export.file, _name(export), cipher)


def drop_files(exports: QuerySet[Export]) -> None:
    """Delete files of exports; without their keys, what a backup has of them is noise, too."""
    for name in exports.exclude(file="").values_list("file", flat=True):
        default_storage.delete(name)
    destroy_keys(exports.values_list("data_key_id", flat=True))


@forgets("privacy.exports", "Copies of what is held on a person", days=30)
def old_exports(before: datetime) -> Due:
    """Exports that their person has had time to fetch."""

    def drop(keys: Sequence[Any]) -> None:
        drop_files(Export.objects.filter(pk__in=keys))

    return Rows(Export.objects.filter(created_at__lt=before), along=drop)
