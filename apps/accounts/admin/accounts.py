"""The list of accounts and an account's page, with all that can be done to accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.accounts.models import Account, AccountAssignment, Contact
from apps.accounts.permissions import (
    ASSIGN_ACCOUNT,
    DELETE_ACCOUNT,
    READ_ACCOUNT,
    WRITE_ACCOUNT,
)
from apps.accounts.services.accounts import (
    change_account,
    delete_account,
    open_account,
    reassign_account,
    restore_account,
)
from apps.accounts.services.bulk import BULK_OPERATIONS
from apps.accounts.services.contacts import add_contact
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.lists import BinFilter, DaysFilter
from apps.core.admin.operations import Operation, OperationForm, choice, picker, text
from apps.core.admin.start_page import tells_of
from apps.territories.admin import AssignmentsInline
from apps.territories.models import Territory
from apps.users.models import User


class HandOverForm(OperationForm):
    """To whom, where, and why."""

    owner_id = picker("Person", Account, "owner", help_text="It stays with its owner, if empty.")
    territory_id = picker(
        "Territory", Account, "territory", help_text="It stays where it is, if empty."
    )
    reason = text("Reason", help_text="Kept in the history.")

    def prepare(self) -> None:
        """People who work here, and territories within reach."""
        people: Any = self.fields["owner_id"]
        territories: Any = self.fields["territory_id"]
        people.queryset = User.objects.active()
        territories.queryset = Territory.objects.visible_to(self.actor)


class ContactForm(OperationForm):
    """Somebody to talk to."""

    name = text("Name", required=True)
    type = choice("For", [(value, show.words(value)) for value in Contact.Type.values])
    email = text("E-mail")
    phone = text("Phone")
    title = text("Position")


class ContactsInline(ReadOnlyInline):
    """The people at an account."""

    model = Contact
    fields = ("name", "type", "title", "email", "phone")
    ordering = ("-created_at", "-id")
    verbose_name_plural = "Contacts"
    show_change_link = True


class DaughtersInline(ReadOnlyInline):
    """The companies that belong to an account."""

    model = Account
    fk_name = "parent_account"
    related = ("owner",)
    fields = ("name", "domain", "owner")
    ordering = ("name",)
    verbose_name_plural = "Daughters"
    show_change_link = True


class AccountAssignmentsInline(AssignmentsInline):
    """Whom an account belonged to."""

    model = AccountAssignment


@admin.register(Account)
class AccountAdmin(ActorAdmin):
    """Customer companies."""

    read = READ_ACCOUNT
    write = WRITE_ACCOUNT
    subject = "account_id"
    adds = staticmethod(open_account)
    changes = staticmethod(change_account)
    version_argument = "version"
    is_found_everywhere = True
    list_display = ("title", "industry_line", "place", "owner_line", "territory_line", "opened")
    list_select_related = ("owner", "territory")
    list_defer = ("external_ids",)
    list_filter = (
        ("territory", AutocompleteSelectFilter),
        ("owner", AutocompleteSelectFilter),
        ("created_at", DaysFilter),
        BinFilter,
    )
    sortable_by = ("title", "opened")
    search_help_text = "Words of name, domain or city"
    autocomplete_fields = ("parent_account", "owner", "territory")
    inlines = (ContactsInline, DaughtersInline, AccountAssignmentsInline)
    readonly_fields = ("owner", "territory", "external_ids", "created_at", "updated_at")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "domain"),
                    ("owner", "territory"),
                    ("parent_account", "industry"),
                    ("annual_revenue", "currency"),
                    "employee_count",
                )
            },
        ),
        ("Address", {"fields": (("country", "state"), ("city", "postal_code"))}),
        ("Origin", {"fields": ("external_ids", ("created_at", "updated_at"))}),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "domain"),
                    ("owner", "territory"),
                    ("parent_account", "industry"),
                    ("annual_revenue", "currency"),
                    "employee_count",
                )
            },
        ),
        ("Address", {"fields": (("country", "state"), ("city", "postal_code"))}),
    )
    operations = (
        Operation(
            name="contact",
            label="Add a contact",
            permission=WRITE_ACCOUNT,
            one=add_contact,
            form=ContactForm,
            icon="person_add",
            tone=ActionVariant.PRIMARY,
        ),
        Operation(
            name="reassign",
            label="Hand over",
            permission=ASSIGN_ACCOUNT,
            one=reassign_account,
            many=BULK_OPERATIONS["assign"].run,
            form=HandOverForm,
            in_bulk=True,
            icon="move_down",
        ),
        Operation(
            name="bin",
            label="Move to the bin",
            permission=DELETE_ACCOUNT,
            one=delete_account,
            many=BULK_OPERATIONS["delete"].run,
            in_bulk=True,
            asks_first=True,
            sentence="It can be restored for 30 days.",
            icon="delete",
            tone=ActionVariant.DANGER,
            is_secondary=True,
        ),
        Operation(
            name="restore",
            label="Restore",
            permission=DELETE_ACCOUNT,
            one=restore_account,
            many=BULK_OPERATIONS["restore"].run,
            in_bulk=True,
            of_bin=True,
            icon="restore_from_trash",
            tone=ActionVariant.PRIMARY,
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A new account says whose it is to be; later it is handed over."""
        return self.readonly_fields if obj else ()

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Owner, territory and currency of a new account are found when they are left out."""
        form = super().get_form(request, obj, change, **kwargs)
        for name in ("owner", "currency"):
            if not change and name in form.base_fields:
                form.base_fields[name].required = False
        return form

    @display(description="Account", ordering="name")
    def title(self, row: Account) -> Any:
        """Name and domain."""
        return show.two_lines(row.name, row.domain)

    @display(description="Industry")
    def industry_line(self, row: Account) -> Any:
        """The industry."""
        return show.cut(row.industry)

    @display(description="Place")
    def place(self, row: Account) -> Any:
        """City and country."""
        return show.cut(", ".join(part for part in (row.city, row.country) if part))

    @display(description="Owner")
    def owner_line(self, row: Account) -> Any:
        """Whose account it is."""
        return show.cut(str(row.owner))

    @display(description="Territory")
    def territory_line(self, row: Account) -> Any:
        """Where it lies."""
        return show.cut(str(row.territory or ""))

    @display(description="Opened", ordering="created_at")
    def opened(self, row: Account) -> Any:
        """When it was opened."""
        return show.moment(row.created_at)


tells_of(
    Account,
    needs=READ_ACCOUNT,
    rows=lambda actor: Account.objects.visible_to(actor).defer("search_vector"),
)
