"""A lead's way through its statuses, the bin, and bulk."""

from __future__ import annotations

import pytest

from apps.core.loading import insert_rows
from apps.core.models import BusinessEvent, Job
from apps.leads.models import Lead
from tests.factories.leads import LeadFactory


@pytest.mark.parametrize(
    ("status", "action", "becomes"),
    [
        ("new", "contact", "contacted"),
        ("new", "qualify", "qualified"),
        ("new", "disqualify", "unqualified"),
        ("contacted", "qualify", "qualified"),
        ("contacted", "disqualify", "unqualified"),
        ("qualified", "disqualify", "unqualified"),
        ("unqualified", "reopen", "new"),
    ],
)
def test_moves_that_are_allowed(api, rep, status, action, becomes):
    lead = LeadFactory(owner=rep, status=status)
    answer = api(rep).call("POST", f"/leads/{lead.pk}/{action}", {"reason": "because"})
    assert answer.status_code == 200, answer.content
    assert answer.json()["status"] == becomes
    lead.refresh_from_db()
    assert (lead.status, lead.status_reason, lead.version) == (becomes, "because", 2)
    names = list(BusinessEvent.objects.order_by("sequence").values_list("name", flat=True))
    assert names == ["lead.status_changed"] + ["lead.qualified"] * (becomes == "qualified")


@pytest.mark.parametrize(
    ("status", "action", "allowed"),
    [
        ("qualified", "contact", ["unqualified"]),
        ("qualified", "qualify", ["unqualified"]),
        ("unqualified", "qualify", ["new"]),
        ("new", "reopen", ["contacted", "qualified", "unqualified"]),
    ],
)
def test_moves_that_are_refused(api, rep, status, action, allowed):
    lead = LeadFactory(owner=rep, status=status)
    answer = api(rep).call("POST", f"/leads/{lead.pk}/{action}", {})
    assert answer.status_code == 400
    details = answer.json()["error"]["details"]
    assert details["reason"] == "lead_move_not_allowed"
    assert (details["current_status"], details["allowed_statuses"]) == (status, allowed)
    lead.refresh_from_db()
    assert (lead.status, lead.version) == (status, 1)
    assert not BusinessEvent.objects.exists()


def test_refuses_to_qualify_when_company_is_missing(api, rep):
    lead = LeadFactory(owner=rep, company="")
    answer = api(rep).call("POST", f"/leads/{lead.pk}/qualify", {})
    assert answer.json()["error"]["details"] == {"reason": "lead_not_ready", "fields": ["company"]}
    lead.refresh_from_db()
    assert lead.status == "new"


def test_a_stale_change_is_refused(api, rep):
    lead = LeadFactory(owner=rep)
    client = api(rep)
    assert (
        client.call("PATCH", f"/leads/{lead.pk}", {"title": "CTO", "version": 1}).json()["version"]
        == 2
    )
    answer = client.call("PATCH", f"/leads/{lead.pk}", {"title": "CEO"}, if_match='"1"')
    assert answer.status_code == 409
    assert answer.json()["error"]["details"] == {"reason": "stale_version", "current_version": 2}
    lead.refresh_from_db()
    assert lead.title == "CTO"


def test_the_bin_takes_a_lead_out_of_everything_and_gives_it_back(api, manager, rep):
    lead = LeadFactory(owner=rep)
    client = api(manager)
    assert api(rep).call("DELETE", f"/leads/{lead.pk}").status_code == 403
    assert client.call("DELETE", f"/leads/{lead.pk}").status_code == 204
    assert client.call("GET", f"/leads/{lead.pk}").status_code == 404
    assert client.call("GET", "/leads").json()["pagination"]["total"] == 0
    assert client.call("POST", f"/leads/{lead.pk}/restore").status_code == 200
    assert client.call("GET", f"/leads/{lead.pk}").status_code == 200


def test_bulk_answers_for_each_row(api, rep, outsider):
    good, done, foreign = (
        LeadFactory(owner=rep),
        LeadFactory(owner=rep, status="qualified"),
        LeadFactory(owner=outsider),
    )
    answer = api(rep).call(
        "POST",
        "/leads/bulk-status",
        {"ids": [str(one.pk) for one in (good, done, foreign)], "status": "contacted"},
    )
    assert answer.status_code == 200, answer.content
    results = answer.json()["results"]
    assert [one["status"] for one in results] == ["done", "refused", "refused"]
    assert results[1]["error"]["details"]["reason"] == "lead_move_not_allowed"
    assert results[2]["error"]["code"] == "NOT_FOUND"
    assert Lead.objects.get(pk=good.pk).status == "contacted"
    assert Lead.objects.get(pk=foreign.pk).status == "new"


def test_bulk_over_two_hundred_becomes_a_job(api, rep, deliver_events):
    insert_rows(Lead, [LeadFactory.build(owner=rep) for _ in range(201)])
    answer = api(rep).call(
        "POST", "/leads/bulk-status", {"filter": {"status": "new"}, "status": "contacted"}
    )
    assert answer.status_code == 202, answer.content
    deliver_events()
    job = api(rep).call("GET", f"/jobs/{answer.json()['id']}").json()
    assert (job["status"], job["progress"], job["succeeded"]) == ("completed", 100, 201)
    assert Lead.objects.filter(status="contacted").count() == 201
    assert Job.objects.count() == 1


def test_bulk_needs_ids_or_a_filter(api, rep):
    answer = api(rep).call("POST", "/leads/bulk-status", {"status": "contacted"})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "ids_or_filter"


@pytest.mark.parametrize("version", ["²", "x", "1000000000"])
def test_refuses_a_version_that_is_none(api, rep, version):
    lead = LeadFactory(owner=rep)
    answer = api(rep).call("PATCH", f"/leads/{lead.pk}", {"title": "CTO"}, if_match=version)
    assert answer.status_code in (400, 409)
    lead.refresh_from_db()
    assert lead.title == ""


def test_bulk_refuses_at_once_what_could_only_fail_later(api, rep, admin):
    insert_rows(Lead, [LeadFactory.build() for _ in range(201)])
    ids = [str(lead_id) for lead_id in Lead.objects.values_list("pk", flat=True)]
    assert api(rep).call("POST", "/leads/bulk-assign", {"ids": ids}).status_code == 403
    assert api(admin).call("POST", "/leads/bulk-assign", {"ids": ids}).status_code == 400
    assert not Job.objects.exists()


def test_reopening_two_leads_with_one_address_reopens_one(api, rep):
    same = {"email": "a@acme.example", "status": "unqualified"}
    leads = [LeadFactory(owner=rep, **same) for _ in range(2)]
    answer = api(rep).call(
        "POST", "/leads/bulk-status", {"ids": [str(one.pk) for one in leads], "status": "new"}
    )
    assert sorted(one["status"] for one in answer.json()["results"]) == ["done", "refused"]
