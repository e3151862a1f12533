"""Lists and single rows as fields of the query, with the filters of their listing as arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import graphene

from apps.core.actors import Actor
from apps.core.api.endpoint import read_query
from apps.core.errors import InvalidInput
from apps.core.graphql.rows import Row, Rows, RowType, one_row
from apps.core.graphql.scalars import Date, DateTime
from apps.core.rows.listing import Listing, Page, Query
from apps.core.rows.totals import Total

MOST_AT_ONCE = 1000


class DateRange(graphene.InputObjectType):
    """The days from one to another, both included; open where one is left out."""

    from_ = Date(name="from")
    to = Date()


@dataclass(frozen=True)
class Narrowing:
    """An argument of its own kind that stands for filters of the listing.

    Attributes:
        argument: as the schema shows it.
        filters: what it means, as the listing's filters take it.
        instead_of: the filters that are not offered as arguments beside it.
    """

    argument: graphene.Argument
    filters: Callable[[Any], dict[str, str]]
    instead_of: tuple[str, ...] = ()


def choice(enum: type[graphene.Enum], name: str) -> Narrowing:
    """A filter that takes one value of an enumeration."""
    return Narrowing(graphene.Argument(enum), lambda chosen: {name: chosen.value}, (name,))


def days(name: str, *, after: str, before: str) -> Narrowing:
    """A range of days instead of two filters."""

    def filters(given: Mapping[str, str]) -> dict[str, str]:
        found = {after: given.get("from_"), before: given.get("to")}
        return {name: text for name, text in found.items() if text is not None}

    return Narrowing(graphene.Argument(DateRange), filters, (after, before))


class PageOfRows:
    """A page of a listing. Its total is counted only when it is asked for."""

    def __init__(self, listing: Listing, actor: Actor, query: Query) -> None:
        self.listing = listing
        self.actor = actor
        self.query = query
        self.page: Page = listing.page(actor, query, count=False)
        self.nodes = list(Rows(listing, actor, self.page.rows).by_id.values())
        self.has_more = self.page.has_more
        self.next_cursor = self.page.next_cursor
        self._total: Total | None = None

    @property
    def total(self) -> Total:
        """How many rows match on all pages."""
        if self._total is None:
            self._total = self.listing.total(self.actor, self.query.filters)
        return self._total


def _total_count(page: PageOfRows, info: graphene.ResolveInfo) -> int:
    return page.total.count


def _is_estimate(page: PageOfRows, info: graphene.ResolveInfo) -> bool:
    return page.total.is_estimate


def connection_of(row_type: type[RowType]) -> type[graphene.ObjectType]:
    """The type of a page of rows."""
    name = row_type._meta.name
    return type(
        f"{name}Connection",
        (graphene.ObjectType,),
        {
            "__doc__": f"A page of {row_type._meta.listing.name}.",
            "nodes": graphene.NonNull(graphene.List(graphene.NonNull(row_type))),
            "total_count": graphene.Int(
                required=True,
                description="Exact up to 10,000 and at most a minute old.",
                resolver=_total_count,
            ),
            "total_is_estimate": graphene.Boolean(required=True, resolver=_is_estimate),
            "has_more": graphene.Boolean(required=True),
            "next_cursor": graphene.String(description="The `cursor` of the next page."),
        },
    )


_SCALARS = {
    ("string", "uuid"): graphene.ID,
    ("string", "date"): Date,
    ("string", "date-time"): DateTime,
    ("integer", ""): graphene.Int,
    ("number", ""): graphene.Float,
    ("boolean", ""): graphene.Boolean,
}


def _arguments(
    listing: Listing, narrowings: Mapping[str, Narrowing], order: tuple[str, ...]
) -> dict[str, Any]:
    replaced = {name for one in narrowings.values() for name in one.instead_of}
    arguments: dict[str, Any] = {name: one.argument for name, one in narrowings.items()}
    for one in listing.filters:
        if one.name not in replaced:
            kind = _SCALARS.get((one.schema["type"], one.schema.get("format", "")), graphene.String)
            arguments[one.name] = kind(description=one.sentence or None)
    arguments["ordering"] = graphene.String(
        description="One of "
        + ", ".join(one.name for one in listing.orderings)
        + "; with - for descending."
    )
    first = {name: arguments.pop(name) for name in order}
    return {**first, "limit": graphene.Int(), "offset": graphene.Int(), **arguments}


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parameters(given: Mapping[str, Any], narrowings: Mapping[str, Narrowing]) -> dict[str, str]:
    """The arguments as a list's parameters. Raises InvalidInput for two that mean the same."""
    parameters: dict[str, str] = {}
    for name, value in given.items():
        if value is None:
            continue
        narrowing = narrowings.get(name)
        found = narrowing.filters(value) if narrowing else {name: _as_text(value)}
        if twice := set(found) & set(parameters):
            raise InvalidInput.field(name, f"{', '.join(sorted(twice))} is stated twice.")
        parameters.update(found)
    return parameters


def listed(
    row_type: type[RowType],
    *,
    order: tuple[str, ...],
    narrowings: Mapping[str, Narrowing] | None = None,
) -> graphene.Field:
    """A page of the rows within reach.

    Args:
        row_type: whose listing is read.
        order: the arguments that come first in the schema.
        narrowings: arguments that stand for filters of the listing.
    """
    listing: Listing = row_type._meta.listing
    narrowings = narrowings or {}

    def resolve(root: None, info: graphene.ResolveInfo, **given: Any) -> PageOfRows:
        query = read_query(_parameters(given, narrowings))
        return PageOfRows(listing, info.context.actor, query)

    return graphene.Field(
        connection_of(row_type),
        required=True,
        args={**_arguments(listing, narrowings, order), "cursor": graphene.String()},
        resolver=resolve,
        description=f"The {listing.name} within reach, newest first.",
    )


def listed_whole(row_type: type[RowType], *, order: tuple[str, ...]) -> graphene.Field:
    """The rows within reach as a plain list, for kinds of which there are few."""
    listing: Listing = row_type._meta.listing

    def resolve(root: None, info: graphene.ResolveInfo, **given: Any) -> list[Row]:
        query = read_query(_parameters(given, {}))
        if given.get("limit") is None:
            query = replace(query, limit=MOST_AT_ONCE)
        page = PageOfRows(listing, info.context.actor, query)
        if page.has_more and given.get("limit") is None:
            raise InvalidInput.field("limit", f"There are more than {MOST_AT_ONCE}; give a limit.")
        return page.nodes

    return graphene.Field(
        graphene.NonNull(graphene.List(graphene.NonNull(row_type))),
        args=_arguments(listing, {}, order),
        resolver=resolve,
        description=f"The {listing.name} within reach.",
    )


def identifier_of(name: str, text: str) -> UUID:
    """An id as the services take it. Raises InvalidInput."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput.field(name, "Give a UUID.") from None


def shown(row_type: type[RowType]) -> graphene.Field:
    """A single row within reach; without it the answer is the refusal `NOT_FOUND`."""
    listing: Listing = row_type._meta.listing

    def resolve(root: None, info: graphene.ResolveInfo, *, id: str) -> Row:  # noqa: A002
        identifier = identifier_of("id", id)
        return one_row(listing, info.context.actor, listing.one(info.context.actor, identifier))

    return graphene.Field(
        row_type, id=graphene.ID(required=True), resolver=resolve, description=row_type.__doc__
    )
