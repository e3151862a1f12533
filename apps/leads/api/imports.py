"""`/leads/imports` and `/leads/export`: whole files in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import Any
from uuid import UUID

from django.http import FileResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from apps.core.actors import Actor
from apps.core.api.bodies import Body, JSONText
from apps.core.api.bulk import JobReceipt
from apps.core.api.endpoint import Endpoint, list_parameters, operation, read_query
from apps.core.api.envelope import json_response
from apps.core.api.schema import ErrorEnvelope
from apps.core.permissions import require
from apps.core.tables import write_csv, write_xlsx
from apps.leads.fields import EXPORTED, LEADS
from apps.leads.models import LeadImport
from apps.leads.permissions import EXPORT_LEAD
from apps.leads.services.imports import (
    failed_rows,
    import_visible_to,
    preview_import,
    request_import,
    undo_import,
)

TAGS = ("lead imports",)
MODES = [("preview", "preview"), *LeadImport.Mode.choices]


class ImportBody(Body):
    """A file and how it is read."""

    file = serializers.FileField(allow_empty_file=True)
    mapping = JSONText(required=False, default=dict)
    mode = serializers.ChoiceField(MODES, default="preview")
    match_on = serializers.ChoiceField(LeadImport.MatchOn.choices, default="email")


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
    mode = serializers.ChoiceField(LeadImport.Mode.choices)
    total = serializers.IntegerField(allow_null=True)
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    skipped = serializers.IntegerField()
    failed = serializers.IntegerField()
    progress = serializers.IntegerField(min_value=0, max_value=100)
    errors = serializers.ListField(child=serializers.DictField())
    message = serializers.CharField()
    not_undone = serializers.ListField(child=serializers.DictField())


def import_answer(lead_import: LeadImport) -> dict[str, Any]:
    """An import as the API shows it."""
    job, undo_job = lead_import.job, lead_import.undo_job
    return {
        "id": lead_import.pk,
        "status": lead_import.status,
        "filename": lead_import.filename,
        "mode": lead_import.mode,
        "total": job.total,
        "created": lead_import.created,
        "updated": lead_import.updated,
        "skipped": lead_import.skipped,
        "failed": lead_import.failed,
        "progress": job.progress,
        "errors": job.errors,
        "message": job.message,
        "not_undone": undo_job.errors if undo_job else [],
    }


class LeadImports(Endpoint):
    """`/leads/imports`."""

    parser_classes = [MultiPartParser]

    @operation(
        summary="Preview a file of leads, or take it in",
        body=ImportBody,
        is_form=True,
        answer=PreviewAnswer,
        other_answers={202: JobReceipt},
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> tuple[int, Any]:
        file = body.pop("file")
        if body["mode"] == "preview":
            return 200, json_response(asdict(preview_import(file=file, actor=actor)))
        lead_import = request_import(file=file, filename=file.name, **body, actor=actor)
        return 202, {"id": lead_import.pk, "status": lead_import.status}


class LeadImportItem(Endpoint):
    """`/leads/imports/{import_id}`."""

    @operation(summary="How far an import has come", answer=ImportAnswer, tags=TAGS)
    def get(self, actor: Actor, import_id: UUID) -> dict[str, Any]:
        return import_answer(import_visible_to(actor, import_id))


class LeadImportFailedRows(Endpoint):
    """`/leads/imports/{import_id}/failed-rows.csv`."""

    @operation(
        summary="The rows that failed, as CSV to be corrected and sent again",
        answer=OpenApiTypes.BINARY,
        tags=TAGS,
    )
    def get(self, actor: Actor, import_id: UUID) -> StreamingHttpResponse:
        lead_import = import_visible_to(actor, import_id)
        columns = [*lead_import.columns, "extra", "line", "error"]
        rows = failed_rows(lead_import)
        return csv_download(write_csv(columns=columns, rows=rows), "failed-rows.csv")


class LeadImportUndoing(Endpoint):
    """`/leads/imports/{import_id}/undo`."""

    @operation(summary="Take an import back", answer=JobReceipt, status=202, tags=TAGS)
    def post(self, actor: Actor, import_id: UUID) -> dict[str, Any]:
        job = undo_import(import_id=import_id, actor=actor)
        return {"id": job.pk, "status": job.status}


class LeadExport(Endpoint):
    """`/leads/export.csv` and `/leads/export.xlsx`: the filtered list, streamed."""

    @extend_schema(
        summary="The leads within reach that match, as a file",
        parameters=list_parameters(LEADS),
        responses={
            200: OpenApiTypes.BINARY,
            "default": OpenApiResponse(ErrorEnvelope, "Refused"),
        },
        tags=list(TAGS),
    )
    def get(self, request: Request, file_format: str) -> StreamingHttpResponse | FileResponse:
        actor = self.get_actor()
        require(actor, EXPORT_LEAD)
        query = read_query(request.query_params.dict())
        rows = map(_exported, LEADS.stream(actor, query))
        if file_format == "csv":
            return csv_download(write_csv(columns=EXPORTED, rows=started(rows)), "leads.csv")
        file = SpooledTemporaryFile(max_size=5_000_000)  # noqa: SIM115  closed by the response
        write_xlsx(columns=EXPORTED, rows=rows, file=file)  # type: ignore[arg-type]
        file.seek(0)
        return FileResponse(file, as_attachment=True, filename="leads.xlsx")


def started(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of which the first is already read, so that a refusal comes before the answer."""
    first = next(rows, None)
    return rows if first is None else chain((first,), rows)


def _exported(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value["name"] if isinstance(value, dict) else value for name, value in row.items()
    }


def csv_download(chunks: Iterator[bytes], filename: str) -> StreamingHttpResponse:
    """A CSV file that is sent while it is written."""
    response = StreamingHttpResponse(chunks, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "private, no-store"
    return response
