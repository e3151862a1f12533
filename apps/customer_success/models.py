"""What customer experience and support say of accounts: a mirror, in which the newest counts."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.accounts.models import Account
from apps.accounts.querysets import OfAccountQuerySet
from apps.core.history import audited
from apps.core.models import Record
from apps.customer_success.querysets import CaseQuerySet
from apps.customer_success.rules import ACTIVE, OVER, CaseKind, MeasureKind, Severity, level_of

_STATUSES = sorted({one for kinds in (ACTIVE, OVER) for some in kinds.values() for one in some})
_CRITICAL = Q(kind="ticket", severity="critical", ended_at=None)


class Mirrored(Record):
    """Something that a partner keeps and we repeat: who said it last, and when it was true."""

    partner = models.CharField(max_length=50, help_text="The key of whoever said it last.")
    as_of = models.DateTimeField(help_text="When it was true, by their clock.")

    class Meta:
        abstract = True


@audited("measures")
class Measure(Mirrored):
    """What is said of an account in numbers: one row of a kind, with the newest.

    `score` is 0 to 100 for health and -100 to 100 for NPS; usage has `metrics`, numbers by name.
    """

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="measures", db_index=False
    )
    kind = models.CharField(max_length=10, choices=MeasureKind)
    score = models.SmallIntegerField(null=True)
    previous_score = models.SmallIntegerField(null=True)
    metrics = models.JSONField(default=dict)

    objects: ClassVar = OfAccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("account", "kind", name="measure_once"),
            models.CheckConstraint(
                condition=Q(kind="health", score__gte=0, score__lte=100)
                | Q(kind="nps", score__gte=-100, score__lte=100)
                | Q(kind="usage", score=None),
                name="measure_agrees_with_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.account_id}"

    @property
    def level(self) -> str:
        """What a health score means; empty for other kinds."""
        if self.kind != MeasureKind.HEALTH or self.score is None:
            return ""
        return level_of(self.score)


@audited("cases")
class Case(Mirrored):
    """A ticket, an escalation or a feature request of an account, by the partner's own id.

    Titles are the only words that are kept of it. Without `ended_at` it is still going on.
    """

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="cases", db_index=False
    )
    kind = models.CharField(max_length=20, choices=CaseKind)
    external_id = models.CharField(max_length=100)
    title = models.CharField(max_length=255)
    severity = models.CharField(max_length=10, choices=Severity, blank=True)
    status = models.CharField(
        max_length=20, choices=[(one, one.replace("_", " ").capitalize()) for one in _STATUSES]
    )
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar = CaseQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["account", "kind", "-opened_at", "-id"], name="case_by_account"),
            models.Index(fields=["-opened_at", "-id"], name="case_newest"),
            models.Index(fields=["account"], name="case_critical", condition=_CRITICAL),
        ]
        constraints = [
            models.UniqueConstraint("partner", "kind", "external_id", name="case_once"),
            models.CheckConstraint(
                condition=(Q(kind="feature_request") & Q(severity=""))
                | (
                    Q(kind__in=("ticket", "escalation"))
                    & Q(severity__in=("low", "medium", "high", "critical"))
                ),
                name="case_severity_agrees",
            ),
            models.CheckConstraint(
                condition=Q(kind="ticket", status__in=("open", "pending"), ended_at=None)
                | Q(kind="ticket", status__in=("solved", "closed"), ended_at__isnull=False)
                | Q(kind="escalation", status__in=("open", "in_progress"), ended_at=None)
                | Q(kind="escalation", status="resolved", ended_at__isnull=False)
                | Q(
                    kind="feature_request",
                    status__in=("open", "planned", "in_progress"),
                    ended_at=None,
                )
                | Q(
                    kind="feature_request",
                    status__in=("shipped", "declined"),
                    ended_at__isnull=False,
                ),
                name="case_status_agrees",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("opened_at")), name="case_direction"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_critical(self) -> bool:
        """Whether it is a ticket that can't wait."""
        is_open_ticket = self.kind == CaseKind.TICKET and self.ended_at is None
        return is_open_ticket and self.severity == Severity.CRITICAL
