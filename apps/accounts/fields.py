"""What accounts and contacts show, and what they can be narrowed by."""

from __future__ import annotations

from apps.accounts.models import Account, Contact
from apps.accounts.permissions import READ_ACCOUNT
from apps.core.consents import OPTED_OUT_OF_SALE
from apps.core.places import country_code
from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import (
    Filter,
    at_least,
    at_most,
    equals,
    has_email,
    has_phone,
    one_of,
    refers_to,
    search,
)
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import ParentScope
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES


def _country(text: str) -> str:
    code = country_code(text)
    if not code:
        raise ValueError("Give an ISO 3166 country code.")
    return code


_PARENT_NAME = "(SELECT p.name FROM accounts_account p WHERE p.id = t.parent_account_id)"

ACCOUNTS = Listing(
    name="accounts",
    model=Account,
    read=READ_ACCOUNT,
    condition='t."deleted_at" IS NULL',
    fields=(
        Field("id"),
        Field("name"),
        Field("domain"),
        Field("industry"),
        Field("employee_count"),
        Field("annual_revenue"),
        Field("currency"),
        Field("country"),
        Field("state"),
        Field("city"),
        Field("postal_code"),
        Field("owner", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("parent_account", card_name=_PARENT_NAME),
        Field("external_ids"),
        Field("version"),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(
        refers_to("owner_id"),
        refers_to("territory_id"),
        equals("industry"),
        Filter("country", 't."country" = %s', _country, "An ISO 3166 code."),
        refers_to("parent_account_id"),
        at_least("created_after", "created_at", "moment"),
        at_most("created_before", "created_at", "moment"),
        search(),
    ),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("updated_at", 't."updated_at"', Kind.MOMENT),
        Ordering("name", 't."name"', Kind.TEXT),
    ),
)


CONTACTS = Listing(
    name="contacts",
    model=Contact,
    read=READ_ACCOUNT,
    condition='t."deleted_at" IS NULL',
    scope=ParentScope("accounts_account", "account_id"),
    fields=(
        Field("id"),
        Field("account_id", source="account"),
        Field("type"),
        Field("name"),
        Field("email"),
        Field("phone"),
        Field("title"),
        Field("consent"),
        Field("opted_out_of_sale", expression=OPTED_OUT_OF_SALE, kind=Kind.FLAG),
        Field("created_at"),
        Field("updated_at"),
    ),
    filters=(refers_to("account_id"), one_of("type", Contact.Type), has_email(), has_phone()),
    orderings=(
        Ordering("created_at", 't."created_at"', Kind.MOMENT),
        Ordering("name", 't."name"', Kind.TEXT),
    ),
)
