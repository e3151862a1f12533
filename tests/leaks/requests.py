"""Every request that can be made, drawn from what describes the doors: nothing is listed by hand.

REST comes from the OpenAPI description, GraphQL from the schema, the back office from its registry.
A door that is added tomorrow is asked tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
)
from hypothesis import strategies as st

from apps.core.admin.base import ActorAdmin
from salesplatform.schema import schema
from tests.leaks.worlds import World

DEPTH = 3
METHODS = ("get", "post", "put", "patch", "delete")
# They end the session that the other requests need.
LEFT_OUT = {"/api/v1/auth/sign-out"}


@dataclass(frozen=True)
class Asked:
    """One request. `text` is all of it, so that an echo is no leak."""

    door: str
    method: str
    address: str
    body: Any = None
    is_form: bool = False

    @property
    def text(self) -> str:
        """The whole request."""
        return f"{self.address} {json.dumps(self.body, default=str)}"


@dataclass(frozen=True)
class Pool:
    """Values to ask with: ids and words of both worlds, and such that make no sense."""

    ids: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, *worlds: World) -> Pool:
        """The pool of some worlds, their people included."""
        ids = [str(one) for world in worlds for one in sorted(world.ids)]
        ids += [str(person.pk) for world in worlds for person in world.people.values()]
        words = [world.word for world in worlds]
        words += [str(world.amount) for world in worlds]
        words += [f"{world.word}.1@{world.word}.example" for world in worlds]
        words += [f"{world.word}1.example" for world in worlds]
        return cls(tuple(ids), (*words, "a", "Q4_2026", "USD", "US", "discovery", "proposal"))


# --- Values -----------------------------------------------------------------------------------


def value(draw: Any, wanted: dict[str, Any], pool: Pool, depth: int = 0) -> Any:
    """A value of an OpenAPI type."""
    if "$ref" in wanted:
        return value(draw, component(wanted["$ref"]), pool, depth)
    for several in ("oneOf", "anyOf", "allOf"):
        if several in wanted:
            return value(draw, draw(st.sampled_from(wanted[several])), pool, depth)
    if "enum" in wanted:
        return draw(st.sampled_from(wanted["enum"]))
    kind = wanted.get("type", "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return an_object(draw, wanted, pool, depth)
    if kind == "array":
        items = wanted.get("items", {})
        return [value(draw, items, pool, depth + 1) for _ in range(draw(st.integers(0, 3)))]
    return scalar(draw, kind, wanted.get("format", ""), pool)


def scalar(draw: Any, kind: str, form: str, pool: Pool) -> Any:
    """A value of a plain type."""
    if form == "uuid":
        return draw(st.sampled_from(pool.ids))
    if form == "date":
        return draw(st.sampled_from(["2020-01-01", "2026-12-31", "2030-06-30"]))
    if form == "date-time":
        return draw(st.sampled_from(["2020-01-01T00:00:00Z", "2030-06-30T00:00:00Z"]))
    if kind == "integer":
        return draw(st.sampled_from([0, 1, 2, 50, 100]))
    if kind == "number":
        return draw(st.sampled_from([0, 1, 0.5, 1000, *map(float, pool.words[2:4])]))
    if kind == "boolean":
        return draw(st.booleans())
    return draw(st.sampled_from((*pool.words, *pool.ids)))


def an_object(draw: Any, wanted: dict[str, Any], pool: Pool, depth: int) -> dict[str, Any]:
    """An object with what it needs and some of what it may have."""
    properties = wanted.get("properties", {})
    if depth > DEPTH or not properties:
        return {}
    needed = set(wanted.get("required", ()))
    return {
        name: value(draw, kind, pool, depth + 1)
        for name, kind in properties.items()
        if not kind.get("readOnly") and (name in needed or draw(st.booleans()))
    }


# --- REST -------------------------------------------------------------------------------------


@cache
def description() -> dict[str, Any]:
    """The OpenAPI description of the moment."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


def component(reference: str) -> dict[str, Any]:
    """What a reference in the description stands for."""
    found: dict[str, Any] = description()["components"]["schemas"][reference.rpartition("/")[2]]
    return found


@cache
def rest_operations() -> tuple[tuple[str, str, dict[str, Any]], ...]:
    """Every address with every method."""
    return tuple(
        (address, method, operation)
        for address, item in description()["paths"].items()
        for method, operation in item.items()
        if method in METHODS and address not in LEFT_OUT
    )


@st.composite
def rest(draw: Any, pool: Pool) -> Asked:
    """A request over REST."""
    address, method, operation = draw(st.sampled_from(rest_operations()))
    query = {}
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            filled = str(value(draw, one["schema"], pool))
            address = address.replace(f"{{{one['name']}}}", filled)
        elif one["in"] == "query" and draw(st.integers(0, 3)) == 0:
            found = value(draw, one["schema"], pool)
            query[one["name"]] = str(found).lower() if isinstance(found, bool) else found
    if "offset" in query:
        query.pop("cursor", None)
    content = operation.get("requestBody", {}).get("content", {})
    body = None
    for form in content.values():
        body = value(draw, form["schema"], pool)
    is_form = "multipart/form-data" in content
    return Asked("rest", method, f"{address}?{urlencode(query)}", body, is_form)


# --- GraphQL ----------------------------------------------------------------------------------


def graphql_value(draw: Any, kind: Any, pool: Pool, depth: int = 0) -> Any:
    """A value of a GraphQL input type."""
    if isinstance(kind, GraphQLNonNull):
        return graphql_value(draw, kind.of_type, pool, depth)
    if isinstance(kind, GraphQLList):
        return [graphql_value(draw, kind.of_type, pool, depth + 1)] if depth < DEPTH else []
    if isinstance(kind, GraphQLEnumType):
        return draw(st.sampled_from(list(kind.values)))
    if isinstance(kind, GraphQLInputObjectType):
        return {
            name: graphql_value(draw, one.type, pool, depth + 1)
            for name, one in kind.fields.items()
            if isinstance(one.type, GraphQLNonNull) or (depth < DEPTH and draw(st.booleans()))
        }
    kinds = {
        "ID": ("string", "uuid"),
        "Int": ("integer", ""),
        "Float": ("number", ""),
        "Boolean": ("boolean", ""),
        "Date": ("string", "date"),
        "DateTime": ("string", "date-time"),
    }
    if kind.name == "JSON":
        return {"note": draw(st.sampled_from(pool.words))}
    return scalar(draw, *kinds.get(kind.name, ("string", "")), pool)


def selection(draw: Any, kind: Any, depth: int = 0) -> str:
    """All plain fields of a type and some of what it refers to."""
    named = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    parts = []
    for name, field in named.fields.items():
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            parts.append(name)
        elif depth < DEPTH and (depth == 0 or draw(st.integers(0, 2)) == 0):
            parts.append(f"{name} {selection(draw, field.type, depth + 1)}")
    return "{ " + " ".join(parts or ["__typename"]) + " }"


@cache
def graphql_operations() -> tuple[tuple[str, str, GraphQLField], ...]:
    """Every field of the query and every mutation."""

    def fields(kind: str, root: GraphQLObjectType | None) -> Iterator[Any]:
        for name, field in root.fields.items() if root else ():
            yield kind, name, field

    built = schema.graphql_schema
    return (*fields("query", built.query_type), *fields("mutation", built.mutation_type))


@st.composite
def graphql(draw: Any, pool: Pool) -> Asked:
    """A request over GraphQL."""
    kind, name, field = draw(st.sampled_from(graphql_operations()))
    given = {
        one: graphql_value(draw, argument.type, pool)
        for one, argument in field.args.items()
        if isinstance(argument.type, GraphQLNonNull) or draw(st.integers(0, 3)) == 0
    }
    given.pop("cursor", None)
    declared = ", ".join(f"${one}: {field.args[one].type}" for one in given)
    passed = ", ".join(f"{one}: ${one}" for one in given)
    query = (
        f"{kind}{f'({declared})' if given else ''} "
        f"{{ {name}{f'({passed})' if given else ''} {selection(draw, field.type)} }}"
    )
    return Asked("graphql", "post", "/graphql", {"query": query, "variables": given})


# --- Back office ------------------------------------------------------------------------------


@cache
def pages() -> tuple[tuple[str, Any], ...]:
    """Every model of the back office with its page."""
    return tuple(
        (f"admin:{model._meta.app_label}_{model._meta.model_name}", page)
        for model, page in admin.site._registry.items()
        if isinstance(page, ActorAdmin)
    )


@st.composite
def back_office(draw: Any, pool: Pool) -> Asked:
    """A visit of a page, a search, an autocomplete or an operation."""
    prefix, page = draw(st.sampled_from(pages()))
    row = draw(st.sampled_from(pool.ids))
    what = draw(
        st.sampled_from(["list", "search", "page", "operation", "more", "start", "suggest"])
    )
    if what == "start":
        return Asked("office", "get", reverse("admin:index"))
    if what == "suggest":
        asked = {"term": draw(st.sampled_from(pool.words)), "app_label": page.opts.app_label}
        asked |= {"model_name": page.opts.model_name, "field_name": "owner"}
        return Asked("office", "get", f"{reverse('admin:autocomplete')}?{urlencode(asked)}")
    if what == "more" and page.more_pages:
        more = draw(st.sampled_from(page.more_pages))
        asked = {"node": row, "by": draw(st.sampled_from(["territory", "reporting_line"]))}
        return Asked("office", "get", more.address(page.opts, **asked))
    if what == "page":
        return Asked("office", "get", reverse(f"{prefix}_change", args=[row]))
    if what == "operation" and page.offered:
        operation = draw(st.sampled_from(sorted(page.offered))).removeprefix("operation_")
        address = reverse(f"{prefix}_operation_{operation}", args=[row])
        form = {
            name: str(draw(st.sampled_from((*pool.ids, *pool.words))))
            for name in page.offered[f"operation_{operation}"].form.base_fields
        }
        return Asked("office", draw(st.sampled_from(["get", "post"])), address, form, True)
    query = {"q": draw(st.sampled_from(pool.words))} if what == "search" else {}
    if draw(st.booleans()):
        query |= {"in_bin": "yes"}
    return Asked("office", "get", f"{reverse(f'{prefix}_changelist')}?{urlencode(query)}")


def plain() -> Iterator[Asked]:
    """Every list of REST and of the back office as it stands, without a filter."""
    for address, method, _ in rest_operations():
        if method == "get" and "{" not in address:
            yield Asked("rest", "get", address)
    for prefix, page in pages():
        yield Asked("office", "get", reverse(f"{prefix}_changelist"))
        for one in page.more_pages:
            yield Asked("office", "get", one.address(page.opts))


def anything(pool: Pool) -> Any:
    """A request through any door."""
    return st.one_of(rest(pool), graphql(pool), back_office(pool))
