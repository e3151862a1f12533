"""The main job: from a file of leads to a won deal and the forecast."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from apps.core.models import BusinessEvent
from apps.core.periods import PeriodKind, period_containing
from apps.leads.models import Lead
from apps.opportunities.services.pipelines import seed_default_pipeline
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory

FILE = (
    "Prospect ID,First,Last,Company,Country,Lead Source,Employees\n"
    "p-1,Ann,Lee,Acme Corp,Germany,Referral,1200\n"
    "p-2,Bob,Ray,Beta Ltd,Germany,Select,40\n"
    "p-3,Cid,Fox,Gamma Inc,Atlantis,Webinar,\n"
)
MAPPING = {
    "columns": {
        "Prospect ID": "external_id",
        "First": "first_name",
        "Last": "last_name",
        "Company": "company",
        "Country": "country",
        "Lead Source": "source",
        "Employees": "employee_count",
    },
    "constants": {"source": "fair", "external_source": "fair"},
    "templates": {"email": "{Prospect ID}@leads.example"},
    "empty_values": ["Select"],
}


@pytest.fixture
def quarter():
    return period_containing(timezone.localdate(), PeriodKind.QUARTER)


def test_a_file_of_leads_becomes_a_won_deal_and_a_forecast(
    api, system, manager, rep, outsider, deliver_events, settings, tmp_path, quarter
):
    settings.MEDIA_ROOT = tmp_path
    seed_default_pipeline(actor=system)
    germany = TerritoryFactory(name="Germany", countries=["DE"], assignment="round_robin")
    TerritoryMemberFactory(territory=germany, user=rep)
    boss, seller = api(manager), api(rep)

    sent = {"file": SimpleUploadedFile("fair.csv", FILE.encode()), "mode": "apply"}
    receipt = boss.post("/api/v1/leads/imports", {**sent, "mapping": json.dumps(MAPPING)})
    assert receipt.status_code == 202, receipt.content
    deliver_events()
    report = boss.call("GET", f"/leads/imports/{receipt.json()['id']}").json()
    assert (report["status"], report["created"], report["failed"]) == ("completed", 3, 0)

    leads = seller.call("GET", "/leads?ordering=-score").json()["data"]
    assert [(row["first_name"], row["territory"]["name"]) for row in leads] == [
        ("Ann", "Germany"),
        ("Bob", "Germany"),
    ]
    assert boss.call("GET", "/leads?unrouted=true").json()["pagination"]["total"] == 1
    assert api(outsider).call("GET", "/leads").json()["data"] == []

    lead_id = leads[0]["id"]
    assert seller.call("POST", f"/leads/{lead_id}/qualify", {}).json()["status"] == "qualified"
    terms = {
        "opportunity_name": "Acme Corp - Enterprise Plan",
        "amount": 120000.00,
        "expected_close_date": quarter.ends_on.isoformat(),
        "stage": "discovery",
    }
    converted = seller.call("POST", f"/leads/{lead_id}/convert", terms)
    assert converted.status_code == 201, converted.content
    assert converted.json()["status"] == "converted"
    deal_id = converted.json()["opportunity_id"]
    again = seller.call("POST", f"/leads/{lead_id}/convert", terms)
    assert again.status_code == 409
    assert again.json()["error"]["details"]["opportunity_id"] == deal_id

    refused = seller.call("PUT", f"/opportunities/{deal_id}/stage", {"stage": "closed_won"})
    assert refused.status_code == 400
    details = refused.json()["error"]["details"]
    assert (details["current_stage"], details["requested_stage"], details["allowed_stages"]) == (
        "discovery",
        "closed_won",
        ["qualification", "proposal"],
    )
    for stage in ("proposal", "negotiation"):
        moved = seller.call("PUT", f"/opportunities/{deal_id}/stage", {"stage": stage})
        assert moved.status_code == 200, moved.content

    deliver_events()
    assert _categories(boss, quarter, germany)["commit"] == (Decimal(120000), Decimal(108000))
    pipeline = seller.call("GET", f"/opportunities/pipeline?period={quarter.key}").json()
    assert pipeline["summary"]["weighted_amount"] == 108000.00

    won = seller.call("PUT", f"/opportunities/{deal_id}/stage", {"stage": "closed_won"})
    assert won.json()["probability"] == 100
    deliver_events()
    assert _categories(boss, quarter, germany)["closed"] == (Decimal(120000), Decimal(120000))

    lead = Lead.objects.get(pk=lead_id)
    assert (lead.status, str(lead.converted_opportunity_id)) == ("converted", deal_id)
    told = list(
        BusinessEvent.objects.filter(aggregate_id=deal_id)
        .order_by("sequence")
        .values_list("name", flat=True)
    )
    assert told[0] == "opportunity.created"
    assert told.count("opportunity.stage_changed") == 3
    assert "opportunity.won" in told


def _categories(client, quarter, territory) -> dict[str, tuple[Decimal, Decimal]]:
    answer = client.call("GET", f"/forecasts/{quarter.key}?territory_id={territory.pk}")
    assert answer.status_code == 200, answer.content
    (row,) = answer.json()["data"]
    return {
        name: (Decimal(str(one["amount"])), Decimal(str(one["weighted_amount"])))
        for name, one in row["categories"].items()
    }
