"""Permissions: named by the apps, given to roles as data, asked for by services.

An app declares what exists and which roles hold it out of the box; the role rows that sales
operations edit live in `users`. Names follow the source: `opportunity:read`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.core.errors import NotAllowed

if TYPE_CHECKING:
    from apps.core.actors import Actor

log = logging.getLogger(__name__)

ADMIN = "admin"
SALES_MANAGER = "sales_manager"
SALES_REP = "sales_rep"
READ_ONLY = "read_only"
INTEGRATION = "integration"

EVERYONE = (ADMIN, SALES_MANAGER, SALES_REP, READ_ONLY, INTEGRATION)
SELLERS = (ADMIN, SALES_MANAGER, SALES_REP, INTEGRATION)
MANAGERS = (ADMIN, SALES_MANAGER)
ADMINS = (ADMIN,)
# Who asks by address learns whether it is known: not for those who see a part of the people.
CONSENT_KEEPERS = (ADMIN, INTEGRATION)


@dataclass(frozen=True)
class Permission:
    """A right that a role can hold."""

    name: str
    sentence: str
    default_roles: tuple[str, ...]


_declared: dict[str, Permission] = {}


def declare(name: str, sentence: str, *, roles: tuple[str, ...]) -> str:
    """Make a permission known; returns its name, which is what services ask for."""
    permission = Permission(name, sentence, roles)
    if _declared.setdefault(name, permission) != permission:
        raise ValueError(f"The permission {name} is declared twice, differently.")
    return name


def declared() -> tuple[Permission, ...]:
    """Every permission, in the order of its name."""
    return tuple(_declared[name] for name in sorted(_declared))


def require(actor: Actor, permission: str) -> None:
    """Refuse the operation unless the actor holds the permission. Raises NotAllowed."""
    if not actor.may(permission):
        log.warning("%s may not %s, asked through %s", actor.id, permission, actor.door)
        raise NotAllowed(
            f"This needs the permission {permission}.",
            reason="permission_missing",
            permission=permission,
        )


VIEW_SYSTEM = declare("system:read", "See jobs, events and deliveries", roles=ADMINS)
EXPLAIN_ACCESS = declare("access:explain", "Ask why somebody can see a row", roles=ADMINS)
MANAGE_SYSTEM = declare("system:manage", "Retry events and cancel jobs of others", roles=ADMINS)
READ_AUDIT = declare("audit:read", "See who changed what and who read what", roles=ADMINS)
READ_PERSON = declare("privacy:read", "Find and export what is held on a person", roles=ADMINS)
ERASE_PERSON = declare("privacy:erase", "Erase a person, from the history too", roles=ADMINS)
READ_EXCHANGE_RATE = declare(
    "exchange_rate:read", "See what other currencies are worth", roles=EVERYONE
)
SET_EXCHANGE_RATE = declare(
    "exchange_rate:set", "Say what other currencies are worth", roles=ADMINS
)
WRITE_CONSENT = declare("consent:write", "Note what people agreed to", roles=CONSENT_KEEPERS)
READ_CONSENT = declare("consent:read", "See what anybody agreed to", roles=CONSENT_KEEPERS)
