"""The main job, told with the demo's leads: from the file to the forecast."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.catalog.models import Product
from apps.commissions.rules import Tier
from apps.commissions.services.plans import add_commission_plan, put_on_plan
from apps.contracts.services.contracts import create_contract
from apps.core.actors import Actor, become
from apps.core.errors import Refusal
from apps.core.periods import Period, PeriodKind, organisation_today, period_containing
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.finance import issue_report
from apps.intelligence.rules.columns import Subject
from apps.intelligence.services.training import train_score
from apps.leads.models import Lead
from apps.leads.services.imports import LEAD_IMPORTS
from apps.leads.services.lifecycle import move_lead
from apps.opportunities.services.conversion import convert_lead
from apps.opportunities.services.stages import move_opportunity
from apps.quotas.rules import QuotaShare, QuotaType
from apps.quotas.services.allocation import allocate_quota
from apps.quotas.services.credits import credit_unheard
from apps.quotas.services.quotas import set_quota
from salesplatform.demo.activities import log_work
from salesplatform.demo.company import People, draw_map, fill_catalog, hire_people
from salesplatform.demo.customers import tell_of_customers
from salesplatform.demo.files import take_in
from salesplatform.demo.leads import MAPPING, SEED, lead_file
from salesplatform.demo.past import SUITED, bring_over_the_past

Say = Callable[[str], None]

_PATHS: tuple[tuple[str, ...], ...] = (
    (),
    ("qualification",),
    ("proposal",),
    ("proposal", "negotiation"),
    ("qualification", "proposal", "negotiation"),
    ("proposal", "negotiation", "closed_won"),
    ("qualification", "closed_lost"),
)
_TERMS: tuple[dict[str, Any], ...] = (
    {"contract_term": 12, "billing_frequency": "monthly"},
    {"contract_term": 24, "billing_frequency": "quarterly"},
    {"contract_term": 36, "billing_frequency": "annually"},
)
_WORTH_SELLING_TO = 55
_USUALLY = 0.9
# Of this quarter and those before it, the last one first.
_REVENUE_QUOTAS = (3_200_000, 1_920_000, 1_600_000, 1_280_000, 960_000)


def tell_story(*, actor: Actor, say: Say) -> None:
    """Make the demo company and take its file of leads to a forecast, with progress."""
    chance = random.Random(SEED)  # noqa: S311
    people = hire_people(actor)
    draw_map(people, actor)
    _set_quotas(people, actor)
    _plan_commissions(people, actor)
    products = fill_catalog(actor)
    say("People, territories and products are in place.")

    started = time.perf_counter()
    customers, past = bring_over_the_past(become(people.manager.pk, door="demo"))
    say(
        f"Brought over {customers} customers and {past} deals of the previous CRM "
        f"in {time.perf_counter() - started:.1f} s."
    )

    started = time.perf_counter()
    imported = take_in(
        LEAD_IMPORTS,
        [lead_file()],
        filename="trade-fair.csv",
        mapping=MAPPING,
        match_on="email",
        actor=become(people.manager.pk, door="demo"),
    )
    seconds = time.perf_counter() - started
    routed = Lead.objects.exclude(territory=None).count()
    say(
        f"Imported {imported.job.total} rows in {seconds:.1f} s: {imported.created} created, "
        f"{imported.updated} updated as duplicates, {imported.failed} failed; {routed} routed to "
        f"territories, {Lead.objects.unrouted().count()} wait unrouted."
    )

    started = time.perf_counter()
    deals = _convert_the_best(products, chance)
    say(f"Qualified and converted {len(deals)} leads in {time.perf_counter() - started:.1f} s.")

    started = time.perf_counter()
    moves, won = _work_pipeline(deals, chance)
    say(
        f"Moved deals {moves} times through the pipeline, {won} won, "
        f"in {time.perf_counter() - started:.1f} s."
    )

    started = time.perf_counter()
    logged = log_work(deals, random.Random(SEED))  # noqa: S311
    say(f"Logged {logged} activities in {time.perf_counter() - started:.1f} s.")

    told = tell_of_customers([deal for deal, _ in deals], random.Random(SEED), actor)  # noqa: S311
    say(f"Said how {told} customers fare.")

    started = time.perf_counter()
    computed = compute_forecasts(actor=actor)
    say(f"Computed {computed} forecasts in {time.perf_counter() - started:.1f} s.")

    credit_unheard(actor=actor)
    for kind in (PeriodKind.MONTH, PeriodKind.QUARTER):
        issue_report(period=_current(kind).key, actor=actor)
    say("Told finance of this month and quarter.")

    train_score(subject=Subject.DEAL, actor=actor)
    say("A score of deals will be learned from what was won and lost.")


def _current(kind: PeriodKind) -> Period:
    """The month, quarter or year that goes on."""
    return _containing(organisation_today(), kind)


def _containing(day: date, kind: PeriodKind) -> Period:
    return period_containing(day, kind, start_month=settings.FISCAL_YEAR_START_MONTH)


def _set_quotas(people: People, actor: Actor) -> None:
    """What the team was and is to bring in each quarter, shared out with a cushion, and how much
    to do in this one."""
    quarter = _current(PeriodKind.QUARTER)
    period = quarter
    for amount in _REVENUE_QUOTAS:
        quota = set_quota(
            user_id=people.manager.pk,
            period=period.key,
            quota_type=QuotaType.REVENUE,
            quota_amount=Decimal(amount),
            actor=actor,
        )
        allocate_quota(
            quota_id=quota.pk,
            shares=[
                QuotaShare(user_id=people.rep.pk, weight=Decimal(6)),
                QuotaShare(user_id=people.rep2.pk, weight=Decimal(5)),
            ],
            over_assignment=Decimal("3.125"),
            actor=actor,
        )
        period = _containing(period.starts_on - timedelta(days=1), PeriodKind.QUARTER)
    for person in (people.rep, people.rep2):
        set_quota(
            user_id=person.pk,
            period=quarter.key,
            quota_type=QuotaType.ACTIVITIES,
            quota_amount=Decimal(150),
            actor=actor,
        )


def _plan_commissions(people: People, actor: Actor) -> None:
    """Both reps earn by quarter, and better above their quota."""
    plan = add_commission_plan(
        name="Field sales",
        pays_by=PeriodKind.QUARTER,
        tiers=[Tier(Decimal(0), Decimal(5)), Tier(Decimal(100), Decimal(8))],
        overlay_rate=Decimal(1),
        actor=actor,
    )
    year = _current(PeriodKind.YEAR)
    for person in (people.rep, people.rep2):
        put_on_plan(plan_id=plan.pk, user_id=person.pk, starts_on=year.starts_on, actor=actor)


def _convert_the_best(products: Sequence[Product], chance: random.Random) -> list[Any]:
    """Owners qualify their promising leads and convert most of them."""
    deals = []
    promising = Lead.objects.open().filter(score__gte=_WORTH_SELLING_TO).exclude(owner=None)
    for lead in promising.order_by("-score", "last_name", "first_name"):
        owner = become(UUID(str(lead.owner_id)), door="demo")
        move_lead(lead_id=lead.pk, status=Lead.Status.QUALIFIED, actor=owner)
        if chance.random() < 0.25:
            continue
        product = chance.choice(products)
        quantity = chance.randrange(5, 60) if product.family == "Plans" else 1
        closes_on = organisation_today() + timedelta(days=chance.randrange(-10, 150))
        try:
            deal = convert_lead(
                lead_id=lead.pk,
                opportunity_name=f"{lead.company} – {product.name}",
                expected_close_date=closes_on,
                amount=Decimal(chance.randrange(4, 180)) * 1000,
                products=[{"product_id": product.code, "quantity": quantity}],
                start_date=closes_on + timedelta(days=30),
                payment_terms="net_30",
                **chance.choice(_TERMS),
                actor=owner,
            )
        except Refusal:
            # The company is a customer of somebody else: that deal is theirs to make.
            continue
        deals.append((deal, owner))
    return deals


def _work_pipeline(deals: Sequence[Any], chance: random.Random) -> tuple[int, int]:
    moves = won = 0
    for deal, owner in deals:
        for stage in _path_of(deal, chance):
            stated: dict[str, Any] = {}
            if stage == "closed_lost":
                stated["loss_reason"] = "Chose a competitor"
            try:
                move_opportunity(opportunity_id=deal.pk, stage=stage, actor=owner, **stated)
            except Refusal:
                break
            moves += 1
            if stage == "closed_won":
                won += 1
                create_contract(opportunity_id=deal.pk, actor=owner)
    return moves, won


def _path_of(deal: Any, chance: random.Random) -> tuple[str, ...]:
    """How far a deal comes: what the company sells suits some industries better than others."""
    unusual = "closed_lost" if deal.account.industry in SUITED else "closed_won"
    path = chance.choice(_PATHS)
    while unusual in path and chance.random() < _USUALLY:
        path = chance.choice(_PATHS)
    return path
