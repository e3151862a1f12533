"""Pages of webhooks: where events are sent, how things stand there, and what was sent."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import ChoiceOf
from apps.core.admin.operations import Operation, OperationForm, day
from apps.core.admin.service_forms import ServiceForm
from apps.integrations.models import WebhookDelivery, WebhookTarget
from apps.integrations.permissions import MANAGE_WEBHOOK
from apps.integrations.services.deliveries import replay_to_webhook, send_delivery_again
from apps.integrations.services.webhooks import (
    add_webhook_target,
    change_webhook_target,
    pause_webhook_target,
    remove_webhook_target,
    resume_webhook_target,
    rotate_webhook_secret,
    send_test_event,
)

TONES = {"waiting": "info", "delivered": "success", "dead": "danger"}


class TargetForm(ServiceForm):
    """Where which events are sent."""

    event_types = forms.CharField(
        label="Events",
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="One a line: lead.created, a topic such as sales.leads.*, or * for all.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.event_types:
            self.initial["event_types"] = "\n".join(self.instance.event_types)

    def clean_event_types(self) -> list[str]:
        """One a line."""
        text: str = self.cleaned_data["event_types"]
        return [one.strip() for one in text.splitlines() if one.strip()]


class ReplayForm(OperationForm):
    """From which day on."""

    since = day("Since", required=True, help_text="What happened from this day on is sent again.")

    def facts(self) -> dict[str, Any]:
        """The beginning of the day, where the reader is."""
        first = self.cleaned_data["since"]
        return {"since": timezone.make_aware(datetime.combine(first, time.min))}


def _is_paused(target: WebhookTarget) -> bool:
    return target.paused_at is not None


def _state_and_answer(row: WebhookDelivery) -> Any:
    answer = "" if row.answered is None else f" {row.answered}"
    return show.badge(f"{show.words(row.status)}{answer}", TONES[row.status])


@admin.register(WebhookTarget)
class WebhookTargetAdmin(ActorAdmin):
    """Where events are sent. A secret is shown once, on the page that makes it."""

    read = MANAGE_WEBHOOK
    write = MANAGE_WEBHOOK
    subject = "target_id"
    adds = staticmethod(add_webhook_target)
    added_page = "admin/integrations/webhook_secret.html"
    changes = staticmethod(change_webhook_target)
    form = TargetForm
    sortable_by = ()
    list_display = ("which", "state", "last_delivered", "hears")
    list_select_related = ("line",)
    list_defer = ("secret", "former_secret")
    search_fields = ("name", "url")
    search_help_text = "Name or URL"
    fieldsets = (
        (None, {"fields": (("name", "url"), "event_types", ("state", "last_delivered"))}),
        ("Facts", {"fields": (("former_until", "paused_at"), ("created_at", "updated_at"))}),
        ("Last deliveries", {"fields": ("last_deliveries",)}),
    )
    add_fieldsets = ((None, {"fields": ("name", "url", "event_types")}),)
    readonly_fields = (
        "state",
        "last_delivered",
        "former_until",
        "paused_at",
        "created_at",
        "updated_at",
        "last_deliveries",
    )
    operations = (
        Operation(
            name="test",
            label="Send a test",
            permission=MANAGE_WEBHOOK,
            one=send_test_event,
            icon="send",
        ),
        Operation(
            name="pause",
            label="Pause",
            permission=MANAGE_WEBHOOK,
            one=pause_webhook_target,
            offered=lambda target: not _is_paused(target),
            icon="pause",
        ),
        Operation(
            name="resume",
            label="Resume",
            permission=MANAGE_WEBHOOK,
            one=resume_webhook_target,
            offered=_is_paused,
            icon="play_arrow",
            tone=ActionVariant.PRIMARY,
        ),
        Operation(
            name="replay",
            label="Send again",
            permission=MANAGE_WEBHOOK,
            one=replay_to_webhook,
            form=ReplayForm,
            icon="replay",
            sentence="Receivers know by its id what they have already.",
            is_secondary=True,
        ),
        Operation(
            name="rotate",
            label="Replace the secret",
            permission=MANAGE_WEBHOOK,
            one=rotate_webhook_secret,
            icon="sync",
            page="admin/integrations/webhook_secret.html",
            is_secondary=True,
        ),
        Operation(
            name="remove",
            label="Remove",
            permission=MANAGE_WEBHOOK,
            one=remove_webhook_target,
            asks_first=True,
            icon="delete",
            sentence="What waits for it and what was sent is forgotten. This can't be undone.",
            tone=ActionVariant.DANGER,
            is_secondary=True,
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What it is called, where it is and what it hears can change."""
        return self.readonly_fields if obj else ()

    def rows(self, actor: Any, *, with_bin: bool = False) -> Any:
        """All of them, with how things stand."""
        return WebhookTarget.objects.select_related("line")

    @display(description="Target")
    def which(self, row: WebhookTarget) -> Any:
        """Name and URL."""
        return show.two_lines(row.name, row.url)

    @display(description="State")
    def state(self, row: WebhookTarget) -> Any:
        """Whether it hears."""
        if row.paused_at is not None:
            because = WebhookTarget.Paused(row.paused_because)
            by_hand = because == WebhookTarget.Paused.BY_HAND
            return show.badge(f"Paused: {because.label}", "neutral" if by_hand else "danger")
        if row.line.failing_since is not None:
            return show.badge("Failing", "warning")
        return show.badge("Works", "success") if row.line.last_delivered_at else show.badge("New")

    @display(description="Last delivered")
    def last_delivered(self, row: WebhookTarget) -> Any:
        """When it last took an event."""
        return show.moment(row.line.last_delivered_at)

    @display(description="Events")
    def hears(self, row: WebhookTarget) -> Any:
        """What it hears."""
        return show.cut(", ".join(row.event_types))

    @display(description="Last deliveries")
    def last_deliveries(self, row: WebhookTarget) -> Any:
        """What was sent last and what waits."""
        rows = row.deliveries.order_by("-created_at", "-id")[:20]
        return show.table(
            ("Event", "State"),
            (
                (show.link(WebhookDelivery, one.pk, one.event_name), _state_and_answer(one))
                for one in rows
            ),
        )


class StatusFilter(ChoiceOf):
    """Narrows deliveries to one state."""

    title = "state"
    parameter_name = "status"
    choices_offered = tuple((one.value, one.label) for one in WebhookDelivery.Status)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ActorAdmin):
    """What was sent to targets; dead letters wait for somebody to send them again."""

    read = MANAGE_WEBHOOK
    subject = "delivery_id"
    shows_happenings = False
    list_display = ("event_name", "target", "state", "answered", "attempts", "tried", "trouble")
    list_select_related = ("target",)
    list_filter: ClassVar[Any] = (StatusFilter, ("target", admin.RelatedOnlyFieldListFilter))
    list_defer = ("headers", "response")
    sortable_by = ()
    fields = (
        ("event_name", "target"),
        ("state", "attempts"),
        ("answered", "milliseconds"),
        ("tried", "next_try_at"),
        ("event_id", "aggregate_id"),
        "error",
        "headers",
        "response",
    )
    readonly_fields = tuple(
        name for group in fields for name in (group if isinstance(group, tuple) else (group,))
    )
    operations = (
        Operation(
            name="again",
            label="Send again",
            permission=MANAGE_WEBHOOK,
            one=send_delivery_again,
            in_bulk=True,
            icon="replay",
            tone=ActionVariant.PRIMARY,
        ),
    )

    def rows(self, actor: Any, *, with_bin: bool = False) -> models.QuerySet[WebhookDelivery]:
        """All of them, with their targets."""
        return WebhookDelivery.objects.select_related("target")

    @display(description="State")
    def state(self, row: WebhookDelivery) -> Any:
        """What became of it."""
        return show.state_badge(row.status, TONES)

    @display(description="Tried last")
    def tried(self, row: WebhookDelivery) -> Any:
        """When it was sent last."""
        return show.moment(row.last_tried_at)

    @display(description="Trouble")
    def trouble(self, row: WebhookDelivery) -> Any:
        """Why it did not arrive."""
        return show.cut(row.error)
