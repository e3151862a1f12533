"""Values as the read path hands them over: text and numbers that are ready to be sent."""

from __future__ import annotations

from typing import Any

import graphene
from django.db.models import TextChoices
from graphql import GraphQLError, GraphQLFloat, Node, StringValueNode, ValueNode
from graphql.utilities import value_from_ast_untyped

from apps.core.rows.fields import Kind


def as_it_is(value: Any) -> Any:
    """A value that is already in the form in which it is sent."""
    return value


class _Text(graphene.Scalar):
    """Text with a meaning, read by the body that takes it."""

    class Meta:
        abstract = True

    serialize = staticmethod(as_it_is)

    @staticmethod
    def parse_value(value: Any) -> str:
        if not isinstance(value, str):
            raise GraphQLError("Give it as text.")
        return value

    @staticmethod
    def parse_literal(node: ValueNode, variables: Any = None) -> str:
        if not isinstance(node, StringValueNode):
            raise GraphQLError("Give it as text.", node)
        return node.value


class DateTime(_Text):
    """A moment as ISO 8601 writes it: 2026-02-11T08:00:00Z."""


class Date(_Text):
    """A day as ISO 8601 writes it: 2026-02-11."""


# Amounts come from the read path as JSON that is ready to be sent, exact to the cent.
GraphQLFloat.serialize = as_it_is  # type: ignore[method-assign]


class JSON(graphene.Scalar):
    """Any JSON value, for what the platform keeps but does not interpret."""

    serialize = staticmethod(as_it_is)
    parse_value = staticmethod(as_it_is)

    @staticmethod
    def parse_literal(node: Node, variables: Any = None) -> Any:
        return value_from_ast_untyped(node, variables)  # type: ignore[arg-type]


def enumeration(choices: type[TextChoices], name: str, sentence: str) -> type[graphene.Enum]:
    """The enumeration of a field's choices, described by a sentence."""
    made: type[graphene.Enum] = graphene.Enum.from_enum(
        choices, name=name, description=lambda value: None if value else sentence
    )
    return made


BY_KIND: dict[Kind, Any] = {
    Kind.TEXT: graphene.String,
    Kind.IDENTIFIER: graphene.ID,
    Kind.WHOLE_NUMBER: graphene.Int,
    Kind.MONEY: graphene.Float,
    Kind.DAY: Date,
    Kind.MOMENT: DateTime,
    Kind.FLAG: graphene.Boolean,
    Kind.JSON: JSON,
    Kind.TEXTS: graphene.List(graphene.NonNull(graphene.String)),
}
