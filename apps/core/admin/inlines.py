"""What belongs to a row, shown on its page and never changed there."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from unfold.admin import TabularInline

from apps.core.admin.visitors import actor_of, may


class ReadOnlyInline(TabularInline):
    """Rows of another table that belong to the one on the page, in a tab.

    `needs` is the permission to see them, where seeing the row is not enough.
    """

    extra = 0
    max_num = 0
    can_delete = False
    tab = True
    per_page = 20
    hide_title = True
    related: tuple[str, ...] = ()
    needs: str = ""

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows within reach, with what their columns name."""
        rows = super().get_queryset(request)
        if hasattr(rows, "visible_to"):
            rows = rows.visible_to(actor_of(request))
        if hasattr(self.model, "actor_id"):
            people = get_user_model()._default_manager.filter(pk=OuterRef("actor_id"))
            rows = rows.annotate(actor_name=Subquery(people.values("name")))
        return rows.select_related(*self.related) if self.related else rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All of them."""
        return self.fields or ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees the row and has the right to these."""
        return not self.needs or may(request, self.needs)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never here."""
        return False
