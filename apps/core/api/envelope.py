"""The error envelope: the one place where refusals become HTTP."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import orjson
import redis
from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from kombu.exceptions import OperationalError as BrokerError
from psycopg.errors import LockNotAvailable, QueryCanceled
from rest_framework import exceptions as drf

from apps.core.errors import (
    Conflict,
    InvalidInput,
    NotSignedIn,
    Refusal,
    TakesTooLong,
    Unavailable,
)
from apps.core.idempotency import InProgress
from apps.core.metrics import errors_answered
from apps.core.rate_limits import RateLimitExceeded

log = logging.getLogger(__name__)

STATUS = {
    "VALIDATION_ERROR": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}


def json_response(body: Any, status: int = 200) -> HttpResponse:
    """An answer in JSON, never kept by a cache and never taken for a page."""
    response = HttpResponse(
        orjson.dumps(body, option=orjson.OPT_UTC_Z), content_type="application/json", status=status
    )
    response["Cache-Control"] = "private, no-store"
    response["Content-Disposition"] = 'attachment; filename="api.json"'
    return response


def error_body(refusal: Refusal, *, code: str, request_id: str) -> dict[str, Any]:
    """The source's error envelope."""
    return {
        "error": {
            "code": code,
            "message": refusal.message,
            "details": {"reason": refusal.reason, **refusal.details},
            "request_id": request_id,
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
    }


def refuse(request: HttpRequest, refusal: Refusal, *, code: str = "") -> HttpResponse:
    """The answer that tells a refusal."""
    code = code or refusal.code
    errors_answered.labels(code=code).inc()
    response = json_response(
        error_body(refusal, code=code, request_id=getattr(request, "request_id", "")),
        STATUS[code],
    )
    if code == "UNAUTHORIZED":
        response["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, RateLimitExceeded):
        response["Retry-After"] = str(refusal.details["retry_after"])
    if code == "SERVICE_UNAVAILABLE" or isinstance(refusal, InProgress):
        response["Retry-After"] = "2"
    return response


def refusal_of(failure: Exception) -> tuple[Refusal, str]:
    """Any exception as a refusal with its code; who is not let in stands in the log."""
    refusal, code = _refusal_of(failure)
    if code == "UNAUTHORIZED":
        log.warning("not let in: %s", refusal.reason)
    return refusal, code


def _refusal_of(failure: Exception) -> tuple[Refusal, str]:
    """The unforeseen is logged and keeps its secrets."""
    if isinstance(failure, Refusal):
        return failure, failure.code
    if isinstance(failure, OperationalError | InterfaceError | redis.RedisError | BrokerError):
        log.warning("a server does not answer: %s", failure)
        if isinstance(failure.__cause__, QueryCanceled | LockNotAvailable):
            return TakesTooLong(), TakesTooLong.code
        return Unavailable(), Unavailable.code
    for kinds, make in _FOREIGN:
        if isinstance(failure, kinds):
            refusal, code = make(failure)
            return refusal, code
    log.error("unforeseen failure", exc_info=failure)
    unforeseen = Refusal("Something went wrong on our side.", reason="internal_error")
    return unforeseen, "INTERNAL_ERROR"


def answer_exception(request: HttpRequest, failure: Exception) -> HttpResponse:
    """The answer to any exception."""
    refusal, code = refusal_of(failure)
    return refuse(request, refusal, code=code)


def _told(failure: Exception) -> str:
    return str(getattr(failure, "detail", "")) or str(failure)


_FOREIGN: tuple[tuple[Any, Any], ...] = (
    (
        drf.ParseError,
        lambda failure: (
            InvalidInput(_told(failure), reason="malformed_body"),
            "VALIDATION_ERROR",
        ),
    ),
    (
        (drf.NotAuthenticated, drf.AuthenticationFailed),
        lambda failure: (NotSignedIn(_told(failure)), "UNAUTHORIZED"),
    ),
    (
        (drf.PermissionDenied, PermissionDenied),
        lambda failure: (Refusal(_told(failure), reason="not_allowed"), "FORBIDDEN"),
    ),
    (
        (drf.NotFound, Http404),
        lambda failure: (Refusal("There is nothing here.", reason="not_found"), "NOT_FOUND"),
    ),
    (
        drf.MethodNotAllowed,
        lambda failure: (
            Refusal(_told(failure), reason="method_not_allowed"),
            "METHOD_NOT_ALLOWED",
        ),
    ),
    (
        drf.UnsupportedMediaType,
        lambda failure: (
            Refusal(_told(failure), reason="unsupported_media_type"),
            "UNSUPPORTED_MEDIA_TYPE",
        ),
    ),
    (
        RequestDataTooBig,
        lambda failure: (
            Refusal("The request is larger than allowed.", reason="too_large"),
            "PAYLOAD_TOO_LARGE",
        ),
    ),
    (
        TooManyFieldsSent,
        lambda failure: (InvalidInput("The request has too many fields."), "VALIDATION_ERROR"),
    ),
    (
        IntegrityError,
        lambda failure: (
            Conflict("It collides with what is already there.", reason="already_exists"),
            "CONFLICT",
        ),
    ),
    (
        DataError,
        lambda failure: (
            InvalidInput("A value is outside of what can be stored.", reason="out_of_range"),
            "VALIDATION_ERROR",
        ),
    ),
)


def handle_exception(failure: Exception, context: dict[str, Any]) -> HttpResponse:
    """Django REST framework's hook."""
    return answer_exception(context["request"]._request, failure)


def unknown_route(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The answer where no address matches."""
    return refuse(
        request,
        Refusal("There is no such address.", reason="unknown_route", path=request.path),
        code="NOT_FOUND",
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The answer to what Django itself refuses to read."""
    return refuse(request, InvalidInput("The request can't be read.", reason="bad_request"))


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer when a page fails unforeseen."""
    return refuse(
        request,
        Refusal("Something went wrong on our side.", reason="internal_error"),
        code="INTERNAL_ERROR",
    )
