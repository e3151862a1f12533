"""`/oauth/authorize`: a person lets an application act for them, or does not (RFC 6749, 9207)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.core.actors import Actor
from apps.core.permissions import declared
from apps.users.api.authentication import visitor_of
from apps.users.errors import OAuthRefusal
from apps.users.services.oauth import Proposal, consent, read_proposal

ASKED = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)


@never_cache
@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """Ask the person who is signed in, and send the answer to the application."""
    given = request.POST if request.method == "POST" else request.GET
    try:
        asked = _asked(given)
        proposal = read_proposal(asked)
        actor: Actor = request.actor  # type: ignore[attr-defined]
        if not actor:
            return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
        if request.method == "GET":
            return _question(request, proposal, asked)
        if "allow" not in given:
            raise OAuthRefusal(
                "The person said no.", reason="access_denied", returns_to=proposal.redirect_uri
            )
        code = consent(proposal=proposal, visitor=visitor_of(request, door="oauth"), actor=actor)
    except OAuthRefusal as refusal:
        return _refused(request, refusal, state=given.get("state", ""))
    return _back(proposal.redirect_uri, asked.get("state", ""), code=code)


def _asked(given: QueryDict) -> dict[str, str]:
    for name in ASKED:
        if len(given.getlist(name)) > 1 or "\x00" in given.get(name, ""):
            raise OAuthRefusal(f"{name} can't be read.")
    return {name: str(given[name]) for name in ASKED if given.get(name)}


def _question(request: HttpRequest, proposal: Proposal, asked: dict[str, str]) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"Allow {proposal.application.name}?",
        "application": proposal.application,
        "leads_to": urlsplit(proposal.redirect_uri).netloc,
        "rights": [
            one for one in declared() if one.name in proposal.scopes and actor.may(one.name)
        ],
        "asked": asked.items(),
    }
    return TemplateResponse(request, "users/consent.html", context)


def _refused(request: HttpRequest, refusal: OAuthRefusal, *, state: str) -> HttpResponse:
    """Tell the application; or the person, where the address may not be the application's."""
    if returns_to := refusal.details.get("returns_to"):
        return _back(returns_to, state, error=refusal.reason, error_description=refusal.message)
    context = {
        **admin.site.each_context(request),
        "title": "This can't be asked",
        "sentence": refusal.message,
    }
    return TemplateResponse(request, "refused.html", context, status=400)


def _back(redirect_uri: str, state: str, **answer: str) -> HttpResponse:
    if state:
        answer["state"] = state
    answer["iss"] = settings.TOKEN_ISSUER
    glue = "&" if urlsplit(redirect_uri).query else "?"
    return HttpResponseRedirect(f"{redirect_uri}{glue}{urlencode(answer)}")
