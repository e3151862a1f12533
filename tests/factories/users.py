"""People."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from apps.core.actors import Actor
from apps.users.models import Role, User
from apps.users.selectors import actor_for

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory):
    """A sales rep."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda number: f"person{number}@example.com")
    name = factory.Sequence(lambda number: f"Person {number}")
    role = Role.SALES_REP
    password = factory.django.Password(PASSWORD)


def actor_of(user: User, *, door: str = "test") -> Actor:
    """The actor a person is, with today's rights."""
    actor = actor_for(user.pk, door=door, request_id="test-request")
    assert actor is not None
    return actor
