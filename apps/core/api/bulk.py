"""Bulk addresses: results at once for few rows, a job for many."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Identifier, Text
from apps.core.bulk import AT_MOST, BulkOperation, refusal_fields
from apps.core.models import Job


class RowsBody(Body):
    """Which rows are meant: ids, or the filters of their list."""

    ids = serializers.ListField(
        child=Identifier(), required=False, allow_empty=False, max_length=AT_MOST
    )
    filter = serializers.DictField(child=Text(max_length=200), required=False)


class ResultAnswer(serializers.Serializer):
    """What became of one row."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField([("done", "done"), ("refused", "refused")])
    error = serializers.DictField(allow_null=True)


class ResultsAnswer(serializers.Serializer):
    """What became of each row."""

    results = ResultAnswer(many=True)


class JobReceipt(serializers.Serializer):
    """Work that goes on in the background; see `/jobs/{id}`."""

    id = serializers.UUIDField()
    status = serializers.CharField()


def answer_in_bulk(
    operation: BulkOperation, actor: Actor, body: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """Run a bulk operation: 200 with a result for each row, or 202 with the job."""
    ids, filters = body.pop("ids", None), body.pop("filter", None)
    outcome = operation.run(actor=actor, ids=ids, filters=filters, **body)
    if isinstance(outcome, Job):
        return 202, {"id": outcome.pk, "status": outcome.status}
    return 200, {
        "results": [
            {
                "id": one.id,
                "status": one.status,
                "error": refusal_fields(one.refusal) if one.refusal else None,
            }
            for one in outcome
        ]
    }
