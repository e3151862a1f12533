"""Which forecasts a page shows."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.admin.lists import ChoiceOf
from apps.forecasts.selectors.nodes import periods_open_at


def nodes_within(rows: Any, actor: Actor) -> Any:
    """Those about a person or territory within reach."""
    reach = actor.reach
    if reach.everything:
        return rows
    return rows.filter(Q(user_id__any=reach.user_ids) | Q(territory_id__any=reach.territory_ids))


def open_periods() -> list[tuple[str, str]]:
    """The periods that are forecast now, to choose from."""
    return [(one.key, one.key) for one in periods_open_at(timezone.now())]


class PeriodFilter(ChoiceOf):
    """Narrows forecasts to one period."""

    title = "period"
    parameter_name = "period"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The periods that are forecast now."""
        return open_periods()
