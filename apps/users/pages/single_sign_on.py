"""Signing in to the back office by an identity provider: there, and back."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import Refusal
from apps.users.api.authentication import visitor_of
from apps.users.pages.sign_in import enter
from apps.users.services.single_sign_on import begin_single_sign_on, person_from_provider

_BEGUN = "single_sign_on"


@never_cache
@require_POST
def go_to_provider(request: HttpRequest, name: str) -> HttpResponse:
    """Send the visitor to the provider; by a form, so that no other site can."""
    try:
        begun = begin_single_sign_on(
            provider_name=name,
            redirect_uri=request.build_absolute_uri(reverse("admin:single-sign-on-back")),
        )
    except Refusal as refusal:
        return _refused(request, refusal)
    request.session[_BEGUN] = {**begun.kept, "next": request.POST.get("next", "")}
    return HttpResponseRedirect(begun.address)


@never_cache
@require_safe
def back_from_provider(request: HttpRequest) -> HttpResponse:
    """Let the visitor in whom the provider vouches for."""
    kept = request.session.pop(_BEGUN, None)
    try:
        user = person_from_provider(
            kept=kept,
            state=request.GET.get("state", ""),
            code=request.GET.get("code", ""),
            visitor=visitor_of(request, door="back_office"),
        )
    except Refusal as refusal:
        return _refused(request, refusal)
    enter(request, user, method="single sign-on")
    wanted = kept["next"]
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    return HttpResponseRedirect(wanted if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL))


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    messages.error(request, refusal.message, extra_tags=refusal.reason)
    return HttpResponseRedirect(reverse("admin:login"))
