"""Rights on what leaves the platform."""

from apps.core.permissions import ADMINS, declare

MANAGE_WEBHOOK = declare("webhook:manage", "Say where events are sent, and see them", roles=ADMINS)
