"""Rights on territories."""

from apps.core.permissions import EVERYONE, MANAGERS, declare

READ_TERRITORY = declare("territory:read", "See territories", roles=EVERYONE)
WRITE_TERRITORY = declare(
    "territory:write", "Draw territories, their rules and members", roles=MANAGERS
)
ASSIGN_TERRITORY = declare(
    "territory:assign", "Assign leads and see the unrouted queue", roles=MANAGERS
)
