"""The change history in the back office and over REST: for those who may see it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from apps.core.models import Change
from apps.leads.services.capture import change_lead
from apps.users.models import User
from tests.back_office.conftest import Office
from tests.factories.catalog import ProductFactory
from tests.factories.leads import LeadFactory
from tests.factories.users import actor_of

LIST = reverse("admin:core_change_changelist")


def rows_of(response: Any) -> list[tuple[str, str]]:
    return [(one.kind, one.action) for one in response.context["cl"].result_list]


@pytest.fixture
def lead(admin: User) -> Any:
    lead = LeadFactory(title="Clerk")
    change_lead(lead_id=lead.pk, title="Director", actor=actor_of(admin))
    return lead


def test_finds_changes_by_record_person_and_kind(admin: User, office: Office, lead: Any) -> None:
    client = office(admin)
    assert rows_of(client.get(LIST, {"q": str(lead.pk)})) == [
        ("leads", "changed"),
        ("leads", "made"),
    ]
    assert rows_of(client.get(LIST, {"q": admin.email.upper()})) == [("leads", "changed")]
    assert rows_of(client.get(LIST, {"q": str(admin.pk)})) == [("users", "made")]
    assert rows_of(client.get(LIST, {"kind": "leads"})) == [("leads", "changed"), ("leads", "made")]
    assert rows_of(client.get(LIST, {"q": "nobody@x.example"})) == []
    assert rows_of(client.get(LIST, {"changed_at_to": "2019-01-01"})) == []


def test_a_page_tells_a_change_field_by_field(admin: User, office: Office, lead: Any) -> None:
    change = Change.objects.get(row_id=lead.pk, action="changed")
    page = office(admin).get(reverse("admin:core_change_change", args=[change.pk]))
    text = page.content.decode()
    assert "<td>Title</td><td>Clerk</td><td>Director</td>" in text
    assert "Ada Admin" in text


def test_the_page_of_a_row_shows_its_changes_to_those_who_may(
    admin: User, manager: User, office: Office, lead: Any
) -> None:
    address = reverse("admin:leads_lead_change", args=[lead.pk])
    assert "Clerk" in office(admin).get(address).content.decode()
    page = office(manager).get(address)
    assert page.status_code == 200
    assert "Clerk" not in page.content.decode()


def test_a_list_costs_the_same_with_many_rows(
    admin: User, office: Office, django_assert_max_num_queries: Any
) -> None:
    client = office(admin)
    LeadFactory.create_batch(20)
    client.get(LIST)
    with django_assert_max_num_queries(8):
        assert len(rows_of(client.get(LIST))) == 21


def test_others_see_neither_page_nor_answer(
    manager: User, rep: User, office: Office, api: Any, lead: Any
) -> None:
    page = reverse("admin:core_change_change", args=[Change.objects.latest("sequence").pk])
    for person in (manager, rep):
        assert office(person).get(LIST).status_code == 403
        assert office(person).get(page).status_code in (302, 403)
        answer = api(person).call("GET", f"/audit/changes?object=leads:{lead.pk}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


def test_answers_the_changes_of_a_row_page_by_page(api: Any, admin: User, lead: Any) -> None:
    client = api(admin)
    address = f"/audit/changes?object=leads:{lead.pk}&limit=1"
    first = client.call("GET", address).json()
    (change,) = first["data"]
    assert first["has_more"]
    assert change["fields_changed"]["title"] == {"before": "Clerk", "after": "Director"}
    assert change["user"] == str(admin.pk)
    second = client.call("GET", f"{address}&before={change['sequence']}").json()
    assert [one["action"] for one in second["data"]] == ["made"]
    assert not second["has_more"]
    mine = client.call("GET", f"/audit/changes?user={admin.pk}").json()["data"]
    assert [one["sequence"] for one in mine] == [change["sequence"]]


@pytest.mark.parametrize(
    "query", ["object=leads", "object=nothing:1", "object=leads:x", "user=x", "limit=0", "x=1"]
)
def test_refuses_what_can_t_be_asked(api: Any, admin: User, query: str) -> None:
    answer = api(admin).call("GET", f"/audit/changes?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def test_a_cost_stays_hidden_from_an_auditor_who_sees_none(
    api: Any, admin: User, monkeypatch: Any
) -> None:
    product = ProductFactory(unit_cost=5, cost_currency="USD")
    client = api(admin)
    address = f"/audit/changes?object=products:{product.pk}"
    (seen,) = client.call("GET", address).json()["data"]
    assert seen["fields_changed"]["unit_cost"] == {"before": None, "after": 5.0}

    monkeypatch.setattr("apps.core.history.hidden_columns", lambda *_: frozenset({"unit_cost"}))
    (hidden,) = client.call("GET", address).json()["data"]
    assert "unit_cost" not in hidden["fields_changed"]


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("row_id = '01a1fe0b-c71d-763f-a933-86b4d45c8704'", "row_id_sequence_idx"),
        ("actor_id = '01a1fe0b-c71d-763f-a933-86b4d45c8704'", "actor_id_sequence_idx"),
        ("kind = 'products'", "kind_sequence_idx"),
        ("transaction_number >= 5", "transaction_number_idx"),
    ],
)
def test_every_way_to_look_is_indexed(db: None, condition: str, index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        order = "" if index.startswith("transaction") else "ORDER BY sequence DESC LIMIT 50"
        cursor.execute(f"EXPLAIN SELECT sequence FROM core_change WHERE {condition} {order}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan
