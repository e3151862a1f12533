"""One command, three doors: the same row, the same events, the same refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.contact_points import email_key
from apps.core.models import BusinessEvent
from apps.core.periods import PeriodKind, organisation_day, period_containing
from apps.forecasts.models import ForecastAdjustment, ForecastSnapshot, ForecastSubmission
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.services.computation import compute_forecasts
from apps.leads.models import Lead, LeadAssignment
from apps.opportunities.models import Opportunity
from tests.factories.accounts import AccountFactory
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import default_pipeline, make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

DOORS = ("rest", "graphql", "back_office")


@dataclass
class Doors:
    """The three ways to ask for something as one person."""

    user: Any
    api: Any
    ask: Any

    def rest(self, method: str, path: str, body: Any) -> Any:
        """Over REST: the code and reason of the refusal, or nothing."""
        answer = self.api(self.user).call(method, path, body)
        if answer.status_code < 400:
            return None
        error = answer.json()["error"]
        return error["code"], error["details"]["reason"]

    def graphql(self, query: str, **variables: Any) -> Any:
        """Over GraphQL: the same."""
        answer = self.ask(self.user, query, **variables)
        return answer.codes[0] if answer.errors else None

    def office(self, address: str, **answers: Any) -> Any:
        """In the back office: the reason that the form or the message tells."""
        client = Client()
        client.force_login(self.user)
        answer = client.post(address, answers)
        if answer.context is None or "adminform" not in answer.context:
            if answer.context is not None and "form" in answer.context:
                return _reason(answer.context["form"])
            return None
        return _reason(answer.context["adminform"].form)


def _reason(form: Any) -> str | None:
    for found in form.errors.as_data().values():
        return str(found[0].code)
    return None


@pytest.fixture
def doors(api: Any, ask: Any) -> Callable[[Any], Doors]:
    """Doors for a person."""
    return lambda user: Doors(user, api, ask)


def operation(row: Any, name: str) -> str:
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_operation_{name}", args=[row.pk])


def told() -> list[tuple[str, list[str]]]:
    """The events so far, with what they carry."""
    events = BusinessEvent.objects.order_by("sequence")
    return [(event.name, sorted(event.payload)) for event in events]


def same(outcomes: list[Any]) -> Any:
    """What all doors agree on."""
    first, *others = outcomes
    for other in others:
        assert other == first
    return first


def refused_alike(outcomes: dict[str, Any], code: str, reason: str) -> None:
    """REST and GraphQL tell code and reason, the back office the reason at its form."""
    assert outcomes["rest"] == (code, reason)
    assert outcomes["graphql"] == (code, reason)
    assert outcomes["back_office"] == reason


def facts(row: Any, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)


# --- Capture a lead ---------------------------------------------------------------------------

CREATE_LEAD = "mutation($input: CreateLeadInput!) { createLead(input: $input) { id } }"


def create_lead(door: str, via: Doors, email: str) -> Any:
    given = {
        "source": "webinar",
        "email": email,
        "firstName": "John",
        "lastName": "Doe",
        "company": "Acme Corp",
        "title": "VP Engineering",
        "country": "US",
    }
    snake = {
        "firstName": "first_name",
        "lastName": "last_name",
    }
    rest = {snake.get(name, name): value for name, value in given.items()}
    if door == "rest":
        return via.rest("POST", "/leads", rest)
    if door == "graphql":
        return via.graphql(CREATE_LEAD, input=given)
    return via.office(reverse("admin:leads_lead_add"), **rest)


def test_create_lead(doors, rep):
    seen = []
    for door in DOORS:
        assert create_lead(door, doors(rep), f"{door}@acme.example") is None
        lead = Lead.objects.get(email_key=email_key(f"{door}@acme.example"))
        assignment = LeadAssignment.objects.filter(record=lead).count()
        seen.append(
            (
                facts(
                    lead, "status", "score", "owner_id", "territory_id", "company_key", "last_name"
                ),
                assignment,
                told(),
            )
        )
        BusinessEvent.objects.all().delete()
    same(seen)


def test_create_lead_is_refused_alike(doors, rep, outsider):
    LeadFactory(owner=outsider, email="taken@acme.example")
    outcomes = {door: create_lead(door, doors(rep), "Taken@acme.example") for door in DOORS}
    refused_alike(outcomes, "CONFLICT", "duplicate_elsewhere")
    assert Lead.objects.count() == 1
    assert told() == []


# --- Assign a lead to a territory -------------------------------------------------------------

ASSIGN = """mutation($input: AssignTerritoryInput!) {
  assignTerritory(input: $input) {
    leadId territoryId assignedAt assignedTo { id name } territory { name } lead { status }
  }
}"""


def assign(door: str, via: Doors, lead: Lead, territory: Any) -> Any:
    if door == "rest":
        body = {"lead_id": lead.pk, "territory_id": territory.pk, "reason": "Geographic match"}
        return via.rest("POST", "/territories/assign", body)
    if door == "graphql":
        given = {"leadId": lead.pk, "territoryId": territory.pk, "reason": "Geographic match"}
        return via.graphql(ASSIGN, input=given)
    return via.office(
        operation(lead, "assign"), territory_id=territory.pk, reason="Geographic match"
    )


def test_assign_territory(doors, admin, rep):
    territory = TerritoryFactory(name="West", owner=rep)
    seen = []
    for door in DOORS:
        lead = LeadFactory()
        assert assign(door, doors(admin), lead, territory) is None
        lead.refresh_from_db()
        history = LeadAssignment.objects.filter(record=lead).values_list("reason", flat=True)
        seen.append((facts(lead, "owner_id", "territory_id", "version"), list(history), told()))
        BusinessEvent.objects.all().delete()
    assert same(seen)[0][:2] == (rep.pk, territory.pk)


def test_assign_territory_is_refused_alike(doors, admin):
    closed = TerritoryFactory(is_active=False)
    outcomes, leads = {}, []
    for door in DOORS:
        leads.append(LeadFactory())
        outcomes[door] = assign(door, doors(admin), leads[-1], closed)
    refused_alike(outcomes, "VALIDATION_ERROR", "territory_inactive")
    assert {lead.territory_id for lead in Lead.objects.all()} == {None}
    assert told() == []


# --- Convert a lead ---------------------------------------------------------------------------

CONVERT = """mutation($id: ID!, $input: ConvertLeadInput!) {
  convertLead(leadId: $id, input: $input) { id stage account { name } owner { name } }
}"""


def convert(door: str, via: Doors, lead: Lead) -> Any:
    if door == "rest":
        body = {"opportunity_name": "Big one", "amount": 1200.5}
        return via.rest("POST", f"/leads/{lead.pk}/convert", body)
    if door == "graphql":
        return via.graphql(
            CONVERT, id=lead.pk, input={"opportunityName": "Big one", "amount": 1200.5}
        )
    return via.office(operation(lead, "convert"), opportunity_name="Big one", amount="1200.50")


def test_convert_lead(doors, rep):
    default_pipeline()
    seen = []
    for door in DOORS:
        lead = LeadFactory(owner=rep, email=f"a@{door.replace('_', '')}.io", company=f"Co {door}")
        assert convert(door, doors(rep), lead) is None
        lead.refresh_from_db()
        deal = Opportunity.objects.get(lead=lead)
        seen.append(
            (
                lead.status,
                facts(deal, "name", "amount", "stage_key", "probability", "owner_id", "version"),
                told(),
            )
        )
        BusinessEvent.objects.all().delete()
    assert same(seen)[0] == "converted"


def test_convert_lead_is_refused_alike(doors, rep):
    default_pipeline()
    outcomes = {}
    for door in DOORS:
        lead = LeadFactory(owner=rep, status="unqualified")
        outcomes[door] = convert(door, doors(rep), lead)
    assert outcomes["rest"] == outcomes["graphql"]
    assert outcomes["rest"][0] == "VALIDATION_ERROR"
    assert Opportunity.objects.count() == 0
    assert told() == []


# --- Begin an opportunity ---------------------------------------------------------------------

CREATE_DEAL = """mutation($input: CreateOpportunityInput!) {
  createOpportunity(input: $input) { id name stage probability dealScore }
}"""


def create_deal(door: str, via: Doors, account: Any) -> Any:
    if door == "rest":
        body = {"name": "Plan", "account_id": account.pk, "amount": 120000.0}
        return via.rest("POST", "/opportunities", body)
    if door == "graphql":
        given = {"name": "Plan", "accountId": account.pk, "amount": 120000.0}
        return via.graphql(CREATE_DEAL, input=given)
    return via.office(
        reverse("admin:opportunities_opportunity_add"),
        name="Plan",
        account=account.pk,
        amount="120000.00",
    )


def test_create_opportunity(doors, rep):
    default_pipeline()
    account = AccountFactory(owner=rep)
    seen = []
    for door in DOORS:
        assert create_deal(door, doors(rep), account) is None
        deal = Opportunity.objects.latest("created_at")
        seen.append(
            (
                facts(deal, "name", "amount", "stage_key", "owner_id", "deal_score", "currency"),
                deal.changes.count(),
                told(),
            )
        )
        BusinessEvent.objects.all().delete()
    same(seen)
    assert Opportunity.objects.count() == 3


def test_create_opportunity_is_refused_alike(doors, rep, outsider):
    default_pipeline()
    account = AccountFactory(owner=outsider)
    via = doors(rep)
    rest, graphql = create_deal("rest", via, account), create_deal("graphql", via, account)
    assert rest == graphql
    assert rest[0] in ("VALIDATION_ERROR", "NOT_FOUND")
    # The back office does not even offer the account: Django's own refusal of a foreign choice.
    assert create_deal("back_office", via, account) == "invalid_choice"
    assert Opportunity.objects.count() == 0
    assert told() == []


# --- Take an opportunity to another stage -----------------------------------------------------

MOVE = """mutation($id: ID!, $stage: OpportunityStage!) {
  updateOpportunityStage(opportunityId: $id, stage: $stage, nextStep: "Call") {
    id stage stageKey probability nextStep version
  }
}"""


def move(door: str, via: Doors, deal: Opportunity, stage: str) -> Any:
    if door == "rest":
        body = {"stage": stage, "next_step": "Call"}
        return via.rest("PUT", f"/opportunities/{deal.pk}/stage", body)
    if door == "graphql":
        return via.graphql(MOVE, id=deal.pk, stage=stage.upper())
    return via.office(operation(deal, "move"), stage=stage, next_step="Call")


def test_update_opportunity_stage(doors, rep):
    seen = []
    for door in DOORS:
        deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
        BusinessEvent.objects.all().delete()
        assert move(door, doors(rep), deal, "proposal") is None
        deal.refresh_from_db()
        seen.append((facts(deal, "stage_key", "probability", "next_step", "version"), told()))
        BusinessEvent.objects.all().delete()
    assert same(seen)[0] == ("proposal", 50, "Call", 2)


def test_update_opportunity_stage_is_refused_alike(doors, rep):
    outcomes = {}
    for door in DOORS:
        deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
        BusinessEvent.objects.all().delete()
        outcomes[door] = move(door, doors(rep), deal, "closed_lost")
        deal.refresh_from_db()
        assert (deal.stage_key, deal.version) == ("discovery", 1)
    refused_alike(outcomes, "VALIDATION_ERROR", "stage_facts_missing")
    assert told() == []


def test_an_illegal_move_names_the_allowed_ones(ask, rep):
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    answer = ask(rep, MOVE, id=deal.pk, stage="CLOSED_WON")
    (error,) = answer.errors
    assert answer.data is None
    assert error["path"] == ["updateOpportunityStage"]
    assert error["extensions"]["code"] == "VALIDATION_ERROR"
    assert error["extensions"]["details"] == {
        "reason": "stage_move_not_allowed",
        "current_stage": "discovery",
        "requested_stage": "closed_won",
        "allowed_stages": ["qualification", "proposal"],
    }


# --- Submit a forecast ------------------------------------------------------------------------

FORECAST = """mutation($input: CreateForecastInput!) {
  createForecast(input: $input) {
    id period forecastType amount currentPipeline pipelineCoverage territory { name } notes
  }
}"""


def this_quarter() -> str:
    return period_containing(
        organisation_day(timezone.now()), PeriodKind.QUARTER, start_month=1
    ).key


def forecast(door: str, via: Doors, territory: Any, period: str) -> Any:
    if door == "rest":
        body = {
            "period": period,
            "territory_id": territory.pk,
            "forecast_type": "commit",
            "amount": 5000000.0,
            "notes": "Conservative",
        }
        return via.rest("POST", "/forecasts", body)
    if door == "graphql":
        given = {
            "period": period,
            "territoryId": territory.pk,
            "forecastType": "COMMIT",
            "amount": 5000000.0,
            "notes": "Conservative",
        }
        return via.graphql(FORECAST, input=given)
    return via.office(
        reverse("admin:forecasts_forecastsubmission_add"),
        period=period,
        territory=territory.pk,
        forecast_type="commit",
        amount="5000000.00",
        notes="Conservative",
    )


def test_create_forecast(doors, rep):
    seen = []
    territories = [TerritoryMemberFactory(user=rep).territory for _ in DOORS]
    for door, territory in zip(DOORS, territories, strict=True):
        assert forecast(door, doors(rep), territory, this_quarter()) is None
        submission = ForecastSubmission.objects.get(territory=territory)
        seen.append(
            (
                facts(
                    submission,
                    "period",
                    "forecast_type",
                    "amount",
                    "currency",
                    "notes",
                    "submitted_by_id",
                ),
                told(),
            )
        )
        BusinessEvent.objects.all().delete()
    same(seen)


def test_create_forecast_is_refused_alike(doors, rep):
    closed = TerritoryFactory(is_active=False)
    TerritoryMemberFactory(territory=closed, user=rep)
    outcomes = {door: forecast(door, doors(rep), closed, this_quarter()) for door in DOORS}
    refused_alike(outcomes, "VALIDATION_ERROR", "territory_inactive")
    assert ForecastSubmission.objects.count() == 0
    assert told() == []


ADJUST = """
mutation ($id: ID!, $input: AdjustForecastInput!) {
  adjustForecast(forecastId: $id, input: $input) { id }
}
"""


def adjust(door, via, forecast):
    said = {"amount": 7.5, "reason": "The buyer left."}
    if door == "rest":
        return via.rest("POST", f"/forecasts/{forecast.pk}/adjustments", said)
    if door == "graphql":
        return via.graphql(ADJUST, id=forecast.pk, input=said)
    return via.office(operation(forecast, "adjust"), forecast_type="commit", **said)


@pytest.fixture
def forecasts(manager, system):
    """A computed forecast for each door, of people who report to the manager."""
    people = [UserFactory(manager=manager) for _ in DOORS]
    compute_forecasts(actor=system, periods=[period_named(this_quarter())])
    return [ForecastSnapshot.objects.get(user=one) for one in people]


def test_adjust_forecast(doors, manager, forecasts):
    seen = []
    BusinessEvent.objects.all().delete()
    for door, one in zip(DOORS, forecasts, strict=True):
        assert adjust(door, doors(manager), one) is None
        adjustment = ForecastAdjustment.objects.get(user=one.user)
        names = ("period", "forecast_type", "amount", "currency", "reason", "adjusted_by_id")
        seen.append((facts(adjustment, *names), told()))
        BusinessEvent.objects.all().delete()
    same(seen)


def test_adjust_forecast_is_refused_alike(doors, manager, forecasts, system):
    own = ForecastSnapshot.objects.get(user=manager)
    BusinessEvent.objects.all().delete()
    outcomes = {door: adjust(door, doors(manager), own) for door in DOORS}
    refused_alike(outcomes, "FORBIDDEN", "not_above")
    assert ForecastAdjustment.objects.count() == 0
    assert told() == []
