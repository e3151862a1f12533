"""Activities. They are logged by the service, so that they lie where what they are about lies."""

from __future__ import annotations

from typing import Any

from apps.activities.models import Activity
from apps.activities.services.activities import log_activity
from apps.users.models import User
from tests.factories.users import actor_of


def make_activity(*, by: User, **facts: Any) -> Activity:
    """A call of somebody, done now unless it is scheduled."""
    return log_activity(**{"type": "call", "subject": "First call", **facts}, actor=actor_of(by))
