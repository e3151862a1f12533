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
from dataclasses import replace
from functools import wraps
from hashlib import sha256
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.actors import Actor, RateLimit
from apps.core.api.bodies import Body, read
from apps.core.api.envelope import STATUS, error_body, json_response
from apps.core.api.schema import ErrorEnvelope, page_serializer, row_serializer
from apps.core.errors import InvalidInput, Refusal
from apps.core.idempotency import Key, Outcome, digest_of
from apps.core.rate_limits import Allowance, RateLimitExceeded, rate_limiter
from apps.core.rows.listing import DEFAULT_LIMIT, LARGEST_LIMIT, Listing, Page, Query

FINAL_REFUSALS = ("VALIDATION_ERROR", "FORBIDDEN", "NOT_FOUND", "CONFLICT")
LONGEST_KEY = 200


class Endpoint(APIView):
    """The base of every address.

    Every request is counted against the limit of whoever makes it, and every answer says what is
    left of it (sales-system-integrations, Rate Limiting).
    """

    allowance: Allowance | None = None

    def check_throttles(self, request: Request) -> None:
        """Count the request. Raises RateLimitExceeded."""
        self.charge()

    def charge(self, cost: int = 1, *, is_request: bool = True) -> None:
        """Count what is asked for, in requests. Raises RateLimitExceeded."""
        actor: Actor | None = self.request.user
        self.allowance = rate_limiter.charge(
            str(actor.id) if actor else _address(self.request),
            actor.rate_limit if actor else RateLimit(),
            cost=cost,
            is_request=is_request,
        )
        if self.allowance.retry_after:
            raise RateLimitExceeded(retry_after=self.allowance.retry_after)

    def finalize_response(  # type: ignore[override]
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """The answer, with what is left of the limit."""
        response = super().finalize_response(request, response, *args, **kwargs)
        left = self.allowance or rate_limiter.charge(_address(request), RateLimit())
        response["X-RateLimit-Limit"] = str(left.limit)
        response["X-RateLimit-Remaining"] = str(left.remaining)
        response["X-RateLimit-Reset"] = str(left.resets_at)
        return response

    def get_actor(self) -> Actor:
        """Whoever makes the request."""
        return self.request.user  # type: ignore[return-value]


def _address(request: Request) -> str:
    return f"address {request.META.get('REMOTE_ADDR')}"


def operation(
    *,
    summary: str,
    body: type[Body] | None = None,
    query: type[Body] | None = None,
    answer: Any = None,
    status: int = 200,
    keeps_answer: bool = True,
    is_form: bool = False,
    media_type: str = "application/json",
    tags: tuple[str, ...] = (),
    **schema: Any,
) -> Callable[[Callable[..., Any]], Callable[..., HttpResponseBase]]:
    """Make a method an operation: strict input, idempotent when a POST asks for it, documented.

    Args:
        summary: one line for the reference.
        body: the request body; the method gets its values as `body`.
        query: the query parameters; the method gets their values as `query`.
        answer: serializer of the answer.
        status: of a success.
        keeps_answer: False where an answer holds personal data and a repeat is harmless.
        is_form: whether the body is a form with files instead of JSON.
        media_type: of the answer.
        tags: sections of the reference.
        schema: passed on to the reference's generator.
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., HttpResponseBase]:
        @wraps(method)
        def handle(self: Endpoint, request: Request, **path: Any) -> HttpResponseBase:
            values: dict[str, Any] = dict(path)
            digest = _digest(request) if keeps_answer else None
            refuse_unknown_parameters(request, query)
            if query is not None:
                values["query"] = read(query, parameters_of(request))
            if body is not None:
                values["body"] = read(body, request.data)

            def act() -> tuple[int, Any]:
                return _status_and_answer(method(self, self.get_actor(), **values), status)

            if digest is not None:
                return _once(request.headers["Idempotency-Key"], digest, self.get_actor(), act)
            return _respond(*act())

        documented: Callable[..., HttpResponseBase] = extend_schema(
            summary=summary,
            request=schema.pop("request", {"multipart/form-data": body} if is_form else body),
            parameters=[*([query] if query else []), *schema.pop("parameters", [])],
            responses={
                (status, media_type) if answer else status: OpenApiResponse(answer or None, "Done"),
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


def _respond(status: int, answer: Any) -> HttpResponseBase:
    if isinstance(answer, HttpResponseBase):
        return answer
    if answer is None:
        return HttpResponse(status=204 if status == 200 else status)
    return json_response(answer, status)


def checked_key(key: str) -> str:
    """An `Idempotency-Key` that can be kept. Raises InvalidInput."""
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidInput.field("Idempotency-Key", f"Give 1 to {LONGEST_KEY} characters.")
    return key


def _digest(request: Request) -> str | None:
    """What makes a repeat recognisable; None where no idempotency is asked for."""
    if request.method != "POST" or "Idempotency-Key" not in request.headers:
        return None
    if (request.content_type or "").startswith("multipart/"):
        content = _form_digest(request)
    else:
        content = request._request.body
    return digest_of(request.method, request.get_full_path(), content)


def _form_digest(request: Request) -> bytes:
    """The fields and files of a form, as one digest."""
    digest = sha256(repr(sorted(request._request.POST.lists())).encode())
    for name, file in sorted(request._request.FILES.items()):
        assert isinstance(file, UploadedFile)
        digest.update(name.encode())
        for chunk in file.chunks():
            digest.update(chunk)
        file.seek(0)
    return digest.digest()


def _once(
    key: str, digest: str, actor: Actor, act: Callable[[], tuple[int, Any]]
) -> HttpResponseBase:
    """Carry out a POST once for its key, and answer repeats with what was kept."""

    def work() -> Outcome:
        status, answer = act()
        # A ready response is shown, not kept: it may hold personal data.
        return Outcome(status, answer, is_kept=not isinstance(answer, HttpResponseBase))

    def told(refusal: Refusal) -> Outcome | None:
        if refusal.code not in FINAL_REFUSALS:
            return None
        again = error_body(refusal, code=refusal.code, request_id=actor.request_id)
        return Outcome(STATUS[refusal.code], again)

    outcome = Key(actor.id, checked_key(key), digest).once(work, told=told)
    response = _respond(outcome.status, outcome.answer)
    if outcome.is_repeat:
        response["Idempotent-Replayed"] = "true"
    return response


def parameters_of(request: Request) -> dict[str, str]:
    """The query parameters. Raises InvalidInput for one that is given twice: which one counts?"""
    given = dict(request.query_params.lists())
    if repeated := sorted(name for name, values in given.items() if len(values) > 1):
        raise InvalidInput(
            f"Give {', '.join(repeated)} once.",
            reason="repeated_parameter",
            fields={name: ["This parameter is given more than once."] for name in repeated},
        )
    return {name: value for name, (value,) in given.items()}


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
    if not (_is_number(text) and smallest <= int(text) <= largest):
        raise InvalidInput.field(name, f"Give a whole number from {smallest} to {largest}.")
    return int(text)


def _is_number(text: str) -> bool:
    """Whether text is a whole number of at most nine digits."""
    return len(text) <= 9 and text.isascii() and text.isdigit()


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
    listing: Listing,
    *,
    summary: str,
    tags: tuple[str, ...] = (),
    within: Listing | None = None,
    stated: str = "",
) -> Callable[..., HttpResponseBase]:
    """The GET of a collection: rows within reach, filtered, ordered and paged.

    Args:
        listing: the rows.
        summary: one line for the reference.
        tags: sections of the reference.
        within: lists those of one row of another listing: `/accounts/{account_id}/contacts` is 404
            where the account is out of reach.
        stated: the filter that the address states itself, such as `account_id`.
    """

    @extend_schema(
        summary=summary,
        parameters=list_parameters(listing, without=stated),
        responses={
            200: page_serializer(listing),
            "default": OpenApiResponse(ErrorEnvelope, "Refused"),
        },
        tags=list(tags) or None,
        operation_id=f"list_{within.name}_{listing.name}" if within else f"list_{listing.name}",
    )
    def get(self: Endpoint, request: Request, **path: Any) -> HttpResponse:
        query = read_query(parameters_of(request))
        if stated:
            query = _narrowed_to(query, stated, str(path[stated]))
        if within is not None:
            within.one(self.get_actor(), path[stated])
        return json_response(page_body(listing.page(self.get_actor(), query), query))

    return get


def _narrowed_to(query: Query, name: str, text: str) -> Query:
    """The query with what the address states; stating it again is refused. Raises InvalidInput."""
    if name in query.filters:
        raise InvalidInput(
            f"{name} stands in the address already.",
            reason="unknown_parameter",
            fields={name: ["This parameter stands in the address already."]},
        )
    return replace(query, filters={**query.filters, name: text})


def shown(
    listing: Listing, *, summary: str, tags: tuple[str, ...] = ()
) -> Callable[..., HttpResponseBase]:
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


def list_parameters(listing: Listing, *, without: str = "") -> list[OpenApiParameter]:
    """The parameters of a list, for the reference; `without` the one the address states."""
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
        OpenApiParameter(one.name, one.schema, description=one.sentence)
        for one in listing.filters
        if one.name != without
    ]
    return parameters


def version_asked_for(request: Request, body: dict[str, Any]) -> int | None:
    """The version a change is meant for, from the body or `If-Match`; None when not said."""
    stated = body.pop("version", None)
    header = request.headers.get("If-Match")
    if stated is not None or header is None:
        return stated
    text = header.strip().removeprefix("W/").strip('"')
    if not _is_number(text):
        raise InvalidInput.field("If-Match", 'Give the version as in the ETag: "3".')
    return int(text)
