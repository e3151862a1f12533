"""What a browser is told instead of a page; whoever asks for anything else gets the envelope."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.api import envelope

JSON, HTML = "application/json", "text/html"


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Somebody came upon what is not theirs to see."""
    sentence = str(exception) or "You have no right to this page."
    answer = envelope.answer_exception(request, PermissionDenied(sentence))
    return _page(request, answer, "Not for you", sentence)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Nothing is there, or nothing that this person can see."""
    answer = envelope.unknown_route(request, exception)
    return _page(request, answer, "Nothing here", "There is no such page, or it is not for you.")


def broken(request: HttpRequest) -> HttpResponse:
    """Something failed that should not; the page asks for nothing that could fail again."""
    answer = envelope.server_error(request)
    if not _wants_a_page(request):
        return answer
    noted_as = getattr(request, "request_id", "")
    return render(None, "broken.html", {"noted_as": noted_as}, status=answer.status_code)


def _page(request: HttpRequest, answer: HttpResponse, title: str, sentence: str) -> HttpResponse:
    if not _wants_a_page(request):
        return answer
    context = {**admin.site.each_context(request), "title": title, "sentence": sentence}
    return render(request, "refused.html", context, status=answer.status_code)


def _wants_a_page(request: HttpRequest) -> bool:
    return request.get_preferred_type([JSON, HTML]) == HTML
