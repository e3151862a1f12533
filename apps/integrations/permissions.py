"""Rights on what other systems say, and on what leaves the platform."""

from apps.core.permissions import ADMINS, declare

READ_INBOX = declare("inbox:read", "See partners and what they sent", roles=ADMINS)
MANAGE_PARTNER = declare(
    "partner:manage", "Add partners, replace their secrets, handle messages again", roles=ADMINS
)
MANAGE_WEBHOOK = declare("webhook:manage", "Say where events are sent, and see them", roles=ADMINS)
