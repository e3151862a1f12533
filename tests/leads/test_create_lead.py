"""Capturing a lead: normalised, checked for duplicates, scored, routed, assigned, told."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection

from apps.core.contact_points import email_key
from apps.core.models import BusinessEvent
from apps.leads.models import Lead, LeadAssignment
from apps.users.models import Role
from tests.factories.leads import LeadFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

# The request of the source (sales-system-integrations, Create Lead).
JOHN = {
    "source": "webinar",
    "first_name": "John",
    "last_name": "Doe",
    "email": "John.Doe@Example.com",
    "phone": "+1-555-0100",
    "company": "Acme Corp",
    "title": "VP Engineering",
    "industry": "Technology",
    "employee_count": 500,
    "annual_revenue": 50000000,
    "score": 85,
    "metadata": {"campaign_id": "c-1", "utm_source": "linkedin"},
}


def test_captures_routes_and_tells(api, manager, rep):
    territory = TerritoryFactory(name="Tech", type="industry", industry="technology", owner=rep)
    answer = api(manager).call("POST", "/leads", JOHN)
    assert answer.status_code == 201, answer.content
    lead = Lead.objects.get()
    body = answer.json()
    assert {name: body[name] for name in ("id", "status", "assigned_to", "territory_id")} == {
        "id": str(lead.pk),
        "status": "new",
        "assigned_to": str(rep.pk),
        "territory_id": str(territory.pk),
    }
    assert lead.email_key == email_key("john.doe@example.com")
    assert lead.marketing_score == 85
    assert lead.annual_revenue == Decimal("50000000.00")
    assert lead.score == 86
    assert lead.score_reasons[0] == {
        "feature": "marketing_score",
        "points": 14,
        "sentence": "Marketing scored it 85.",
    }
    assert lead.routing_reason == "Matches industry of Tech."
    events = BusinessEvent.objects.order_by("sequence")
    assert [event.name for event in events] == ["lead.created", "lead.assigned"]
    assert "john" not in str([event.payload for event in events]).lower()
    history = LeadAssignment.objects.get()
    assert (history.owner_id, history.territory_id) == (rep.pk, territory.pk)
    assert history.valid.upper is None


def test_a_lead_that_no_territory_claims_waits_in_the_unrouted_queue(api, manager, rep):
    answer = api(manager).call("POST", "/leads", JOHN)
    assert answer.json()["assigned_to"] is None
    listed = api(manager).call("GET", "/leads?unrouted=true").json()
    assert [row["id"] for row in listed["data"]] == [answer.json()["id"]]
    assert api(rep).call("GET", "/leads").json()["data"] == []


def test_a_reps_own_find_stays_with_the_rep(api, rep):
    answer = api(rep).call("POST", "/leads", JOHN)
    assert answer.json()["assigned_to"] == str(rep.pk)


def test_refuses_an_open_lead_with_the_same_address(api, rep):
    client = api(rep)
    first = client.call("POST", "/leads", JOHN).json()
    answer = client.call("POST", "/leads", {**JOHN, "email": " JOHN.DOE@example.com "})
    assert answer.status_code == 409
    details = answer.json()["error"]["details"]
    assert details == {"reason": "duplicate_lead", "existing_id": first["id"]}
    assert Lead.objects.count() == 1


def test_does_not_name_a_duplicate_out_of_reach(api, rep, outsider):
    api(rep).call("POST", "/leads", JOHN)
    answer = api(outsider).call("POST", "/leads?on_duplicate=update", JOHN)
    assert answer.status_code == 409
    assert answer.json()["error"]["details"] == {"reason": "duplicate_elsewhere"}
    assert Lead.objects.get().version == 1


def test_fills_the_duplicate_when_asked_to(api, rep):
    client = api(rep)
    first = client.call("POST", "/leads", JOHN).json()
    answer = client.call("POST", "/leads?on_duplicate=update", {**JOHN, "title": "CTO"})
    assert answer.status_code == 200
    assert answer.json()["id"] == first["id"]
    lead = Lead.objects.get()
    assert (lead.title, lead.version) == ("CTO", 2)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"email": 5}, "email"),
        ({"source": None}, "source"),
        ({"employee_count": "many"}, "employee_count"),
        ({"employee_count": -1}, "employee_count"),
        ({"employee_count": 2**31}, "employee_count"),
        ({"annual_revenue": -0.01}, "annual_revenue"),
        ({"annual_revenue": 1e15}, "annual_revenue"),
        ({"annual_revenue": "NaN"}, "annual_revenue"),
        ({"score": 101}, "score"),
        ({"company": "x" * 256}, "company"),
        ({"currency": "XYZ"}, "currency"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "x" * 20000}}, "metadata"),
        ({"metadata": json.loads('{"a":' * 300 + "1" + "}" * 300)}, "metadata"),
        ({"title": "my number is 123-45-6789"}, "title"),
        ({"favourite_colour": "red"}, "favourite_colour"),
        ({"assigned_to": "me"}, "assigned_to"),
    ],
)
def test_refuses_facts_that_make_no_sense(api, rep, change, field):
    answer = api(rep).call("POST", "/leads", {**JOHN, **change})
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["details"]["fields"]
    assert Lead.objects.count() == BusinessEvent.objects.filter(topic="sales.leads").count() == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"", b'{"email": "\\ud800"}', b"\xff"])
def test_refuses_a_body_that_is_no_json_object(api, rep, body):
    answer = api(rep).generic("POST", "/api/v1/leads", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"


def test_refuses_an_unknown_parameter_and_another_media_type(api, rep):
    client = api(rep)
    assert client.call("POST", "/leads?dry=1", JOHN).status_code == 400
    answer = client.generic("POST", "/api/v1/leads", b"a=b", content_type="text/plain")
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert client.call("PUT", "/leads", {}).json()["error"]["code"] == "METHOD_NOT_ALLOWED"


def test_refuses_whoever_may_only_read(api, db):
    reader = UserFactory(role=Role.READ_ONLY)
    answer = api(reader).call("POST", "/leads", JOHN)
    assert answer.status_code == 403
    assert Lead.objects.count() == 0


def test_an_assignee_must_be_within_reach(api, manager, rep, outsider):
    client = api(manager)
    answer = client.call("POST", "/leads", {**JOHN, "assigned_to": str(outsider.pk)})
    assert answer.status_code == 400
    answer = client.call("POST", "/leads", {**JOHN, "assigned_to": str(rep.pk)})
    assert answer.json()["assigned_to"] == str(rep.pk)


def test_a_closed_lead_with_the_same_address_is_no_duplicate(api, rep):
    LeadFactory(email="john.doe@example.com", status="unqualified")
    assert api(rep).call("POST", "/leads", JOHN).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_eight_captures_at_once_exactly_one_wins(api):
    rep = UserFactory()
    client = api(rep)

    def attempt(_: int) -> int:
        try:
            return client.call("POST", "/leads", JOHN).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(attempt, range(8)))
    assert statuses == [201] + [409] * 7
    assert Lead.objects.count() == 1
    assert BusinessEvent.objects.filter(name="lead.created").count() == 1


@pytest.mark.django_db(transaction=True)
def test_round_robin_is_fair_under_concurrency(api):
    territory = TerritoryFactory(countries=["US"], assignment="round_robin")
    members = [TerritoryMemberFactory(territory=territory).user for _ in range(4)]
    integration = UserFactory(role=Role.INTEGRATION)
    client = api(integration)

    def attempt(number: int) -> int:
        try:
            body = {**JOHN, "email": f"p{number}@acme.example", "country": "US"}
            return client.call("POST", "/leads", body).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(attempt, range(40))) == {201}
    counts = [Lead.objects.filter(owner=member).count() for member in members]
    assert counts == [10, 10, 10, 10]


def test_refuses_an_external_id_that_is_taken(api, rep):
    known = {"external_source": "crm", "external_id": "7"}
    client = api(rep)
    client.call("POST", "/leads", {**JOHN, **known})
    answer = client.call("POST", "/leads", {**JOHN, **known, "email": "else@example.com"})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "CONFLICT"
    assert Lead.objects.count() == 1
