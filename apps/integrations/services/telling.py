"""What single partners are told: messages made of an event as it leaves, each for one of them.

    partners.billing       opportunity.closed_won
    partners.operations    onboarding.trigger
    partners.finance       what stands in `finance`

They name people, which events never do: owners and contacts are looked up when a message is made,
so that of somebody who was erased nothing is told, however often it is sent again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.accounts.models import Contact
from apps.core.accesses import Reading, note_access
from apps.core.actors import system_actor
from apps.core.journal import Recorded
from apps.forecasts.events import ReportIssued
from apps.forecasts.models import FinanceReport
from apps.integrations.rules.messages import Message, Telling, message_to
from apps.integrations.services import finance
from apps.opportunities.events import OpportunityWon, ScheduledPayment
from apps.quotas.events import CreditGiven, CreditReversed
from apps.users.models import User


@dataclass(frozen=True, kw_only=True)
class BilledProduct:
    """A product that was sold. `discount` is a share: 0.1 takes a tenth off."""

    product_id: str
    quantity: int
    unit_price: Decimal
    discount: Decimal


@dataclass(frozen=True, kw_only=True)
class DealOwner:
    """Who sold it."""

    user_id: UUID
    name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class DealClosedWon:
    """A deal was won, for billing (sales-system-integrations, Billing System).

    Currency and schedule of payments stand beside what the source has.
    """

    opportunity_id: UUID
    account_id: UUID
    amount: Decimal
    currency: str
    contract_term: int | None
    start_date: date | None
    payment_terms: str
    billing_frequency: str
    payment_schedule: tuple[ScheduledPayment, ...]
    products: tuple[BilledProduct, ...]
    owner: DealOwner


@dataclass(frozen=True, kw_only=True)
class ProvidedProduct:
    """A product to provide, and how."""

    product_id: str
    product_name: str
    quantity: int
    configuration: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ContactPerson:
    """Whom to talk to at the customer's."""

    type: str
    name: str
    email: str
    phone: str


@dataclass(frozen=True, kw_only=True)
class OnboardingTrigger:
    """A customer is to be set up, for operations (sales-system-integrations, Operations System)."""

    opportunity_id: UUID
    account_id: UUID
    account_name: str
    contract_start_date: date | None
    products: tuple[ProvidedProduct, ...]
    contacts: tuple[ContactPerson, ...]
    special_requirements: str
    priority: str


CLOSED_WON = Telling("opportunity.closed_won", "partners.billing", DealClosedWon)
ONBOARDING = Telling("onboarding.trigger", "partners.operations", OnboardingTrigger)
TELLINGS = (CLOSED_WON, ONBOARDING, *finance.TELLINGS)


def told_of(happened: Sequence[Recorded]) -> list[Message]:
    """What partners are told of recorded events, in their order."""
    won = [one.event for one in happened if isinstance(one.event, OpportunityWon)]
    credit = [one.event for one in happened if isinstance(one.event, CreditGiven | CreditReversed)]
    reports = [one.event.report_id for one in happened if isinstance(one.event, ReportIssued)]
    sellers = {one.owner_id for one in won}.union(*map(finance.people_credited, credit))
    known = _Known(
        User.objects.in_bulk(sellers),
        _contacts_of({one.account_id for one in won}),
        FinanceReport.objects.in_bulk(reports),
    )
    return [
        message_to(telling, one, payload)
        for one in happened
        for telling, payload in _told_of(one.event, known)
        if payload is not None
    ]


@dataclass(frozen=True)
class _Known:
    """What messages are made of, besides their events."""

    people: Mapping[UUID, User]
    contacts: Mapping[UUID, Sequence[Contact]]
    reports: Mapping[UUID, FinanceReport]


def _told_of(event: object, known: _Known) -> Iterator[tuple[Telling, object]]:
    match event:
        case OpportunityWon():
            yield CLOSED_WON, _closed_won(event, known.people[event.owner_id])
            yield ONBOARDING, _onboarding(event, known.contacts[event.account_id])
        case CreditGiven():
            yield finance.ELIGIBLE, finance.credited(event, known.people)
        case CreditReversed():
            yield finance.REVERSED, finance.credited(event, known.people)
        case ReportIssued():
            yield from finance.reported(known.reports[event.report_id])


def _closed_won(won: OpportunityWon, owner: User) -> DealClosedWon:
    return DealClosedWon(
        opportunity_id=won.opportunity_id,
        account_id=won.account_id,
        amount=won.amount,
        currency=won.currency,
        contract_term=won.contract_term,
        start_date=won.start_date,
        payment_terms=won.payment_terms,
        billing_frequency=won.billing_frequency,
        payment_schedule=won.payment_schedule,
        products=tuple(
            BilledProduct(
                product_id=line.product_code,
                quantity=line.quantity,
                unit_price=line.unit_price,
                discount=line.discount,
            )
            for line in won.lines
        ),
        owner=DealOwner(user_id=owner.pk, name=owner.name, email=owner.email),
    )


def _onboarding(won: OpportunityWon, contacts: Sequence[Contact]) -> OnboardingTrigger:
    return OnboardingTrigger(
        opportunity_id=won.opportunity_id,
        account_id=won.account_id,
        account_name=won.account_name,
        contract_start_date=won.start_date,
        products=tuple(
            ProvidedProduct(
                product_id=line.product_code,
                product_name=line.product_name,
                quantity=line.quantity,
                configuration=line.configuration,
            )
            for line in won.lines
        ),
        contacts=tuple(
            ContactPerson(type=one.type, name=one.name, email=one.email, phone=one.phone)
            for one in contacts
        ),
        special_requirements=won.special_requirements,
        priority=won.priority,
    )


def _contacts_of(account_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Contact]]:
    """Whom to talk to at accounts, longest known first, without those who were erased."""
    if not account_ids:
        return {}
    found = list(
        Contact.objects.filter(account_id__any=list(account_ids), data_key__destroyed_at=None)
        .select_related("data_key")
        .order_by("created_at", "id")
    )
    note_access(system_actor(door="relay"), Contact, [one.pk for one in found], Reading.EXPORTED)
    by_account: dict[UUID, list[Contact]] = defaultdict(list)
    for one in found:
        by_account[one.account_id].append(one)
    return by_account
