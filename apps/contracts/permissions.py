"""Rights on contracts (sales-system-integrations, Billing System)."""

from apps.core.permissions import ADMIN, EVERYONE, INTEGRATION, SELLERS, declare

READ_CONTRACT = declare("contract:read", "See contracts", roles=EVERYONE)
WRITE_CONTRACT = declare(
    "contract:write", "Draw up contracts of won opportunities, change their terms", roles=SELLERS
)
ACKNOWLEDGE_CONTRACT = declare(
    "contract:acknowledge",
    "Say under which number billing keeps a contract",
    roles=(ADMIN, INTEGRATION),
)
