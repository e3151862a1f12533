"""Pages of quotas."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Sum
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.operations import Operation, OperationForm, choice, text
from apps.core.admin.service_forms import ServiceForm
from apps.quotas.admin.plan import PLAN
from apps.quotas.models import Quota
from apps.quotas.permissions import READ_QUOTA, SET_QUOTA
from apps.quotas.rules import QuotaShare, QuotaType, percentage_of
from apps.quotas.selectors.attainment import attained_of
from apps.quotas.services.allocation import BY, allocate_quota
from apps.quotas.services.quotas import change_quota, set_quota
from apps.users.models import User


class QuotaForm(ServiceForm):
    """A quota of either a person or a territory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            self.fields["user"].label = "Person"
        for name, sentence in (
            ("user", "Either a person"),
            ("territory", "or a territory"),
            ("period", "Such as Q1_2026, M03_2026 or FY_2026."),
        ):
            if name in self.fields:
                self.fields[name].help_text = sentence


def _set(*, actor: Actor, amount: Any, **facts: Any) -> Quota:
    return set_quota(**facts, quota_amount=amount, actor=actor)


def _change(*, quota_id: Any, actor: Actor, amount: Any) -> Quota:
    return change_quota(quota_id=quota_id, quota_amount=amount, actor=actor)


class AllocationForm(OperationForm):
    """One person a line: the address, and a weight where not all weigh the same."""

    shares = text(
        "People",
        required=True,
        long=True,
        help_text="One a line: jane@acme.com, or jane@acme.com 1.5 with a weight.",
    )
    by = choice(
        "Over",
        [("", "All of the period"), *((one.value, f"Its {one.value}s") for one in BY)],
        required=False,
    )
    over_assignment = forms.DecimalField(
        label="Given out on top, in percent",
        initial=0,
        min_value=0,
        max_value=100,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(),
    )

    def clean_shares(self) -> list[QuotaShare]:
        """The shares as the service takes them."""
        lines = [one.split() for one in self.cleaned_data["shares"].splitlines() if one.strip()]
        emails = {words[0].lower() for words in lines}
        people = dict(User.objects.filter(email__in=emails).values_list("email", "pk"))
        return [self._share(words, people) for words in lines]

    @staticmethod
    def _share(words: list[str], people: dict[str, Any]) -> QuotaShare:
        email, *rest = words
        user_id = people.get(email.lower())
        if user_id is None:
            raise forms.ValidationError(f"There is no person {email}.")
        try:
            weight = Decimal(" ".join(rest) or "1")
        except InvalidOperation:
            weight = Decimal("NaN")
        if not weight.is_finite():
            raise forms.ValidationError(f"Give one weight after {email}.")
        return QuotaShare(user_id=user_id, weight=weight)

    def clean_by(self) -> str | None:
        """Nothing chosen is nothing stated."""
        return self.cleaned_data["by"] or None


class PartsInline(ReadOnlyInline):
    """What a quota was shared out into."""

    model = Quota
    fk_name = "parent"
    related = ("user", "territory")
    ordering = ("starts_on", "user__name", "territory__name")
    fields = ("who", "period", "share")
    verbose_name_plural = "Shared out into"

    @display(description="Whose")
    def who(self, row: Quota) -> Any:
        """The person or territory."""
        return show.cut(str(row.user or row.territory))

    @display(description="Quota")
    def share(self, row: Quota) -> Any:
        """What is to be brought in."""
        return _counted(row, row.amount)


def _counted(row: Quota, amount: Decimal) -> Any:
    """An amount of what a quota counts: money, or a number."""
    return show.money(amount, row.currency if row.quota_type == QuotaType.REVENUE else "")


@admin.register(Quota)
class QuotaAdmin(ActorAdmin):
    """What people and territories are to bring in."""

    read = READ_QUOTA
    write = SET_QUOTA
    subject = "quota_id"
    adds = staticmethod(_set)
    changes = staticmethod(_change)
    form = QuotaForm
    autocomplete_fields = ("user", "territory")
    ordering = ("-starts_on", "-id")
    list_display = ("who", "period", "quota_type", "target", "attained", "percentage")
    list_select_related = ("user", "territory")
    list_filter = ("quota_type",)
    more_pages = (PLAN,)
    sortable_by = ()
    add_fieldsets = (
        (None, {"fields": (("user", "territory"), ("period", "quota_type"), "amount")}),
    )
    fields = (
        ("who", "period"),
        ("quota_type", "amount"),
        ("attained", "percentage"),
        ("shared_out", "gap"),
        ("starts_on", "ends_on"),
    )
    inlines = (PartsInline,)
    operations = (
        Operation(
            name="allocate",
            label="Share out",
            permission=SET_QUOTA,
            one=allocate_quota,
            form=AllocationForm,
            icon="account_tree",
            sentence="Makes quotas that come to this one; sharing it out anew changes them.",
        ),
    )
    readonly_fields = (
        "who",
        "period",
        "quota_type",
        "attained",
        "percentage",
        "shared_out",
        "gap",
        "starts_on",
        "ends_on",
    )

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        """Whose it is and for when stays; what it comes to can change."""
        return self.readonly_fields if obj else ()

    def facts_to_add(self, form: Any) -> dict[str, Any]:
        """What was filled in, and what can't be left out though it looks untouched."""
        return {**form.facts(("period", "quota_type", "amount")), **super().facts_to_add(form)}

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """The quotas of people and territories within reach."""
        return Quota.objects.visible_to(actor).select_related("user", "territory")

    def complete(self, page: Any) -> None:
        """What is attained of each."""
        found = attained_of([one.pk for one in page]) if page else {}
        for one in page:
            one.attained_amount = found.get(one.pk)

    def _attained(self, row: Any) -> Any:
        if not hasattr(row, "attained_amount"):
            self.complete([row])
        return row.attained_amount

    @display(description="Attained")
    def attained(self, row: Quota) -> Any:
        """What is credited for its period."""
        return _counted(row, self._attained(row))

    @display(description="Percent")
    def percentage(self, row: Quota) -> str:
        """Of the quota, without a limit."""
        found = percentage_of(self._attained(row), row.amount)
        return show.NOTHING if found is None else f"{found} %"

    @staticmethod
    def _allocated(row: Any) -> Decimal | None:
        if not hasattr(row, "allocated_amount"):
            row.allocated_amount = row.children.aggregate(Sum("amount"))["amount__sum"]
        found: Decimal | None = row.allocated_amount
        return found

    @display(description="Shared out")
    def shared_out(self, row: Quota) -> Any:
        """What its parts come to."""
        parts = self._allocated(row)
        return show.NOTHING if parts is None else _counted(row, parts)

    @display(description="Gap")
    def gap(self, row: Quota) -> Any:
        """What nobody was given; below zero where more was given than there is."""
        parts = self._allocated(row)
        return show.NOTHING if parts is None else _counted(row, row.amount - parts)

    @display(description="Whose")
    def who(self, row: Quota) -> Any:
        """The person or territory."""
        return show.cut(str(row.user or row.territory))

    @display(description="Quota")
    def target(self, row: Quota) -> Any:
        """What is to be brought in."""
        return _counted(row, row.amount)
