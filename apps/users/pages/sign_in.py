"""Signing in to the back office: the password, then a code for whoever has a second factor."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import segno
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.views import View
from django.views.decorators.cache import never_cache
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.core.actors import Actor
from apps.core.errors import Refusal
from apps.users.api.authentication import visitor_of
from apps.users.errors import WrongCredentials
from apps.users.models import SecondFactor, User
from apps.users.selectors import actor_for
from apps.users.services.second_factor import (
    begin_second_factor,
    confirm_second_factor,
    has_second_factor,
    must_enrol,
)
from apps.users.services.sign_ins import note_sign_in, person_with, take_code

BACKEND = "django.contrib.auth.backends.ModelBackend"
HALFWAY_SECONDS = 600
SINCE = "signed_in_at"
_HALFWAY = "halfway"


class SignInForm(AuthenticationForm):
    """E-mail and password, checked by the service of every door."""

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = "E-mail"

    def clean(self) -> dict[str, Any]:
        """The values; with the refusal of the service, if it refused them."""
        values: dict[str, Any] = self.cleaned_data
        try:
            user = person_with(
                email=values.get("username", ""),
                password=values.get("password", ""),
                visitor=visitor_of(self.request, door="back_office"),
            )
            if not user.is_staff:
                raise WrongCredentials
        except Refusal as refusal:
            raise ValidationError(refusal.message, code=refusal.reason) from None
        self.user_cache = user
        return values


class CodeForm(forms.Form):
    """A code of an authenticator, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=50,
        widget=UnfoldAdminTextInputWidget(
            {"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
    )


def enter(request: HttpRequest, user: User, *, method: str) -> None:
    """Open the back office to somebody who proved who they are, for eight hours."""
    login(request, user, backend=BACKEND)
    request.session[SINCE] = int(time.time())
    note_sign_in(user=user, method=method, visitor=visitor_of(request, door="back_office"))


class SignInPage(LoginView):
    """The password; whoever needs a code is asked for it next."""

    form_class = SignInForm
    template_name = "users/sign_in.html"

    def form_valid(self, form: Any) -> HttpResponse:
        """Let the person in, or go on to the second factor."""
        user: User = form.get_user()
        page = "second-factor-code" if has_second_factor(user) else "second-factor"
        if has_second_factor(user) or must_enrol(user):
            self.request.session[_HALFWAY] = {
                "user": str(user.pk),
                "at": time.time(),
                "next": self.get_redirect_url(),
            }
            return HttpResponseRedirect(reverse(f"admin:{page}"))
        enter(self.request, user, method="password")
        return HttpResponseRedirect(self.get_success_url())


def _halfway(request: HttpRequest) -> User | None:
    """Whoever gave the right password a moment ago and has yet to show the second factor."""
    kept = request.session.get(_HALFWAY)
    if kept is None or time.time() - kept["at"] > HALFWAY_SECONDS:
        return None
    return User.objects.active().filter(pk=UUID(kept["user"])).first()


def _finish(request: HttpRequest, user: User) -> str:
    """Let somebody in who got halfway; returns where they wanted to go."""
    wanted: str = request.session[_HALFWAY]["next"]
    enter(request, user, method="password and code")
    request.session.pop(_HALFWAY, None)
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    return wanted if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


@method_decorator(never_cache, name="dispatch")
class CodePage(View):
    """The code, after the password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask for it."""
        if _halfway(request) is None:
            return HttpResponseRedirect(reverse("admin:login"))
        return self.ask(request, CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Take it."""
        user = _halfway(request)
        if user is None:
            return HttpResponseRedirect(reverse("admin:login"))
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                take_code(
                    user=user,
                    code=form.cleaned_data["code"],
                    visitor=visitor_of(request, door="back_office"),
                )
                return HttpResponseRedirect(_finish(request, user))
            except Refusal as refusal:
                form.add_error(None, ValidationError(refusal.message, code=refusal.reason))
        return self.ask(request, form)

    @staticmethod
    def ask(request: HttpRequest, form: CodeForm) -> HttpResponse:
        """The page."""
        return _page(request, "users/code.html", title="Second factor", form=form)


@method_decorator(never_cache, name="dispatch")
class SecondFactorPage(View):
    """Enrolling an authenticator: a picture, a code to confirm it, and the recovery codes."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the picture; or that there is a second factor already."""
        actor = self.actor(request)
        if actor is None:
            return HttpResponseRedirect(reverse("admin:login"))
        there = SecondFactor.objects.filter(user_id=actor.id).exclude(confirmed_at=None).first()
        if there is not None:
            return _page(
                request,
                "users/second_factor_there.html",
                title="Second factor",
                factor=there,
                codes_left=len(there.recovery_digests),
            )
        return self.ask(request, actor, CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Confirm it with a code."""
        actor = self.actor(request)
        if actor is None:
            return HttpResponseRedirect(reverse("admin:login"))
        form = CodeForm(request.POST)
        if not form.is_valid():
            return self.ask(request, actor, form)
        try:
            codes = confirm_second_factor(code=form.cleaned_data["code"], actor=actor)
        except Refusal as refusal:
            form.add_error(None, ValidationError(refusal.message, code=refusal.reason))
            return self.ask(request, actor, form)
        user = _halfway(request)
        back = reverse("admin:index") if user is None else _finish(request, user)
        return _page(
            request, "users/recovery_codes.html", title="Recovery codes", codes=codes, back=back
        )

    @staticmethod
    def actor(request: HttpRequest) -> Actor | None:
        """Whoever is signed in, or has to enrol before that."""
        if request.user.is_authenticated:
            return request.actor or None  # type: ignore[attr-defined]
        user = _halfway(request)
        if user is None or not must_enrol(user):
            return None
        return actor_for(
            user.pk,
            door="back_office",
            request_id=request.request_id,  # type: ignore[attr-defined]
        )

    @staticmethod
    def ask(request: HttpRequest, actor: Actor, form: CodeForm) -> HttpResponse:
        """The page with the picture."""
        try:
            enrolment = begin_second_factor(actor=actor)
        except Refusal:
            return HttpResponseRedirect(reverse("admin:second-factor"))
        picture = segno.make(enrolment.address, error="m").svg_inline(
            scale=5, border=2, dark="#000", light="#fff", omitsize=True
        )
        return _page(
            request,
            "users/second_factor.html",
            title="Second factor",
            form=form,
            picture=mark_safe(picture),
            secret=enrolment.secret,
        )
