"""What every app's rows are made of, and the kernel's own tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import BrinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.accesses import Reading
from apps.core.encryption.ring import Cipher, fresh_key, ring
from apps.core.identifiers import new_id
from apps.core.money import CurrencyField
from apps.core.partitions import by_month


class Record(models.Model):
    """A row with a time-ordered id and the moments it was made and last changed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Binnable(Record):
    """A row that is deleted into a bin, from which it can be restored for 30 days."""

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_by_id = models.UUIDField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_in_bin(self) -> bool:
        """Whether the row is deleted, though not yet for good."""
        return self.deleted_at is not None


class DataKey(models.Model):
    """The key of one person, or of one imported file, wrapped by a key of the installation.

    Without `wrapped` it is destroyed, and what was encrypted under it is lost everywhere.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    wrapped = models.BinaryField(null=True)
    destroyed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(wrapped__isnull=False, destroyed_at=None)
                | models.Q(wrapped=None, destroyed_at__isnull=False),
                name="data_key_there_or_destroyed",
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @classmethod
    def fresh(cls) -> DataKey:
        """A new key, not written yet."""
        key = fresh_key()
        made = cls(wrapped=ring().wrap(key))
        made.__dict__["cipher"] = Cipher(key)
        return made

    @cached_property
    def cipher(self) -> Cipher | None:
        """The key at work; None once it is destroyed."""
        return None if self.wrapped is None else ring().cipher(bytes(self.wrapped))


class Confidential(models.Model):
    """A row with encrypted columns, which only its data key opens."""

    data_key = models.ForeignKey(
        DataKey, on_delete=models.PROTECT, related_name="+", editable=False
    )
    data_key_id: Any

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        """Save the row, a new one with a key of its own."""
        if self.data_key_id is None:
            self.data_key = DataKey.fresh()
            self.data_key.save(force_insert=True)
        super().save(*args, **options)


class Consent(models.Model):
    """What a person agreed to or refused, as somebody noted it. The latest of a purpose counts.

    It belongs to whoever has the address of `email_key`, whatever rows there are about them.
    """

    class Purpose(models.TextChoices):
        MARKETING = "marketing"
        SALE = "sale", "Sale or sharing of their data"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    noted_at = models.DateTimeField(db_default=Now())
    actor_id = models.UUIDField()
    email_key = models.CharField(max_length=20)
    purpose = models.CharField(max_length=20, choices=Purpose)
    is_given = models.BooleanField("agreed")
    source = models.CharField(max_length=255)

    class Meta:
        indexes = [models.Index(fields=["email_key", "purpose", "-id"], name="consent_latest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(purpose__in=("marketing", "sale")), name="consent_purpose_known"
            ),
            models.CheckConstraint(condition=~models.Q(email_key=""), name="consent_of_somebody"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose}: {'given' if self.is_given else 'refused'}"


class ExchangeRate(Record):
    """What one unit of a currency is worth in the organisation's, from a day on.

    It counts until the next rate of the currency; what was converted before keeps its own.
    """

    currency = CurrencyField()
    valid_from = models.DateField()
    rate = models.DecimalField(max_digits=20, decimal_places=10)

    class Meta:
        ordering = ("currency", "-valid_from")
        constraints = [
            models.UniqueConstraint("currency", "valid_from", name="exchange_rate_once_a_day"),
            models.CheckConstraint(
                condition=models.Q(rate__gt=0), name="exchange_rate_is_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.rate.normalize():f} from {self.valid_from}"


@by_month("occurred_at", unique=("event_id",))
class BusinessEvent(models.Model):
    """Something that happened: the journal. Written with the change itself, never altered.

    One row is audit trail, outbox and webhook source. `sequence` is taken while the aggregate is
    locked, so within one aggregate it is the order in which things happened. Whoever looks for an
    event says when it happened, as far as it is known: only those months are looked at.
    """

    sequence = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(default=new_id, editable=False)
    name = models.CharField(max_length=100)
    version = models.CharField(max_length=10, default="1.0")
    topic = models.CharField(max_length=100)
    aggregate_id = models.UUIDField()
    occurred_at = models.DateTimeField(db_default=Now())
    actor_id = models.UUIDField()
    door = models.CharField(max_length=20)
    correlation_id = models.CharField(max_length=128)
    payload = models.JSONField(encoder=DjangoJSONEncoder)

    class Meta:
        indexes = [
            models.Index(fields=["aggregate_id", "sequence"], name="journal_by_aggregate"),
            models.Index(fields=["name", "-sequence"], name="journal_by_name"),
        ]
        constraints = [models.UniqueConstraint("event_id", name="journal_event_once")]

    def __str__(self) -> str:
        return f"{self.name} #{self.sequence}"


class EventDelivery(models.Model):
    """An event that a subscriber has still to hear; the row goes when it has.

    A delivery that keeps failing is kept with `dead_at` set until somebody replays it.
    `occurred_at` is the event's: with it the journal is looked up in one month.
    """

    id = models.BigAutoField(primary_key=True)
    event_sequence = models.BigIntegerField()
    occurred_at = models.DateTimeField(db_default=Now())
    subscriber = models.CharField(max_length=120)
    aggregate_id = models.UUIDField()
    lane = models.SmallIntegerField()
    attempts = models.SmallIntegerField(db_default=0, default=0)
    available_at = models.DateTimeField(db_default=Now())
    dead_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(db_default="", default="", blank=True)

    class Meta:
        verbose_name_plural = "event deliveries"
        indexes = [
            models.Index(
                fields=["subscriber", "lane", "event_sequence"],
                name="delivery_waiting",
                condition=models.Q(dead_at=None),
            ),
            models.Index(
                fields=["subscriber", "lane"],
                name="delivery_put_off",
                condition=models.Q(dead_at=None, attempts__gt=0),
            ),
            models.Index(
                fields=["dead_at"], name="delivery_dead", condition=~models.Q(dead_at=None)
            ),
        ]
        constraints = [
            models.UniqueConstraint("event_sequence", "subscriber", name="delivery_once")
        ]

    def __str__(self) -> str:
        return f"{self.subscriber} ← #{self.event_sequence}"


class EventInterest(models.Model):
    """An event that a subscriber hears for as long as somebody wants it to."""

    event_name = models.CharField(max_length=100)
    subscriber = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint("event_name", "subscriber", name="interest_once")]

    def __str__(self) -> str:
        return f"{self.subscriber} ← {self.event_name}"


class Job(Record):
    """Long work that somebody asked for: it shows progress, survives a restart, can be cancelled.

    `position` is how far it has come, saved in the transaction of each step, so a job that is
    killed goes on exactly where it was. `scopes` are the permissions with which it was asked for:
    it never has more, whatever the role holds. Jobs of the platform itself have none.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        COMPLETED_WITH_ERRORS = "completed_with_errors"
        FAILED = "failed"
        CANCELLED = "cancelled"
        UNDONE = "undone"

    kind = models.CharField(max_length=100)
    status = models.CharField(max_length=30, choices=Status, default=Status.PENDING)
    actor_id = models.UUIDField()
    actor_role = models.CharField(max_length=30)
    scopes = ArrayField(models.CharField(max_length=100), null=True, blank=True, editable=False)
    correlation_id = models.CharField(max_length=128, blank=True)
    parameters = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    position = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    succeeded = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    errors = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    message = models.TextField(blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    ENDED = (
        Status.COMPLETED,
        Status.COMPLETED_WITH_ERRORS,
        Status.FAILED,
        Status.CANCELLED,
        Status.UNDONE,
    )
    ERRORS_KEPT = 100

    class Meta:
        indexes = [
            models.Index(fields=["kind", "-created_at"], name="job_by_kind"),
            models.Index(
                fields=["updated_at"],
                name="job_open",
                condition=models.Q(status__in=("pending", "running")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in self.ENDED

    @property
    def has_gone_through(self) -> bool:
        """Whether it came to its end, even if it could not do all of it."""
        return self.status in (self.Status.COMPLETED, self.Status.COMPLETED_WITH_ERRORS)

    @property
    def progress(self) -> int:
        """How far it has come, 0 to 100."""
        if self.has_gone_through:
            return 100
        if not self.total:
            return 0
        return min(99, self.position * 100 // self.total)

    def note_error(self, error: dict[str, Any]) -> None:
        """Count a failed row and keep it, as long as there are not too many."""
        self.failed += 1
        if len(self.errors) < self.ERRORS_KEPT:
            self.errors.append(error)


class IdempotencyKey(models.Model):
    """How a POST under a client's key ended.

    Bodies hold personal data, so what is kept is a receipt: ids, statuses and numbers. A refusal is
    kept as it was told: it names fields, not values.
    """

    ONCE = "idempotency_key_once"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    actor_id = models.UUIDField()
    key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    status = models.SmallIntegerField()
    answer = models.JSONField(encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("actor_id", "key", name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return self.key


class RetentionRule(Record):
    """For how many days something is kept, from a moment on; without days, for good.

    The latest rule in effect counts. `set_by_id` is who said so.
    """

    LONGEST = 36_500

    name = models.CharField(max_length=100)
    days = models.IntegerField(null=True, blank=True)
    effective_from = models.DateTimeField()
    set_by_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint("name", "effective_from", name="retention_rule_once"),
            models.CheckConstraint(
                condition=models.Q(days=None) | models.Q(days__gte=1, days__lte=36_500),
                name="retention_rule_days",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.days or 'for good'}"


@by_month("changed_at")
class Change(models.Model):
    """What a write did to one row of a business table, field by field: the change history.

    Triggers write it, whatever the way of the write; nobody alters it. `before` and `after` hold
    the fields that differ. Without `actor_id` nobody said in whose name it was done. Erasing a
    person takes the values and the salt and keeps their `digest`.
    """

    class Action(models.TextChoices):
        MADE = "made"
        CHANGED = "changed"
        REMOVED = "removed"
        ERASED = "erased"

    sequence = models.BigAutoField(primary_key=True)
    changed_at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=50)
    row_id = models.UUIDField()
    action = models.CharField(max_length=10, choices=Action)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    actor_id = models.UUIDField(null=True)
    door = models.CharField(max_length=20)
    request_id = models.CharField(max_length=128)
    transaction_number = models.BigIntegerField(editable=False)
    salt = models.UUIDField(null=True, editable=False, db_default=RandomUUID())
    erased_at = models.DateTimeField(null=True)
    digest = models.BinaryField(null=True, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["row_id", "sequence"], name="change_by_row"),
            models.Index(fields=["kind", "sequence"], name="change_by_kind"),
            models.Index(fields=["actor_id", "sequence"], name="change_by_actor"),
            BrinIndex(fields=["transaction_number"], name="change_unsealed", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.row_id} {self.action} #{self.sequence}"


class TransactionNumber(models.Func):
    """The number of the transaction that writes a row."""

    template = "pg_current_xact_id()::text::bigint"
    output_field = models.BigIntegerField()


@by_month("read_at")
class Access(models.Model):
    """Rows about people that somebody was shown in one request: the access log. Never altered.

    `kind` is what the rows are, `request_id` is that of the request in the process's logs.
    """

    sequence = models.BigAutoField(primary_key=True)
    read_at = models.DateTimeField()
    actor_id = models.UUIDField()
    door = models.CharField(max_length=20)
    request_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=50)
    reading = models.CharField(
        max_length=10, choices=[(one.value, one.value.capitalize()) for one in Reading]
    )
    row_ids = ArrayField(models.UUIDField())
    transaction_number = models.BigIntegerField(editable=False, db_default=TransactionNumber())

    class Meta:
        verbose_name_plural = "accesses"
        indexes = [
            models.Index(fields=["actor_id", "sequence"], name="access_by_actor"),
            BrinIndex(
                fields=["transaction_number", "read_at"], name="access_by_time", autosummarize=True
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reading} #{self.sequence}"


class Seal(models.Model):
    """The digest of some rows that were written once, chained to the one before it.

    Covers the rows of one table and month whose transactions are numbered from `from_transaction`
    up to, and without, `until_transaction`. Altered, added or missing rows break it.
    """

    table = models.CharField(max_length=63)
    month = models.DateField()
    number = models.IntegerField()
    from_transaction = models.BigIntegerField()
    until_transaction = models.BigIntegerField()
    rows = models.BigIntegerField()
    first_sequence = models.BigIntegerField()
    last_sequence = models.BigIntegerField()
    sealed_at = models.DateTimeField(db_default=Now())
    digest = models.BinaryField()
    chain = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint("table", "month", "number", name="seal_once")]

    def __str__(self) -> str:
        return f"{self.table} {self.month:%Y-%m} #{self.number}"
