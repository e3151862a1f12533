"""Rights on leads."""

from apps.core.permissions import ADMINS, EVERYONE, MANAGERS, SELLERS, declare

READ_LEAD = declare("lead:read", "See leads", roles=EVERYONE)
WRITE_LEAD = declare("lead:write", "Capture, change and qualify leads", roles=SELLERS)
DELETE_LEAD = declare("lead:delete", "Put leads into the bin and restore them", roles=MANAGERS)
MERGE_LEAD = declare("lead:merge", "Merge duplicate leads and undo it", roles=SELLERS)
IMPORT_LEAD = declare("lead:import", "Import files of leads and undo it", roles=MANAGERS)
EXPORT_LEAD = declare("lead:export", "Export lists of leads", roles=SELLERS)
SCORE_LEAD = declare("lead:score", "Say how promising leads are, by a model", roles=ADMINS)
