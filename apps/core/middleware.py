"""What every request passes: its identity, and failures told in the envelope."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from apps.core.accesses import one_request
from apps.core.api.envelope import answer_exception

log = logging.getLogger(__name__)

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestIdentity:
    """Gives every request an id: the caller's `X-Request-ID` where it is safe, else a new one.

    Behind proxies of ours the address is the one that the outermost of them saw.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        stated = request.headers.get("X-Request-ID", "")
        request_id = stated if _ACCEPTABLE.fullmatch(stated) else str(uuid.uuid4())
        request.request_id = request_id  # type: ignore[attr-defined]
        request.META["REMOTE_ADDR"] = _address(request)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        with one_request():
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


def _address(request: HttpRequest) -> str:
    """Where a request comes from; only what our own proxies wrote is believed."""
    direct: str = request.META.get("REMOTE_ADDR", "")
    if not settings.PROXIES_IN_FRONT:
        return direct
    named = [one.strip() for one in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    return [*named, direct][-settings.PROXIES_IN_FRONT - 1 :][0] or direct


class FailureEnvelope:
    """Tells failures of API addresses in the envelope, even those raised outside a view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, failure: Exception) -> HttpResponse | None:
        """Answer for the API; leave pages to Django, and note whom they are closed to."""
        if request.path.startswith("/admin"):
            if isinstance(failure, PermissionDenied):
                log.warning("a page is closed: %s", request.path)
            return None
        return answer_exception(request, failure)


def _policy(**sources: str) -> str:
    directives = {"default-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'"}
    directives |= {name.replace("_", "-"): value for name, value in sources.items()}
    return "; ".join(f"{name} {value}" for name, value in directives.items())


# Answers that are no pages load nothing. The back office's components (Alpine) evaluate
# expressions, and charts and editors set styles.
_NO_PAGE = _policy()
_PAGE = _policy(
    script_src="'self' 'unsafe-eval'",
    style_src="'self' 'unsafe-inline'",
    img_src="'self' data:",
    font_src="'self' data:",
    connect_src="'self'",
    worker_src="'self' blob:",
    form_action="'self'",
)


class ContentSecurityPolicy:
    """Tells browsers that nothing comes from, goes to or is framed by another host."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        response.setdefault("Content-Security-Policy", _PAGE if is_page else _NO_PAGE)
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response
