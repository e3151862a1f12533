"""People."""

from __future__ import annotations

from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.actors import Actor
from apps.core.identifiers import new_id
from apps.users.models import Role, SignIn, User
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


class SignInFactory(DjangoModelFactory):
    """A sign-in with tokens that goes on."""

    class Meta:
        model = SignIn

    user = factory.SubFactory(UserFactory)
    current_token = factory.LazyFunction(new_id)
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(hours=8))
