"""Rights on what customer experience and support say of accounts."""

from apps.core.permissions import ADMIN, EVERYONE, INTEGRATION, declare

READ_CUSTOMER = declare(
    "customer:read", "See how customers fare: health, usage, NPS, tickets", roles=EVERYONE
)
REPORT_CUSTOMER = declare("customer:report", "Say how customers fare", roles=(ADMIN, INTEGRATION))
