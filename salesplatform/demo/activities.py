"""What the demo company's people did about their deals, and have still to do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.activities.services.activities import log_activity
from apps.core.actors import Actor

# Type, subject, description, outcome and the usual minutes.
_DONE: tuple[tuple[str, str, str, str, int], ...] = (
    ("email", "Introduction and material", "Sent the overview and two references.", "replied", 10),
    ("call", "Discovery call", "Three plants, one team that decides.", "interested", 25),
    ("meeting", "Workshop on requirements", "Agreed on the criteria and dates.", "held", 90),
    ("demo", "Demo for the operations team", "Asked about imports and rights.", "convinced", 45),
    ("call", "Budget and timing", "The budget is set for this quarter.", "connected", 15),
)
_PLANNED: tuple[tuple[str, str], ...] = (
    ("task", "Send the revised offer"),
    ("call", "Follow up on the offer"),
    ("meeting", "Meet procurement"),
)


def log_work(deals: Sequence[tuple[Any, Actor]], chance: random.Random) -> int:
    """Log what owners did about their deals, and what open ones have before them."""
    logged = 0
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    for deal, owner in deals:
        about = {"opportunity_id": deal.pk, "lead_id": deal.lead_id, "actor": owner}
        done = _DONE[: chance.randrange(2, len(_DONE) + 1)]
        days = sorted(chance.sample(range(1, 40), len(done)), reverse=True)
        for (kind, subject, description, outcome, minutes), ago in zip(done, days, strict=True):
            log_activity(
                type=kind,
                direction="outbound" if kind in ("email", "call") else "",
                subject=subject,
                description=description,
                outcome=outcome,
                duration_minutes=minutes,
                completed_at=now - timedelta(days=ago, hours=chance.randrange(8)),
                **about,
            )
        kind, subject = chance.choice(_PLANNED)
        log_activity(
            type=kind,
            subject=subject,
            scheduled_at=now + timedelta(days=chance.randrange(1, 14)),
            **about,
        )
        logged += len(done) + 1
    return logged
