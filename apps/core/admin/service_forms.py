"""Forms of whole rows, checked and written by services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.forms.models import construct_instance

from apps.core.admin.refusals import put_on_form
from apps.core.errors import Refusal


class ServiceForm(forms.ModelForm):
    """A form whose values a service checks and writes: fields of the model, or of its own.

    `refusal` is what the service refused; the form then shows it like an error of its own.
    """

    refusal: ClassVar[Refusal | None] = None
    read_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["read_version"].initial = getattr(self.instance, "version", None)

    def clean(self) -> dict[str, Any]:
        """The values; with the refusal of the service, if it refused them."""
        cleaned = super().clean() or self.cleaned_data
        if self.refusal is not None:
            put_on_form(self, self.refusal)
        return cleaned

    def _post_clean(self) -> None:
        """Check fields one by one: what must hold among rows the service says better, and tells
        only what the actor may know."""
        try:
            self.instance = construct_instance(self, self.instance, self._meta.fields)
            self.instance.clean_fields(exclude=self._get_validation_exclusions())  # type: ignore[attr-defined]
        except ValidationError as failure:
            self._update_errors(failure)  # type: ignore[attr-defined]

    def facts(self, names: Sequence[str]) -> dict[str, Any]:
        """Values by the names of their columns, as services take them."""
        return {
            self._column(name): value.pk if isinstance(value, models.Model) else value
            for name, value in self.cleaned_data.items()
            if name in names and name != "read_version"
        }

    def _column(self, name: str) -> str:
        try:
            column: str = self._meta.model._meta.get_field(name).attname
        except FieldDoesNotExist:
            return name
        return column
