"""Rights on opportunities (sales-system-architecture, Authentication & Authorization)."""

from apps.core.permissions import ADMINS, EVERYONE, MANAGERS, SELLERS, declare

READ_OPPORTUNITY = declare("opportunity:read", "See opportunities", roles=EVERYONE)
WRITE_OPPORTUNITY = declare(
    "opportunity:write", "Open, change and move opportunities, convert leads", roles=SELLERS
)
ASSIGN_OPPORTUNITY = declare(
    "opportunity:assign", "Hand opportunities to other people and territories", roles=MANAGERS
)
DELETE_OPPORTUNITY = declare(
    "opportunity:delete", "Put opportunities into the bin and restore them", roles=MANAGERS
)
REOPEN_OPPORTUNITY = declare(
    "opportunity:reopen", "Take up won and lost opportunities again", roles=MANAGERS
)
SCORE_OPPORTUNITY = declare(
    "opportunity:score", "Say how well opportunities stand, by a model", roles=ADMINS
)
IMPORT_OPPORTUNITY = declare(
    "opportunity:import", "Import files of opportunities and undo it", roles=MANAGERS
)
EXPORT_OPPORTUNITY = declare("opportunity:export", "Export lists of opportunities", roles=SELLERS)
