"""Lists that stay fast with millions of rows: capped counts, indexed orders, word search."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.postgres.search import SearchQuery
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter
from unfold.utils import parse_date_str
from unfold.views import ChangeList

from apps.core.admin.visitors import actor_of, note_shown
from apps.core.rows.filters import search

COUNTED_UP_TO = 10_000
FOUND_AT_MOST = 1_000


class CappedPaginator(Paginator):
    """Counts no further than ten thousand: nobody turns that many pages."""

    template_name = "admin/core/pagination.html"

    @cached_property
    def count(self) -> int:
        """How many rows there are, or one more than is counted."""
        rows: Any = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        return rows.order_by()[: COUNTED_UP_TO + 1].count()

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than were counted."""
        return self.count > COUNTED_UP_TO


class IndexedChangeList(ChangeList):
    """A list that is sorted by the column asked for and the key alone, which indexes answer."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str]:
        """The order; the queryset's own is left out of it."""
        ordering: list[str] = super().get_ordering(request, queryset.order_by())
        return ordering

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str] | None = None
    ) -> QuerySet:
        """The rows of the list, without the columns that only their pages show."""
        rows: QuerySet = super().get_queryset(request, exclude_parameters)
        # Django leaves this out where rows bring something along already, such as their data keys.
        if isinstance(self.list_select_related, tuple):
            rows = rows.select_related(*self.list_select_related)
        return rows.defer(*self.model_admin.list_defer)

    def get_results(self, request: HttpRequest) -> None:
        """One page of rows, completed with what their columns name."""
        super().get_results(request)
        self.result_list: list[Any] = list(self.result_list)
        note_shown(actor_of(request), self.result_list)
        self.full_result_count = self.result_count
        self.model_admin.complete(self.result_list)


def matching(rows: QuerySet, text: str) -> QuerySet:
    """The rows in which all words occur, by the words' index.

    The candidates are a query of their own, at most a thousand, so that they are looked up first
    and not one by one along the list's order.
    """
    try:
        query = search().parse(text)
    except ValueError:
        return rows.none()
    found = rows.filter(search_vector=SearchQuery(query, search_type="raw", config="simple"))
    return rows.filter(pk__in=found.order_by().values("pk")[:FOUND_AT_MOST])


class DaysFilter(RangeDateFilter):
    """Narrows a list to rows of a moment between two days, both included, where the reader is."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The rows of these days."""
        first = parse_date_str(self.used_parameters.get(f"{self.parameter_name}_from") or "")
        last = parse_date_str(self.used_parameters.get(f"{self.parameter_name}_to") or "")
        if first:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": _begin(first)})
        if last:
            after = _begin(last + timedelta(days=1))
            queryset = queryset.filter(**{f"{self.parameter_name}__lt": after})
        return queryset


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), timezone.get_current_timezone())


class BinFilter(DropdownFilter):
    """Switches a list from the rows in use to those in the bin."""

    title = "bin"
    parameter_name = "bin"
    all_option = ("", "In use")

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """What can be chosen besides the rows in use."""
        return [("yes", "In the bin")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """All of them: the page has chosen its rows by the same parameter."""
        return queryset


class ChoiceOf(DropdownFilter):
    """Narrows a list by one of a fixed set of values."""

    choices_offered: Iterable[tuple[str, str]] = ()

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """The values."""
        return list(self.choices_offered)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The rows with the chosen value."""
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset
