"""Lists cost the same however many rows there are, and are searched by their index."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.core.admin import lists
from apps.core.admin.lists import CappedPaginator
from apps.core.jobs import request_job
from apps.leads.models import Lead
from apps.users.models import User
from tests.back_office.conftest import Office
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import actor_of

LEADS = "admin:leads_lead_changelist"


def statements(client: Any, address: str) -> list[str]:
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return [one["sql"] for one in captured.captured_queries]


# Session and user are two; counting and reading the page are two more.
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("admin:leads_lead_changelist", 4),
        ("admin:opportunities_opportunity_changelist", 5),
        ("admin:accounts_account_changelist", 4),
        ("admin:accounts_contact_changelist", 4),
        ("admin:territories_territory_changelist", 4),
        ("admin:users_user_changelist", 4),
        ("admin:core_businessevent_changelist", 5),
        ("admin:core_job_changelist", 5),
    ],
)
def test_a_list_takes_the_same_few_statements_for_one_row_and_for_many(
    address: str, expected: int, admin: User, rep: User, office: Office
) -> None:
    client = office(admin)

    def more() -> None:
        LeadFactory(owner=rep, territory=TerritoryFactory(owner=rep))
        ContactFactory(account=AccountFactory(owner=rep))
        make_deal(owner=rep)
        with transaction.atomic():
            request_job("leads.import", parameters={}, actor=actor_of(rep))

    more()
    few = statements(client, reverse(address))
    for _ in range(3):
        more()
    many = statements(client, reverse(address))

    assert (len(few), len(many)) == (expected, expected), "\n".join(many)


def test_a_list_leaves_out_the_columns_that_only_pages_show(rep: User, office: Office) -> None:
    LeadFactory(owner=rep)

    rows = next(
        one for one in statements(office(rep), reverse(LEADS)) if "LIMIT" in one and "email" in one
    )

    for column in ("search_vector", "metadata", "score_reasons"):
        assert column not in rows


def test_counting_stops_at_a_limit(
    rep: User, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "COUNTED_UP_TO", 2)
    LeadFactory.create_batch(4, owner=rep)

    pages = CappedPaginator(Lead.objects.order_by("-created_at"), 1)
    page = office(rep).get(reverse(LEADS))

    assert (pages.count, pages.is_capped) == (3, True)
    assert b"more than 10,000 leads" in page.content


def test_sorts_by_the_column_and_the_key_alone(rep: User, office: Office) -> None:
    LeadFactory(owner=rep)
    column = 4

    rows = next(
        one for one in statements(office(rep), f"{reverse(LEADS)}?o=-{column}") if "ORDER BY" in one
    )

    assert rows.partition("ORDER BY ")[2].startswith(
        '"leads_lead"."score" DESC, "leads_lead"."id" DESC'
    )


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [
        ("looking", True),
        ("ALICE look", True),
        ("alice queen", False),
        ("alice@wonder.example", True),
        ("Alice@Wonder.example", True),
        ("alice@elsewhere.example", False),
        ("&|!:*'", False),
    ],
)
def test_finds_leads_by_beginnings_of_words_and_whole_addresses(
    typed: str, is_found: bool, rep: User, office: Office
) -> None:
    LeadFactory(
        owner=rep, first_name="Alice", company="Looking Glass", email="alice@wonder.example"
    )
    LeadFactory(owner=rep, first_name="Queen", company="Hearts")

    page = office(rep).get(reverse(LEADS), {"q": typed})

    found = [one.first_name for one in page.context["cl"].result_list]
    assert found == (["Alice"] if is_found else [])


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"status": "qualified"}, {"qualified"}),
        ({"whose": "mine"}, {"qualified", "mine"}),
        ({"whose": "nobody"}, {"nobody"}),
        ({"created_at_from": "2026-01-01", "created_at_to": "2026-01-01"}, {"old"}),
        ({"owner__id__exact": "nonsense"}, None),
    ],
)
def test_narrows_leads(
    parameters: dict[str, str],
    expected: set[str] | None,
    manager: User,
    rep: User,
    office: Office,
) -> None:
    LeadFactory(owner=manager, status="qualified", last_name="qualified")
    LeadFactory(owner=manager, last_name="mine")
    LeadFactory(last_name="nobody")
    new_year = timezone.datetime(2026, 1, 1, 23, 59, tzinfo=timezone.get_default_timezone())
    LeadFactory(owner=rep, last_name="old", created_at=new_year)
    LeadFactory(owner=rep, last_name="older", created_at=new_year - timedelta(days=1))

    page = office(manager).get(reverse(LEADS), parameters)

    if expected is None:
        assert page.status_code == 302
    else:
        assert {one.last_name for one in page.context["cl"].result_list} == expected
