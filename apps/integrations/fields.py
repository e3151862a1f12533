"""What is shown of webhooks. Secrets are not."""

from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import equals, one_of, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import OpenScope
from apps.integrations.models import WebhookDelivery, WebhookTarget
from apps.integrations.permissions import MANAGE_WEBHOOK

WEBHOOKS = Listing(
    name="webhooks",
    model=WebhookTarget,
    read=MANAGE_WEBHOOK,
    scope=OpenScope(),
    joins="LEFT JOIN integrations_webhookline AS line ON line.target_id = t.id",
    fields=(
        Field("id"),
        Field("name"),
        Field("url"),
        Field("event_types"),
        Field("paused_at"),
        Field("paused_because"),
        Field("failing_since", expression="line.failing_since", kind=Kind.MOMENT),
        Field("last_delivered_at", expression="line.last_delivered_at", kind=Kind.MOMENT),
        Field("former_until"),
        Field("created_at"),
        Field("updated_at"),
    ),
    orderings=(Ordering("created_at", 't."created_at"', Kind.MOMENT),),
)

WEBHOOK_DELIVERIES = Listing(
    name="webhook_deliveries",
    model=WebhookDelivery,
    read=MANAGE_WEBHOOK,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("event_id"),
        Field("event_name"),
        Field("aggregate_id"),
        Field("occurred_at"),
        Field("status"),
        Field("attempts"),
        Field("next_try_at"),
        Field("last_tried_at"),
        Field("answered"),
        Field("milliseconds"),
        Field("error"),
        Field("headers"),
        Field("response"),
        Field("created_at"),
    ),
    filters=(
        refers_to("target_id"),
        one_of("status", WebhookDelivery.Status),
        equals("event_name"),
        refers_to("event_id"),
    ),
    orderings=(Ordering("created_at", 't."created_at"', Kind.MOMENT),),
)
