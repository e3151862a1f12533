"""What models show, and what they are narrowed by."""

from __future__ import annotations

from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import one_of
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import OpenScope
from apps.intelligence.models import ScoreModel
from apps.intelligence.permissions import READ_SCORE_MODEL
from apps.intelligence.rules.columns import Subject

SCORE_MODELS = Listing(
    name="score_models",
    model=ScoreModel,
    read=READ_SCORE_MODEL,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("name", expression="(t.subject || '-model-' || t.version)", kind=Kind.TEXT),
        Field("subject"),
        Field("version"),
        Field("state"),
        Field("verdict"),
        Field("sentence", expression="(t.card ->> 'sentence')", kind=Kind.TEXT),
        Field("published_at"),
        Field("retired_at"),
        Field("created_at"),
        # Where the bins lie and how many rows they held is for the machine.
        Field("card", expression="(t.card - 'reference')", kind=Kind.JSON, detail=True),
        Field("digest", detail=True),
        Field("drift", detail=True),
        Field("drift_checked_at", detail=True),
    ),
    filters=(one_of("subject", Subject), one_of("state", ScoreModel.State)),
    orderings=(Ordering("created_at", 't."created_at"', Kind.MOMENT),),
)
