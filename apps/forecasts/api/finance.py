"""`/forecasts/reports`: what finance was told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Text
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.imports import table_download
from apps.forecasts.fields import FINANCE_REPORTS
from apps.forecasts.models import FinanceReport
from apps.forecasts.selectors.finance import COLUMNS, report_read_by, rows_of
from apps.forecasts.services.finance import issue_report

TAGS = ("forecasts",)


class NewReport(Body):
    """What to tell finance of."""

    period = Text(max_length=20, help_text="A month or quarter, such as M03_2026 or Q1_2026.")


class ReportReceipt(serializers.Serializer):
    """A report that was issued."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(FinanceReport.Kind.choices)
    period = serializers.CharField()
    number = serializers.IntegerField()
    issued_at = serializers.DateTimeField()


class ReportCollection(Endpoint):
    """`/forecasts/reports`."""

    get = listed(FINANCE_REPORTS, summary="What finance was told, newest first", tags=TAGS)

    @operation(
        summary="Tell finance how a month or quarter stands now",
        body=NewReport,
        answer=ReportReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        report = issue_report(**body, actor=actor)
        return {
            "id": report.pk,
            "kind": report.kind,
            "period": report.period,
            "number": report.number,
            "issued_at": report.issued_at,
        }


class ReportPage(Endpoint):
    """`/forecasts/reports/{report_id}`."""

    get = shown(FINANCE_REPORTS, summary="What finance was told once, with its figures", tags=TAGS)


class ReportFile(Endpoint):
    """`/forecasts/reports/{report_id}/export.csv` and `.xlsx`."""

    @operation(
        summary="What finance was told once, as a file with a figure a row",
        answer=OpenApiTypes.BINARY,
        media_type="text/csv",
        tags=TAGS,
    )
    def get(
        self, actor: Actor, report_id: UUID, file_format: str
    ) -> StreamingHttpResponse | FileResponse:
        report = report_read_by(actor, report_id)
        return table_download(
            COLUMNS, rows_of(report), name=report.file_name, file_format=file_format
        )
