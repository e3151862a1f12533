"""`/graphql`: queries by GET or POST, mutations by POST (sales-system-integrations, GraphQL API).

What is hostile is refused by its text alone: length, tokens, fields, depth, aliases and cost are
known before the database is asked for anything. In the rate limit an operation counts as one
request, and as one more for every thousand of its cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.utils import extend_schema
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
    specified_rules,
    validate,
)
from rest_framework.request import Request

from apps.core.actors import Actor
from apps.core.api.endpoint import Endpoint, checked_key, parameters_of
from apps.core.api.envelope import STATUS, json_response, refusal_of
from apps.core.errors import InvalidInput, Refusal
from apps.core.graphql.commands import Context
from apps.core.graphql.limits import (
    LARGEST_BATCH,
    LONGEST_QUERY,
    MOST_TOKENS,
    QueryTooCostly,
    cost_of,
)
from apps.core.graphql.names import details_in, message_in, names_of
from apps.core.metrics import errors_answered

MOST_ERRORS = 5
VALUES_PER_REQUEST = 1_000
_PARTS = ("query", "variables", "operationName", "extensions")


class QueryInvalid(InvalidInput):
    """The query can't be parsed, or the schema does not allow it."""

    reason = "query_invalid"


class MutationByGet(Refusal):
    """A mutation was sent in an address."""

    code = "METHOD_NOT_ALLOWED"
    reason = "mutation_by_get"
    message = "Mutations are sent by POST."


@dataclass(frozen=True)
class Asked:
    """One operation as a client states it."""

    query: str
    variables: dict[str, Any]
    operation_name: str | None

    @classmethod
    def of(cls, given: Any) -> Asked:
        """Read strictly. Raises InvalidInput."""
        if not isinstance(given, dict):
            raise InvalidInput("Give an object with a query.")
        if unknown := sorted(set(given) - set(_PARTS)):
            raise InvalidInput.field(str(unknown[0]), "This field does not exist.")
        query, name = given.get("query"), given.get("operationName")
        variables = {} if given.get("variables") is None else given["variables"]
        if not isinstance(query, str) or not query.strip():
            raise InvalidInput.field("query", "This is needed.")
        if not isinstance(variables, dict):
            raise InvalidInput.field("variables", "Give an object.")
        if name is not None and not isinstance(name, str):
            raise InvalidInput.field("operationName", "Give a string.")
        return cls(query, variables, name)


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of a document that is asked for. Raises QueryInvalid."""
    found = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if name:
        found = [one for one in found if one.name and one.name.value == name]
    if len(found) != 1:
        raise QueryInvalid("Say by operationName which operation of the query is meant.")
    if found[0].operation == OperationType.SUBSCRIPTION:
        raise QueryInvalid("Subscriptions are not offered.")
    return found[0]


@lru_cache(maxsize=256)
def parsed(query: str) -> DocumentNode:
    """A query as a document. Raises QueryInvalid, QueryTooCostly."""
    if len(query) > LONGEST_QUERY:
        raise QueryTooCostly.of("length", len(query), LONGEST_QUERY)
    try:
        return parse(query, no_location=True, max_tokens=MOST_TOKENS)
    except GraphQLError as failure:
        raise QueryInvalid(failure.message) from None
    except RecursionError:
        raise QueryInvalid("The query is nested too deeply.") from None


class GraphQL(Endpoint):
    """`/graphql`."""

    graphql_schema: Any = None

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """A query in the address."""
        given: dict[str, Any] = {**parameters_of(request)}
        if "variables" in given:
            try:
                given["variables"] = orjson.loads(given["variables"])
            except orjson.JSONDecodeError:
                raise InvalidInput.field("variables", "Give a JSON object.") from None
        return self.answer_all([Asked.of(given)], is_batch=False)

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponse:
        """One operation, or a list of them."""
        if not isinstance(request.data, list):
            return self.answer_all([Asked.of(request.data)], is_batch=False)
        if not 0 < len(request.data) <= LARGEST_BATCH:
            raise QueryTooCostly.of("number of operations", len(request.data), LARGEST_BATCH)
        return self.answer_all([Asked.of(one) for one in request.data], is_batch=True)

    def answer_all(self, asked: list[Asked], *, is_batch: bool) -> HttpResponse:
        """Refuse all that is asked too much, then answer one after the other."""
        prepared = [(one, self.prepare(one)) for one in asked]
        cost = sum(found for _, (_, found) in prepared)
        self.charge(cost // VALUES_PER_REQUEST, is_request=False)
        answers = [self.answer(one, document) for one, (document, _) in prepared]
        response = json_response(answers if is_batch else answers[0])
        response["X-Query-Cost"] = str(cost)
        return response

    def prepare(self, asked: Asked) -> tuple[DocumentNode, int]:
        """A checked document and its cost. Raises QueryInvalid, QueryTooCostly, MutationByGet."""
        document = parsed(asked.query)
        operation = operation_of(document, asked.operation_name)
        cost = cost_of(self.graphql_schema, document, operation, asked.variables)
        if failures := _failures(self.graphql_schema, asked.query, settings.GRAPHQL_EXPLORABLE):
            raise QueryInvalid(failures[0], problems=list(failures))
        if self.request.method == "GET" and operation.operation != OperationType.QUERY:
            raise MutationByGet
        return document, cost

    def answer(self, asked: Asked, document: DocumentNode) -> dict[str, Any]:
        """Carry out one operation."""
        result = execute(
            self.graphql_schema,
            document,
            context_value=self.context(asked),
            variable_values=asked.variables,
            operation_name=asked.operation_name,
            is_awaitable=_never,
            hide_suggestions=not settings.GRAPHQL_EXPLORABLE,
        )
        answer: dict[str, Any] = {"data": result.data}  # type: ignore[union-attr]
        if result.errors:  # type: ignore[union-attr]
            answer["errors"] = [self.told(one) for one in result.errors]  # type: ignore[union-attr]
        return answer

    def context(self, asked: Asked) -> Context:
        """What resolvers know of the request. Raises InvalidInput."""
        actor: Actor = self.get_actor().through("graphql")
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            return Context(actor)
        return Context(actor, checked_key(key), orjson.dumps(asked, option=orjson.OPT_SORT_KEYS))

    def told(self, failure: GraphQLError) -> dict[str, Any]:
        """A failure of one field as clients read it."""
        cause: Exception | None = failure.original_error
        if cause is None or isinstance(cause, GraphQLError):
            cause = QueryInvalid(failure.message)
        refusal, code = refusal_of(cause)
        names = self.names_at(failure)
        request_id = self.request._request.request_id  # type: ignore[attr-defined]
        return {**_error(refusal, code, request_id, names), "path": failure.path}

    def names_at(self, failure: GraphQLError) -> Mapping[str, str]:
        """How the schema writes what the field that failed takes."""
        node = failure.nodes[0] if failure.nodes else None
        field = node.name.value if isinstance(node, FieldNode) else ""
        return names_of(self.graphql_schema, field)

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """A request that was refused as a whole."""
        refusal, code = refusal_of(exc)
        request_id = self.request._request.request_id  # type: ignore[attr-defined]
        response = json_response({"errors": [_error(refusal, code, request_id)]}, STATUS[code])
        if code == "UNAUTHORIZED":
            response["WWW-Authenticate"] = "Bearer"
        if code == "RATE_LIMIT_EXCEEDED":
            response["Retry-After"] = str(refusal.details["retry_after"])
        return response


def _error(
    refusal: Refusal, code: str, request_id: str, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    errors_answered.labels(code=code).inc()
    names = names or {}
    return {
        "message": message_in(names, refusal.message, refusal.details),
        "extensions": {
            "code": code,
            "details": {"reason": refusal.reason, **details_in(names, refusal.details)},
            "request_id": request_id,
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        },
    }


@lru_cache(maxsize=256)
def _failures(schema: GraphQLSchema, query: str, is_explorable: bool) -> tuple[str, ...]:
    """What the schema does not allow in a query."""
    rules = (
        specified_rules if is_explorable else [*specified_rules, NoSchemaIntrospectionCustomRule]
    )
    found = validate(
        schema, parsed(query), rules, max_errors=MOST_ERRORS, hide_suggestions=not is_explorable
    )
    return tuple(one.message for one in found[:MOST_ERRORS])


def _never(value: Any) -> bool:
    """Nothing here is awaited."""
    return False


def explorer(request: HttpRequest) -> HttpResponse:
    """`/graphiql`: try queries in the browser; only where the schema may be explored."""
    if not settings.GRAPHQL_EXPLORABLE:
        raise Http404
    return render(request, "graphiql.html")
