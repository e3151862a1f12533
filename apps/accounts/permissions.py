"""Rights on accounts and their contacts."""

from apps.core.permissions import EVERYONE, MANAGERS, SELLERS, declare

READ_ACCOUNT = declare("account:read", "See accounts and their contacts", roles=EVERYONE)
WRITE_ACCOUNT = declare("account:write", "Open and change accounts and contacts", roles=SELLERS)
ASSIGN_ACCOUNT = declare(
    "account:assign", "Hand accounts to other people and territories", roles=MANAGERS
)
DELETE_ACCOUNT = declare(
    "account:delete", "Put accounts into the bin and restore them", roles=MANAGERS
)
IMPORT_ACCOUNT = declare("account:import", "Import files of accounts and undo it", roles=MANAGERS)
EXPORT_ACCOUNT = declare("account:export", "Export lists of accounts", roles=SELLERS)
