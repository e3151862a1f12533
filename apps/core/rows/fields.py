"""What a row shows: names, SQL, kinds and rights, declared once for every door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson
from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.encryption.columns import EncryptedColumn
from apps.core.rows.names import Names


class Kind(Enum):
    """What sort of value a field holds: how SQL casts it and how JSON shows it."""

    TEXT = "text"
    IDENTIFIER = "identifier"
    WHOLE_NUMBER = "whole number"
    MONEY = "money"
    DAY = "day"
    MOMENT = "moment"
    FLAG = "flag"
    JSON = "json"
    TEXTS = "texts"


# Casting in PostgreSQL saves making UUID, datetime and Decimal objects that would only be
# formatted again: the largest single cost of a list.
_CASTS: dict[Kind, str] = {
    Kind.TEXT: "{}",
    Kind.IDENTIFIER: "{}::text",
    Kind.WHOLE_NUMBER: "{}",
    Kind.MONEY: "{}::text",
    Kind.DAY: "{}::text",
    Kind.MOMENT: "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    Kind.FLAG: "{}",
    Kind.JSON: "{}::text",
    Kind.TEXTS: "to_json({})::text",
}

# Numbers and JSON arrive as text and go out as they are, exact to the cent.
WIRE: dict[Kind, Callable[[str], Any]] = {
    Kind.MONEY: lambda text: orjson.Fragment(text),
    Kind.JSON: lambda text: orjson.Fragment(text),
    Kind.TEXTS: orjson.loads,
}

_BY_MODEL_FIELD: tuple[tuple[type, Kind], ...] = (
    (models.UUIDField, Kind.IDENTIFIER),
    (models.ForeignKey, Kind.IDENTIFIER),
    (models.DateTimeField, Kind.MOMENT),
    (models.DateField, Kind.DAY),
    (models.DecimalField, Kind.MONEY),
    (models.BooleanField, Kind.FLAG),
    (models.IntegerField, Kind.WHOLE_NUMBER),
    (models.JSONField, Kind.JSON),
    (ArrayField, Kind.TEXTS),
    (models.CharField, Kind.TEXT),
    (models.TextField, Kind.TEXT),
)


def kind_of_model_field(field: Any) -> Kind:
    """The kind of value a model field holds."""
    for field_class, kind in _BY_MODEL_FIELD:
        if isinstance(field, field_class):
            return kind
    raise TypeError(f"{field} has no kind; give the Field one.")


@dataclass(frozen=True)
class Field:
    """One field of a row.

    Attributes:
        name: as every door shows it.
        source: the model field it comes from, when named differently.
        expression: SQL over `t` (the row) and the listing's joins, instead of a model field.
        kind: needed with an expression; else taken from the model field.
        right: the permission without which the field does not exist for an actor.
        card: shows a reference as `{"id", "name"}`, with names from a process cache.
        card_name: SQL of the name, where a cache would not hold them all.
        detail: shown only when a single row is asked for.
    """

    name: str
    source: str = ""
    expression: str = ""
    kind: Kind | None = None
    right: str = ""
    card: Names | None = None
    card_name: str = ""
    detail: bool = False

    def resolved_kind(self, model: type[models.Model]) -> Kind:
        """What sort of value it holds."""
        if self.kind is not None:
            return self.kind
        return kind_of_model_field(model._meta.get_field(self.source or self.name))

    def encrypted(self, model: type[models.Model]) -> EncryptedColumn | None:
        """The encrypted column that the field shows, if it is one."""
        if self.expression:
            return None
        column = model._meta.get_field(self.source or self.name)
        return column if isinstance(column, EncryptedColumn) else None

    def sql(self, model: type[models.Model]) -> str:
        """The field's value without a cast."""
        if self.expression:
            return self.expression
        column = model._meta.get_field(self.source or self.name).column  # type: ignore[union-attr]
        return f't."{column}"'

    def select(self, model: type[models.Model]) -> str:
        """The field's value as the read path selects it."""
        if self.encrypted(model):
            return self.sql(model)
        return _CASTS[self.resolved_kind(model)].format(self.sql(model))
