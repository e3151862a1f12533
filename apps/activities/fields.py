"""What activities show, and what they can be narrowed by."""

from __future__ import annotations

from apps.activities.models import Activity
from apps.activities.permissions import READ_ACTIVITY
from apps.activities.rules import OutcomeKind
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import at_least, at_most, is_true, one_of, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES

# What was done about a lead that was folded into another is the other's story, too.
_OF_LEAD = """t."lead_id" = ANY(ARRAY(
    WITH RECURSIVE family(id) AS (
        SELECT %s::uuid
        UNION SELECT l.id FROM leads_lead l JOIN family f ON l.merged_into_id = f.id)
    SELECT id FROM family))"""
_LEAD_NAME = (
    "(SELECT trim(l.first_name || ' ' || l.last_name) FROM leads_lead l WHERE l.id = t.lead_id)"
)
_DEAL_NAME = "(SELECT o.name FROM opportunities_opportunity o WHERE o.id = t.opportunity_id)"
_ACCOUNT_NAME = "(SELECT a.name FROM accounts_account a WHERE a.id = t.account_id)"
_CONTACT_NAME = "(SELECT c.name FROM accounts_contact c WHERE c.id = t.contact_id)"

ACTIVITIES = Listing(
    name="activities",
    model=Activity,
    read=READ_ACTIVITY,
    condition='t."deleted_at" IS NULL AND NOT t."subject_in_bin"',
    fields=(
        Field("id"),
        Field("type"),
        Field("direction"),
        Field("subject"),
        Field("outcome"),
        Field("outcome_kind"),
        Field("is_completed", expression="t.completed_at IS NOT NULL", kind=Kind.FLAG),
        Field("timeline_at", expression='t."timeline_at"', kind=Kind.MOMENT),
        Field("scheduled_at"),
        Field("completed_at"),
        Field("duration_minutes"),
        Field("user", card=USER_NAMES),
        Field("lead", card_name=_LEAD_NAME),
        Field("opportunity", card_name=_DEAL_NAME),
        Field("account", card_name=_ACCOUNT_NAME),
        Field("contact", card_name=_CONTACT_NAME),
        Field("owner", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("created_at"),
        Field("updated_at"),
        Field("description", detail=True),
        Field("participants", expression="to_json(t.participants)", kind=Kind.JSON, detail=True),
        Field("metadata", detail=True),
        Field("external_system", detail=True),
        Field("external_id", detail=True),
    ),
    filters=(
        one_of("type", Activity.Type),
        one_of("direction", Activity.Direction),
        one_of("outcome_kind", OutcomeKind),
        is_true("is_completed", "t.completed_at IS NOT NULL"),
        refers_to("user_id"),
        refers_to("owner_id"),
        refers_to("territory_id"),
        refers_to("lead_id", sql=_OF_LEAD),
        refers_to("opportunity_id"),
        refers_to("account_id"),
        refers_to("contact_id"),
        at_least("after", "timeline_at", "moment"),
        at_most("before", "timeline_at", "moment"),
    ),
    orderings=(
        Ordering("timeline_at", 't."timeline_at"', Kind.MOMENT),
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
    ),
    default_ordering="-timeline_at",
)
