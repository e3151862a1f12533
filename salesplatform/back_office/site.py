"""The site of the back office: Unfold's, with our services behind what Django would write itself.

The site is made while the apps' pages register themselves, so it imports none of them.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.sites import UnfoldAdminSite

from apps.core.accesses import Reading, note_access
from apps.users.pages.sign_in import CodePage, SecondFactorPage, SignInPage
from apps.users.pages.single_sign_on import back_from_provider, go_to_provider
from apps.users.services.people import set_password
from apps.users.services.single_sign_on import providers


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """A person's own new password: every token and other session of theirs ends."""

    request: HttpRequest

    def save(self, commit: bool = True) -> Any:
        """Let the service set it."""
        set_password(
            user_id=self.user.pk,
            password=self.cleaned_data["new_password1"],
            actor=self.request.actor,  # type: ignore[attr-defined]
        )
        self.user.refresh_from_db()
        return self.user


class OwnPasswordPage(PasswordChangeView):
    """The page of one's own password."""

    form_class = OwnPasswordForm

    def get_form(self, form_class: Any = None) -> Any:
        """The form, knowing who asks."""
        form: Any = super().get_form(form_class)
        form.request = self.request
        return form


class Suggestions(AutocompleteJsonView):
    """What fields that find rows by typing suggest."""

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        """One row; whoever is suggested people stands in the access log."""
        note_access(self.request.actor, type(obj), [obj.pk], Reading.LISTED)  # type: ignore[attr-defined]
        return super().serialize_result(obj, to_field_name)


class BackOffice(UnfoldAdminSite):
    """The pages of sales operations."""

    index_title = "Start"

    def get_urls(self) -> list[URLPattern]:
        """The site's, and the second factor's, which has to be shown before one is in."""
        return [
            path("login/code/", CodePage.as_view(), name="second-factor-code"),
            path("login/by/<slug:name>/", go_to_provider, name="single-sign-on"),
            path("login/back/", back_from_provider, name="single-sign-on-back"),
            path("second-factor/", SecondFactorPage.as_view(), name="second-factor"),
            *super().get_urls(),
        ]

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Sign in, or go on for whoever is signed in."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        request.current_app = self.name
        page = SignInPage.as_view(
            extra_context={
                **self.each_context(request),
                "title": "Sign in",
                "providers": providers(),
                "app_path": request.get_full_path(),
                **(extra_context or {}),
            }
        )
        return page(request)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponseBase:
        """Suggestions while somebody types."""
        return Suggestions.as_view(admin_site=self)(request)

    @method_decorator(never_cache)
    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Change one's own password."""
        request.current_app = self.name
        page = OwnPasswordPage.as_view(
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return page(request)
