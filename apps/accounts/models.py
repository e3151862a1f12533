"""Accounts: customer companies, the people to talk to there, and whom they belonged to."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Func, Q, Value

from apps.accounts.querysets import AccountQuerySet, ContactQuerySet
from apps.core.accesses import personal
from apps.core.encryption.columns import EncryptedText
from apps.core.history import audited
from apps.core.imports.models import ImportedFile, ImportedRow
from apps.core.models import Binnable, Confidential, Job
from apps.core.money import CurrencyField, MoneyField
from apps.core.querysets import BinManager
from apps.territories.models import AssignmentPeriod, Territory
from apps.users.models import User

_PUNCTUATION = "._-/@:+"


def _words_of(column: str) -> Func:
    # PostgreSQL keeps "booking.com" as one word, of which "com" is no beginning.
    return Func(
        F(column),
        Value(_PUNCTUATION),
        Value(" " * len(_PUNCTUATION)),
        function="translate",
        output_field=models.TextField(),
    )


@audited("accounts", leave_out=("account_key", "version"))
class Account(Binnable):
    """A customer company.

    `domain` is normalised and `account_key` is the folded name: what leads are matched by.
    `annual_revenue` is in the account's currency. `version` counts changes.
    """

    name = models.CharField(max_length=255)
    account_key = models.CharField(max_length=765, editable=False)
    domain = models.CharField(max_length=255, blank=True)
    industry = models.CharField(max_length=100, blank=True)
    employee_count = models.IntegerField(null=True, blank=True)
    annual_revenue = MoneyField(null=True, blank=True)
    currency = CurrencyField()
    country = models.CharField(max_length=2, blank=True)
    state = models.CharField(max_length=100, blank=True)
    city = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="accounts", db_index=False
    )
    territory = models.ForeignKey(
        Territory,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="accounts",
        db_index=False,
    )
    parent_account = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    external_ids = models.JSONField(default=dict, blank=True)
    version = models.IntegerField(default=1, editable=False)
    search_vector = models.GeneratedField(
        expression=SearchVector(
            _words_of("name"), _words_of("domain"), _words_of("city"), config="simple"
        ),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects: ClassVar = BinManager.from_queryset(AccountQuerySet)()

    class Meta:
        indexes = [
            models.Index(
                fields=["-created_at", "-id"], name="account_newest", condition=Q(deleted_at=None)
            ),
            models.Index(
                fields=["owner", "-created_at", "-id"],
                name="account_by_owner",
                condition=Q(deleted_at=None),
            ),
            models.Index(
                fields=["territory", "-created_at", "-id"],
                name="account_by_territory",
                condition=Q(deleted_at=None),
            ),
            models.Index(
                fields=["-updated_at", "-id"], name="account_changed", condition=Q(deleted_at=None)
            ),
            models.Index(fields=["name", "id"], name="account_name", condition=Q(deleted_at=None)),
            models.Index(
                fields=["account_key"], name="account_by_key", condition=Q(deleted_at=None)
            ),
            GinIndex(fields=["search_vector"], name="account_words"),
            # Imports ask for a thousand ids after each thousand rows: no list of what waits to be
            # indexed, which every one of these questions would read.
            GinIndex(
                fields=["external_ids"],
                name="account_external_ids",
                opclasses=["jsonb_path_ops"],
                fastupdate=False,
                condition=Q(deleted_at=None),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "domain",
                name="account_domain_once",
                condition=Q(deleted_at=None) & ~Q(domain=""),
            ),
            models.CheckConstraint(condition=~Q(account_key=""), name="account_has_name"),
            models.CheckConstraint(
                condition=~Q(parent_account=F("id")), name="account_is_not_own_parent"
            ),
            models.CheckConstraint(
                condition=Q(employee_count=None) | Q(employee_count__gte=0),
                name="account_employees_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(annual_revenue=None) | Q(annual_revenue__gte=0),
                name="account_revenue_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None, deleted_by_id=None)
                | Q(deleted_at__isnull=False, deleted_by_id__isnull=False),
                name="account_deleted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name


@personal("contacts")
@audited("contacts", leave_out=("data_key_id", "email_key", "phone_key"))
class Contact(Confidential, Binnable):
    """A person to talk to at an account. `email_key` and `phone_key` are the blind indexes of the
    address and the number."""

    class Type(models.TextChoices):
        PRIMARY = "primary"
        BILLING = "billing"
        TECHNICAL = "technical"
        OTHER = "other"

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="contacts", db_index=False
    )
    type = models.CharField(max_length=20, choices=Type, default=Type.OTHER)
    name = models.CharField(max_length=255)
    email = EncryptedText(max_length=254, blank=True)
    email_key = models.CharField(max_length=20, blank=True, editable=False)
    phone = EncryptedText(max_length=50, blank=True)
    phone_key = models.CharField(max_length=20, blank=True, editable=False)
    title = models.CharField(max_length=255, blank=True)
    consent = models.BooleanField(
        null=True, blank=True, help_text="To marketing; empty until the person was asked."
    )

    objects: ClassVar = BinManager.from_queryset(ContactQuerySet)()

    class Meta:
        indexes = [
            models.Index(fields=["account", "-created_at", "-id"], name="contact_by_account"),
            models.Index(fields=["email_key"], name="contact_by_email", condition=~Q(email_key="")),
            models.Index(fields=["phone_key"], name="contact_by_phone", condition=~Q(phone_key="")),
        ]
        constraints = [
            models.UniqueConstraint(
                "account",
                "type",
                "email_key",
                name="contact_once",
                condition=Q(deleted_at=None) & ~Q(email_key=""),
            ),
            models.CheckConstraint(
                condition=Q(type__in=("primary", "billing", "technical", "other")),
                name="contact_type_known",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None, deleted_by_id=None)
                | Q(deleted_at__isnull=False, deleted_by_id__isnull=False),
                name="contact_deleted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AccountAssignment(AssignmentPeriod):
    """Whom an account belonged to, and since when."""

    record = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="assignments", db_index=False
    )

    class Meta:
        constraints = [AssignmentPeriod.one_at_a_time("account_one_at_a_time")]


class AccountImport(ImportedFile):
    """A file of accounts."""

    class MatchOn(models.TextChoices):
        DOMAIN = "domain"
        EXTERNAL_ID = "external_id"
        NAME = "name"

    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="account_import")
    undo_job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.PROTECT, related_name="undone_account_import"
    )
    match_on = models.CharField(max_length=20, choices=MatchOn)


class AccountImportRow(ImportedRow):
    """What became of one line of a file of accounts."""

    file_field = "account_import"
    record_field = "account_id"

    account_import = models.ForeignKey(
        AccountImport, on_delete=models.CASCADE, related_name="rows", db_index=False
    )
    account_id = models.UUIDField(null=True)

    class Meta:
        indexes = ImportedRow.indexes("account_import")
