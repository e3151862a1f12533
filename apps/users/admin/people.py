"""Pages of people and of the rights that roles hold."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation, OperationForm
from apps.core.admin.refusals import put_in_message
from apps.core.admin.service_forms import ServiceForm
from apps.core.admin.visitors import actor_of, may
from apps.core.errors import Refusal
from apps.core.permissions import declared
from apps.users.models import Role, RolePermission, User
from apps.users.permissions import MANAGE_USER, READ_USER
from apps.users.selectors import permission_matrix
from apps.users.services.people import (
    add_user,
    allow_role,
    bind_client,
    change_access,
    limit_requests,
    set_password,
    set_time_zone,
)
from apps.users.services.second_factor import has_second_factor, reset_second_factor

ROLE_TONES = {
    "admin": "danger",
    "sales_manager": "primary",
    "sales_rep": "info",
    "read_only": "neutral",
    "integration": "warning",
}


class NewUserForm(ServiceForm):
    """A new person, with a first password or none."""

    password = forms.CharField(
        label="First password",
        required=False,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
        help_text="Leave it empty for people who sign in elsewhere.",
    )


class PasswordForm(OperationForm):
    """A new password."""

    password = forms.CharField(
        label="New password",
        strip=False,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
    )


class TimeZoneForm(OperationForm):
    """Where somebody is."""

    time_zone = forms.CharField(
        label="Time zone",
        required=False,
        max_length=60,
        help_text="Such as Europe/Berlin; the organisation's, if empty.",
        widget=UnfoldAdminTextInputWidget({"spellcheck": "false"}),
    )

    def prepare(self) -> None:
        """As it is."""
        if self.row is not None:
            self.initial.setdefault("time_zone", self.row.time_zone)


class ReachForm(OperationForm):
    """How far a machine client sees."""

    all_territories = forms.BooleanField(
        label="Sees every row",
        required=False,
        help_text="Otherwise those of the territories it is a member of.",
        widget=UnfoldBooleanSwitchWidget(),
    )

    def prepare(self) -> None:
        """As it is."""
        if self.row is not None:
            self.initial.setdefault("all_territories", self.row.all_territories)


class RequestsForm(OperationForm):
    """How much somebody may ask for."""

    requests_per_minute = forms.IntegerField(
        label="Requests a minute",
        required=False,
        min_value=1,
        help_text="The usual limit, if empty.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    requests_per_second = forms.IntegerField(
        label="Requests a second",
        required=False,
        min_value=1,
        help_text="The usual limit, if empty.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )


class RoleFilter(ChoiceOf):
    """Narrows people to one role."""

    title = "role"
    parameter_name = "role"
    choices_offered = tuple((value, show.words(value)) for value in Role.values)


class ActivityFilter(ChoiceOf):
    """Those who work here, or not any more."""

    title = "access"
    parameter_name = "is_active"
    choices_offered = (("True", "Active"), ("False", "Ended"))


class ReportsInline(ReadOnlyInline):
    """Whoever reports to a person."""

    model = User
    fk_name = "manager"
    fields = ("name", "email", "role", "is_active")
    ordering = ("name", "id")
    verbose_name_plural = "Reports"
    show_change_link = True


@admin.register(User)
class UserAdmin(ActorAdmin):
    """People who sign in."""

    read = READ_USER
    write = MANAGE_USER
    subject = "user_id"
    adds = staticmethod(add_user)
    is_found_everywhere = True
    ordering = ("name", "id")
    list_display = ("who", "role_badge", "manager", "access", "last_login")
    list_select_related = ("manager",)
    list_defer = ("password",)
    list_filter = (RoleFilter, ActivityFilter)
    sortable_by = ()
    search_fields = ("name", "email")
    search_help_text = "Name or e-mail"
    autocomplete_fields = ("manager",)
    inlines = (ReportsInline,)
    fieldsets = (
        (None, {"fields": (("name", "email"), "role", "manager", "is_active")}),
        (
            "Facts",
            {
                "fields": (
                    ("time_zone", "last_login", "all_territories"),
                    ("requests_per_minute", "requests_per_second"),
                    ("created_at", "updated_at"),
                )
            },
        ),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "email",
                    "name",
                    "role",
                    "manager",
                    "time_zone",
                    "password",
                    "all_territories",
                )
            },
        ),
    )
    readonly_fields = (
        "name",
        "email",
        "time_zone",
        "last_login",
        "all_territories",
        "requests_per_minute",
        "requests_per_second",
        "created_at",
        "updated_at",
    )
    operations = (
        Operation(
            name="password",
            label="Set a password",
            permission=MANAGE_USER,
            one=set_password,
            form=PasswordForm,
            icon="key",
            sentence="All sign-ins of the person end.",
            tone=ActionVariant.DEFAULT,
        ),
        Operation(
            name="time_zone",
            label="Set the time zone",
            permission=MANAGE_USER,
            one=set_time_zone,
            form=TimeZoneForm,
            icon="schedule",
            sentence="Pages show moments there. APIs and exports tell UTC.",
            is_secondary=True,
        ),
        Operation(
            name="reach",
            label="Set its reach",
            permission=MANAGE_USER,
            one=bind_client,
            form=ReachForm,
            offered=lambda user: user.role == Role.INTEGRATION,
            icon="travel_explore",
        ),
        Operation(
            name="reset",
            label="Reset the second factor",
            permission=MANAGE_USER,
            one=reset_second_factor,
            offered=has_second_factor,
            asks_first=True,
            icon="phonelink_erase",
            sentence="The person enrols anew. Do it only for whoever you know.",
            is_secondary=True,
        ),
        Operation(
            name="limit",
            label="Limit requests",
            permission=MANAGE_USER,
            one=limit_requests,
            form=RequestsForm,
            icon="speed",
            sentence="How much may be asked for over REST and GraphQL.",
        ),
    )

    @staticmethod
    def changes(user_id: Any, actor: Any, **facts: Any) -> User:
        """Change role, manager or activity; what is not stated stays."""
        user = User.objects.get(pk=user_id)
        kept = {"role": user.role, "manager_id": user.manager_id, "is_active": user.is_active}
        return change_access(user_id=user_id, actor=actor, **{**kept, **facts})

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """New people come with a password."""
        if not change:
            kwargs["form"] = NewUserForm
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Name and address are stated once."""
        return self.readonly_fields if obj else ()

    def facts_to_add(self, form: Any) -> dict[str, Any]:
        """All of the form: an empty password means none."""
        facts: dict[str, Any] = form.facts(list(form.cleaned_data))
        return {**facts, "password": facts["password"] or None}

    @display(description="Person")
    def who(self, row: User) -> Any:
        """Name and address."""
        return show.two_lines(row.name, row.email)

    def tells_happenings(self, request: HttpRequest, object_id: str) -> bool:
        """Everybody is known to everybody; what became of their work only to those they reach."""
        reach = actor_of(request).reach
        return reach.everything or object_id in map(str, reach.user_ids)

    @display(description="Role")
    def role_badge(self, row: User) -> Any:
        """The role."""
        return show.state_badge(row.role, ROLE_TONES)

    @display(description="Access")
    def access(self, row: User) -> Any:
        """Whether the person may sign in."""
        return show.badge("Active", "success") if row.is_active else show.badge("Ended")


@admin.register(RolePermission)
class RightsAdmin(ActorAdmin):
    """Which role holds which permission: one table to read and to change."""

    read = READ_USER
    write = MANAGE_USER

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The matrix; posting it changes what differs, from now on."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            self._change_rights(request)
            return HttpResponseRedirect(request.path)
        matrix = permission_matrix()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Rights of roles",
            "roles": [(role, show.words(role)) for role in Role.values],
            "rights": [
                (one, [(role, one.name in matrix.get(role, ())) for role in Role.values])
                for one in declared()
            ],
            "may_change": may(request, MANAGE_USER),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/users/rights.html", context)

    def _change_rights(self, request: HttpRequest) -> None:
        wanted = set(request.POST.getlist("held"))
        matrix = permission_matrix()
        try:
            with transaction.atomic():
                changed = [
                    allow_role(
                        role=role,
                        permission=one.name,
                        allowed=f"{role} {one.name}" in wanted,
                        actor=actor_of(request),
                    )
                    for one in declared()
                    for role in Role.values
                    if (f"{role} {one.name}" in wanted) != (one.name in matrix.get(role, ()))
                ]
        except Refusal as refusal:
            put_in_message(request, refusal)
        else:
            messages.success(request, f"{len(changed)} rights changed.")


admin.site.unregister(Group)
