"""Signed-in visitors of the back office."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.users.models import Role, User
from tests.factories.users import UserFactory

Office = Callable[[User], Client]


@pytest.fixture
def office() -> Office:
    """A browser in which somebody is signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def read_only(db: None) -> User:
    """Somebody who may look and nothing else."""
    return UserFactory(role=Role.READ_ONLY, name="Vic Viewer")
