"""What leads hold of people."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.core.personal_data import Holding, holds
from apps.leads.models import Lead
from apps.leads.querysets import OPEN_STATUSES


def _family(ids: Collection[UUID]) -> set[UUID]:
    """Leads that were folded into one of these, and those that these were folded into."""
    family = set(ids)
    while more := _next_of_kin(family) - family:
        family |= more
    return family


def _next_of_kin(ids: Collection[UUID]) -> set[UUID]:
    merged = Lead.objects.with_bin().exclude(merged_into=None)
    pairs = merged.filter(Q(pk__in=ids) | Q(merged_into__in=ids)).values_list("pk", "merged_into")
    return {one for pair in pairs for one in pair}


def _put_aside(lead: Lead) -> None:
    """Nobody works a lead that is about nobody; what became of one that was converted stays."""
    if lead.status in OPEN_STATUSES:
        lead.status = Lead.Status.UNQUALIFIED
    lead.version += 1


def _idle(before: datetime) -> Q:
    """Leads that never became a deal, unchanged and without any activity since a moment."""
    quiet = Q(last_activity_at=None) | Q(last_activity_at__lt=before)
    return ~Q(status=Lead.Status.CONVERTED) & Q(updated_at__lt=before) & quiet


LEAD_PEOPLE = holds(
    Holding(
        "leads",
        Lead,
        emptied={
            "first_name": "",
            "last_name": "",
            "phone_key": "",
            "title": "",
            "city": "",
            "postal_code": "",
            "external_id": "",
            "attribution": {},
            "score_reasons": [],
            "status_reason": "",
            "routing_reason": "",
        },
        family=_family,
        settle=_put_aside,
        settled=("status", "version"),
        idle=_idle,
    )
)
