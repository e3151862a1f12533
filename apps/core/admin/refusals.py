"""How refusals are told on pages: in the form's fields, or as a message with the same reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from apps.core.errors import Refusal


def sentence_of(refusal: Refusal) -> str:
    """What a person is told: the message, and what would be allowed instead."""
    allowed = next(
        (value for name, value in refusal.details.items() if name.startswith("allowed_")), None
    )
    if allowed is None:
        return refusal.message
    return f"{refusal.message}. Allowed: {', '.join(allowed) or 'none'}."


def put_on_form(form: forms.BaseForm, refusal: Refusal) -> None:
    """Show a refusal at the fields it names, or above the form."""
    fields = refusal.details.get("fields")
    sentences = fields if isinstance(fields, dict) else {}
    placed = False
    for name, texts in sentences.items():
        field = name if name in form.fields else name.removesuffix("_id")
        if field in form.fields:
            form.add_error(field, [_told(text, refusal) for text in texts])
            placed = True
    if not placed:
        form.add_error(None, _told(sentence_of(refusal), refusal))


def _told(text: Any, refusal: Refusal) -> ValidationError:
    return ValidationError(str(text), code=refusal.reason)


def put_in_message(request: HttpRequest, refusal: Refusal) -> None:
    """Show a refusal above the next page."""
    messages.error(request, sentence_of(refusal), extra_tags=refusal.reason)
