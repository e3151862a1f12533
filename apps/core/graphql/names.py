"""What is refused, in the names of the schema: the services' `first_name` is `firstName` here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLSchema, get_named_type

# Sentences about it name what it takes, which is spelt as over REST.
ORDERING = "ordering"
_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")


@lru_cache(maxsize=256)
def names_of(schema: GraphQLSchema, field: str) -> Mapping[str, str]:
    """How the schema writes the arguments of a query or mutation and what is in them.

    Args:
        field: of the query or the mutation; one that there is not takes nothing.
    """
    roots = [one for one in (schema.query_type, schema.mutation_type) if one is not None]
    taken = [one.fields[field].args for one in roots if field in one.fields]
    return dict(pair for arguments in taken for pair in _names_in(arguments))


def _names_in(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, one in given.items():
        yield one.out_name or name, name
        kind = get_named_type(one.type)
        if isinstance(kind, GraphQLInputObjectType):
            yield from _names_in(kind.fields)


def message_in(names: Mapping[str, str], message: str, details: Mapping[str, Any]) -> str:
    """The sentence of a refusal; one about the order of rows names values, and keeps them."""
    return message if ORDERING in details.get("fields", ()) else _sentence_in(names, message)


def details_in(names: Mapping[str, str], details: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a refusal: what names fields names those of the schema."""
    renamed = dict(details)
    for part in {"fields", "missing_fields"} & details.keys():
        renamed[part] = _fields_in(names, details[part])
    return renamed


def _fields_in(names: Mapping[str, str], fields: Any) -> Any:
    """Fields, as a list of names or each with what is wrong with it, some with parts of theirs."""
    if isinstance(fields, Mapping):
        return {
            names.get(name, name): wrong if name == ORDERING else _wrong_in(names, wrong)
            for name, wrong in fields.items()
        }
    return [names.get(name, name) for name in fields]


def _wrong_in(names: Mapping[str, str], wrong: Any) -> Any:
    if isinstance(wrong, Mapping):
        return _fields_in(names, wrong)
    if isinstance(wrong, str):
        return _sentence_in(names, wrong)
    return [_wrong_in(names, one) for one in wrong]


def _sentence_in(names: Mapping[str, str], sentence: str) -> str:
    return _WORD.sub(lambda word: names.get(word[0], word[0]), sentence)
