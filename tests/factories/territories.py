"""Territories and their people."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from apps.territories.models import Absence, Territory, TerritoryMember
from tests.factories.users import UserFactory


class TerritoryFactory(DjangoModelFactory):
    """A geographic territory without rules."""

    class Meta:
        model = Territory

    name = factory.Sequence(lambda number: f"Territory {number}")
    type = Territory.Type.GEOGRAPHIC


class TerritoryMemberFactory(DjangoModelFactory):
    """A rep in a territory, from today on."""

    class Meta:
        model = TerritoryMember

    territory = factory.SubFactory(TerritoryFactory)
    user = factory.SubFactory(UserFactory)


class AbsenceFactory(DjangoModelFactory):
    """Somebody is away."""

    class Meta:
        model = Absence

    user = factory.SubFactory(UserFactory)
