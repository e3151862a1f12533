"""The page that tells what wins and what loses deals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.utils.html import format_html

from apps.core.actors import Actor
from apps.core.admin.display import NOTHING, badge
from apps.core.admin.more_pages import MorePage
from apps.core.admin.start_page import Figure
from apps.core.errors import InvalidInput
from apps.core.periods import organisation_today
from apps.intelligence.rules.shares import Share
from apps.intelligence.rules.win_loss import LEAST_COUNT, Aspect, Group
from apps.intelligence.selectors.win_loss import WinLoss, win_loss
from apps.opportunities.models import Opportunity

SPANS = {"90": "90 days", "365": "12 months", "1095": "3 years"}
USUAL_SPAN = "365"
_NAMES = {
    Aspect.REASON: "Why they are lost",
    Aspect.STAGE: "Where they are lost from",
    Aspect.COMPETITOR: "Competitor",
    Aspect.INDUSTRY: "Industry",
    Aspect.SIZE: "People at the customer's",
    Aspect.COUNTRY: "Country",
    Aspect.SOURCE: "Source of the lead",
    Aspect.OWNER: "Owner",
    Aspect.TERRITORY: "Territory",
    Aspect.CYCLE: "How long it took",
}
_TONES = {"above": "success", "below": "danger"}


def _show(actor: Actor, parameters: Mapping[str, str]) -> dict[str, Any]:
    by, span = parameters.get("by", Aspect.REASON), parameters.get("days", USUAL_SPAN)
    if by not in Aspect.values or span not in SPANS:
        raise InvalidInput.field("by", "Choose what is offered.")
    aspect, last = Aspect(by), organisation_today()
    first = last - timedelta(days=int(span) - 1)
    found = win_loss(actor=actor, by=aspect, first=first, last=last)
    return {
        "aspects": [(one.value, _NAMES[one]) for one in Aspect],
        "spans": SPANS.items(),
        "by": by,
        "span": span,
        "name": _NAMES[aspect],
        "share": "Share of the losses" if aspect.is_of_losses else "Win rate",
        "figures": _figures(found),
        "rows": [_row(aspect, one) for one in found.groups],
        "left_out": found.groups_total - len(found.groups),
        "least": LEAST_COUNT,
    }


def _figures(found: WinLoss) -> list[Figure]:
    total, rate = found.total, found.total.win_rate
    if rate is None:
        return []
    return [
        Figure("Won", f"{total.won:,}", note=f"of {total.count:,} closed deals"),
        Figure("Lost", f"{total.lost:,}"),
        Figure("Win rate", f"{rate.value:.0%}", note=f"likely {rate.low:.0%} to {rate.high:.0%}"),
        Figure("From beginning to close", f"{total.median_days} days", note="half of them at most"),
    ]


def _row(aspect: Aspect, group: Group) -> dict[str, Any]:
    tally = group.tally
    return {
        "rank": group.rank or NOTHING,
        "name": group.name or "Not known",
        "cells": [f"{tally.lost:,}"]
        if aspect.is_of_losses
        else [f"{tally.won:,}", f"{tally.lost:,}"],
        "days": tally.median_days,
        "share": f"{group.share.value:.0%}",
        "likely": f"{group.share.low:.0%} to {group.share.high:.0%}",
        "picture": _interval(group.share),
        "stands_out": badge(f"{group.stands_out} the others", _TONES[group.stands_out])
        if group.stands_out
        else "",
    }


def _interval(share: Share) -> Any:
    """Where the share lies for 95 of 100 such counts, drawn from 0 to 100."""
    low, high, value = (round(100 * one, 1) for one in (share.low, share.high, share.value))
    return format_html(
        '<svg class="interval" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="interval-all" x="0" y="5" width="100" height="2"/>'
        '<rect class="interval-likely" x="{}" y="3" width="{}" height="6"/>'
        '<rect class="interval-value" x="{}" y="1" width="1.5" height="10"/></svg>',
        low,
        round(high - low, 1),
        min(value, 98.5),
    )


WIN_LOSS = MorePage(
    name="win_loss",
    title="Win/loss",
    template="admin/intelligence/win_loss.html",
    show=_show,
)

deal_page: Any = admin.site.get_model_admin(Opportunity)
deal_page.more_pages = (*deal_page.more_pages, WIN_LOSS)
