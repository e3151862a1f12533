"""Pages of API keys and of applications."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
)

from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.operations import Operation, OperationForm
from apps.core.admin.service_forms import ServiceForm
from apps.core.permissions import declared
from apps.users.models import ApiKey, Application, Role, User
from apps.users.permissions import MANAGE_CLIENT
from apps.users.services.api_keys import (
    issue_api_key,
    revoke_api_key,
    rotate_api_key,
)
from apps.users.services.applications import admit_application, end_application

KEPT_DAYS = 90


class Scopes(forms.MultipleChoiceField):
    """Permissions to choose; none stands for all that the role holds."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("base_field", None), kwargs.pop("max_length", None)
        super().__init__(
            choices=lambda: [(one.name, f"{one.name}: {one.sentence}") for one in declared()],
            widget=forms.CheckboxSelectMultiple,
            **{**kwargs, "required": False},
        )

    def clean(self, value: Any) -> list[str] | None:
        """The names; None for none."""
        return super().clean(value) or None


class NewKeyForm(ServiceForm):
    """For whom, until when, and for what."""

    scopes = Scopes(help_text="None stands for all that the client's role may do.")
    expires_at = forms.DateField(
        label="Works until",
        widget=UnfoldAdminSingleDateWidget(),
        initial=lambda: (timezone.now() + timedelta(days=KEPT_DAYS)).date(),
        help_text="At most a year from today.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        clients = User.objects.active().filter(role=Role.INTEGRATION).order_by("name")
        self.fields["user"].label = "Client"
        self.fields["user"].queryset = clients  # type: ignore[attr-defined]

    def clean_expires_at(self) -> Any:
        """The end of the day."""
        day = self.cleaned_data["expires_at"]
        return timezone.make_aware(
            timezone.datetime(day.year, day.month, day.day, 23, 59, 59)  # type: ignore[attr-defined]
        )


class RotationForm(OperationForm):
    """How long the former secret works on."""

    grace_minutes = forms.IntegerField(
        label="Minutes of grace",
        initial=60,
        min_value=0,
        max_value=10_080,
        help_text="So long the former secret works on.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.initial.setdefault("grace_minutes", 60)


class NewApplicationForm(ServiceForm):
    """What it is called, where it gets its codes, and what it may be given."""

    redirect_uris = forms.CharField(
        label="Redirect addresses",
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="One a line, exactly as the application sends them.",
    )
    scopes = Scopes(help_text="None stands for all that the person may do.")

    def clean_redirect_uris(self) -> list[str]:
        """One address a line."""
        text: str = self.cleaned_data["redirect_uris"]
        return [one.strip() for one in text.splitlines() if one.strip()]


class ClientAdmin(ActorAdmin):
    """What keys and applications have in common: they are made, and they end."""

    read = MANAGE_CLIENT
    write = MANAGE_CLIENT
    sortable_by = ()
    new_form: type[ServiceForm]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The form of a new one."""
        if not change:
            kwargs["form"] = self.new_form
        return super().get_form(request, obj, change, **kwargs)

    def facts_to_add(self, form: Any) -> dict[str, Any]:
        """All of the form."""
        facts: dict[str, Any] = form.facts(list(form.cleaned_data))
        return facts

    @display(description="Scopes")
    def may_do(self, row: Any) -> str:
        """The permissions it has at most."""
        return ", ".join(row.scopes) if row.scopes else "All of the role"


@admin.register(ApiKey)
class ApiKeyAdmin(ClientAdmin):
    """Keys of machine clients. A secret is shown once, on the page that makes it."""

    subject = "api_key_id"
    adds = staticmethod(issue_api_key)
    added_page = "admin/users/secret.html"
    new_form = NewKeyForm
    list_display = ("which", "user", "state", "last_used", "expires_at")
    list_select_related = ("user",)
    list_defer = ("digest", "former_digest")
    search_fields = ("name", "prefix", "user__name")
    search_help_text = "Name, prefix or client"
    fieldsets = (
        (None, {"fields": (("name", "user"), ("prefix", "state"), "may_do")}),
        (
            "Facts",
            {
                "fields": (
                    ("last_used", "expires_at"),
                    ("former_until", "revoked_at"),
                    ("created_at", "updated_at"),
                )
            },
        ),
    )
    add_fieldsets = ((None, {"fields": ("user", "name", "expires_at", "scopes")}),)
    operations = (
        Operation(
            name="rotate",
            label="Replace the secret",
            permission=MANAGE_CLIENT,
            one=rotate_api_key,
            form=RotationForm,
            offered=lambda key: key.revoked_at is None,
            icon="sync",
            sentence="The fresh secret is shown once.",
            page="admin/users/secret.html",
        ),
        Operation(
            name="revoke",
            label="Revoke",
            permission=MANAGE_CLIENT,
            one=revoke_api_key,
            offered=lambda key: key.revoked_at is None,
            asks_first=True,
            icon="block",
            sentence="Within seconds neither the key nor its tokens work. This can't be undone.",
            tone=ActionVariant.DANGER,
        ),
    )

    @display(description="Key")
    def which(self, row: ApiKey) -> Any:
        """Name and prefix."""
        return show.two_lines(row.name, row.prefix)

    @display(description="State")
    def state(self, row: ApiKey) -> Any:
        """Whether it works."""
        if row.revoked_at is not None:
            return show.badge("Revoked", "danger")
        if row.expires_at <= timezone.now():
            return show.badge("Expired")
        return show.badge("Works", "success")

    @display(description="Last used")
    def last_used(self, row: ApiKey) -> Any:
        """When the client last came with it, to the minute."""
        return show.moment(row.last_used_at)


@admin.register(Application)
class ApplicationAdmin(ClientAdmin):
    """Applications that may act for people who allow it."""

    subject = "application_id"
    adds = staticmethod(admit_application)
    new_form = NewApplicationForm
    list_display = ("name", "id", "state", "created_at")
    search_fields = ("name",)
    search_help_text = "Name"
    fieldsets = (
        (None, {"fields": (("name", "state"), "id", "addresses", "may_do")}),
        ("Facts", {"fields": (("created_at", "ended_at"),)}),
    )
    add_fieldsets = ((None, {"fields": ("name", "redirect_uris", "scopes")}),)
    operations = (
        Operation(
            name="end",
            label="End",
            permission=MANAGE_CLIENT,
            one=end_application,
            offered=lambda application: application.ended_at is None,
            asks_first=True,
            icon="block",
            sentence="Within seconds it acts for nobody any more. This can't be undone.",
            tone=ActionVariant.DANGER,
        ),
    )

    @display(description="Redirect addresses")
    def addresses(self, row: Application) -> str:
        """Where it gets its codes."""
        return ", ".join(row.redirect_uris)

    @display(description="State")
    def state(self, row: Application) -> Any:
        """Whether it may act."""
        return show.badge("Ended") if row.ended_at else show.badge("Admitted", "success")
