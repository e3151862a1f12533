"""Rows as GraphQL shows them: read together, and what they refer to is read together too.

A type is made from the fields of a listing:

    class Lead(RowType):
        class Meta:
            listing = LEADS
            required = ("status", "email")
            related = {"assigned_to": User, "territory": Territory}

A page of rows is one `Rows`. Whatever a query asks of one of them that was not read yet is read
for all of them in one statement, so that a query costs as many statements as it has levels, not as
it has rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import graphene
from graphene.types.objecttype import ObjectTypeOptions

from apps.core.actors import Actor
from apps.core.errors import NotFound
from apps.core.graphql.scalars import BY_KIND
from apps.core.rows.fields import Field
from apps.core.rows.listing import Listing
from apps.core.rows.names import Names


class Row:
    """One of some rows that were asked for together."""

    __slots__ = ("siblings", "values")

    def __init__(self, values: dict[str, Any], siblings: Rows) -> None:
        self.values = values
        self.siblings = siblings

    def get(self, name: str) -> Any:
        """A value; read for all siblings when it is the first to be asked for."""
        try:
            return self.values[name]
        except KeyError:
            self.siblings.read(name)
            return self.values.get(name)

    def linked(self, name: str, listing: Listing) -> Row | None:
        """What the row refers to under a name."""
        card = _card(self.get(name))
        return self.siblings.linked(name, listing).by_id[card["id"]] if card else None


class Rows:
    """Rows of one listing, with what is known of them: at least their ids.

    Rows out of reach keep only what was known of them already, such as the name on the card of a
    row that refers to them.
    """

    def __init__(self, listing: Listing, actor: Actor, known: Iterable[dict[str, Any]]) -> None:
        self.listing = listing
        self.actor = actor
        self.by_id = {values["id"]: Row(values, self) for values in known}
        self._read: set[bool] = set()
        self._linked: dict[str, Rows] = {}

    def read(self, name: str) -> None:
        """Read a field that is not known yet, together with those that are shown beside it."""
        detail = name in self.listing.detail_names
        if detail in self._read or not self.actor.may(self.listing.read):
            return
        self._read |= {False, detail}
        for values in self.listing.with_ids(self.actor, list(self.by_id), detail=detail):
            self.by_id[values["id"]].values.update(values)

    def linked(self, name: str, listing: Listing) -> Rows:
        """What all of the rows refer to under a name."""
        if name not in self._linked:
            cards = {
                card["id"]: card
                for row in self.by_id.values()
                if (card := _card(row.get(name))) is not None
            }
            self._linked[name] = Rows(listing, self.actor, cards.values())
        return self._linked[name]


def _card(reference: dict[str, Any] | str | None) -> dict[str, Any] | None:
    """What is known of the row that another one refers to: its name, or only its id."""
    if isinstance(reference, str):
        return {"id": reference}
    return reference and dict(reference)


def one_row(listing: Listing, actor: Actor, known: dict[str, Any]) -> Row:
    """A single row of which at least the id is known."""
    (row,) = Rows(listing, actor, [known]).by_id.values()
    return row


def reference(
    row_type: type[RowType], name: str, names: Names, *, required: bool = False
) -> graphene.Field:
    """What a receipt refers to by an id; out of reach it shows its name only."""

    def resolve(receipt: dict[str, Any], info: graphene.ResolveInfo) -> Row | None:
        if (identifier := receipt[name]) is None:
            return None
        cards = names.cards([identifier])
        return one_row(row_type._meta.listing, info.context.actor, dict(cards[identifier]))

    return graphene.Field(row_type, required=required, resolver=resolve)


def _value(
    name: str, default: Any, row: Row, info: graphene.ResolveInfo, *, needed: frozenset[str]
) -> Any:
    value = row.get(name)
    if value is None and name in needed:
        raise NotFound
    return value


class RowTypeOptions(ObjectTypeOptions):
    """What a row's type knows besides its fields."""

    listing: Listing


class RowType(graphene.ObjectType):
    """The type of a listing's rows. `id` is always there; what else is never null is `required`.

    `related` names the types of references, `enums` those of choices.
    """

    class Meta:
        abstract = True

    @classmethod
    def __init_subclass_with_meta__(
        cls,
        listing: Listing,
        required: tuple[str, ...] = (),
        related: Mapping[str, Any] | None = None,
        enums: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        meta = RowTypeOptions(cls)
        meta.listing = listing
        meta.fields = {}
        related = related or {}
        enums = enums or {}
        for field in listing.fields:
            is_required = field.name in ("id", *required)
            if field.card or field.card_name:
                shown = _reference(field, related[field.name], is_required)
            else:
                shown = graphene.Field(
                    enums.get(field.name) or _scalar(field, listing), required=is_required
                )
            meta.fields[field.name] = shown
        super().__init_subclass_with_meta__(
            _meta=meta, default_resolver=partial(_value, needed=frozenset(required)), **options
        )


def _scalar(field: Field, listing: Listing) -> Any:
    return graphene.ID if field.name == "id" else BY_KIND[field.resolved_kind(listing.model)]


def _reference(field: Field, related: Any, is_required: bool) -> graphene.Field:
    """A field that shows what a row refers to. `related` is a type, or a function that gives it."""

    def resolve(row: Row, info: graphene.ResolveInfo) -> Row | None:
        target: Any = related if isinstance(related, type) else related()
        found = row.linked(field.name, target._meta.listing)
        if found is None and is_required:
            raise NotFound
        return found

    return graphene.Field(related, required=is_required, resolver=resolve)
