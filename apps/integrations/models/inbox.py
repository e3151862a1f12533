"""Partners whose messages come in, and the inbox that keeps them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.core.accesses import personal
from apps.core.encryption.columns import EncryptedText
from apps.core.history import audited
from apps.core.models import Confidential, Record
from apps.integrations.models.signing import Signing
from apps.users.models import User


@audited("partners", leave_out=("secret", "former_secret", "token"))
class Partner(Signing):
    """A system outside that tells us things (sales-system-integrations, System Dependencies).

    Its messages act in the name of `client`, with the client's rights and reach. `key` is the name
    under which its ids are kept: a lead's `external_source`, an account's `external_ids`. Below
    `base_url` it can be asked, with `token`.
    """

    class Kind(models.TextChoices):
        MARKETING = "marketing"
        BILLING = "billing"
        CUSTOMER_EXPERIENCE = "customer_experience"
        SUPPORT = "support"
        COMMUNICATION = "communication", "Mail and telephony"

    key = models.SlugField(
        max_length=50, unique=True, help_text="In its address and queue, such as marketing."
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(
        max_length=30, choices=Kind, help_text="Which says what it may tell us."
    )
    client = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="partners",
        help_text="The machine client in whose name its messages act.",
    )
    paused_at = models.DateTimeField(null=True, editable=False)
    base_url = models.CharField("base URL", max_length=500, blank=True, editable=False)
    token = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(base_url="") | Q(token=None), name="partner_token_has_url"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=(
                        "marketing",
                        "billing",
                        "customer_experience",
                        "support",
                        "communication",
                    )
                ),
                name="partner_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(former_secret=None, former_until=None)
                | Q(former_secret__isnull=False, former_until__isnull=False),
                name="partner_former_secret_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_paused(self) -> bool:
        """Whether its messages have to wait outside."""
        return self.paused_at is not None


class PartnerLine(models.Model):
    """How asking a partner goes: how far it has come, and what went wrong last."""

    partner = models.OneToOneField(
        Partner, primary_key=True, on_delete=models.CASCADE, related_name="line"
    )
    position = models.CharField(max_length=100, blank=True)
    asked_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return str(self.partner_id)


@personal("inbound_messages")
@audited("inbound_messages", leave_out=("data_key_id", "email", "email_key", "body", "due_at"))
class InboundMessage(Confidential, Record):
    """A message of a partner: kept as it came, once, before anything is done about it.

    `message_id` tells what comes twice. `body` is encrypted and dropped some time after it was
    handled; `email` is the address of the person it is about. `due_at` is when it is tried next.
    """

    class Status(models.TextChoices):
        RECEIVED = "received"
        HANDLED = "handled"
        REFUSED = "refused"
        DEAD = "dead"

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="messages", db_index=False
    )
    message_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.RECEIVED)
    attempts = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    handled_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    email = EncryptedText(max_length=255, blank=True)
    email_key = models.CharField(max_length=20, blank=True, editable=False)
    body = EncryptedText(max_length=1_000_000, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="inbox_newest"),
            models.Index(fields=["status", "-created_at", "-id"], name="inbox_by_status"),
            models.Index(fields=["due_at"], name="inbox_due", condition=Q(status="received")),
            models.Index(
                fields=["handled_at"], name="inbox_handled", condition=Q(status="handled")
            ),
            models.Index(fields=["email_key"], name="inbox_by_email", condition=~Q(email_key="")),
        ]
        constraints = [
            models.UniqueConstraint("partner", "message_id", name="inbox_message_once"),
            models.CheckConstraint(
                condition=Q(status="received", due_at__isnull=False)
                | Q(status__in=("handled", "refused", "dead"), due_at=None),
                name="inbox_received_is_due",
            ),
            models.CheckConstraint(
                condition=Q(status="handled", handled_at__isnull=False)
                | (~Q(status="handled") & Q(handled_at=None)),
                name="inbox_handled_at_some_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type or 'message'} of {self.partner}"

    @property
    def has_failed(self) -> bool:
        """Whether nothing more will be done about it unless somebody asks."""
        return self.status in (self.Status.REFUSED, self.Status.DEAD)
