"""An address of the API: parse, call one service, present.

    class LeadCollection(Endpoint):
        get = listed(LEADS, summary="Leads within reach")

        @operation(summary="Create a lead", body=NewLead, answer=LeadReceipt, status=201)
        def post(self, actor, body):
            return lead_receipt(create_lead(**body, actor=actor))

Answers to POST are receipts (ids, statuses, numbers) and never repeat personal data, so that an
idempotent repeat can be answered from what was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import orjson
from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core import idempotency
from apps.core.actors import Actor
from apps.core.api.bodies import Body, read
from apps.core.api.envelope import STATUS, error_body, json_response
from apps.core.api.schema import ErrorEnvelope, page_serializer, row_serializer
from apps.core.errors import InvalidInput, Refusal
from apps.core.rows.listing import DEFAULT_LIMIT, LARGEST_LIMIT, Listing, Page, Query

FINAL_REFUSALS = ("VALIDATION_ERROR", "FORBIDDEN", "NOT_FOUND", "CONFLICT")
LONGEST_KEY = 200


class Endpoint(APIView):
    """The base of every address."""

    def get_actor(self) -> Actor:
        """Whoever makes the request."""
        return self.request.user  # type: ignore[return-value]


def operation(
    *,
    summary: str,
    body: type[Body] | None = None,
    query: type[Body] | None = None,
    answer: Any = None,
    status: int = 200,
    keeps_answer: bool = True,
    tags: tuple[str, ...] = (),
    **schema: Any,
) -> Callable[[Callable[..., Any]], Callable[..., HttpResponse]]:
    """Make a method an operation: strict input, idempotent when a POST asks for it, documented.

    Args:
        summary: one line for the reference.
        body: the request body; the method gets its values as `body`.
        query: the query parameters; the method gets their values as `query`.
        answer: serializer of the answer.
        status: of a success.
        keeps_answer: False where an answer holds personal data and a repeat is harmless.
        tags: sections of the reference.
        schema: passed on to the reference's generator.
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., HttpResponse]:
        @wraps(method)
        def handle(self: Endpoint, request: Request, **path: Any) -> HttpResponse:
            values: dict[str, Any] = dict(path)
            digest = _digest(request) if keeps_answer else None
            refuse_unknown_parameters(request, query)
            if query is not None:
                values["query"] = read(query, request.query_params.dict())
            if body is not None:
                values["body"] = read(body, request.data)

            def act() -> tuple[int, Any]:
                return _status_and_answer(method(self, self.get_actor(), **values), status)

            if digest is not None:
                return _once(request.headers["Idempotency-Key"], digest, self.get_actor(), act)
            return _respond(*act())

        documented: Callable[..., HttpResponse] = extend_schema(
            summary=summary,
            request=body,
            parameters=[*([query] if query else []), *schema.pop("parameters", [])],
            responses={
                status: OpenApiResponse(answer) if answer else OpenApiResponse(None, "Done"),
                **schema.pop("other_answers", {}),
                "default": OpenApiResponse(ErrorEnvelope, "Refused"),
            },
            tags=list(tags) or None,
            **schema,
        )(handle)
        return documented

    return decorate


def _status_and_answer(result: Any, status: int) -> tuple[int, Any]:
    """A method answers with a body, or with a status and a body, or with a ready response."""
    if isinstance(result, tuple):
        return result
    return status, result


def _respond(status: int, answer: Any) -> HttpResponse:
    if isinstance(answer, HttpResponse):
        return answer
    if answer is None:
        return HttpResponse(status=204 if status == 200 else status)
    return json_response(answer, status)


def _digest(request: Request) -> str | None:
    """What makes a repeat recognisable; None where no idempotency is asked for.

    An uploaded file is streamed, so its length stands for its content.
    """
    if request.method != "POST" or "Idempotency-Key" not in request.headers:
        return None
    is_upload = (request.content_type or "").startswith("multipart/")
    content = (
        request.headers.get("Content-Length", "").encode() if is_upload else request._request.body
    )
    return idempotency.digest_of(request.method, request.get_full_path(), content)


def _once(key: str, digest: str, actor: Actor, act: Callable[[], tuple[int, Any]]) -> HttpResponse:
    """Carry out a POST once for its key, and answer repeats with what was stored."""
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidInput.field("Idempotency-Key", f"Give 1 to {LONGEST_KEY} characters.")
    claimed = idempotency.claim(actor_id=actor.id, key=key, digest=digest)
    if isinstance(claimed, idempotency.Outcome):
        response = _respond(claimed.status, claimed.answer)
        response["Idempotent-Replayed"] = "true"
        return response
    try:
        with transaction.atomic():
            status, answer = act()
            answer = orjson.loads(orjson.dumps(answer, option=orjson.OPT_UTC_Z))
            idempotency.store(claim_id=claimed, status=status, answer=answer)
    except Refusal as refusal:
        if refusal.code in FINAL_REFUSALS:
            told = error_body(refusal, code=refusal.code, request_id=actor.request_id)
            idempotency.store(claim_id=claimed, status=STATUS[refusal.code], answer=told)
        else:
            idempotency.give_back(claim_id=claimed)
        raise
    except Exception:
        idempotency.give_back(claim_id=claimed)
        raise
    return _respond(status, answer)


def refuse_unknown_parameters(request: Request, query: type[Body] | None) -> None:
    """Query parameters that an operation does not declare are mistakes. Raises InvalidInput."""
    if query is None and request.query_params:
        names = sorted(request.query_params)
        raise InvalidInput(
            f"There is no parameter {', '.join(names)}.",
            reason="unknown_parameter",
            fields={name: ["This parameter does not exist."] for name in names},
        )


_PLACE = ("limit", "offset", "cursor", "ordering")


def read_query(parameters: Mapping[str, str]) -> Query:
    """What a request asks of a listing. Raises InvalidInput."""
    filters = {name: text for name, text in parameters.items() if name not in _PLACE}
    limit = _number(parameters, "limit", DEFAULT_LIMIT, 1, LARGEST_LIMIT)
    offset = _number(parameters, "offset", 0, 0, 10_000_000)
    cursor = parameters.get("cursor", "")
    if cursor and offset:
        raise InvalidInput.field("offset", "Give a cursor or an offset, not both.")
    return Query(filters, parameters.get("ordering", ""), limit, offset, cursor)


def _number(
    parameters: Mapping[str, str], name: str, default: int, smallest: int, largest: int
) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and smallest <= int(text[:9]) <= largest):
        raise InvalidInput.field(name, f"Give a whole number from {smallest} to {largest}.")
    return int(text)


def page_body(page: Page, query: Query) -> dict[str, Any]:
    """The source's list envelope."""
    pagination: dict[str, Any] = {
        "limit": query.limit,
        "offset": query.offset,
        "has_more": page.has_more,
        "next_cursor": page.next_cursor,
    }
    if page.total is not None:
        pagination = {"total": page.total.count, **pagination}
        if page.total.is_estimate:
            pagination["total_is_estimate"] = True
    return {"data": page.rows, "pagination": pagination}


def listed(
    listing: Listing, *, summary: str, tags: tuple[str, ...] = ()
) -> Callable[..., HttpResponse]:
    """The GET of a collection: rows within reach, filtered, ordered and paged."""

    @extend_schema(
        summary=summary,
        parameters=list_parameters(listing),
        responses={
            200: page_serializer(listing),
            "default": OpenApiResponse(ErrorEnvelope, "Refused"),
        },
        tags=list(tags) or None,
        operation_id=f"list_{listing.name}",
    )
    def get(self: Endpoint, request: Request) -> HttpResponse:
        query = read_query(request.query_params.dict())
        return json_response(page_body(listing.page(self.get_actor(), query), query))

    return get


def shown(
    listing: Listing, *, summary: str, tags: tuple[str, ...] = ()
) -> Callable[..., HttpResponse]:
    """The GET of a single row within reach; its version, if it has one, is the ETag."""

    @extend_schema(
        summary=summary,
        responses={
            200: row_serializer(listing, detail=True),
            "default": OpenApiResponse(ErrorEnvelope, "Refused"),
        },
        tags=list(tags) or None,
        operation_id=f"get_{listing.name}_row",
    )
    def get(self: Endpoint, request: Request, **path: Any) -> HttpResponse:
        refuse_unknown_parameters(request, None)
        row = listing.one(self.get_actor(), next(iter(path.values())))
        response = json_response(row)
        if "version" in row:
            response["ETag"] = f'"{row["version"]}"'
        return response

    return get


def list_parameters(listing: Listing) -> list[OpenApiParameter]:
    """The parameters of a list, for the reference."""
    names = [one.name for one in listing.orderings]
    parameters = [
        OpenApiParameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT},
        ),
        OpenApiParameter("offset", {"type": "integer", "minimum": 0, "maximum": 10_000_000}),
        OpenApiParameter("cursor", {"type": "string"}, description="From `next_cursor`."),
        OpenApiParameter(
            "ordering", {"type": "string", "enum": [*names, *(f"-{name}" for name in names)]}
        ),
    ]
    parameters += [
        OpenApiParameter(one.name, one.schema, description=one.sentence) for one in listing.filters
    ]
    return parameters


def version_asked_for(request: Request, body: dict[str, Any]) -> int | None:
    """The version a change is meant for, from the body or `If-Match`; None when not said."""
    stated = body.pop("version", None)
    header = request.headers.get("If-Match")
    if stated is not None or header is None:
        return stated
    text = header.strip().removeprefix("W/").strip('"')
    if not text.isdigit():
        raise InvalidInput.field("If-Match", 'Give the version as in the ETag: "3".')
    return int(text[:9])
