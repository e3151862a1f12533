"""Operations: what a page offers to do to a row, or to many, by the services of every door.

A button without questions posts at once; one that asks opens a dialog; one with a search for
people or territories opens a page. All three are the same address, which also works alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.actors import Actor
from apps.core.admin.display import link
from apps.core.admin.refusals import sentence_of
from apps.core.bulk import AT_MOST, AT_ONCE, RowResult
from apps.core.errors import InvalidInput, Refusal
from apps.core.models import Job


class OperationForm(forms.Form):
    """What an operation asks for: fields named like the arguments of its service.

    `row` is the row on whose page it is asked; `chosen` are the many that are meant otherwise.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        row: Any = None,
        chosen: Any = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.actor = actor
        self.row = row
        self.chosen = chosen
        self.prepare()

    def prepare(self) -> None:
        """Fit the fields to the actor and the row."""

    def facts(self) -> dict[str, Any]:
        """The arguments for the service: rows by their ids."""
        return {
            name: value.pk if isinstance(value, models.Model) else value
            for name, value in self.cleaned_data.items()
        }


def text(label: str, *, required: bool = False, long: bool = False, help_text: str = "") -> Any:
    """A field for words."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=None if long else 255,
        help_text=help_text,
        widget=UnfoldAdminTextareaWidget({"rows": 3}) if long else UnfoldAdminTextInputWidget(),
    )


def choice(label: str, choices: Sequence[tuple[Any, str]] = (), *, required: bool = True) -> Any:
    """A field for one of a few values."""
    return forms.ChoiceField(
        label=label, choices=choices, required=required, widget=UnfoldAdminSelectWidget()
    )


def day(label: str, *, required: bool = False, help_text: str = "") -> Any:
    """A field for a day."""
    return forms.DateField(
        label=label, required=required, help_text=help_text, widget=UnfoldAdminSingleDateWidget()
    )


def picker(
    label: str, model: type[models.Model], name: str, *, required: bool = False, help_text: str = ""
) -> Any:
    """A field that finds a row by typing: what the foreign key `name` of a model refers to.

    The form's `prepare` narrows its queryset to what the actor may choose.
    """
    key: Any = model._meta.get_field(name)
    return forms.ModelChoiceField(
        label=label,
        required=required,
        help_text=help_text,
        queryset=key.remote_field.model._default_manager.all(),
        widget=AutocompleteSelect(
            key, admin.site, attrs={"data-theme": "admin-autocomplete", "style": "width: 100%"}
        ),
    )


class ReasonForm(OperationForm):
    """Why."""

    reason = text("Reason", help_text="Kept in the history.")


def _always(row: Any) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One business operation on the pages of a model.

    Attributes:
        name: in its address; one word.
        label: on the button.
        permission: without which it is not offered.
        one: the service for one row; takes the row's id, the form's facts and the actor.
        many: the service for many rows; takes `ids`, the facts and the actor, and answers with
            results or a job. Without it `one` is called for each, if `in_bulk`.
        form: what it asks for.
        offered: whether a row is in the state for it.
        in_bulk: whether it is offered for rows chosen in the list.
        of_bin: whether it is for rows in the bin instead of those in use.
        asks_first: whether it wants a confirmation though it has no questions.
        sentence: what it does, in the dialog.
        is_secondary: whether it hides behind "More".
        leads_to: the address to go to, from what the service returned.
        page: the template that shows what the service returned as `issued`, this once.
    """

    name: str
    label: str
    permission: str
    one: Callable[..., Any] | None = None
    many: Callable[..., Sequence[RowResult] | Job] | None = None
    form: type[OperationForm] = OperationForm
    offered: Callable[[Any], bool] = _always
    in_bulk: bool = False
    of_bin: bool = False
    asks_first: bool = False
    sentence: str = ""
    icon: str = ""
    tone: ActionVariant = ActionVariant.DEFAULT
    is_secondary: bool = False
    leads_to: Callable[[Any], str] | None = None
    page: str = ""

    @property
    def has_questions(self) -> bool:
        """Whether its form has fields."""
        return bool(self.form.base_fields)

    @property
    def opens_dialog(self) -> bool:
        """Whether a dialog is enough for it; it could not show a page."""
        if self.page:
            return False
        searches = any(
            isinstance(field.widget, AutocompleteSelect) for field in self.form.base_fields.values()
        )
        return (self.has_questions or self.asks_first) and not searches

    @property
    def posts_at_once(self) -> bool:
        """Whether the button does it without another word."""
        return not self.has_questions and not self.asks_first

    def fits(self, row: Any) -> bool:
        """Whether it is offered for a row."""
        if self.one is None or getattr(row, "is_in_bin", False) is not self.of_bin:
            return False
        return self.offered(row)

    def run_many(
        self, ids: Sequence[UUID], *, subject: str, actor: Actor, facts: Mapping[str, Any]
    ) -> Sequence[RowResult] | Job:
        """Do it to many rows. Raises what the service raises for all of them at once."""
        if len(ids) > AT_MOST:
            raise InvalidInput(f"At most {AT_MOST:,} rows at once.", reason="too_many_rows")
        if self.many is not None:
            return self.many(ids=ids, actor=actor, **facts)
        if len(ids) > AT_ONCE:
            raise InvalidInput(f"At most {AT_ONCE} rows at once.", reason="too_many_rows")
        return [self._try_one({subject: row_id}, actor, facts) for row_id in ids]

    def _try_one(
        self, row: Mapping[str, UUID], actor: Actor, facts: Mapping[str, Any]
    ) -> RowResult:
        (row_id,) = row.values()
        try:
            if self.one is not None:
                self.one(**row, **facts, actor=actor)
        except Refusal as refusal:
            return RowResult(row_id, refusal)
        return RowResult(row_id)


def tell_outcome(
    request: HttpRequest, operation: Operation, outcome: Sequence[RowResult] | Job
) -> None:
    """Say above the next page what became of many rows."""
    if isinstance(outcome, Job):
        work = link(Job, outcome.pk, "its progress")
        messages.info(
            request, format_html("{} goes on in the background: see {}.", operation.label, work)
        )
        return
    refused = Counter(
        (sentence_of(one.refusal), one.refusal.reason) for one in outcome if one.refusal
    )
    if done := len(outcome) - refused.total():
        messages.success(request, f"{operation.label}: {done} done.")
    for (sentence, reason), count in refused.most_common(5):
        messages.warning(request, f"{count} refused: {sentence}", extra_tags=reason)
