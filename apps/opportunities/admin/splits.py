"""Who shares the credit for a deal."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from unfold.decorators import display

from apps.core.admin.inlines import ReadOnlyInline
from apps.core.admin.operations import OperationForm, text
from apps.opportunities.models import OpportunitySplit
from apps.opportunities.rules import SplitKind
from apps.users.models import User


class SplitsInline(ReadOnlyInline):
    """Who is credited with how much; nobody, and it is the owner alone."""

    model = OpportunitySplit
    related = ("user",)
    ordering = ("-kind", "-percentage")
    fields = ("user", "kind", "share")
    verbose_name_plural = "Shared credit"

    @display(description="Share")
    def share(self, row: OpportunitySplit) -> str:
        """In percent."""
        return f"{row.percentage.normalize():f} %"


class SplitForm(OperationForm):
    """One person a line: the address, the percentage, and `overlay` for help with the deal."""

    splits = text(
        "Shares",
        long=True,
        help_text="One person a line: jane@acme.com 60. Overlays end with the word overlay. "
        "Leave it empty, and all of it is the owner's.",
    )

    def prepare(self) -> None:
        """The shares there are."""
        if self.row is not None and "splits" not in self.initial:
            rows = self.row.splits.select_related("user").order_by("-kind", "-percentage")
            self.initial["splits"] = "\n".join(map(_line, rows))

    def clean_splits(self) -> list[dict[str, Any]]:
        """The shares as the service takes them."""
        lines = [one.split() for one in self.cleaned_data["splits"].splitlines() if one.strip()]
        emails = {words[0].lower() for words in lines}
        people = dict(User.objects.filter(email__in=emails).values_list("email", "pk"))
        return [self._share(words, people) for words in lines]

    @staticmethod
    def _share(words: list[str], people: dict[str, Any]) -> dict[str, Any]:
        email, *rest = words
        kind = SplitKind.OVERLAY if rest[1:] == [SplitKind.OVERLAY] else SplitKind.REVENUE
        user_id = people.get(email.lower())
        if user_id is None:
            raise forms.ValidationError(f"There is no person {email}.")
        try:
            percentage = Decimal(rest[0])
        except (IndexError, InvalidOperation):
            raise forms.ValidationError(f"Give a percentage after {email}.") from None
        if len(rest) > 1 + (kind == SplitKind.OVERLAY) or not percentage.is_finite():
            raise forms.ValidationError(f"What stands after {email} can't be read.")
        return {"user_id": user_id, "kind": kind, "percentage": percentage}


def _line(row: OpportunitySplit) -> str:
    suffix = " overlay" if row.kind == SplitKind.OVERLAY else ""
    return f"{row.user.email} {row.percentage.normalize():f}{suffix}"
