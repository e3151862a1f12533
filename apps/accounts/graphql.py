"""Accounts in the GraphQL schema."""

from __future__ import annotations

import graphene

from apps.accounts.fields import ACCOUNTS
from apps.core.graphql.queries import shown
from apps.core.graphql.rows import RowType
from apps.territories.graphql import Territory
from apps.users.graphql import User


class Account(RowType):
    """A customer company. One out of reach shows its name only."""

    class Meta:
        listing = ACCOUNTS
        required = ("name",)
        related = {"owner": User, "territory": Territory, "parent_account": lambda: Account}


class Query(graphene.ObjectType):
    """What can be asked of accounts."""

    class Meta:
        abstract = True

    account = shown(Account)
