"""Two territories that know nothing of each other, and people of every role in each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.db.models import Q
from django.utils import timezone

from apps.commissions.models import CommissionEntry
from apps.commissions.rules import Tier
from apps.commissions.services.calculation import calculate_commissions
from apps.commissions.services.plans import add_commission_plan, put_on_plan
from apps.contracts.services.contracts import create_contract
from apps.core.actors import Actor, system_actor
from apps.core.identifiers import new_id
from apps.core.imports.requests import request_import
from apps.customer_success.services.cases import (
    record_escalation,
    record_feature_request,
    record_ticket,
)
from apps.customer_success.services.measures import record_nps, record_usage
from apps.forecasts.models import ForecastAccuracy, ForecastSubmission
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.services.adjustments import adjust_forecast
from apps.forecasts.services.computation import recompute_affected
from apps.forecasts.services.finance import issue_report
from apps.forecasts.services.submissions import submit_forecast
from apps.integrations.services.inbox import take_message
from apps.intelligence.models import Suggestion
from apps.intelligence.services.lead_suggestions import suggest_about_leads
from apps.intelligence.services.suggestions import suggest
from apps.leads.models import Lead
from apps.leads.services.campaigns import record_campaign
from apps.leads.services.imports import LEAD_IMPORTS
from apps.leads.services.merging import merge_leads
from apps.opportunities.models import Opportunity
from apps.opportunities.services.announcements import credits_told
from apps.quotas.services.credits import credit_deals
from apps.quotas.services.quotas import set_quota
from apps.territories.models import Territory
from apps.users.models import Role, User
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.activities import make_activity
from tests.factories.customer_success import make_health, news_of
from tests.factories.forecasts import this_quarter
from tests.factories.integrations import make_partner, message
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory, actor_of

UNLIMITED = {"requests_per_minute": 1_000_000, "requests_per_second": 1_000_000}
ROLES = (Role.SALES_REP, Role.SALES_MANAGER, Role.READ_ONLY, Role.INTEGRATION)


@dataclass
class World:
    """A territory with its people and rows.

    Attributes:
        word: stands in every text of the world and nowhere else.
        amount: of every deal of the world and no other.
        ids: of every row that only the world's people may know of.
        addresses: of the people in the data, each with their row.
    """

    word: str
    amount: Decimal
    territory: Territory
    people: dict[str, User]
    leads: list[Any] = field(default_factory=list)
    accounts: list[Any] = field(default_factory=list)
    ids: set[UUID] = field(default_factory=set)
    addresses: dict[str, UUID] = field(default_factory=dict)

    @property
    def secrets(self) -> set[str]:
        """What nobody else may be shown."""
        return {self.word, str(self.amount), *(str(one) for one in self.ids)}

    @property
    def rows(self) -> int:
        """More than the rows of any kind."""
        return len(self.leads) + 10


def make_world(word: str, *, leads: int, amount: str) -> World:
    """A world with so many leads."""
    territory = TerritoryFactory(name=f"{word} territory")
    people = {
        role: UserFactory(role=role, name=f"Colleague {role} {word[:2]}", **UNLIMITED)
        for role in ROLES
    }
    for role, person in people.items():
        TerritoryMemberFactory(
            territory=territory,
            user=person,
            role="manager" if role == Role.SALES_MANAGER else "rep",
        )
    User.objects.filter(pk=people[Role.SALES_REP].pk).update(manager=people[Role.SALES_MANAGER])
    Territory.objects.filter(pk=territory.pk).update(owner=people[Role.SALES_MANAGER])
    world = World(word, Decimal(amount), territory, people)
    _fill(world, leads)
    world.ids |= {territory.pk, *(one.pk for one in (*world.leads, *world.accounts))}
    return world


def _fill(world: World, leads: int) -> None:
    rep = world.people[Role.SALES_REP]
    world.leads = [_lead(world, rep, number) for number in range(leads)]
    world.addresses = {lead.email: lead.pk for lead in world.leads}
    world.accounts = [
        AccountFactory(
            name=f"{world.word} customer {number}",
            domain=f"{world.word}{number}.example",
            owner=rep,
            territory=world.territory,
        )
        for number in range(3)
    ]
    for account in world.accounts:
        contact = ContactFactory(
            account=account,
            name=f"{world.word} buyer",
            email=f"buyer@{account.domain}",
        )
        deal = make_deal(
            account=account,
            name=f"{world.word} deal",
            amount=world.amount,
            owner=rep,
            next_step=f"{world.word} call",
            notes=f"{world.word} notes",
        )
        for about in ({"opportunity_id": deal.pk}, {"contact_id": contact.pk}):
            activity = make_activity(
                by=rep,
                subject=f"{world.word} talk",
                description=f"{world.word} minutes",
                outcome=f"{world.word} outcome",
                metadata={"meeting_notes": world.word},
                **about,
            )
            world.ids.add(activity.pk)
        world.ids |= {contact.pk, deal.pk}
        world.addresses[contact.email] = contact.pk
    actor = actor_of(rep)
    _submit(world, actor)
    _set_quota(world)
    _sell(world, rep)
    _forecast(rep)
    _suggest(world, rep)
    world.ids.add(issue_report(period=this_quarter().key, actor=system_actor(door="test")).pk)
    _merge(world, actor, rep)
    _import(world, actor_of(world.people[Role.SALES_MANAGER]))
    _hear(world)
    _report(world)


def _report(world: World) -> None:
    account = world.accounts[0]
    told = {"account_id": str(account.pk), "partner": world.word}
    common = {"opened_at": timezone.now(), "actor": system_actor(door="test")}
    for kind, record, facts in (
        ("ticket", record_ticket, {"severity": "critical", "status": "open"}),
        ("escalation", record_escalation, {"severity": "high", "status": "open"}),
        ("wish", record_feature_request, {"status": "planned"}),
    ):
        case = record(
            news=news_of(account, **told),
            external_id=f"{world.word} {kind}",
            title=f"{world.word} trouble",
            **facts,
            **common,
        )
        world.ids.add(case.pk)
    world.ids.add(make_health(account, 35, **told).pk)
    usage = {f"{world.word} sign-ins": 7}
    record_usage(news=news_of(account, **told), metrics=usage, actor=common["actor"])
    record_nps(news=news_of(account, **told), score=-20, actor=common["actor"])


def _hear(world: World) -> None:
    record_campaign(
        external_id=world.word,
        as_of=timezone.now(),
        name="Spring fair",
        status="active",
        actor=system_actor(door="test"),
    )
    known = make_partner("marketing", key=world.word, client=world.people[Role.INTEGRATION])
    profile = {"email": f"heard@{world.word}.example"}
    payload = {"lead_id": f"{world.word} lead", "source": world.word, "profile": profile}
    heard, _ = take_message(
        partner=known.owner,
        body=message("lead.qualified", payload),
        actor=actor_of(world.people[Role.INTEGRATION]),
    )
    world.ids |= {known.owner.pk, heard.pk}


def _lead(world: World, rep: User, number: int) -> Any:
    email = f"{world.word}.{number}@{world.word}.example"
    return LeadFactory(
        owner=rep,
        territory=world.territory,
        first_name=world.word,
        last_name=f"{world.word}son",
        email=email,
        company=f"{world.word} corporation",
        company_key=f"{world.word} corporation",
        status=("new", "contacted", "qualified")[number % 3],
        metadata={"note": world.word},
        campaign_id=world.word,
    )


def _submit(world: World, actor: Actor) -> None:
    submit_forecast(
        period=this_quarter().key,
        forecast_type="commit",
        amount=world.amount,
        territory_id=world.territory.pk,
        notes=f"{world.word} call",
        actor=actor,
    )
    submission = ForecastSubmission.objects.get(territory=world.territory)
    adjustment = adjust_forecast(
        forecast_id=submission.pk,
        amount=world.amount,
        reason=f"{world.word} doubts",
        actor=actor_of(world.people[Role.SALES_MANAGER]),
    )
    world.ids |= {submission.pk, adjustment.pk, _measured(world).pk}


def _measured(world: World) -> ForecastAccuracy:
    past = period_named("Q1_2025")
    found: ForecastAccuracy = ForecastAccuracy.objects.create(
        territory=world.territory,
        period=past.key,
        starts_on=past.starts_on,
        ends_on=past.ends_on,
        period_kind=past.kind,
        days_before=30,
        currency="USD",
        submitted_amount=world.amount,
        weighted_amount=world.amount,
        actual_amount=world.amount,
        measured_at=timezone.now(),
    )
    return found


def _forecast(rep: User) -> None:
    deals = Opportunity.objects.filter(owner=rep).values_list("pk", flat=True)
    recompute_affected(opportunity_ids=deals, actor=system_actor(door="test"))


def _suggest(world: World, rep: User) -> None:
    deals = Opportunity.objects.filter(owner=rep).values_list("pk", flat=True)
    suggest(ids=list(deals), actor=system_actor(door="test"))
    leads = Lead.objects.filter(owner=rep)
    long_ago = timezone.now() - timedelta(days=9)
    leads.filter(status="new").update(score=90, created_at=long_ago, last_activity_at=None)
    suggest_about_leads(
        ids=list(leads.values_list("pk", flat=True)), actor=system_actor(door="test")
    )
    assert Suggestion.objects.filter(lead__owner=rep).exists()
    suggestions = Suggestion.objects.filter(Q(opportunity__owner=rep) | Q(lead__owner=rep))
    world.ids |= set(suggestions.values_list("pk", flat=True))


def _set_quota(world: World) -> None:
    quota = set_quota(
        period=this_quarter().key,
        quota_type="revenue",
        quota_amount=world.amount,
        territory_id=world.territory.pk,
        actor=actor_of(world.people[Role.SALES_MANAGER]),
    )
    world.ids.add(quota.pk)


def _sell(world: World, rep: User) -> None:
    deal = make_deal(
        account=world.accounts[0],
        name=f"{world.word} sale",
        amount=world.amount,
        owner=rep,
        stage="closed_won",
        contract_term=12,
        start_date=this_quarter().starts_on,
        payment_terms=f"{world.word} terms",
        billing_frequency="monthly",
    )
    contract = create_contract(opportunity_id=deal.pk, actor=actor_of(rep))
    world.ids |= {deal.pk, contract.pk}
    _pay(world, rep, deal)


def _pay(world: World, rep: User, deal: Opportunity) -> None:
    actor = system_actor(door="test")
    plan = add_commission_plan(
        name=f"Plan {new_id()}",
        pays_by="quarter",
        tiers=[Tier(Decimal(0), Decimal(5))],
        actor=actor,
    )
    put_on_plan(plan_id=plan.pk, user_id=rep.pk, starts_on=this_quarter().starts_on, actor=actor)
    credit_deals(told=credits_told([deal]), actor=actor)
    calculate_commissions(period=this_quarter().key, actor=actor)
    entries = CommissionEntry.objects.filter(user=rep)
    world.ids |= set(entries.values_list("pk", flat=True))


def _merge(world: World, actor: Actor, rep: User) -> None:
    duplicate = _lead(world, rep, 999)
    merge = merge_leads(
        survivor_id=world.leads[0].pk, duplicate_ids=[duplicate.pk], values={}, actor=actor
    )
    world.ids |= {merge.pk, duplicate.pk}


def _import(world: World, actor: Actor) -> None:
    text = f"email,company\nnobody,{world.word} import\n"
    lead_import = request_import(
        LEAD_IMPORTS,
        file=ContentFile(text.encode()),
        filename=f"{world.word}.csv",
        mapping={"columns": {"email": "email"}, "constants": {"source": "file"}},
        mode="apply",
        match_on="email",
        actor=actor,
    )
    world.ids |= {lead_import.pk, lead_import.job_id}
