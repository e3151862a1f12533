"""What models and suggestions show, and what they are narrowed by."""

from __future__ import annotations

from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import is_true, one_of, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import EitherScope, OpenScope, ParentScope
from apps.intelligence.models import ScoreModel, Suggestion
from apps.intelligence.permissions import READ_SCORE_MODEL
from apps.intelligence.rules.columns import Subject
from apps.intelligence.rules.suggestions import Decision
from apps.leads.permissions import READ_LEAD
from apps.opportunities.permissions import READ_OPPORTUNITY
from apps.users.fields import USER_NAMES

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

_DEAL = "(SELECT w.name FROM opportunities_opportunity w WHERE w.id = t.opportunity_id)"
# Of a lead its company: whoever reads about the person opens the lead.
_COMPANY = "(SELECT w.company FROM leads_lead w WHERE w.id = t.lead_id)"
# From the deals and leads: most people's are few among all that are suggested.
_OWNED_BY = """t.id = ANY(ARRAY(
    SELECT s.id FROM opportunities_opportunity w
    JOIN intelligence_suggestion s ON s.opportunity_id = w.id
    WHERE w.owner_id = %s AND w.deleted_at IS NULL
    UNION ALL
    SELECT s.id FROM leads_lead w JOIN intelligence_suggestion s ON s.lead_id = w.id
    WHERE w.owner_id = %s AND w.deleted_at IS NULL))
"""

SUGGESTIONS = Listing(
    name="suggestions",
    model=Suggestion,
    read=READ_OPPORTUNITY,
    scope=EitherScope(
        "intelligence_suggestion",
        ParentScope("opportunities_opportunity", "opportunity_id"),
        others=((READ_LEAD, ParentScope("leads_lead", "lead_id")),),
    ),
    fields=(
        Field("id"),
        Field("opportunity_id"),
        Field("opportunity_name", expression=_DEAL, kind=Kind.TEXT),
        Field("lead_id"),
        Field("lead_company", expression=_COMPANY, kind=Kind.TEXT),
        Field("key"),
        Field("sentence"),
        Field("reason"),
        Field("gain"),
        Field("value"),
        Field("made_at"),
        Field("decision"),
        Field("because"),
        Field("decided_at"),
        Field("decided_by", card=USER_NAMES),
        Field("ended_at"),
        Field("ended_as"),
    ),
    filters=(
        is_true("is_open", 't."ended_at" IS NULL AND t."decision" = \'\''),
        one_of("decision", Decision),
        refers_to("opportunity_id"),
        refers_to("lead_id"),
        refers_to("owner_id", sql=_OWNED_BY),
    ),
    orderings=(
        # As the index has it: 0.00 is not 0 to it.
        Ordering("value", 'coalesce(t."value", 0.00)', Kind.MONEY),
        Ordering("made_at", 't."made_at"', Kind.MOMENT),
    ),
    default_ordering="-value",
)
