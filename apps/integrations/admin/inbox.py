"""Pages of the inbox: what partners said, and what became of it."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation
from apps.core.contact_points import email_key
from apps.integrations.models import InboundMessage, Partner
from apps.integrations.permissions import MANAGE_PARTNER, READ_INBOX
from apps.integrations.services.inbox import replay_message

TONES = {"received": "info", "handled": "success", "refused": "warning", "dead": "danger"}


class StatusFilter(ChoiceOf):
    """Narrows the inbox to one status."""

    title = "status"
    parameter_name = "status"
    choices_offered = tuple((value, show.words(value)) for value in InboundMessage.Status.values)


class PartnerFilter(ChoiceOf):
    """Narrows the inbox to one partner."""

    title = "partner"
    parameter_name = "partner__key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every partner."""
        return list(Partner.objects.order_by("name").values_list("key", "name"))


def _typed_id(text: str) -> str:
    return "" if "@" in text else text


@admin.register(InboundMessage)
class InboxAdmin(ActorAdmin):
    """Messages of partners. Nobody changes them; what failed can be handled again."""

    read = READ_INBOX
    subject = "message_id"
    list_display = ("what", "partner", "state", "attempts", "trouble", "came")
    list_select_related = ("partner", "data_key")
    list_defer = ("body", "email")
    list_filter = (StatusFilter, PartnerFilter)
    sortable_by = ()
    search_fields = ("message_id",)
    search_help_text = "A whole id of a message, or the whole e-mail address of a person"
    exact_search = (("email_key", email_key), ("message_id", _typed_id))
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("type", "partner"),
                    ("state", "attempts"),
                    ("message_id", "told_at"),
                    ("trouble", "due_at"),
                )
            },
        ),
        ("Facts", {"fields": (("created_at", "handled_at"),)}),
        ("Message", {"fields": ("said",)}),
    )
    readonly_fields = (
        "type",
        "partner",
        "state",
        "attempts",
        "message_id",
        "told_at",
        "trouble",
        "due_at",
        "created_at",
        "handled_at",
        "said",
    )
    operations = (
        Operation(
            name="replay",
            label="Handle again",
            permission=MANAGE_PARTNER,
            one=replay_message,
            offered=lambda message: message.has_failed and bool(message.body),
            in_bulk=True,
            icon="replay",
            tone=ActionVariant.PRIMARY,
        ),
    )

    @display(description="Message")
    def what(self, row: InboundMessage) -> Any:
        """Type and id."""
        return show.two_lines(row.type or "Not understood", row.message_id)

    @display(description="Status")
    def state(self, row: InboundMessage) -> Any:
        """What became of it."""
        return show.state_badge(row.status, TONES)

    @display(description="Why")
    def trouble(self, row: InboundMessage) -> Any:
        """Why it failed last."""
        return show.cut(row.reason)

    @display(description="Received")
    def came(self, row: InboundMessage) -> Any:
        """When it came in."""
        return show.moment(row.created_at)

    @display(description="As it came")
    def said(self, row: InboundMessage) -> Any:
        """The body, set out."""
        if not row.body:
            return show.NOTHING
        try:
            text = msgspec.json.format(row.body, indent=2)
        except msgspec.DecodeError:
            text = row.body
        return format_html('<pre class="message-body">{}</pre>', text)
