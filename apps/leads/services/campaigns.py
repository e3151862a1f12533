"""Campaigns of marketing's: the newest is kept, and older news changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput
from apps.core.facts import check_told_at
from apps.core.permissions import require
from apps.leads.models import Campaign
from apps.leads.permissions import WRITE_LEAD


def record_campaign(
    *, external_id: str, as_of: datetime, actor: Actor, system: str = "marketing", **facts: Any
) -> Campaign:
    """Note what a campaign is (sales-system-integrations, Marketing System).

    Args:
        external_id: its id at marketing, which leads carry.
        as_of: when this was true; what is older than what is known changes nothing.
        actor: needs `lead:write`.
        system: whose id that is.
        facts: the columns of `Campaign`; what is left out is empty.

    Raises:
        NotAllowed, InvalidInput.
    """
    return _record(system, external_id, as_of, actor, facts)


_EMPTY = {"channel": "", "starts_on": None, "ends_on": None}


@command
def _record(
    system: str, external_id: str, as_of: datetime, actor: Actor, facts: dict[str, Any]
) -> Campaign:
    take_turn(f"campaign {system} {external_id}")
    require(actor, WRITE_LEAD)
    check_told_at(as_of, timezone.now())
    names = {"partner": system, "external_id": external_id}
    campaign = Campaign.objects.filter(**names).first() or Campaign(**names)
    if not campaign._state.adding and as_of <= campaign.as_of:
        return campaign
    for name, value in {**_EMPTY, **facts}.items():
        setattr(campaign, name, value)
    campaign.as_of = as_of
    if campaign.starts_on and campaign.ends_on and campaign.ends_on < campaign.starts_on:
        raise InvalidInput.field("ends_on", "This lies before it starts.")
    campaign.save()
    return campaign
