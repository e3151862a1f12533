"""Pages of tickets, escalations and feature requests, and how customers fare on other pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from babel.numbers import format_decimal
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.accounts.models import Account
from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.lists import ChoiceOf
from apps.customer_success.models import Case, Measure
from apps.customer_success.permissions import READ_CUSTOMER
from apps.customer_success.rules import CaseKind, MeasureKind, Severity

SEVERITY_TONES = {"low": "neutral", "medium": "info", "high": "warning", "critical": "danger"}
LEVEL_TONES = {"healthy": "success", "at_risk": "warning", "poor": "danger"}
SHOWN = 10


class KindFilter(ChoiceOf):
    """Narrows cases to one kind."""

    title = "kind"
    parameter_name = "kind"
    choices_offered = tuple((value, str(label)) for value, label in CaseKind.choices)


class SeverityFilter(ChoiceOf):
    """Narrows cases to one severity."""

    title = "severity"
    parameter_name = "severity"
    choices_offered = tuple((value, str(label)) for value, label in Severity.choices)


class ActiveFilter(ChoiceOf):
    """Narrows cases to those that are going on."""

    title = "standing"
    parameter_name = "standing"
    choices_offered = (("active", "Going on"),)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those cases."""
        return queryset.active() if self.value() == "active" else queryset


class CaseColumns:
    """How a case looks in a list."""

    @display(description="Severity")
    def severity_badge(self, row: Case) -> Any:
        """How bad it is."""
        return severity_badge(row)

    @display(description="Status")
    def standing(self, row: Case) -> Any:
        """How far it has come."""
        return show.words(row.status)

    @display(description="Opened")
    def opened(self, row: Case) -> Any:
        """When it began."""
        return show.moment(row.opened_at)

    @display(description="Said by")
    def said(self, row: Case) -> Any:
        """Who said so last, and when."""
        return said_by(row)


@admin.register(Case)
class CaseAdmin(CaseColumns, ActorAdmin):
    """What customers want to be taken care of, as customer experience and support say it."""

    read = READ_CUSTOMER
    ordering = ("-opened_at", "-id")
    shows_happenings = False
    list_display = ("what", "customer", "kind", "severity_badge", "standing", "opened", "said")
    list_select_related = ("account",)
    list_filter = (KindFilter, SeverityFilter, ActiveFilter)
    sortable_by = ()
    search_fields = ("external_id",)
    search_help_text = "A whole number of a ticket, as its partner knows it"
    exact_search = (("external_id", str),)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("title", "customer"),
                    ("kind", "external_id"),
                    ("severity_badge", "standing"),
                    ("opened_at", "ended_at"),
                    "said",
                )
            },
        ),
    )
    readonly_fields = ("customer", "severity_badge", "standing", "said")

    @display(description="Title")
    def what(self, row: Case) -> Any:
        """Its title and number."""
        return show.two_lines(row.title, row.external_id)

    @display(description="Account")
    def customer(self, row: Case) -> Any:
        """Whose it is, with the way there."""
        return show.link(Account, row.account_id, row.account)


class CasesInline(CaseColumns, ReadOnlyInline):
    """What a customer wants to be taken care of."""

    model = Case
    needs = READ_CUSTOMER
    ordering = ("-opened_at", "-id")
    fields = ("what", "kind", "severity_badge", "standing", "opened", "said")
    verbose_name_plural = "Tickets and requests"

    @display(description="Title")
    def what(self, row: Case) -> Any:
        """Its title, with the way there."""
        return show.link(Case, row.pk, row)


def severity_badge(case: Case) -> SafeString | str:
    """How bad a case is."""
    return show.state_badge(case.severity, SEVERITY_TONES) if case.severity else show.NOTHING


def said_by(row: Measure | Case) -> SafeString:
    """Who said something last, and when it was true."""
    return format_html('<span class="quiet">{}, {}</span>', row.partner, show.moment(row.as_of))


def _account_of(row: Any) -> UUID:
    found: UUID = row.pk if isinstance(row, Account) else row.account_id
    return found


def _measure(row: Any, kind: MeasureKind) -> Measure | None:
    viewer: Actor = row.viewer
    found: Measure | None = (
        Measure.objects.visible_to(viewer).filter(account_id=_account_of(row), kind=kind).first()
    )
    return found


@display(description="Health")
def customer_health(row: Any) -> Any:
    """How healthy the customer of a row is, and who says so."""
    found = _measure(row, MeasureKind.HEALTH)
    if found is None or found.score is None:
        return show.NOTHING
    before = "" if found.previous_score is None else f"from {found.previous_score} ·"
    return format_html(
        '{} {} <span class="quiet">{}</span> {}',
        show.bar(found.score),
        show.state_badge(found.level, LEVEL_TONES),
        before,
        said_by(found),
    )


@display(description="Open trouble")
def customer_trouble(row: Any) -> Any:
    """The tickets and escalations of the customer of a row that are going on, the worst first."""
    cases = Case.objects.visible_to(row.viewer).trouble().filter(account_id=_account_of(row))
    return show.table(
        ("", "Title", "Status", "Opened", "Said by"),
        (
            (
                severity_badge(one),
                show.link(Case, one.pk, one),
                show.words(one.status),
                show.moment(one.opened_at),
                one.partner,
            )
            for one in cases[:SHOWN]
        ),
    )


@display(description="NPS")
def customer_nps(row: Any) -> Any:
    """Whether the customer would recommend us."""
    found = _measure(row, MeasureKind.NPS)
    if found is None or found.score is None:
        return show.NOTHING
    return format_html("{} {}", show.points(found.score), said_by(found))


@display(description="Usage")
def customer_usage(row: Any) -> Any:
    """How much the customer uses."""
    found = _measure(row, MeasureKind.USAGE)
    if found is None:
        return show.NOTHING
    numbers = (
        (show.words(name), format_decimal(value, locale="en"))
        for name, value in sorted(found.metrics.items())
    )
    return format_html("{} {}", show.table(("", "Number"), numbers), said_by(found))


CUSTOMER: Sequence[Any] = (customer_health, customer_trouble, customer_nps, customer_usage)

accounts: Any = admin.site.get_model_admin(Account)
accounts.inlines = (*accounts.inlines, CasesInline)
accounts.add_panel("Customer", *CUSTOMER, needs=READ_CUSTOMER)
