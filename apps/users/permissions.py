"""Rights on people and roles."""

from apps.core.permissions import ADMINS, EVERYONE, declare

READ_USER = declare("user:read", "See colleagues", roles=EVERYONE)
MANAGE_USER = declare("user:manage", "Add people, change roles and reporting lines", roles=ADMINS)
MANAGE_CLIENT = declare(
    "client:manage", "Give keys to machine clients and admit applications", roles=ADMINS
)
