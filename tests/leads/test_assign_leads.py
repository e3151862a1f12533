"""Giving leads to territories and people, with history."""

from __future__ import annotations

from django.utils import timezone

from apps.core.models import BusinessEvent
from apps.leads.models import Lead, LeadAssignment
from apps.leads.services.assignment import assign_lead
from tests.factories.leads import LeadFactory
from tests.factories.territories import (
    AbsenceFactory,
    TerritoryFactory,
    TerritoryMemberFactory,
)


def test_assigns_to_a_territory_as_the_source_says(api, admin, rep):
    territory = TerritoryFactory(owner=rep)
    lead = LeadFactory()
    answer = api(admin).call(
        "POST",
        "/territories/assign",
        {
            "lead_id": str(lead.pk),
            "territory_id": str(territory.pk),
            "reason": "Geographic match",
        },
    )
    assert answer.status_code == 200, answer.content
    lead.refresh_from_db()
    assert answer.json() == {
        "lead_id": str(lead.pk),
        "territory_id": str(territory.pk),
        "assigned_to": str(rep.pk),
        "assigned_at": lead.updated_at.isoformat().replace("+00:00", "Z"),
    }
    names = list(BusinessEvent.objects.order_by("sequence").values_list("name", flat=True))
    assert names == ["territory.assignment_changed", "lead.assigned"]


def test_the_history_knows_who_owned_a_lead_when(admin, rep, outsider, acting):
    lead = LeadFactory()
    assign_lead(lead_id=lead.pk, owner_id=rep.pk, reason="first", actor=acting(admin))
    between = timezone.now()
    assign_lead(lead_id=lead.pk, owner_id=outsider.pk, reason="second", actor=acting(admin))
    assert LeadAssignment.objects.get(record=lead, valid__contains=between).owner == rep
    now = LeadAssignment.objects.get(record=lead, valid__contains=timezone.now())
    assert (now.owner, now.reason, now.actor_id) == (outsider, "second", admin.pk)


def test_least_loaded_gives_to_whoever_has_least_and_is_here(api, admin):
    territory = TerritoryFactory(assignment="least_loaded")
    busy, free, away = (TerritoryMemberFactory(territory=territory).user for _ in range(3))
    LeadFactory(owner=busy)
    today = timezone.localdate()
    AbsenceFactory(user=away, starts_on=today, ends_on=today)
    leads = [LeadFactory() for _ in range(3)]
    answer = api(admin).call(
        "POST",
        "/leads/bulk-assign",
        {"ids": [str(lead.pk) for lead in leads], "territory_id": str(territory.pk)},
    )
    assert [one["status"] for one in answer.json()["results"]] == ["done"] * 3
    assert Lead.objects.filter(owner=busy).count() == 2
    assert Lead.objects.filter(owner=free).count() == 2
    assert Lead.objects.filter(owner=away).count() == 0


def test_capacity_is_respected_and_the_owner_gets_the_rest(api, admin, rep):
    territory = TerritoryFactory(assignment="round_robin", owner=rep)
    member = TerritoryMemberFactory(territory=territory, capacity=2)
    leads = [LeadFactory() for _ in range(3)]
    api(admin).call(
        "POST",
        "/leads/bulk-assign",
        {"ids": [str(lead.pk) for lead in leads], "territory_id": str(territory.pk)},
    )
    assert Lead.objects.filter(owner=member.user).count() == 2
    assert Lead.objects.filter(owner=rep).count() == 1


def test_refuses_a_territory_with_nobody(api, admin):
    lead = LeadFactory()
    answer = api(admin).call(
        "POST", f"/leads/{lead.pk}/assign", {"territory_id": str(TerritoryFactory().pk)}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["reason"] == "nobody_to_assign"
    lead.refresh_from_db()
    assert (lead.territory_id, lead.version) == (None, 1)


def test_refuses_a_rep(api, rep):
    lead = LeadFactory(owner=rep)
    answer = api(rep).call("POST", f"/leads/{lead.pk}/assign", {"assigned_to": str(rep.pk)})
    assert answer.status_code == 403
    assert not LeadAssignment.objects.exists()


def test_routes_the_queue_anew(api, admin, rep):
    lead, lost = LeadFactory(country="DE"), LeadFactory(country="FR")
    TerritoryFactory(name="Germany", countries=["DE"], owner=rep)
    answer = api(admin).call("POST", "/leads/bulk-route", {"filter": {"unrouted": "true"}}).json()
    outcome = {one["id"]: one["status"] for one in answer["results"]}
    assert outcome == {str(lead.pk): "done", str(lost.pk): "refused"}
    lead.refresh_from_db()
    assert (lead.owner, lead.routing_reason) == (rep, "Matches country of Germany.")
