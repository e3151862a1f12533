"""What is held on people: declared by the apps that hold it, found and emptied wherever it is.

Each kind of row that is about a person is declared in its app's `personal_data.py`:

    holds(Holding("leads", Lead, emptied={"first_name": "", "last_name": ""}))

A person is known by the blind index of an e-mail address and by data keys: what shares one of them
is about the same person, and so is what a row's `family` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core.encryption.columns import encrypted_columns
from apps.core.loading import read_rows, update_rows

Family = Callable[[Collection[UUID]], Iterable[UUID]]
Settle = Callable[[Any], None]
Idle = Callable[[datetime], Q]


def _alone(ids: Collection[UUID]) -> Iterable[UUID]:
    return ()


def _stays(row: Any) -> None:
    """The row stands as well without a person."""


@dataclass(frozen=True)
class Holding:
    """One kind of row about people.

    Attributes:
        kind: as in the change history and of the listing.
        model: with a data key, and a column `email_key` where rows are found by an address.
        emptied: columns in clear that tell of a person, each with what erasing leaves in it.
        family: the ids of rows about the same person as some rows, besides those.
        settle: what else has to change on a row that has no person any more; names of its columns
            stand in `settled`.
        leave_out: columns that say nothing about the person.
        idle: which of its rows nobody has worked with since a moment; without it, they stay until
            somebody erases the person.
    """

    kind: str
    model: type[models.Model]
    emptied: Mapping[str, Any]
    family: Family = _alone
    settle: Settle = _stays
    settled: tuple[str, ...] = ()
    leave_out: frozenset[str] = field(
        default=frozenset({"data_key", "search_vector", "deleted_by_id"})
    )
    idle: Idle | None = None

    @property
    def has_address(self) -> bool:
        """Whether its rows tell an address themselves, besides opening with a person's key."""
        return any(one.name == "email_key" for one in self.model._meta.concrete_fields)

    def ids(self, *, email_keys: Collection[str], data_keys: Collection[UUID]) -> set[UUID]:
        """The rows about whoever is known by one of these, those in the bin included."""
        known = Q(data_key__in=data_keys)
        if self.has_address:
            known |= Q(email_key__in=email_keys)
        found = set(self.model._base_manager.filter(known).values_list("pk", flat=True))
        return found | set(self.family(found))

    def in_use(self, before: datetime) -> QuerySet[Any]:
        """The rows that somebody has worked with since a moment, those in the bin included."""
        rows = self.model._base_manager.all()
        return rows if self.idle is None else rows.exclude(self.idle(before))

    def told(self, row: Any) -> dict[str, Any]:
        """Everything a row says, in clear."""
        return {
            one.name: getattr(row, one.attname)
            for one in self.model._meta.concrete_fields
            if one.name not in self.leave_out and not one.name.endswith("_key")
        }

    def empty(self, rows: Sequence[Any]) -> None:
        """Take the person out of locked rows. In the transaction of whoever decided it."""
        values = {**self.emptied, **({"email_key": ""} if self.has_address else {})}
        values |= {one.attname: one.decoded(b"") for one in encrypted_columns(self.model)}
        for row in rows:
            for name, value in values.items():
                setattr(row, name, value)
            row.updated_at = timezone.now()
            self.settle(row)
        update_rows(rows, (*values, *self.settled, "updated_at"))


_holdings: dict[str, Holding] = {}


def holds(holding: Holding) -> Holding:
    """Declare a kind of row about people. They are locked in the order of the declarations."""
    _holdings[holding.kind] = holding
    return holding


def holdings() -> Mapping[str, Holding]:
    """Every kind of row about people."""
    return _holdings


@dataclass(frozen=True)
class Person:
    """Whoever some rows are about.

    Attributes:
        email_keys: blind indexes of the addresses they were asked for by.
        rows: by kind, in key order.
    """

    email_keys: frozenset[str]
    rows: Mapping[str, Sequence[Any]]

    @property
    def ids(self) -> dict[str, list[UUID]]:
        """The rows' ids by kind."""
        return {kind: [row.pk for row in rows] for kind, rows in self.rows.items()}

    @property
    def data_keys(self) -> set[UUID]:
        """What their rows open with."""
        return {row.data_key_id for rows in self.rows.values() for row in rows}


def person_of(
    *, email_key: str = "", kind: str = "", row_id: UUID | None = None, lock: bool = False
) -> Person:
    """Everybody's rows who has this address, or whom this row is about.

    Args:
        email_key: the blind index of the address; or
        kind, row_id: of a row.
        lock: until the transaction ends, kind by kind in key order.
    """
    emails = {email_key} - {""}
    keys: set[UUID] = set()
    if row_id is not None:
        of_row = _holdings[kind].model._base_manager.filter(pk=row_id)
        keys |= set(of_row.values_list("data_key_id", flat=True))
        if _holdings[kind].has_address:
            emails |= set(of_row.values_list("email_key", flat=True)) - {""}
    found = _ids_of(emails, keys)
    while more := _keys_of(found) - keys:
        keys |= more
        found = _ids_of(emails, keys)
    return Person(
        frozenset(emails),
        {
            kind: read_rows(_holdings[kind].model, ids, lock=lock)
            for kind, ids in found.items()
            if ids
        },
    )


def _ids_of(email_keys: Collection[str], data_keys: Collection[UUID]) -> dict[str, set[UUID]]:
    return {
        kind: one.ids(email_keys=email_keys, data_keys=data_keys) for kind, one in _holdings.items()
    }


def _keys_of(found: Mapping[str, Collection[UUID]]) -> set[UUID]:
    keys: set[UUID] = set()
    for kind, ids in found.items():
        rows = _holdings[kind].model._base_manager.filter(pk__in=ids)
        keys |= set(rows.values_list("data_key_id", flat=True))
    return keys
