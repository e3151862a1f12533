"""Pages of quotas."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from unfold.decorators import display

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.service_forms import ServiceForm
from apps.quotas.models import Quota
from apps.quotas.permissions import READ_QUOTA, SET_QUOTA
from apps.quotas.rules import QuotaType, percentage_of
from apps.quotas.selectors import attained_of
from apps.quotas.services.quotas import change_quota, set_quota


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
    sortable_by = ()
    add_fieldsets = (
        (None, {"fields": (("user", "territory"), ("period", "quota_type"), "amount")}),
    )
    fields = (
        ("who", "period"),
        ("quota_type", "amount"),
        ("attained", "percentage"),
        ("starts_on", "ends_on"),
    )
    readonly_fields = (
        "who",
        "period",
        "quota_type",
        "attained",
        "percentage",
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
        rows, reach = Quota.objects.select_related("user", "territory"), actor.reach
        if reach.everything:
            return rows
        return rows.filter(
            Q(user_id__any=reach.user_ids) | Q(territory_id__any=reach.territory_ids)
        )

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
        """What won deals of the period are credited."""
        currency = row.currency if row.quota_type == QuotaType.REVENUE else ""
        return show.money(self._attained(row), currency)

    @display(description="Percent")
    def percentage(self, row: Quota) -> str:
        """Of the quota, without a limit."""
        attained = self._attained(row)
        found = None if attained is None else percentage_of(attained, row.amount)
        return show.NOTHING if found is None else f"{found} %"

    @display(description="Whose")
    def who(self, row: Quota) -> Any:
        """The person or territory."""
        return show.cut(str(row.user or row.territory))

    @display(description="Quota")
    def target(self, row: Quota) -> Any:
        """What is to be brought in."""
        return show.money(row.amount, row.currency if row.quota_type == QuotaType.REVENUE else "")
