"""Pages of partners. A secret is shown once, on the page that makes it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.operations import Operation, OperationForm, text
from apps.core.admin.service_forms import ServiceForm
from apps.integrations.models import InboundMessage, Partner, PartnerLine
from apps.integrations.permissions import MANAGE_PARTNER, READ_INBOX
from apps.integrations.rules.pulls import PULLS
from apps.integrations.services.asking import is_left_alone
from apps.integrations.services.partners import (
    add_partner,
    connect_partner,
    pause_partner,
    resume_partner,
    rotate_secret,
)
from apps.users.models import Role, User


class NewPartnerForm(ServiceForm):
    """What it is called, what it may say, and in whose name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        clients = User.objects.active().filter(role=Role.INTEGRATION).order_by("name")
        self.fields["client"].queryset = clients  # type: ignore[attr-defined]


class ConnectionForm(OperationForm):
    """Where it can be asked, and with which token."""

    base_url = text("URL", help_text="Below which it is asked; if empty, it is asked no more.")
    token = text(
        "Token",
        help_text="Sent as a bearer token. For the same host, the one there is stays.",
    )

    def prepare(self) -> None:
        """What is there."""
        if self.row is not None:
            self.initial["base_url"] = self.row.base_url


def can_be_asked(partner: Partner) -> bool:
    """Whether there is something that the clock asks such a partner."""
    return partner.kind in PULLS


@admin.register(Partner)
class PartnerAdmin(ActorAdmin):
    """Other systems that tell us things."""

    read = READ_INBOX
    write = MANAGE_PARTNER
    subject = "partner_id"
    adds = staticmethod(add_partner)
    added_page = "admin/integrations/partner_secret.html"
    list_display = ("which", "kind", "client_line", "state", "line_state", "waiting")
    list_select_related = ("client", "line")
    list_defer = ("secret", "former_secret", "token")
    sortable_by = ()
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "key"),
                    ("kind", "client_line"),
                    ("state", "waiting"),
                    ("address", "queue"),
                )
            },
        ),
        (
            "Asking it",
            {"fields": (("base_url", "line_state"), ("asked_at", "answered_at"), "trouble")},
        ),
        ("Facts", {"fields": (("former_until", "paused_at"), ("created_at", "updated_at"))}),
    )
    add_fieldsets = ((None, {"fields": ("name", "key", "kind", "client")}),)
    operations = (
        Operation(
            name="rotate",
            label="Replace the secret",
            permission=MANAGE_PARTNER,
            one=rotate_secret,
            asks_first=True,
            icon="sync",
            page="admin/integrations/partner_secret.html",
            sentence="The fresh secret is shown once. The former one works for another 24 hours.",
        ),
        Operation(
            name="connect",
            label="Connect",
            permission=MANAGE_PARTNER,
            one=connect_partner,
            form=ConnectionForm,
            offered=can_be_asked,
            icon="cable",
            sentence="Every five minutes it is asked what it knows by now.",
        ),
        Operation(
            name="pause",
            label="Pause",
            permission=MANAGE_PARTNER,
            one=pause_partner,
            offered=lambda partner: not partner.is_paused,
            asks_first=True,
            icon="pause",
            sentence="Its messages wait outside until you resume it.",
            tone=ActionVariant.DANGER,
        ),
        Operation(
            name="resume",
            label="Resume",
            permission=MANAGE_PARTNER,
            one=resume_partner,
            offered=lambda partner: partner.is_paused,
            icon="play_arrow",
            tone=ActionVariant.PRIMARY,
        ),
    )

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The form of a new one."""
        if not change:
            kwargs["form"] = NewPartnerForm
        return super().get_form(request, obj, change, **kwargs)

    @display(description="Partner")
    def which(self, row: Partner) -> Any:
        """Name and key."""
        return show.two_lines(row.name, row.key)

    @display(description="Acts as")
    def client_line(self, row: Partner) -> Any:
        """The machine client in whose name its messages act."""
        return show.link(User, row.client_id, row.client)

    @display(description="State")
    def state(self, row: Partner) -> Any:
        """Whether its messages are taken in."""
        if row.is_paused:
            return show.badge("Paused", "warning")
        if row.former_until is not None and row.former_until > timezone.now():
            return show.badge("Two secrets work", "info")
        return show.badge("Taken in", "success")

    @display(description="Inbox")
    def waiting(self, row: Partner) -> Any:
        """What failed, with the way there."""
        failed = InboundMessage.objects.filter(partner=row, status__in=("refused", "dead")).count()
        return show.badge(f"{failed:,} failed", "danger") if failed else show.NOTHING

    @display(description="Webhooks go to")
    def address(self, row: Partner) -> str:
        """Where it sends signed webhooks."""
        return f"/api/v1/inbound/{row.key}"

    @display(description="Queue")
    def queue(self, row: Partner) -> str:
        """Where it puts messages instead."""
        return f"inbound.{row.key}"

    @display(description="Line")
    def line_state(self, row: Partner) -> Any:
        """Whether it is asked, and how that goes."""
        if not row.base_url:
            return show.NOTHING
        if is_left_alone(row):
            return show.badge("Left alone", "danger")
        line = _line_of(row)
        if line is None or line.asked_at is None:
            return show.badge("Not asked yet", "neutral")
        return (
            show.badge("Trouble", "warning") if line.trouble else show.badge("Answers", "success")
        )

    @display(description="Asked")
    def asked_at(self, row: Partner) -> Any:
        """When it was asked last."""
        line = _line_of(row)
        return show.moment(line.asked_at) if line else show.NOTHING

    @display(description="Answered")
    def answered_at(self, row: Partner) -> Any:
        """When it answered last."""
        line = _line_of(row)
        return show.moment(line.answered_at) if line else show.NOTHING

    @display(description="Trouble")
    def trouble(self, row: Partner) -> Any:
        """What went wrong in the last run."""
        line = _line_of(row)
        return (line.trouble if line else "") or show.NOTHING


def _line_of(partner: Partner) -> PartnerLine | None:
    found: PartnerLine | None = getattr(partner, "line", None)
    return found
