"""People in the GraphQL schema."""

from __future__ import annotations

from apps.core.graphql.rows import RowType
from apps.core.graphql.scalars import enumeration
from apps.users import models
from apps.users.fields import USERS

Role = enumeration(models.Role, "Role", "What a person or client is here for.")


class User(RowType):
    """A colleague."""

    class Meta:
        listing = USERS
        required = ("name",)
        related = {"manager": lambda: User}
        enums = {"role": Role}
