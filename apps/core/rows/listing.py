"""A listing: one kind of row, for every door that shows it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, models

from apps.core.accesses import Reading, is_personal, note_access
from apps.core.actors import Actor
from apps.core.database import prepared_cursor
from apps.core.encryption.columns import EncryptedColumn, key_column
from apps.core.encryption.ring import ring
from apps.core.errors import InvalidInput, NotFound
from apps.core.permissions import require
from apps.core.rows.fields import WIRE, Field, Kind
from apps.core.rows.filters import Filter
from apps.core.rows.scope import Condition, OwnedScope, Scope
from apps.core.rows.totals import Total, total_of

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200
STREAM_BATCH = 1000


@dataclass(frozen=True)
class Ordering:
    """A way to sort rows. `expression` must never be NULL; by default the model field."""

    name: str
    expression: str
    kind: Kind


@dataclass(frozen=True)
class Query:
    """What was asked of a listing: filters as text, order and place."""

    filters: Mapping[str, str] = field(default_factory=dict)
    ordering: str = ""
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str = ""


@dataclass(frozen=True)
class Page:
    """Rows in order, with what is needed to go on."""

    rows: list[dict[str, Any]]
    has_more: bool
    next_cursor: str | None
    total: Total | None


_CURSOR_TYPES: dict[Kind, tuple[str, Callable[[str], Any]]] = {
    Kind.MOMENT: ("timestamptz", datetime.fromisoformat),
    Kind.DAY: ("date", date.fromisoformat),
    Kind.MONEY: ("numeric", Decimal),
    Kind.WHOLE_NUMBER: ("bigint", int),
    Kind.TEXT: ("text", str),
}

# Infinite days stand for "none": they sort last and can't be parsed by Python.
_INFINITY = "infinity"


@dataclass(frozen=True)
class Place:
    """What decides who sees a row. `is_listed` is False for rows in the bin and the like."""

    is_listed: bool
    owner_id: UUID | None
    territory_id: UUID | None


_listings: dict[str, Listing] = {}


def listings() -> Mapping[str, Listing]:
    """Every listing by its name."""
    return _listings


@dataclass(frozen=True, eq=False)
class Listing:
    """One kind of row: its fields, filters, orders, scope and the permission to read it.

    Attributes:
        name: the rows' noun in the plural; also the name of their API schema.
        joins: SQL joined to the rows of a page, for fields with an expression.
        condition: SQL that every row must meet, such as not lying in the bin.
    """

    name: str
    model: type[models.Model]
    read: str
    fields: tuple[Field, ...]
    filters: tuple[Filter, ...] = ()
    orderings: tuple[Ordering, ...] = ()
    default_ordering: str = "-created_at"
    scope: Scope = OwnedScope()
    joins: str = ""
    condition: str = "TRUE"

    def __post_init__(self) -> None:
        _listings[self.name] = self

    @property
    def table(self) -> str:
        """The rows' table."""
        return self.model._meta.db_table

    @cached_property
    def detail_names(self) -> frozenset[str]:
        """The fields that are shown only when a single row is asked for."""
        return frozenset(one.name for one in self.fields if one.detail)

    def page(
        self,
        actor: Actor,
        query: Query,
        *,
        count: bool = True,
        reading: Reading = Reading.LISTED,
    ) -> Page:
        """The rows within reach that match, one page of them. Raises NotAllowed, InvalidInput."""
        require(actor, self.read)
        ordering, descending = self._ordering(query.ordering or self.default_ordering, actor)
        narrowed = self._narrowed(query.filters, actor)
        columns = self._columns(actor.permissions, actor.is_system, False)
        place = self._after(query.cursor, ordering, descending)
        # One descent per person and territory, unless a word search has found the rows already.
        branches = None if "search" in query.filters else self.scope.branches(actor)
        keys, parameters = self._keys(
            actor, narrowed, place, ordering, descending, branches, query.limit + 1, query.offset
        )
        direction = "DESC" if descending else "ASC"
        # Of a reach given as arrays the best plan depends on what is in them.
        is_alike = branches is not None or actor.reach.everything
        with prepared_cursor() if is_alike else connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {columns.select}, k.sort::text FROM ({keys}) AS k "
                f'JOIN "{self.table}" AS t ON t.id = k.id {self.joins} {columns.joins} '
                f"ORDER BY k.sort {direction}, k.id {direction}",
                parameters,
            )
            found = cursor.fetchall()
        has_more = len(found) > query.limit
        found = found[: query.limit]
        rows = columns.assemble(found)
        self._note(actor, rows, reading)
        next_cursor = (
            _encode_cursor(query.ordering or self.default_ordering, found[-1][-1], rows[-1]["id"])
            if has_more
            else None
        )
        total = self.total(actor, query.filters) if count else None
        return Page(rows, has_more, next_cursor, total)

    def one(self, actor: Actor, row_id: UUID) -> dict[str, Any]:
        """A single row within reach, with all its fields. Raises NotAllowed, NotFound."""
        require(actor, self.read)
        found = self._found(actor, "= %s::uuid", str(row_id), detail=True, reading=Reading.SHOWN)
        if not found:
            raise NotFound
        return found[0]

    def with_ids(
        self,
        actor: Actor,
        ids: Sequence[UUID | str],
        *,
        detail: bool = False,
        reading: Reading = Reading.LISTED,
    ) -> list[dict[str, Any]]:
        """Those of some rows that are within reach, in no particular order. Raises NotAllowed."""
        require(actor, self.read)
        some = list(map(str, ids))
        return self._found(actor, "= ANY(%s::uuid[])", some, detail=detail, reading=reading)

    def _found(
        self, actor: Actor, is_one: str, of: str | list[str], *, detail: bool, reading: Reading
    ) -> list[dict[str, Any]]:
        """The rows within reach whose id meets a comparison."""
        columns = self._columns(actor.permissions, actor.is_system, detail)
        reach = self.scope.condition_by_key(actor)
        with prepared_cursor() as cursor:
            cursor.execute(
                f'SELECT {columns.select}, NULL FROM "{self.table}" AS t {self.joins} '
                f"{columns.joins} WHERE t.id {is_one} AND {self.condition} AND {reach.sql}",
                [of, *reach.parameters],
            )
            rows = columns.assemble(cursor.fetchall())
        self._note(actor, rows, reading)
        return rows

    def place_of(self, row_id: UUID) -> Place | None:
        """Where a row lies, whoever may see it; None where there is no such row."""
        owner, territory = self.scope.place() or ("NULL::uuid", "NULL::uuid")
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT {self.condition}, {owner}, {territory} FROM "{self.table}" AS t '
                "WHERE t.id = %s",
                [row_id],
            )
            found = cursor.fetchone()
        return Place(*found) if found else None

    def ids(self, actor: Actor, filters: Mapping[str, str], *, limit: int) -> list[UUID]:
        """The ids of all rows within reach that match, in key order, at most `limit`."""
        require(actor, self.read)
        narrowed = self._narrowed(filters, actor)
        reach = self.scope.condition(actor)
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT t.id FROM "{self.table}" AS t '
                f"WHERE {reach.sql} AND {narrowed.sql} ORDER BY t.id LIMIT %s",
                [*reach.parameters, *narrowed.parameters, limit],
            )
            return [row[0] for row in cursor.fetchall()]

    def stream(self, actor: Actor, query: Query) -> Iterator[dict[str, Any]]:
        """Every row within reach that matches, page by page, with memory for one page."""
        cursor = ""
        while True:
            page = self.page(
                actor,
                Query(query.filters, query.ordering, STREAM_BATCH, 0, cursor),
                count=False,
                reading=Reading.EXPORTED,
            )
            yield from page.rows
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def total(self, actor: Actor, filters: Mapping[str, str]) -> Total:
        """How many rows within reach match."""
        narrowed = self._narrowed(filters, actor)
        reach = self.scope.condition(actor)
        digest = blake2b(repr(sorted(filters.items())).encode(), digest_size=12).hexdigest()
        return total_of(
            f"{self.name}:{actor.reach.fingerprint}:{digest}",
            f'SELECT 1 FROM "{self.table}" AS t WHERE {reach.sql} AND {narrowed.sql}',
            [*reach.parameters, *narrowed.parameters],
        )

    def visible_fields(self, actor: Actor, *, detail: bool = False) -> tuple[Field, ...]:
        """The fields that exist for an actor."""
        return tuple(
            one
            for one in self.fields
            if (not one.right or actor.may(one.right)) and (detail or not one.detail)
        )

    def _note(self, actor: Actor, rows: Sequence[Mapping[str, Any]], reading: Reading) -> None:
        """Whoever is shown rows about people stands in the access log. The one place for it."""
        if is_personal(self.model):
            note_access(actor, self.model, [row["id"] for row in rows], reading)

    def _narrowed(self, filters: Mapping[str, str], actor: Actor) -> Condition:
        """The listing's own condition and all filters. Raises InvalidInput for unknown ones."""
        if not filters:
            return Condition(self.condition)
        known = {one.name: one for one in self.filters if not one.right or actor.may(one.right)}
        if unknown := sorted(set(filters) - set(known)):
            allowed = ", ".join(sorted(known))
            raise InvalidInput(
                f"There is no parameter {', '.join(unknown)}. Filters: {allowed}.",
                reason="unknown_parameter",
                fields={name: ["This parameter does not exist."] for name in unknown},
            )
        parts, parameters = [self.condition], []
        for name, text in filters.items():
            sql, values = known[name].condition(text)
            parts.append(sql)
            parameters += values
        return Condition(" AND ".join(parts), tuple(parameters))

    def _ordering(self, text: str, actor: Actor) -> tuple[Ordering, bool]:
        descending = text.startswith("-")
        name = text.removeprefix("-")
        hidden = {one.name for one in self.fields if one.right and not actor.may(one.right)}
        for ordering in self.orderings:
            if ordering.name == name and name not in hidden:
                return ordering, descending
        allowed = ", ".join(one.name for one in self.orderings if one.name not in hidden)
        raise InvalidInput.field("ordering", f"Order by one of {allowed}, with - for descending.")

    def _after(self, cursor: str, ordering: Ordering, descending: bool) -> Condition | None:
        """The rows behind a cursor. Raises InvalidInput for one that is not ours."""
        if not cursor:
            return None
        cast, parse = _CURSOR_TYPES[ordering.kind]
        text, value, row_id = _decode_cursor(cursor)
        if text != ("-" if descending else "") + ordering.name:
            raise InvalidInput.field("cursor", "The cursor belongs to another ordering.")
        try:
            if value != _INFINITY:
                parse(value)
        except (ValueError, ArithmeticError):
            raise InvalidInput.field("cursor", "This is not a cursor of this list.") from None
        sign = "<" if descending else ">"
        return Condition(
            f"({ordering.expression}, t.id) {sign} (%s::{cast}, %s::uuid)", (value, row_id)
        )

    def _keys(
        self,
        actor: Actor,
        narrowed: Condition,
        place: Condition | None,
        ordering: Ordering,
        descending: bool,
        branches: list[Condition] | None,
        limit: int,
        offset: int,
    ) -> tuple[str, list[Any]]:
        """The ids of the page's rows: columns are joined to these few only."""
        direction = "DESC" if descending else "ASC"
        conditions = [narrowed] if place is None else [narrowed, place]
        wanted = " AND ".join(one.sql for one in conditions)
        values = [value for one in conditions for value in one.parameters]
        select = f'SELECT t.id, {ordering.expression} AS sort FROM "{self.table}" AS t WHERE'
        order = f"ORDER BY {ordering.expression} {direction}, t.id {direction}"
        if branches is None:
            reach = self.scope.condition(actor)
            return (
                f"{select} {reach.sql} AND {wanted} {order} LIMIT {limit} OFFSET {offset}",
                [*reach.parameters, *values],
            )
        if not branches:
            return f"{select} FALSE", []
        parts = [
            f"({select} {one.sql} AND {wanted} {order} LIMIT {limit + offset})" for one in branches
        ]
        parameters = [value for one in branches for value in (*one.parameters, *values)]
        if len(parts) == 1:
            return f"{parts[0]} OFFSET {offset}", parameters
        return (
            f"SELECT id, sort FROM ({' UNION '.join(parts)}) AS m "
            f"ORDER BY sort {direction}, id {direction} LIMIT {limit} OFFSET {offset}",
            parameters,
        )

    @lru_cache(maxsize=64)  # noqa: B019  a listing lives as long as the process
    def _columns(self, permissions: frozenset[str], everything: bool, detail: bool) -> Columns:
        visible = [
            one
            for one in self.fields
            if (not one.right or everything or one.right in permissions)
            and (detail or not one.detail)
        ]
        return Columns.of(visible, self.model)


@dataclass(frozen=True)
class Columns:
    """The compiled fields of a listing for one set of rights.

    Where some are encrypted, the wrapped data key of each row is read beside them.
    """

    select: str
    joins: str
    names: tuple[str, ...]
    encrypted: tuple[tuple[str, EncryptedColumn], ...]
    converters: tuple[tuple[str, Any], ...]
    cards: tuple[tuple[str, Any], ...]
    named: tuple[str, ...]

    @classmethod
    def of(cls, fields: list[Field], model: type[models.Model]) -> Columns:
        """Compile fields for a model."""
        selects, names = [], []
        for one in fields:
            selects.append(one.select(model))
            names.append(one.name)
        encrypted = tuple(
            (one.name, column) for one in fields if (column := one.encrypted(model)) is not None
        )
        joins = ""
        if encrypted:
            selects.append("data_key.wrapped")
            names.append(_WRAPPED)
            keys = key_column(model).related_model._meta.db_table
            joins = f'JOIN "{keys}" AS data_key ON data_key.id = t.data_key_id'
        named = [one for one in fields if one.card_name]
        selects += [one.card_name for one in named]
        names += [f"{one.name}__name" for one in named]
        return cls(
            select=", ".join(selects),
            joins=joins,
            names=tuple(names),
            encrypted=encrypted,
            converters=tuple(
                (one.name, WIRE[one.resolved_kind(model)])
                for one in fields
                if one.resolved_kind(model) in WIRE
            ),
            cards=tuple((one.name, one.card) for one in fields if one.card),
            named=tuple(one.name for one in named),
        )

    def assemble(self, found: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """Rows of values as dictionaries, references as cards."""
        names = self.names
        rows = [dict(zip(names, values, strict=False)) for values in found]
        if self.encrypted:
            self._decrypt(rows)
        for name, convert in self.converters:
            for row in rows:
                if (value := row[name]) is not None:
                    row[name] = convert(value)
        for name, card in self.cards:
            cards = card.cards({row[name] for row in rows if row[name] is not None})
            for row in rows:
                row[name] = cards.get(row[name])
        for name in self.named:
            _join_name(rows, name)
        return rows

    def _decrypt(self, rows: list[dict[str, Any]]) -> None:
        """Encrypted fields in clear text, as long as their key is there."""
        our_keys = ring()
        for row in rows:
            wrapped, row_id = row.pop(_WRAPPED), row["id"]
            cipher = None if wrapped is None else our_keys.cipher(wrapped)
            for name, column in self.encrypted:
                row[name] = column.shown(row[name], cipher, row_id)


def _join_name(rows: list[dict[str, Any]], name: str) -> None:
    """Make a card of an id and the name selected beside it."""
    for row in rows:
        label = row.pop(f"{name}__name")
        if row[name] is not None:
            row[name] = {"id": row[name], "name": label}


_WRAPPED = "data_key__wrapped"


def _encode_cursor(ordering: str, value: str, row_id: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([ordering, value, row_id])).decode().rstrip("=")


def _decode_cursor(cursor: str) -> tuple[str, str, UUID]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        ordering, value, row_id = orjson.loads(base64.urlsafe_b64decode(padded.encode()))
        return str(ordering), str(value), UUID(row_id)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise InvalidInput.field("cursor", "This is not a cursor of this list.") from None
