"""How values look on the pages of the back office: badges, money, bars, links and moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from babel.numbers import format_decimal
from django.contrib.auth import get_user_model
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join, strip_tags
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from apps.core.actors import SYSTEM_ID

NOTHING = "–"
SYSTEM_NAME = "The platform"


def words(key: str) -> str:
    """A key such as `closed_won` as people write it: `Closed won`."""
    return key.replace("_", " ").replace(".", " ").capitalize()


def badge(text: str, tone: str = "neutral") -> SafeString:
    """A coloured label; tones are neutral, info, success, warning and danger."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, text)


def state_badge(key: str, tones: Mapping[str, str]) -> SafeString:
    """A state as a badge, in the tone that belongs to it."""
    return badge(words(key), tones.get(key, "neutral"))


def points(number: int) -> SafeString:
    """Points of a score, in green or red."""
    tone = "plus" if number >= 0 else "minus"
    return format_html('<span class="points-{}">{}</span>', tone, f"{number:+d}")


def plain_money(amount: Decimal | int | float, currency: str = "") -> str:
    """An amount with thousands separated, and its currency."""
    return f"{format_decimal(amount, format='#,##0.00', locale='en')} {currency}".strip()


def short_money(amount: float, currency: str) -> str:
    """An amount in few digits, such as 1.24 M USD."""
    for size, letter in ((1e9, "B"), (1e6, "M")):
        if amount >= size:
            return f"{amount / size:,.2f} {letter} {currency}"
    return f"{amount / 1e3:,.0f} k {currency}" if amount >= 1e4 else f"{amount:,.0f} {currency}"


def whole_money(amount: Decimal | None) -> SafeString | str:
    """An amount without cents, with the exact one behind it."""
    if amount is None:
        return NOTHING
    whole = format_decimal(amount, format="#,##0", locale="en")
    return format_html('<span title="{}">{}</span>', plain_money(amount), whole)


def money(amount: Decimal | None, currency: str = "") -> SafeString | str:
    """An amount, right-aligned with its currency."""
    if amount is None:
        return NOTHING
    return format_html(
        '<span class="money">{} <span class="money-currency">{}</span></span>',
        plain_money(amount),
        currency,
    )


def bar(percent: int, *, label: str = "", tone: str = "") -> SafeString:
    """A share of one hundred as a small bar with its number."""
    return format_html(
        '<span class="meter" title="{}"><span class="meter-track">'
        '<span class="meter-fill meter-{}" style="width: {}%"></span></span>'
        '<span class="meter-number">{}</span></span>',
        label or f"{percent} of 100",
        tone or ("high" if percent >= 70 else "middle" if percent >= 40 else "low"),
        min(max(percent, 0), 100),
        percent,
    )


def moment(at: datetime | None) -> SafeString | str:
    """A moment in the reader's words, with the exact one behind it."""
    if at is None:
        return NOTHING
    local = timezone.localtime(at)
    age = timezone.now() - at
    text = f"{local:%Y-%m-%d %H:%M}"
    if 0 <= age.total_seconds() < 86_400:
        text = f"{timesince(at, depth=1)} ago"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), local, text)


def two_lines(first: Any, second: Any) -> SafeString:
    """A main line and a quiet one below it, both cut when they are too long."""
    return format_html(
        '<span class="two-lines"><span class="cut" title="{}">{}</span>'
        '<span class="cut quiet" title="{}">{}</span></span>',
        strip_tags(str(first)),
        first,
        strip_tags(str(second)),
        second,
    )


def cut(text: str) -> SafeString | str:
    """A text on one line, cut when it is too long."""
    if not text:
        return NOTHING
    return format_html('<span class="cut" title="{0}">{0}</span>', text)


def table(headers: Iterable[str], rows: Iterable[Iterable[Any]]) -> SafeString | str:
    """A small read-only table."""
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows),
    )
    if not body:
        return NOTHING
    head = format_html_join("", "<th>{}</th>", ((one,) for one in headers))
    return format_html(
        '<table class="plain-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', head, body
    )


def page_of(model: type[models.Model], row_id: Any) -> str:
    """The address of a row's page; empty where it has none."""
    meta = model._meta
    try:
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row_id])
    except NoReverseMatch:
        return ""


def list_of(model: type[models.Model], **parameters: Any) -> str:
    """The address of a model's list, narrowed by parameters."""
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist", query=parameters or None)


def link(model: type[models.Model], row_id: Any, text: Any) -> SafeString | str:
    """A link to a row's page."""
    if row_id is None:
        return NOTHING
    address = page_of(model, row_id)
    return format_html('<a class="text-link" href="{}">{}</a>', address, text) if address else text


def names_of_people(ids: Iterable[UUID]) -> dict[UUID, str]:
    """The names of actors by id, the platform's own included."""
    wanted = set(ids)
    people = get_user_model()._default_manager.filter(pk__in=wanted - {SYSTEM_ID})
    names: dict[UUID, str] = dict(people.values_list("pk", "name"))
    return {SYSTEM_ID: SYSTEM_NAME, **names}


def name_of_actor(row: Any) -> str:
    """The name of whoever acted: looked up with the whole page, or for this row alone."""
    if not hasattr(row, "actor_name"):
        row.actor_name = names_of_people([row.actor_id]).get(row.actor_id, NOTHING)
    unknown = SYSTEM_NAME if row.actor_id == SYSTEM_ID else NOTHING
    name: str = row.actor_name or unknown
    return name
