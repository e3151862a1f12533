"""What happens to people."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.core.events import event


@event("user.access_changed", topic="sales.users", about="user_id")
@dataclass(frozen=True, kw_only=True)
class UserAccessChanged:
    """A person was added, or role, manager or activity changed: reach has to be resolved anew."""

    user_id: UUID
    role: str
    is_active: bool
    manager_id: UUID | None
