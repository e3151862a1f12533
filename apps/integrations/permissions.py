"""Rights on what other systems say."""

from apps.core.permissions import ADMINS, declare

READ_INBOX = declare("inbox:read", "See partners and what they sent", roles=ADMINS)
MANAGE_PARTNER = declare(
    "partner:manage", "Add partners, replace their secrets, handle messages again", roles=ADMINS
)
