"""Merging duplicates, and undoing it."""

from __future__ import annotations

from apps.core.contact_points import phone_key
from apps.leads.models import Lead
from tests.factories.leads import LeadFactory


def test_merges_with_chosen_values_and_undoes_it(api, rep):
    survivor = LeadFactory(owner=rep, title="")
    double = LeadFactory(owner=rep, title="CTO", phone="+4930123456")
    client = api(rep)
    answer = client.call(
        "POST",
        f"/leads/{survivor.pk}/merge",
        {"duplicate_ids": [str(double.pk)], "values": {"title": "CTO", "phone": "+49 30 123456"}},
    )
    assert answer.status_code == 201, answer.content
    survivor.refresh_from_db()
    assert (survivor.title, survivor.phone_key) == ("CTO", phone_key("+4930123456"))
    assert client.call("GET", f"/leads/{double.pk}").status_code == 404
    undone = client.call("POST", f"/leads/merges/{answer.json()['id']}/undo")
    assert undone.status_code == 200, undone.content
    survivor.refresh_from_db()
    assert (survivor.title, survivor.phone) == ("", "")
    assert client.call("GET", f"/leads/{double.pk}").json()["title"] == "CTO"
    again = client.call("POST", f"/leads/merges/{answer.json()['id']}/undo")
    assert again.json()["error"]["details"]["reason"] == "merge_already_undone"


def test_refuses_a_lead_out_of_reach(api, rep, outsider):
    survivor, foreign = LeadFactory(owner=rep), LeadFactory(owner=outsider)
    answer = api(rep).call(
        "POST", f"/leads/{survivor.pk}/merge", {"duplicate_ids": [str(foreign.pk)]}
    )
    assert answer.status_code == 404
    assert Lead.objects.unmerged().count() == 2


def test_refuses_to_merge_a_lead_into_itself(api, rep):
    lead = LeadFactory(owner=rep)
    answer = api(rep).call("POST", f"/leads/{lead.pk}/merge", {"duplicate_ids": [str(lead.pk)]})
    assert answer.status_code in (400, 404)
    assert Lead.objects.unmerged().count() == 1


def test_hints_at_duplicates_without_naming_foreign_ones(api, rep, outsider):
    lead = LeadFactory(owner=rep, phone_key="+4930123456", last_name="Doe")
    same_phone = LeadFactory(owner=rep, phone_key="+4930123456", company_key="")
    LeadFactory(owner=outsider, last_name="Doe")
    body = api(rep).call("GET", f"/leads/{lead.pk}/duplicates").json()
    assert body == {
        "data": [{"id": str(same_phone.pk), "why": "same phone number"}],
        "elsewhere": 1,
    }


def test_refuses_to_undo_over_later_changes_or_out_of_reach(api, admin, rep, outsider):
    survivor, foreign = LeadFactory(owner=rep), LeadFactory(owner=outsider)
    boss = api(admin)
    merge = boss.call(
        "POST",
        f"/leads/{survivor.pk}/merge",
        {"duplicate_ids": [str(foreign.pk)], "values": {"metadata": {"from": "double"}}},
    ).json()
    assert api(rep).call("POST", f"/leads/merges/{merge['id']}/undo").status_code == 404
    assert boss.call("POST", f"/leads/merges/{merge['id']}/undo").status_code == 200
    survivor.refresh_from_db()
    assert survivor.metadata == {}
    again = boss.call(
        "POST", f"/leads/{survivor.pk}/merge", {"duplicate_ids": [str(foreign.pk)]}
    ).json()
    boss.call("PATCH", f"/leads/{survivor.pk}", {"title": "CTO"})
    refused = boss.call("POST", f"/leads/merges/{again['id']}/undo")
    assert refused.json()["error"]["details"]["reason"] == "changed_since_merge"
    survivor.refresh_from_db()
    assert survivor.title == "CTO"
    assert Lead.objects.unmerged().count() == 1


def test_hints_at_names_that_are_spelt_alike_at_the_same_company(api, rep):
    lead = LeadFactory(owner=rep, first_name="Katharina", last_name="Meyer")
    alike = LeadFactory(owner=rep, first_name="Katarina", last_name="Meier")
    LeadFactory(owner=rep, first_name="Bob", last_name="Ray")
    LeadFactory(owner=rep, first_name="Katarina", last_name="Meier", company_key="beta")
    body = api(rep).call("GET", f"/leads/{lead.pk}/duplicates").json()
    assert body == {
        "data": [{"id": str(alike.pk), "why": "similar name at the same company"}],
        "elsewhere": 0,
    }
