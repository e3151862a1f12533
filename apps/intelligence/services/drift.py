"""How far what is scored now has moved away from what was learned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.permissions import require
from apps.intelligence.models import ScoreModel
from apps.intelligence.permissions import TRAIN_SCORE_MODEL
from apps.intelligence.rules.columns import Subject
from apps.intelligence.rules.facts import COLUMNS
from apps.intelligence.services.deals import Moment, known_of_deals
from apps.intelligence.services.engine import engine, trees_of
from apps.intelligence.services.leads import known_of_leads
from apps.leads.models import Lead
from apps.opportunities.models import Opportunity

LATELY = timedelta(days=90)
AT_MOST = 2000
FEWEST = 50


@command
def check_drift(*, actor: Actor) -> int:
    """Compare the rows scored lately with those each published model was learned from.

    Returns how many models were looked at; one with too few rows is left alone. Raises NotAllowed.
    """
    require(actor, TRAIN_SCORE_MODEL)
    checked = 0
    models = ScoreModel.objects.filter(state=ScoreModel.State.PUBLISHED).defer("trees")
    for model in models.select_for_update():
        facts = _lately(model.subject)
        if len(facts) < FEWEST:
            continue
        trees, columns = trees_of(model.pk), COLUMNS[Subject(model.subject)]
        reference = engine("reference").Reference.from_json(model.card["reference"], trees)
        model.drift = reference.drift(trees, engine("tables").columns_of(facts, columns))
        model.drift_checked_at = timezone.now()
        model.save(update_fields=["drift", "drift_checked_at", "updated_at"])
        checked += 1
    return checked


def _lately(subject: str) -> list[dict[str, Any]]:
    """What is known of the rows that came in lately and are still open."""
    now = timezone.now()
    rows: QuerySet[Any] = (
        Opportunity.objects.open() if subject == Subject.DEAL else Lead.objects.open()
    )
    lately = rows.filter(created_at__gte=now - LATELY).order_by("-created_at", "-id")
    ids = list(lately.values_list("pk", flat=True)[:AT_MOST])
    if subject == Subject.DEAL:
        return [one.facts for one in known_of_deals([Moment(one, now) for one in ids])]
    return list(known_of_leads(ids).values())
