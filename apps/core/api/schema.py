"""The reference's view of listings and errors, for the OpenAPI generator."""

from __future__ import annotations

from functools import cache
from typing import Any

from rest_framework import serializers

from apps.core.rows.fields import Field, Kind
from apps.core.rows.listing import Listing


class ErrorDetail(serializers.Serializer):
    """What was refused, and why."""

    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField()
    request_id = serializers.CharField()
    timestamp = serializers.DateTimeField()


class ErrorEnvelope(serializers.Serializer):
    """Every error."""

    error = ErrorDetail()


class Card(serializers.Serializer):
    """A reference: the id and name of what a row refers to."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class Pagination(serializers.Serializer):
    """Where a page stands in its list."""

    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    has_more = serializers.BooleanField()
    next_cursor = serializers.CharField(allow_null=True)
    total_is_estimate = serializers.BooleanField(required=False)


_BY_KIND: dict[Kind, Any] = {
    Kind.TEXT: serializers.CharField,
    Kind.IDENTIFIER: serializers.UUIDField,
    Kind.WHOLE_NUMBER: serializers.IntegerField,
    Kind.MONEY: lambda **options: serializers.DecimalField(
        max_digits=15, decimal_places=2, coerce_to_string=False, **options
    ),
    Kind.DAY: serializers.DateField,
    Kind.MOMENT: serializers.DateTimeField,
    Kind.FLAG: serializers.BooleanField,
    Kind.JSON: serializers.JSONField,
    Kind.TEXTS: lambda **options: serializers.ListField(child=serializers.CharField(), **options),
}


def _documented(field: Field, listing: Listing) -> serializers.Field:
    options: dict[str, Any] = {"allow_null": True, "required": not field.right}
    if field.card or field.card_name:
        return Card(**options)
    made: serializers.Field = _BY_KIND[field.resolved_kind(listing.model)](**options)
    return made


@cache
def row_serializer(listing: Listing, *, detail: bool = False) -> type[serializers.Serializer]:
    """The schema of a listing's rows, made from the same fields as the rows themselves."""
    name = "".join(part.capitalize() for part in listing.name.split("_"))
    attributes = {
        field.name: _documented(field, listing)
        for field in listing.fields
        if detail or not field.detail
    }
    return type(f"{name}{'Detail' if detail else 'Row'}", (serializers.Serializer,), attributes)


@cache
def page_serializer(listing: Listing) -> type[serializers.Serializer]:
    """The schema of a page of a listing."""
    name = "".join(part.capitalize() for part in listing.name.split("_"))
    return type(
        f"{name}Page",
        (serializers.Serializer,),
        {"data": row_serializer(listing)(many=True), "pagination": Pagination()},
    )


def refuse_additions(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of every body that it takes no other fields: unknown ones are refused."""
    for name, component in result["components"]["schemas"].items():
        if name.endswith("Request") and "properties" in component:
            component["additionalProperties"] = False
    return result
