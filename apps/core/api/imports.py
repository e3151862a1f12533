"""Whole files in and out: `/…/imports` and `/…/export`, the same for every kind of row.

urlpatterns = [
    *import_addresses(LEAD_IMPORTS, tags=TAGS),
    export_address(LEADS, permission=EXPORT_LEAD, tags=TAGS),
]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import Any
from uuid import UUID

import orjson
from django.http import FileResponse, StreamingHttpResponse
from django.urls import URLPattern, path, register_converter
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from apps.core.actors import Actor
from apps.core.api.bodies import Body, JSONText
from apps.core.api.bulk import JobReceipt
from apps.core.api.endpoint import (
    Endpoint,
    list_parameters,
    operation,
    parameters_of,
    read_query,
)
from apps.core.api.envelope import json_response
from apps.core.api.schema import ErrorEnvelope
from apps.core.imports.kind import ImportKind
from apps.core.imports.models import ImportedFile
from apps.core.imports.requests import (
    failed_rows,
    import_visible_to,
    preview_import,
    request_import,
    undo_import,
)
from apps.core.permissions import require
from apps.core.rows.listing import Listing, Query
from apps.core.tables import write_csv, write_xlsx

MODES = [("preview", "preview"), *ImportedFile.Mode.choices]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ImportBody(Body):
    """A file and how it is read."""

    file = serializers.FileField(allow_empty_file=True)
    mapping = JSONText(required=False, default=dict)
    mode = serializers.ChoiceField(MODES, default="preview")


class ProblemAnswer(serializers.Serializer):
    """Something a person should look at."""

    reason = serializers.CharField()
    message = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)


class PreviewAnswer(serializers.Serializer):
    """How a file would be read."""

    format = serializers.CharField()
    encoding = serializers.CharField(allow_null=True)
    delimiter = serializers.CharField(allow_null=True)
    columns = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.DictField())
    problems = ProblemAnswer(many=True)
    suggested_mapping = serializers.DictField()


class ImportAnswer(serializers.Serializer):
    """How far an import has come."""

    id = serializers.UUIDField()
    status = serializers.CharField()
    filename = serializers.CharField()
    mode = serializers.ChoiceField(ImportedFile.Mode.choices)
    total = serializers.IntegerField(allow_null=True)
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    skipped = serializers.IntegerField()
    failed = serializers.IntegerField()
    progress = serializers.IntegerField(min_value=0, max_value=100)
    errors = serializers.ListField(child=serializers.DictField())
    message = serializers.CharField()
    not_undone = serializers.ListField(child=serializers.DictField())


def import_answer(imported: ImportedFile) -> dict[str, Any]:
    """An import as the API shows it."""
    job, undo_job = imported.job, imported.undo_job
    return {
        "id": imported.pk,
        "status": imported.status,
        "filename": imported.filename,
        "mode": imported.mode,
        "total": job.total,
        "created": imported.created,
        "updated": imported.updated,
        "skipped": imported.skipped,
        "failed": imported.failed,
        "progress": job.progress,
        "errors": job.errors,
        "message": job.message,
        "not_undone": undo_job.errors if undo_job else [],
    }


def import_addresses(kind: ImportKind, *, tags: tuple[str, ...]) -> list[URLPattern]:
    """The addresses by which files of a kind of row come in."""

    class Imports(Endpoint):
        """`/…/imports`."""

        parser_classes = [MultiPartParser]

        @operation(
            summary=f"Preview a file of {kind.name}, or take it in",
            body=_body_of(kind),
            is_form=True,
            answer=PreviewAnswer,
            other_answers={202: JobReceipt},
            tags=tags,
        )
        def post(self, actor: Actor, body: dict[str, Any]) -> tuple[int, Any]:
            file = body.pop("file")
            if body["mode"] == "preview":
                return 200, json_response(asdict(preview_import(kind, file=file, actor=actor)))
            imported = request_import(kind, file=file, filename=file.name, **body, actor=actor)
            return 202, {"id": imported.pk, "status": imported.status}

    class ImportItem(Endpoint):
        """`/…/imports/{import_id}`."""

        @operation(summary="How far an import has come", answer=ImportAnswer, tags=tags)
        def get(self, actor: Actor, import_id: UUID) -> dict[str, Any]:
            return import_answer(import_visible_to(kind, actor, import_id))

    class FailedRows(Endpoint):
        """`/…/imports/{import_id}/failed-rows.csv`."""

        @operation(
            summary="The rows that failed, as CSV to be corrected and sent again",
            answer=OpenApiTypes.BINARY,
            media_type="text/csv",
            tags=tags,
        )
        def get(self, actor: Actor, import_id: UUID) -> StreamingHttpResponse:
            return failed_rows_download(import_visible_to(kind, actor, import_id))

    class Undoing(Endpoint):
        """`/…/imports/{import_id}/undo`."""

        @operation(summary="Take an import back", answer=JobReceipt, status=202, tags=tags)
        def post(self, actor: Actor, import_id: UUID) -> dict[str, Any]:
            job = undo_import(kind, import_id=import_id, actor=actor)
            return {"id": job.pk, "status": job.status}

    one = f"{kind.name}/imports/<uuid:import_id>"
    return [
        path(f"{kind.name}/imports", Imports.as_view()),
        path(one, ImportItem.as_view()),
        path(f"{one}/failed-rows.csv", FailedRows.as_view()),
        path(f"{one}/undo", Undoing.as_view()),
    ]


def _body_of(kind: ImportKind) -> type[Body]:
    """The request's body, with what rows of this kind can be matched on."""
    ways = kind.files.MatchOn
    match_on = serializers.ChoiceField(ways.choices, default=ways.values[0])
    name = f"{kind.files.__name__}Body"
    return type(name, (ImportBody,), {"match_on": match_on, "__doc__": ImportBody.__doc__})


def failed_rows_download(imported: ImportedFile) -> StreamingHttpResponse:
    """The rows that failed, as a CSV file."""
    columns = [*imported.columns, "extra", "line", "error"]
    return csv_download(write_csv(columns=columns, rows=failed_rows(imported)), "failed-rows.csv")


class FileFormat:
    """`csv` or `xlsx` at the end of an address."""

    regex = "csv|xlsx"

    def to_python(self, value: str) -> str:
        """As it stands."""
        return value

    def to_url(self, value: str) -> str:
        """As it stands."""
        return value


register_converter(FileFormat, "file_format")


def export_address(listing: Listing, *, permission: str, tags: tuple[str, ...]) -> URLPattern:
    """The address by which a filtered list goes out as CSV or XLSX."""

    class Export(Endpoint):
        """`/…/export.csv` and `/…/export.xlsx`: the filtered list, streamed."""

        @extend_schema(
            summary=f"The {listing.name} within reach that match, as a file",
            parameters=list_parameters(listing),
            responses={
                (200, "text/csv"): OpenApiTypes.BINARY,
                (200, XLSX): OpenApiTypes.BINARY,
                "default": OpenApiResponse(ErrorEnvelope, "Refused"),
            },
            tags=list(tags),
        )
        def get(self, request: Request, file_format: str) -> StreamingHttpResponse | FileResponse:
            actor = self.get_actor()
            require(actor, permission)
            query = read_query(parameters_of(request))
            return _export(listing, actor, query, file_format)

    return path(f"{listing.name}/export.<file_format:file_format>", Export.as_view())


def _export(
    listing: Listing, actor: Actor, query: Query, file_format: str
) -> StreamingHttpResponse | FileResponse:
    columns = [one.name for one in listing.visible_fields(actor)]
    rows = map(_exported, started(listing.stream(actor, query)))
    return table_download(columns, rows, name=listing.name, file_format=file_format)


def table_download(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, name: str, file_format: str
) -> StreamingHttpResponse | FileResponse:
    """A table as a file, in the format that the address asks for."""
    if file_format == "csv":
        return csv_download(write_csv(columns=columns, rows=rows), f"{name}.csv")
    file = SpooledTemporaryFile(max_size=5_000_000)  # noqa: SIM115  closed by the response
    write_xlsx(columns=columns, rows=rows, file=file)  # type: ignore[arg-type]
    file.seek(0)
    response = FileResponse(file, as_attachment=True, filename=f"{name}.xlsx")
    response["Cache-Control"] = "private, no-store"
    return response


def started(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of which the first is already read, so that a refusal comes before the answer."""
    first = next(rows, None)
    return rows if first is None else chain((first,), rows)


def _exported(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    """What a cell says: of a reference its name, of what goes onto the wire as JSON the text."""
    if isinstance(value, dict):
        return value["name"]
    if isinstance(value, orjson.Fragment):
        return orjson.dumps(value).decode()
    return value


def csv_download(chunks: Iterator[bytes], filename: str) -> StreamingHttpResponse:
    """A CSV file that is sent while it is written."""
    response = StreamingHttpResponse(chunks, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "private, no-store"
    return response
