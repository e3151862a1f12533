"""What was known of leads when they were captured: today's values, with later changes put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.history import undone
from apps.leads.models import Lead
from apps.leads.rules.scoring import score_lead
from apps.leads.services.capture import facts_of

MOST_LEADS = 50_000
AT_ONCE = 1000

_FACTS = """
SELECT l.id, v.lead ->> 'source' AS source, v.lead ->> 'campaign_id' AS campaign_id,
       v.lead ->> 'title' AS title, v.lead ->> 'industry' AS industry,
       v.lead ->> 'country' AS country, v.lead ->> 'state' AS state,
       CASE WHEN v.lead ->> 'company' = '' THEN 'not named' ELSE 'named' END AS company,
       CASE WHEN l.phone_key = '' THEN 'none' ELSE 'given' END AS phone,
       (v.lead ->> 'employee_count')::float8 AS employee_count,
       (v.lead ->> 'annual_revenue')::float8 AS annual_revenue,
       (v.lead ->> 'marketing_score')::float8 AS marketing_score
FROM leads_lead l
CROSS JOIN LATERAL ({of_lead}) AS was
CROSS JOIN LATERAL (
    SELECT jsonb_build_object(
        'source', l.source, 'campaign_id', l.campaign_id, 'title', l.title, 'industry', l.industry,
        'country', l.country, 'state', l.state, 'company', l.company,
        'employee_count', l.employee_count, 'annual_revenue', l.annual_revenue,
        'marketing_score', l.marketing_score) || coalesce(was.undone, '{{}}') AS lead
) AS v
WHERE l.id = ANY(%s::uuid[])
""".format(
    of_lead=undone(
        row="l.id",
        kind="leads",
        moment="l.created_at",
        columns=(
            "source",
            "campaign_id",
            "title",
            "industry",
            "country",
            "state",
            "company",
            "employee_count",
            "annual_revenue",
            "marketing_score",
        ),
    )
)


@dataclass(frozen=True)
class Ended:
    """A lead that was converted or given up."""

    lead_id: UUID
    captured_at: datetime
    is_converted: bool


def known_of_leads(lead_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """What was known of leads when they were captured."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [list(lead_ids)])
        names = [column.name for column in cursor.description or ()][1:]
        return {
            lead_id: dict(zip(names, values, strict=True)) for lead_id, *values in cursor.fetchall()
        }


_ENDED = """
SELECT l.id, l.created_at, l.status = 'converted' FROM leads_lead l
WHERE l.status IN ('converted', 'unqualified') AND l.deleted_at IS NULL
  AND l.merged_into_id IS NULL
ORDER BY l.created_at DESC, l.id DESC LIMIT %s
"""


def ended_leads() -> list[list[Ended]]:
    """The leads captured last that came to an end, in parts."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, [MOST_LEADS])
        found = [Ended(*row) for row in cursor.fetchall()]
    return [found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE)]


def rules_scores(lead_ids: Sequence[UUID]) -> dict[UUID, int]:
    """What the rules say of leads."""
    return {
        one.pk: score_lead(facts_of(one)).value for one in Lead.objects.with_ids(list(lead_ids))
    }


_OPEN = """
SELECT l.id FROM leads_lead l
WHERE l.status IN ('new', 'contacted', 'qualified') AND l.deleted_at IS NULL
  AND l.merged_into_id IS NULL AND l.id > %s
ORDER BY l.id LIMIT %s
"""


def open_leads_after(lead_id: UUID) -> list[UUID]:
    """The next leads that may still become a deal, in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [lead_id, AT_ONCE])
        return [row[0] for row in cursor.fetchall()]
