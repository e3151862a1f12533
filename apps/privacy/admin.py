"""Pages of privacy, and what they add to the pages of leads and contacts."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminEmailInputWidget

from apps.accounts.models import Contact
from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation, OperationForm, text
from apps.core.admin.service_forms import ServiceForm
from apps.core.consents import note_consent
from apps.core.contact_points import email_key
from apps.core.models import Consent
from apps.core.permissions import ERASE_PERSON, READ_CONSENT, READ_PERSON, WRITE_CONSENT
from apps.leads.models import Lead
from apps.privacy.models import Erasure, Export
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from apps.privacy.services.exports import request_export

STATUS_TONES = {"completed": "success", "failed": "danger", "cancelled": "neutral"}


class PersonForm(ServiceForm):
    """A person by one of their addresses."""

    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=UnfoldAdminEmailInputWidget()
    )


def _export(*, email: str, actor: Actor) -> Export:
    return request_export(subject=Subject(email=email), actor=actor)


def _erase(*, email: str, reason: str, actor: Actor) -> Erasure:
    return erase_person(subject=Subject(email=email), reason=reason, actor=actor)


@admin.register(Export)
class ExportAdmin(ActorAdmin):
    """Copies of everything that is held on a person."""

    read = READ_PERSON
    write = READ_PERSON
    adds = staticmethod(_export)
    form = PersonForm
    shows_happenings = False
    list_display = ("person", "state", "asked_by", "asked", "download")
    list_select_related = ("job",)
    exact_search = (("email_key", email_key),)
    search_fields = ("email_key",)
    search_help_text = "A whole e-mail address"
    sortable_by = ()
    add_fieldsets = ((None, {"fields": ("email",)}),)
    fields = (("person", "state"), ("asked_by", "asked"), "download")
    readonly_fields = ("person", "state", "asked_by", "asked", "download")

    @display(description="Person")
    def person(self, row: Export) -> str:
        """Whom it is about."""
        return str(row)

    @display(description="Status")
    def state(self, row: Export) -> Any:
        """How far it has come."""
        return show.state_badge(row.job.status, STATUS_TONES)

    @display(description="Asked for by")
    def asked_by(self, row: Any) -> str:
        """Whoever asked for it."""
        if not hasattr(row, "actor_name"):
            self.complete([row])
        return show.name_of_actor(row)

    @display(description="Asked for")
    def asked(self, row: Export) -> Any:
        """When."""
        return show.moment(row.created_at)

    @display(description="File")
    def download(self, row: Export) -> Any:
        """The file, once it is there."""
        if not row.file:
            return show.NOTHING
        address = reverse("exported-file", args=[row.pk])
        return format_html('<a class="text-link" href="{}">Download</a>', address)


@admin.register(Erasure)
class ErasureAdmin(ActorAdmin):
    """People who were erased. Erasing can't be undone."""

    read = ERASE_PERSON
    write = ERASE_PERSON
    adds = staticmethod(_erase)
    form = PersonForm
    shows_happenings = False
    list_display = ("why", "taken", "erased_by", "erased")
    sortable_by = ()
    add_fieldsets = (
        (
            None,
            {
                "description": "Everything that tells of the person is taken for good, in the "
                "history and in imported files, too. Deals, amounts and companies stay.",
                "fields": ("email", "reason"),
            },
        ),
    )
    fields = ("reason", ("erased_by", "erased"), "taken", "named")
    readonly_fields = ("erased_by", "erased", "taken", "named")

    @display(description="Reason")
    def why(self, row: Erasure) -> Any:
        """Why."""
        return show.cut(row.reason)

    @display(description="Taken")
    def taken(self, row: Erasure) -> str:
        """How much."""
        return (
            f"{row.row_count} rows, {row.history_entries} entries of the history, "
            f"{row.imported_rows} imported rows"
        )

    @display(description="Rows")
    def named(self, row: Erasure) -> Any:
        """Which rows; they still stand, without the person."""
        models: dict[str, Any] = {"leads": Lead, "contacts": Contact}
        return show.table(
            ("Kind", "Row"),
            (
                (show.words(kind), show.link(models[kind], one, one))
                for kind, ids in row.rows.items()
                for one in ids
            ),
        )

    @display(description="Erased by")
    def erased_by(self, row: Any) -> str:
        """Whoever did it."""
        if not hasattr(row, "actor_name"):
            self.complete([row])
        return show.name_of_actor(row)

    @display(description="Erased")
    def erased(self, row: Erasure) -> Any:
        """When."""
        return show.moment(row.created_at)


class PurposeFilter(ChoiceOf):
    """Narrows consents to one purpose."""

    title = "purpose"
    parameter_name = "purpose"
    choices_offered = tuple(Consent.Purpose.choices)


@admin.register(Consent)
class ConsentAdmin(ActorAdmin):
    """What people agreed to and refused; the latest of a purpose counts."""

    read = READ_CONSENT
    write = WRITE_CONSENT
    adds = staticmethod(note_consent)
    form = PersonForm
    shows_happenings = False
    ordering = ("-id",)
    list_display = ("purpose", "answer", "source", "noted_by", "noted")
    list_filter = (PurposeFilter,)
    exact_search = (("email_key", email_key),)
    search_fields = ("email_key",)
    search_help_text = "A whole e-mail address"
    sortable_by = ()
    add_fieldsets = ((None, {"fields": ("email", "purpose", "is_given", "source")}),)
    fields = ("purpose", "answer", "source", ("noted_by", "noted"))
    readonly_fields = ("answer", "noted_by", "noted")

    def facts_to_add(self, form: Any) -> dict[str, Any]:
        """What was filled in; a box that was left empty is a refusal."""
        facts: dict[str, Any] = form.facts(("email", "purpose", "is_given", "source"))
        return facts

    @display(description="Answer")
    def answer(self, row: Consent) -> Any:
        """Given or refused."""
        return show.badge("Given", "success") if row.is_given else show.badge("Refused", "warning")

    @display(description="Noted by")
    def noted_by(self, row: Any) -> str:
        """Whoever noted it."""
        if not hasattr(row, "actor_name"):
            self.complete([row])
        return show.name_of_actor(row)

    @display(description="Noted")
    def noted(self, row: Consent) -> Any:
        """When."""
        return show.moment(row.noted_at)


# --- On the pages of people -----------------------------------------------------------------------


class ErasureForm(OperationForm):
    """Why somebody is erased."""

    reason = text("Reason", required=True, help_text="Such as the number of their request.")


def _export_of(kind: str, *, actor: Actor, **row: UUID) -> Export:
    (row_id,) = row.values()
    return request_export(subject=Subject(kind=kind, row_id=row_id), actor=actor)


def _erase_from(kind: str, *, reason: str, actor: Actor, **row: UUID) -> Erasure:
    (row_id,) = row.values()
    return erase_person(subject=Subject(kind=kind, row_id=row_id), reason=reason, actor=actor)


for model, kind in ((Lead, "leads"), (Contact, "contacts")):
    pages: Any = admin.site.get_model_admin(model)
    pages.offer(
        Operation(
            name="export_person",
            label="Export the person's data",
            permission=READ_PERSON,
            one=partial(_export_of, kind),
            icon="folder_zip",
            is_secondary=True,
            leads_to=lambda export: show.page_of(Export, export.pk),
        )
    )
    pages.offer(
        Operation(
            name="erase_person",
            label="Erase the person",
            permission=ERASE_PERSON,
            one=partial(_erase_from, kind),
            form=ErasureForm,
            sentence="Everything that tells of the person is taken for good, from all records.",
            icon="person_off",
            tone=ActionVariant.DANGER,
            is_secondary=True,
            leads_to=lambda erasure: show.page_of(Erasure, erasure.pk),
        )
    )
