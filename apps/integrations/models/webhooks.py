"""Where events are sent, how things stand there, and what became of each event."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.core.history import audited
from apps.core.identifiers import new_id
from apps.integrations.models.signing import Signing


@audited("webhooks", leave_out=("secret", "former_secret"))
class WebhookTarget(Signing):
    """Where events are sent."""

    class Paused(models.TextChoices):
        BY_HAND = "by_hand", "By hand"
        GONE = "gone", "It said that it is gone"
        FAILING = "failing", "It failed for a whole day"

    name = models.CharField(max_length=100)
    url = models.CharField("URL", max_length=500)
    event_types = ArrayField(models.CharField(max_length=100))
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_because = models.CharField(max_length=10, choices=Paused, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("name", name="webhook_name_once"),
            models.CheckConstraint(
                condition=Q(paused_at=None, paused_because="")
                | Q(paused_at__isnull=False) & ~Q(paused_because=""),
                name="webhook_paused_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WebhookLine(models.Model):
    """How things stand with a target. One sender at a time holds it, until `held_until`."""

    target = models.OneToOneField(
        WebhookTarget, primary_key=True, on_delete=models.CASCADE, related_name="line"
    )
    held_by = models.UUIDField(null=True)
    held_until = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    resting_until = models.DateTimeField(null=True)
    last_delivered_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.target_id)


class WebhookDelivery(models.Model):
    """An event for a target, which knows it by `event_id`, and how sending it went last."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        DEAD = "dead"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    target = models.ForeignKey(
        WebhookTarget, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    event_sequence = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    event_id = models.UUIDField()
    event_name = models.CharField(max_length=100)
    aggregate_id = models.UUIDField()
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    attempts = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    first_tried_at = models.DateTimeField(null=True)
    last_tried_at = models.DateTimeField(null=True)
    answered = models.IntegerField("answer", null=True)
    milliseconds = models.IntegerField(null=True)
    headers = models.JSONField(default=dict)
    response = models.TextField(blank=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(
                fields=["target", "event_sequence"],
                name="webhook_waiting",
                condition=Q(status="waiting"),
            ),
            models.Index(fields=["target", "-created_at", "-id"], name="webhook_newest"),
            models.Index(fields=["created_at"], name="webhook_age"),
        ]
        constraints = [
            models.UniqueConstraint("target", "event_sequence", name="webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(status__in=("waiting", "delivered", "dead")),
                name="webhook_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_name} #{self.event_sequence}"
