"""Writing new rows as they stand: one INSERT for a few, COPY for many.

The ORM compiles an INSERT anew for every call, which for a wide row costs more than it takes
PostgreSQL to write it. Here the columns of a model are worked out once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.db import connection, models

# From here on COPY is faster than one INSERT.
WORTH_COPYING = 20

Reader = Callable[[models.Model], Any]


@dataclass(frozen=True)
class _Shape:
    """How rows of a model are written."""

    target: str
    readers: tuple[Reader, ...]

    @property
    def placeholders(self) -> str:
        return f"({', '.join(['%s'] * len(self.readers))})"

    def values(self, row: models.Model) -> list[Any]:
        return [read(row) for read in self.readers]


def insert_rows(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model. Defaults of the database apply only to serial keys.

    Nothing is read back, and nothing is validated but by the database's own constraints.
    """
    if not rows:
        return
    shape = _shape_of(model)
    with connection.cursor() as cursor:
        if len(rows) >= WORTH_COPYING:
            with cursor.cursor.copy(f"COPY {shape.target} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(shape.values(row))
        else:
            places = ", ".join([shape.placeholders] * len(rows))
            values = [value for row in rows for value in shape.values(row)]
            cursor.execute(f"INSERT INTO {shape.target} VALUES {places}", values)


@cache
def _shape_of(model: type[models.Model]) -> _Shape:
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if not field.generated and not isinstance(field, models.AutoField)
    ]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    return _Shape(
        target=f'"{model._meta.db_table}" ({columns})',
        readers=tuple(_reader(field) for field in fields),
    )


def _reader(field: Any) -> Reader:
    """How a field's value leaves its row."""
    name = field.attname
    if getattr(field, "auto_now", False):
        return lambda row: field.pre_save(row, add=True)
    if isinstance(field, models.JSONField):
        return lambda row: _json(getattr(row, name))
    return lambda row: getattr(row, name)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()
