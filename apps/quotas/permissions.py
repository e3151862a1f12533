"""Rights on quotas (sales-system-architecture, Authentication & Authorization)."""

from apps.core.permissions import EVERYONE, MANAGERS, declare

READ_QUOTA = declare("quota:read", "See quotas and what is credited to them", roles=EVERYONE)
SET_QUOTA = declare("quota:set", "Set and change quotas", roles=MANAGERS)
