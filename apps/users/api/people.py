"""`/users`: colleagues."""

from __future__ import annotations

from apps.core.api.endpoint import Endpoint, listed, shown
from apps.users.fields import USERS


class UserCollection(Endpoint):
    """`/users`."""

    get = listed(USERS, summary="Colleagues", tags=("people",))


class UserItem(Endpoint):
    """`/users/{user_id}`."""

    get = shown(USERS, summary="A colleague", tags=("people",))
