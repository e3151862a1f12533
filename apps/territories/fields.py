"""What a territory shows, and what territories can be narrowed by."""

from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import is_true, one_of, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.names import Names
from apps.core.rows.scope import TerritoryScope
from apps.territories.models import Territory
from apps.territories.permissions import READ_TERRITORY
from apps.users.fields import USER_NAMES

TERRITORY_NAMES = Names("territories_territory")

TERRITORIES = Listing(
    name="territories",
    model=Territory,
    read=READ_TERRITORY,
    scope=TerritoryScope(territory="id"),
    fields=(
        Field("id"),
        Field("name"),
        Field("type"),
        Field("owner", card=USER_NAMES),
        Field("parent_territory", card=TERRITORY_NAMES),
        Field("priority"),
        Field("assignment"),
        Field("is_active"),
        Field("countries"),
        Field("states"),
        Field("zip_codes"),
        Field("industry"),
        Field("min_employee_count"),
        Field("max_employee_count"),
        Field("min_annual_revenue"),
        Field("max_annual_revenue"),
        Field("named_accounts"),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(
        one_of("type", Territory.Type),
        refers_to("owner_id"),
        refers_to("parent_territory_id"),
        is_true("is_active", 't."is_active"'),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("name", 't."name"', Kind.TEXT),
    ),
)
