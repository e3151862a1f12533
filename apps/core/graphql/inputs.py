"""Input types made from the request bodies of REST: one declaration of what a command takes.

GraphQL checks shapes and types; the body then checks everything else, so that what is refused here
is refused there, in the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import graphene
from rest_framework import serializers

from apps.core.api.bodies import Body, Identifier, JSONObject, read
from apps.core.graphql.scalars import JSON, Date, DateTime

_BY_FIELD: tuple[tuple[type[serializers.Field], Any], ...] = (
    (Identifier, graphene.ID),
    (JSONObject, JSON),
    (serializers.IntegerField, graphene.Int),
    (serializers.DecimalField, graphene.Float),
    (serializers.BooleanField, graphene.Boolean),
    (serializers.DateTimeField, DateTime),
    (serializers.DateField, Date),
    (serializers.CharField, graphene.String),
    (serializers.ChoiceField, graphene.String),
)


def input_of(
    body: type[Body], name: str, *, enums: Mapping[str, Any] | None = None, **more: Any
) -> type[graphene.InputObjectType]:
    """The input type that says what a body says.

    Args:
        body: of the same command over REST.
        name: in the schema.
        enums: the enumerations of fields that are choices.
        more: fields that only GraphQL has.
    """
    enums = enums or {}
    fields = {
        field_name: _shaped(graphene.InputField, field, enums.get(field_name))
        for field_name, field in body().fields.items()
    }
    return type(name, (graphene.InputObjectType,), {"__doc__": body.__doc__, **fields, **more})


def arguments_of(body: type[Body], *, without: tuple[str, ...]) -> dict[str, graphene.Argument]:
    """What a body says, as arguments of a mutation that has no input object."""
    return {
        name: _shaped(graphene.Argument, field, None)
        for name, field in body().fields.items()
        if name not in without
    }


def _shaped(make: Callable[..., Any], field: serializers.Field, enum: Any) -> Any:
    kind = enum or _kind(field)
    return make(
        graphene.NonNull(kind) if field.required else kind,
        description=str(field.help_text) if field.help_text else None,
    )


def _kind(field: serializers.Field) -> Any:
    if isinstance(field, serializers.ListField):
        return graphene.List(graphene.NonNull(_kind(field.child)))
    if isinstance(field, Body):
        return input_of(type(field), f"{type(field).__name__}Input")
    return next(kind for known, kind in _BY_FIELD if isinstance(field, known))


def given(body: type[Body], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a command takes, checked as REST checks it. Raises InvalidInput."""
    return read(body, {name: _plain(value) for name, value in values.items()})


def _plain(value: Any) -> Any:
    """An enumeration's member as the text that REST takes."""
    return value.value if hasattr(value, "value") else value
