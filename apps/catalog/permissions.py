"""Rights on the catalog."""

from apps.core.permissions import EVERYONE, MANAGERS, declare

READ_PRODUCT = declare("product:read", "See products and prices", roles=EVERYONE)
WRITE_PRODUCT = declare("product:write", "Change products and prices", roles=MANAGERS)
READ_PRODUCT_COST = declare("product_cost:read", "See unit costs and margins", roles=MANAGERS)
