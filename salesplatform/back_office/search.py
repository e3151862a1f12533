"""The search of the whole site (Ctrl+K): a few rows of each kind, within the actor's reach."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from apps.core.admin.base import ActorAdmin
from apps.core.admin.display import page_of
from apps.core.admin.visitors import actor_of, note_shown

FOUND_PER_KIND = 5


def find(request: HttpRequest, typed: str) -> list[SearchResult]:
    """The rows that match what was typed."""
    results = []
    for model, page in admin.site._registry.items():
        if not isinstance(page, ActorAdmin) or not page.is_found_everywhere:
            continue
        if not page.has_view_permission(request):
            continue
        matching, _ = page.get_search_results(request, page.get_queryset(request), typed)
        rows = list(matching.order_by(*page.ordering)[:FOUND_PER_KIND])
        note_shown(actor_of(request), rows)
        results += [
            SearchResult(
                title=str(row),
                description=str(model._meta.verbose_name).capitalize(),
                link=page_of(model, row.pk),
                icon="arrow_forward",
            )
            for row in rows
        ]
    return results
