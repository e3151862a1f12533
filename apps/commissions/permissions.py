"""Rights on commissions (sales-system-integrations, Finance System)."""

from apps.core.permissions import ADMINS, INTEGRATION, MANAGERS, SELLERS, declare

READ_COMMISSION = declare(
    "commission:read", "See the commissions of people within reach", roles=SELLERS
)
CALCULATE_COMMISSION = declare(
    "commission:calculate",
    "Work out what people within reach are due",
    roles=(*MANAGERS, INTEGRATION),
)
PLAN_COMMISSION = declare(
    "commission:plan", "Set up commission plans and put people on them", roles=ADMINS
)
