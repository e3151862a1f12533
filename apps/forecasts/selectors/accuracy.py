"""How good forecasts were, by how long before the end of their periods they were made."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import TextChoices

from apps.core.actors import Actor
from apps.core.permissions import require
from apps.forecasts.permissions import READ_FORECAST
from apps.forecasts.rules import Length, Line
from apps.forecasts.selectors.roll_up import nodes_asked_for


class Method(TextChoices):
    """By what a forecast was made."""

    SUBMITTED = "submitted"
    STAGE = "stage_weighted"
    MODEL = "model_weighted"
    RUN_RATE = "run_rate"


@dataclass(frozen=True)
class Accuracy:
    """How far forecasts were off, in percent of what came.

    `mape` is the mean of how far each was off, of periods in which anything came; `bias` is by how
    much all of them together were too high, below zero too low.
    """

    days_before: int
    method: str
    currency: str
    periods: int
    mape: Decimal | None
    bias: Decimal | None


# Of several nodes a period is what they come to together.
_ACCURACY = """
WITH period AS (
    SELECT a.period, a.days_before, a.currency,
           CASE WHEN bool_and(a.submitted_amount IS NOT NULL) THEN sum(a.submitted_amount) END
               AS submitted,
           CASE WHEN bool_and(a.weighted_amount IS NOT NULL) THEN sum(a.weighted_amount) END
               AS stage_weighted,
           CASE WHEN bool_and(a.model_weighted_amount IS NOT NULL)
                THEN sum(a.model_weighted_amount) END AS model_weighted,
           CASE WHEN bool_and(a.run_rate_amount IS NOT NULL) THEN sum(a.run_rate_amount) END
               AS run_rate,
           sum(a.actual_amount) AS actual
    FROM forecasts_forecastaccuracy a
    WHERE a.node_id = ANY(%s::uuid[]) AND a.period_kind = %s
    GROUP BY 1, 2, 3
)
SELECT p.days_before, m.method, p.currency, count(*)::int,
       round(100 * avg(abs(m.amount - p.actual) / nullif(p.actual, 0)), 2),
       round(100 * sum(m.amount - p.actual) / nullif(sum(p.actual), 0), 2)
FROM period p CROSS JOIN LATERAL (VALUES
    (1, 'submitted', p.submitted), (2, 'stage_weighted', p.stage_weighted),
    (3, 'model_weighted', p.model_weighted), (4, 'run_rate', p.run_rate)
) AS m(position, method, amount)
WHERE m.amount IS NOT NULL
GROUP BY p.days_before, m.position, m.method, p.currency
ORDER BY p.currency, p.days_before DESC, m.position
"""


def accuracy_of(
    *,
    actor: Actor,
    kind: Length,
    line: Line | None = None,
    user_id: UUID | None = None,
    territory_id: UUID | None = None,
) -> list[Accuracy]:
    """How good the forecasts of a person with everybody who reports to them were, or of a territory
    with those below it; without either of those at the top of what the actor reaches.

    Raises NotAllowed, InvalidInput, NotFound.
    """
    require(actor, READ_FORECAST)
    nodes = nodes_asked_for(actor, line, user_id, territory_id)
    with connection.cursor() as cursor:
        cursor.execute(_ACCURACY, [nodes, kind])
        return [Accuracy(*row) for row in cursor.fetchall()]
