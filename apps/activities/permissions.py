"""Rights on activities."""

from apps.core.permissions import EVERYONE, SELLERS, declare

READ_ACTIVITY = declare("activity:read", "See activities and timelines", roles=EVERYONE)
WRITE_ACTIVITY = declare("activity:write", "Log, change and complete activities", roles=SELLERS)
DELETE_ACTIVITY = declare(
    "activity:delete", "Put activities into the bin and restore them", roles=SELLERS
)
