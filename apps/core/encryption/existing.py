"""What migrations do with encrypted columns: encrypt what stands in clear, every row under a fresh
key of its own, and fill columns with what follows from encrypted ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.core.encryption.columns import EncryptedColumn
from apps.core.encryption.ring import Cipher, blind_index, fresh_key, ring
from apps.core.identifiers import new_id

BATCH = 1000


def encrypt_rows(
    model: Any, editor: Any, *, columns: Mapping[str, str], keys: Mapping[str, str]
) -> None:
    """Give every row a data key and encrypt its columns; the change history hears nothing of it.

    Args:
        model: as the migration knows it, with a nullable `data_key`.
        editor: of the schema.
        columns: the encrypted columns, each with the one that holds its clear text.
        keys: columns of normalised text that become blind indexes, each with the kind of value.
    """
    table = model._meta.db_table
    fields = {model._meta.get_field(name): clear for name, clear in columns.items()}
    with editor.connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER history_of_update')
        while rows := _next_rows(cursor, table, [*columns.values(), *keys]):
            _write(cursor, table, [_encrypted(row, fields, keys) for row in rows], fields, keys)
        # Nothing may be left to check when the table is altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER history_of_update')


def _next_rows(cursor: Any, table: str, names: Sequence[str]) -> list[dict[str, Any]]:
    cursor.execute(
        f'SELECT id, {", ".join(names)} FROM "{table}" WHERE data_key_id IS NULL LIMIT {BATCH}'
    )
    return [dict(zip(("id", *names), values, strict=True)) for values in cursor.fetchall()]


def _encrypted(
    row: Mapping[str, Any], fields: Mapping[EncryptedColumn, str], keys: Mapping[str, str]
) -> list[Any]:
    """Id and wrapped key of the row's data key, the row's id, ciphertexts and blind indexes."""
    key = fresh_key()
    return [
        new_id(),
        ring().wrap(key),
        row["id"],
        *(one.encrypted(row[clear], Cipher(key), row["id"]) for one, clear in fields.items()),
        *(blind_index(kind, row[name]) for name, kind in keys.items()),
    ]


def _write(
    cursor: Any,
    table: str,
    rows: Sequence[Sequence[Any]],
    fields: Mapping[Any, str],
    keys: Mapping[str, str],
) -> None:
    ids, wrapped, *_ = columns = [list(values) for values in zip(*rows, strict=True)]
    cursor.execute(
        "INSERT INTO core_datakey (id, created_at, wrapped)"
        " SELECT id, now(), wrapped FROM unnest(%s::uuid[], %s::bytea[]) AS v(id, wrapped)",
        [ids, wrapped],
    )
    names = [*(one.column for one in fields), *keys]
    arrays = ", ".join([*("%s::bytea[]" for _ in fields), *("%s::text[]" for _ in keys)])
    cursor.execute(
        f'UPDATE "{table}" AS t SET data_key_id = v.data_key_id,'
        f" {', '.join(f'{name} = v.{name}' for name in names)}"
        f" FROM unnest(%s::uuid[], %s::uuid[], {arrays})"
        f" AS v(data_key_id, id, {', '.join(names)}) WHERE t.id = v.id",
        [ids, *columns[2:]],
    )


def fill_from_encrypted(
    model: Any,
    editor: Any,
    *,
    source: str,
    target: str,
    made: Callable[[Any], str],
    where: str = "TRUE",
) -> None:
    """Fill a column of text with what follows from an encrypted one; the change history hears
    nothing of it. Rows of people who were erased, and those of which nothing follows, stay.

    Args:
        model: as the migration knows it.
        editor: of the schema.
        source: the encrypted column.
        target: the column to fill.
        made: what the target holds for a value of the source.
        where: a condition on rows, which are `t`.
    """
    table, field = model._meta.db_table, model._meta.get_field(source)
    with editor.connection.cursor() as cursor:
        # Nothing may be left to check when the table is altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER history_of_update')
        for rows in _batches(cursor, table, field.column, where):
            found = {
                row_id: made(field.decrypted(bytes(kept), ring().cipher(bytes(key)), row_id))
                for row_id, kept, key in rows
            }
            cursor.execute(
                f'UPDATE "{table}" AS t SET {target} = v.made'
                " FROM unnest(%s::uuid[], %s::text[]) AS v(id, made)"
                " WHERE t.id = v.id AND v.made <> ''",
                [list(found), list(found.values())],
            )
        cursor.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER history_of_update')


def _batches(cursor: Any, table: str, column: str, where: str) -> Iterator[list[tuple[Any, ...]]]:
    """Rows whose column holds anything that still opens, by their ids."""
    last = UUID(int=0)
    while True:
        cursor.execute(
            f'SELECT t.id, t.{column}, k.wrapped FROM "{table}" t'
            " JOIN core_datakey k ON k.id = t.data_key_id AND k.wrapped IS NOT NULL"
            f" WHERE t.id > %s AND t.{column} <> ''::bytea AND {where}"
            f" ORDER BY t.id LIMIT {BATCH}",
            [last],
        )
        if not (rows := cursor.fetchall()):
            return
        last = rows[-1][0]
        yield rows
