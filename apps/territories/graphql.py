"""Territories in the GraphQL schema (sales-system-integrations, GraphQL API)."""

from __future__ import annotations

import graphene

from apps.core.graphql.queries import listed_whole
from apps.core.graphql.rows import RowType
from apps.core.graphql.scalars import enumeration
from apps.territories import models
from apps.territories.fields import TERRITORIES
from apps.users.graphql import User

TerritoryType = enumeration(
    models.Territory.Type, "TerritoryType", "What a territory slices the market by."
)


class Territory(RowType):
    """A named slice of the market."""

    class Meta:
        listing = TERRITORIES
        required = ("name",)
        related = {"owner": User, "parent_territory": lambda: Territory}
        enums = {"type": TerritoryType}


class Query(graphene.ObjectType):
    """What can be asked of territories."""

    class Meta:
        abstract = True

    territories = listed_whole(Territory, order=("owner_id", "is_active"))
