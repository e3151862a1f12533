"""When something was last done about a lead."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.leads.models import Lead


def lock_for_activity(lead_id: UUID) -> None:
    """Lock the lead something is about, before whatever notes it. In a transaction."""
    Lead.objects.with_bin().select_for_update(of=("self",)).get(pk=lead_id)


def note_activity(lead_id: UUID, *, at: datetime) -> None:
    """Keep when something was last done about a lead; its version stays. In a transaction."""
    earlier = Q(last_activity_at=None) | Q(last_activity_at__lt=at)
    Lead.objects.with_bin().filter(earlier, pk=lead_id).update(last_activity_at=at)
