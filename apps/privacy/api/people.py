"""`/privacy`: what is held on a person, copies of it, erasing it, and what they agreed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Flag, Text
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.envelope import json_response
from apps.core.consents import consents_of, note_consent
from apps.core.models import Consent
from apps.core.personal_data import holdings
from apps.privacy.models import Erasure, Export
from apps.privacy.selectors import Held, Subject, held_on
from apps.privacy.services.erasures import erase_person, what_would_be_erased
from apps.privacy.services.exports import export_visible_to, exported_file, request_export

TAGS = ("privacy",)


class PersonalObject(serializers.CharField):
    """A row about a person as `leads:<id>`."""

    def to_internal_value(self, data: Any) -> Any:
        """The kind and the id."""
        kind, _, row_id = super().to_internal_value(data).partition(":")
        if kind not in holdings():
            raise ValidationError(f"Give {' or '.join(holdings())}, a colon and an id.")
        return kind, serializers.UUIDField().to_internal_value(row_id)


class PersonBody(Body):
    """A person, by one of their addresses or by a row about them."""

    email = Text(max_length=254, required=False)
    object = PersonalObject(required=False, max_length=100)


def subject_of(given: Mapping[str, Any]) -> Subject:
    """Whom a request is about."""
    kind, row_id = given.get("object", ("", None))
    return Subject(email=given.get("email", ""), kind=kind, row_id=row_id)


class ErasureBody(PersonBody):
    """A person who is to be erased."""

    reason = Text(max_length=255)
    dry_run = Flag(required=False, default=False)


class ConsentBody(Body):
    """What a person agreed to, or refused."""

    email = Text(max_length=254)
    purpose = serializers.ChoiceField(Consent.Purpose.choices)
    is_given = Flag()
    source = Text(max_length=255)


class ConsentQuery(Body):
    """Whose consents."""

    email = Text(max_length=254)


class ConsentReceipt(serializers.Serializer):
    """A consent that was noted."""

    id = serializers.UUIDField()
    purpose = serializers.ChoiceField(Consent.Purpose.choices)
    is_given = serializers.BooleanField()


class ConsentAnswer(ConsentReceipt):
    """A consent."""

    source = serializers.CharField()
    noted_at = serializers.DateTimeField()
    noted_by = serializers.UUIDField()


class ConsentsAnswer(serializers.Serializer):
    """What somebody agreed to and refused, the latest first."""

    data = ConsentAnswer(many=True)


class RowsAnswer(serializers.Serializer):
    """Rows about a person, by kind."""

    leads = serializers.ListField(child=serializers.UUIDField(), required=False)
    contacts = serializers.ListField(child=serializers.UUIDField(), required=False)


class HeldAnswer(serializers.Serializer):
    """What is held on a person."""

    rows = RowsAnswer()
    consents = ConsentAnswer(many=True)


class ExportAnswer(serializers.Serializer):
    """How far an export has come."""

    id = serializers.UUIDField()
    status = serializers.CharField()
    is_ready = serializers.BooleanField()


class ErasureAnswer(serializers.Serializer):
    """What was taken when somebody was erased."""

    id = serializers.UUIDField()
    reason = serializers.CharField()
    erased_at = serializers.DateTimeField()
    erased_by = serializers.UUIDField()
    rows = RowsAnswer()
    imported_rows = serializers.IntegerField()
    history_entries = serializers.IntegerField()
    events = serializers.IntegerField()


def consent_answer(consent: Consent) -> dict[str, Any]:
    """A consent as the API shows it."""
    return {
        "id": consent.pk,
        "purpose": consent.purpose,
        "is_given": consent.is_given,
        "source": consent.source,
        "noted_at": consent.noted_at,
        "noted_by": consent.actor_id,
    }


def held_answer(held: Held) -> dict[str, Any]:
    """What is held on a person as the API shows it."""
    return {"rows": held.rows, "consents": list(map(consent_answer, held.consents))}


def export_answer(export: Export) -> dict[str, Any]:
    """An export as the API shows it."""
    return {"id": export.pk, "status": export.job.status, "is_ready": bool(export.file)}


def erasure_answer(erasure: Erasure) -> dict[str, Any]:
    """An erasure as the API shows it."""
    return {
        "id": erasure.pk,
        "reason": erasure.reason,
        "erased_at": erasure.created_at,
        "erased_by": erasure.actor_id,
        "rows": erasure.rows,
        "imported_rows": erasure.imported_rows,
        "history_entries": erasure.history_entries,
        "events": erasure.events,
    }


class People(Endpoint):
    """`/privacy/people`."""

    @operation(summary="What is held on a person", query=PersonBody, answer=HeldAnswer, tags=TAGS)
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        return held_answer(held_on(subject_of(query), actor=actor))


class Exports(Endpoint):
    """`/privacy/exports`."""

    @operation(
        summary="Put together everything that is held on a person",
        body=PersonBody,
        answer=ExportAnswer,
        status=202,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return export_answer(request_export(subject=subject_of(body), actor=actor))


class ExportItem(Endpoint):
    """`/privacy/exports/{export_id}`."""

    @operation(summary="How far an export has come", answer=ExportAnswer, tags=TAGS)
    def get(self, actor: Actor, export_id: UUID) -> dict[str, Any]:
        return export_answer(export_visible_to(actor, export_id))


class ExportedFile(Endpoint):
    """`/privacy/exports/{export_id}/file.zip`."""

    @operation(
        summary="Everything that is held on a person, as JSON in a zip file",
        answer=OpenApiTypes.BINARY,
        media_type="application/zip",
        tags=TAGS,
    )
    def get(self, actor: Actor, export_id: UUID) -> FileResponse:
        return export_download(export_id, actor)


def export_download(export_id: UUID, actor: Actor) -> FileResponse:
    """The file of an export, to be saved and not cached."""
    file = exported_file(export_id=export_id, actor=actor)
    response = FileResponse(file, as_attachment=True, filename="personal-data.zip")
    response["Cache-Control"] = "private, no-store"
    return response


class Erasures(Endpoint):
    """`/privacy/erasures`."""

    @operation(
        summary="Erase a person for good; a dry run answers with what would be taken",
        body=ErasureBody,
        answer=ErasureAnswer,
        status=201,
        other_answers={200: HeldAnswer},
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> tuple[int, Any]:
        subject = subject_of(body)
        if body["dry_run"]:
            held = what_would_be_erased(subject=subject, actor=actor)
            return 200, json_response(held_answer(held))
        return 201, erasure_answer(
            erase_person(subject=subject, reason=body["reason"], actor=actor)
        )


class Consents(Endpoint):
    """`/privacy/consents`."""

    @operation(
        summary="What a person agreed to and refused",
        query=ConsentQuery,
        answer=ConsentsAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        return {"data": list(map(consent_answer, consents_of(query["email"], actor=actor)))}

    @operation(
        summary="Note what a person agreed to or refused, such as the sale of their data",
        body=ConsentBody,
        answer=ConsentReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        consent = note_consent(**body, actor=actor)
        return {"id": consent.pk, "purpose": consent.purpose, "is_given": consent.is_given}
