"""What colleagues see of each other, and admins of keys."""

from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import is_true, one_of, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.names import Names
from apps.core.rows.scope import OpenScope
from apps.users.models import ApiKey, Role, User
from apps.users.permissions import MANAGE_CLIENT, READ_USER

USER_NAMES = Names("users_user")

USERS = Listing(
    name="users",
    model=User,
    read=READ_USER,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("name"),
        Field("email"),
        Field("role"),
        Field("manager", card=USER_NAMES),
        Field("time_zone"),
        Field("is_active"),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(
        one_of("role", Role),
        refers_to("manager_id"),
        is_true("is_active", 't."is_active"'),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("name", 't."name"', Kind.TEXT),
    ),
)

API_KEYS = Listing(
    name="api_keys",
    model=ApiKey,
    read=MANAGE_CLIENT,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("name"),
        Field("prefix"),
        Field("user", card=USER_NAMES),
        Field("scopes"),
        Field("expires_at"),
        Field("former_until"),
        Field("revoked_at"),
        Field("last_used_at"),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(refers_to("user_id"),),
    orderings=(Ordering("created_at", 't."created_at"', Kind.MOMENT),),
)
