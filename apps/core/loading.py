"""Whole rows as they stand: read, locked, written by statements that are worked out once.

Nobody waits for a write: it reaches the server with the next statement of its transaction, or with
`COMMIT`, and what it violates is raised there.

The ORM compiles every statement anew, which for a wide row costs more than it takes PostgreSQL to
carry it out. Here the columns of a model are worked out once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db import connection, models

from apps.core.database import send_along
from apps.core.encryption.columns import EncryptedColumn, key_column

# From here on COPY is faster than one INSERT.
WORTH_COPYING = 20

Reader = Callable[[models.Model], Any]
Row = TypeVar("Row", bound=models.Model)


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
    keys = _fresh_keys(model, rows)
    if len(rows) < WORTH_COPYING:
        for some in (keys, rows):
            if some:
                send_along(*_insertion(some))
        return
    with connection.cursor() as cursor:
        _copy(cursor, keys)
        _copy(cursor, rows)


def _insertion(rows: Sequence[models.Model]) -> tuple[str, list[Any]]:
    shape = _shape_of(type(rows[0]))
    places = ", ".join([shape.placeholders] * len(rows))
    return (
        f"INSERT INTO {shape.target} VALUES {places}",
        [value for row in rows for value in shape.values(row)],
    )


def _copy(cursor: Any, rows: Sequence[models.Model]) -> None:
    if not rows:
        return
    shape = _shape_of(type(rows[0]))
    with cursor.cursor.copy(f"COPY {shape.target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(shape.values(row))


def _fresh_keys(model: type[models.Model], rows: Sequence[Any]) -> list[models.Model]:
    """Give rows with encrypted columns that have none yet a data key each; returns these keys."""
    column = key_column(model)
    if column is None:
        return []
    keys = []
    for row in rows:
        if row.data_key_id is None:
            row.data_key = column.related_model.fresh()
            keys.append(row.data_key)
    return keys


def read_rows(model: type[Row], ids: Iterable[UUID], *, lock: bool = False) -> list[Row]:
    """The rows with these ids in key order, locked until the transaction ends where asked for.

    All of them, those in the bin included, and whoever asks: reach is up to the caller.
    """
    with connection.cursor() as cursor:
        cursor.execute(_selection(model) + (" FOR UPDATE OF t" if lock else ""), [list(ids)])
        found = cursor.fetchall()
    reading = _reading_of(model)
    return [reading.row(model, values) for values in found]


@dataclass(frozen=True)
class _Reading:
    """How rows of a model are read. Generated columns stay in the database.

    `key` is how the data key beside each row is read, where its rows have one.
    """

    columns: str
    names: tuple[str, ...]
    converters: tuple[tuple[int, Callable[..., Any]], ...]
    key: _Reading | None

    def row(self, model: type[Row], values: Sequence[Any]) -> Row:
        """A row of a model, with the key that opens its encrypted columns."""
        found = list(values[: len(self.names)])
        for place, convert in self.converters:
            found[place] = convert(found[place], None, connection)
        row = model.from_db(connection.alias, self.names, found)
        if self.key is not None:
            column = key_column(model)
            key = self.key.row(column.related_model, values[len(self.names) :])
            column.set_cached_value(row, key)
        return row


@cache
def _reading_of(model: type[models.Model], alias: str = "t") -> _Reading:
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    column = key_column(model)
    return _Reading(
        columns=", ".join(f'{alias}."{field.column}"' for field in fields),
        names=tuple(field.attname for field in fields),
        converters=tuple(
            (place, field.from_db_value)
            for place, field in enumerate(fields)
            if hasattr(field, "from_db_value")
        ),
        key=None if column is None else _reading_of(column.related_model, "k"),
    )


@cache
def _selection(model: type[models.Model]) -> str:
    reading, table = _reading_of(model), f'"{model._meta.db_table}" AS t'
    columns = reading.columns
    if reading.key is not None:
        columns = f"{columns}, {reading.key.columns}"
        keys = key_column(model).related_model._meta.db_table
        table = f'{table} JOIN "{keys}" AS k ON k.id = t.data_key_id'
    return f"SELECT {columns} FROM {table} WHERE t.id = ANY(%s::uuid[]) ORDER BY t.id"


def update_rows(rows: Sequence[models.Model], names: Iterable[str]) -> None:
    """Write some attributes of rows that exist, each row's own values, in one statement."""
    if not rows:
        return
    model = type(rows[0])
    fields = [_attributes(model)[name] for name in names]
    columns = [f'"{field.column}"' for field in fields]
    values = [
        [field.get_db_prep_save(_stored(field, row), connection) for row in rows]
        for field in (model._meta.pk, *fields)
    ]
    table = f'"{model._meta.db_table}"'
    if len(rows) == 1:
        setting = ", ".join(f"{one} = %s" for one in columns)
        (key,), *others = values
        send_along(
            f"UPDATE {table} SET {setting} WHERE id = %s",
            [*(value for (value,) in others), key],
        )
        return
    setting = ", ".join(f"{one} = v.{one}" for one in columns)
    arrays = ", ".join(f"%s::{one.db_type(connection)}[]" for one in (model._meta.pk, *fields))
    send_along(
        f"UPDATE {table} AS t SET {setting} "
        f"FROM unnest({arrays}) AS v(id, {', '.join(columns)}) WHERE t.id = v.id",
        values,
    )


def _stored(field: Any, row: models.Model) -> Any:
    if isinstance(field, EncryptedColumn):
        return field.pre_save(row, add=False)
    return getattr(row, field.attname)


@cache
def _attributes(model: type[models.Model]) -> dict[str, Any]:
    return {field.attname: field for field in model._meta.concrete_fields}


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
    if getattr(field, "auto_now", False) or isinstance(field, EncryptedColumn):
        return lambda row: field.pre_save(row, add=True)
    if isinstance(field, models.JSONField):
        return lambda row: _json(getattr(row, name))
    return lambda row: getattr(row, name)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()
