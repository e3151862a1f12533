"""Contracts: drawn up, changed, acknowledged by billing, and void again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.contracts.errors import (
    AcknowledgedOtherwise,
    ContractExists,
    ContractIsVoid,
    OpportunityNotWon,
)
from apps.contracts.events import (
    ContractAcknowledged,
    ContractCreated,
    ContractUpdated,
    ContractVoided,
)
from apps.contracts.models import Contract
from apps.contracts.permissions import ACKNOWLEDGE_CONTRACT, WRITE_CONTRACT
from apps.contracts.rules import (
    ContractStatus,
    Payment,
    check_schedule,
    last_day,
    missing_terms,
    payments,
)
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.permissions import require
from apps.opportunities.events import OpportunityCreditChanged
from apps.opportunities.models import Opportunity
from apps.opportunities.rules import Kind
from apps.opportunities.selectors import uses_deals

TERMS = (
    "contract_term",
    "start_date",
    "payment_terms",
    "billing_frequency",
    "payment_schedule",
)

_DECIDE_PAYMENTS = {"contract_term", "start_date", "billing_frequency"}


@command
def create_contract(*, opportunity_id: UUID, actor: Actor, **terms: Any) -> Contract:
    """Draw up the contract of a won deal (sales-system-integrations, Billing System).

    Args:
        opportunity_id: of a won deal within reach that has no contract which stands.
        actor: needs `contract:write`.
        terms: as in `TERMS`; what is left out is the deal's. Without a schedule of payments it is
            worked out from the others.

    Raises:
        NotFound, NotAllowed, OpportunityNotWon, ContractExists, InvalidInput, ScheduleMismatch.
    """
    deal = _lock_deal(opportunity_id, actor=actor)
    require(actor, WRITE_CONTRACT)
    return _draw_up(deal, terms, actor)


@command
def change_contract(*, contract_id: UUID, actor: Actor, **terms: Any) -> Contract:
    """Change the terms of a contract within reach.

    Args:
        contract_id: of a contract that is not void.
        actor: needs `contract:write`.
        terms: as in `TERMS`. Where dates or the frequency change and no schedule is stated, the
            payments are worked out anew.

    Raises:
        NotFound, NotAllowed, ContractIsVoid, InvalidInput, ScheduleMismatch.
    """
    contract = _lock_contract(contract_id, actor=actor)
    require(actor, WRITE_CONTRACT)
    if contract.status == ContractStatus.VOID:
        raise ContractIsVoid
    before = {name: getattr(contract, name) for name in TERMS}
    agreed = {**before, **terms}
    if "payment_schedule" not in terms and _DECIDE_PAYMENTS & terms.keys():
        agreed["payment_schedule"] = None
    _agree(contract, agreed)
    changed = tuple(name for name in TERMS if getattr(contract, name) != before[name])
    if not changed:
        return contract
    contract.save(update_fields=[*changed, "end_date", "updated_at"])
    publish(ContractUpdated(**_terms_told(contract), changed=changed), actor=actor)
    return contract


@command
def acknowledge_contract(
    *, contract_id: UUID, external_id: str, actor: Actor, external_system: str = "billing"
) -> Contract:
    """Note the number under which billing keeps a contract; the same again changes nothing.

    Args:
        contract_id: of a contract that is not void.
        external_id: its number there.
        actor: needs `contract:acknowledge`.
        external_system: where "there" is.

    Raises:
        NotFound, NotAllowed, ContractIsVoid, AcknowledgedOtherwise.
    """
    contract = _lock_contract(contract_id, actor=actor)
    require(actor, ACKNOWLEDGE_CONTRACT)
    return _acknowledge(contract, external_system, external_id, actor)


@command
def acknowledge_sale(
    *,
    opportunity_id: UUID,
    external_id: str,
    actor: Actor,
    external_system: str = "billing",
    **terms: Any,
) -> Contract:
    """Note that billing made a contract of a won deal; here it is drawn up unless it was.

    Args:
        opportunity_id: of a won deal within reach.
        external_id: the contract's number there.
        actor: needs `contract:acknowledge`.
        external_system: where "there" is.
        terms: as in `TERMS`, for a contract that was not drawn up here before.

    Raises:
        NotFound, NotAllowed, OpportunityNotWon, InvalidInput, ScheduleMismatch,
        AcknowledgedOtherwise.
    """
    deal = _lock_deal(opportunity_id, actor=actor)
    require(actor, ACKNOWLEDGE_CONTRACT)
    standing = Contract.objects.standing().of_deals([deal.pk]).select_for_update().first()
    contract = standing or _draw_up(deal, terms, actor)
    return _acknowledge(contract, external_system, external_id, actor)


@uses_deals
def deals_with_contract(opportunity_ids: Collection[UUID]) -> set[UUID]:
    """Those of some deals that have a contract which stands."""
    contracts = Contract.objects.standing().of_deals(list(opportunity_ids))
    return set(contracts.values_list("opportunity_id", flat=True))


@command
def void_contracts(*, told: Sequence[OpportunityCreditChanged], actor: Actor) -> int:
    """End the contracts of deals that were taken up again, as far as they are older than that.

    Returns how many ended; hearing it twice ends none.
    """
    reopened = {one.opportunity_id: one.version for one in told if one.closed_on is None}
    contracts = [
        one
        for one in Contract.objects.standing().of_deals(list(reopened)).lock()
        if one.opportunity_version < reopened[one.opportunity_id]
    ]
    for contract in contracts:
        contract.status, contract.voided_at = ContractStatus.VOID, timezone.now()
        contract.save(update_fields=["status", "voided_at", "updated_at"])
    publish(
        *(
            ContractVoided(
                contract_id=one.pk,
                opportunity_id=one.opportunity_id,
                external_system=one.external_system,
                external_id=one.external_id,
            )
            for one in contracts
        ),
        actor=actor,
    )
    return len(contracts)


def _lock_deal(opportunity_id: UUID, *, actor: Actor) -> Opportunity:
    deal: Opportunity | None = Opportunity.objects.lock_visible_to(actor, [opportunity_id]).get(
        opportunity_id
    )
    if deal is None:
        raise NotFound
    return deal


def _lock_contract(contract_id: UUID, *, actor: Actor) -> Contract:
    contract: Contract | None = (
        Contract.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=contract_id)
    ).first()
    if contract is None:
        raise NotFound
    return contract


def _draw_up(deal: Opportunity, terms: Mapping[str, Any], actor: Actor) -> Contract:
    if deal.kind != Kind.WON:
        raise OpportunityNotWon
    if other := Contract.objects.standing().of_deals([deal.pk]).first():
        raise ContractExists(contract_id=str(other.pk))
    contract = Contract(
        opportunity=deal,
        opportunity_version=deal.version,
        account_id=deal.account_id,
        owner_id=deal.owner_id,
        territory_id=deal.territory_id,
        amount=deal.amount,
        currency=deal.currency,
        products=_products(deal),
    )
    _agree(contract, {**{name: getattr(deal, name) for name in TERMS}, **terms})
    contract.save(force_insert=True)
    publish(
        ContractCreated(
            **_terms_told(contract),
            account_id=contract.account_id,
            amount=contract.amount,
            currency=contract.currency,
            owner_id=contract.owner_id,
            territory_id=contract.territory_id,
        ),
        actor=actor,
    )
    return contract


def _agree(contract: Contract, terms: Mapping[str, Any]) -> None:
    """Put terms on a contract, its last day and payments worked out. Raises InvalidInput."""
    if missing := missing_terms(terms):
        raise InvalidInput(
            f"Still missing: {', '.join(missing)}.",
            reason="contract_terms_missing",
            fields={name: ["A contract needs it."] for name in missing},
        )
    for name in TERMS[:-1]:
        setattr(contract, name, terms[name])
    contract.end_date = last_day(contract.start_date, contract.contract_term)
    schedule = _schedule(terms.get("payment_schedule")) or payments(
        amount=contract.amount,
        start_date=contract.start_date,
        contract_term=contract.contract_term,
        billing_frequency=contract.billing_frequency,
    )
    check_schedule(schedule, contract.amount)
    contract.payment_schedule = [
        {"due_on": one.due_on.isoformat(), "amount": str(one.amount)} for one in schedule
    ]


def _schedule(stated: Sequence[Mapping[str, Any]] | None) -> list[Payment]:
    """Payments as they are stated, or kept on a deal."""
    return [
        Payment(date.fromisoformat(str(one["due_on"])), Decimal(one["amount"]))
        for one in stated or ()
    ]


def _products(deal: Opportunity) -> list[dict[str, Any]]:
    """What was sold, as billing is told of it."""
    return [
        {
            "product_id": line.product.code,
            "product_name": line.product.name,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
            "discount": line.discount,
            "amount": line.amount,
            "configuration": line.configuration,
        }
        for line in deal.lines.select_related("product").order_by("position")
    ]


def _acknowledge(
    contract: Contract, external_system: str, external_id: str, actor: Actor
) -> Contract:
    if contract.status == ContractStatus.VOID:
        raise ContractIsVoid
    number = {"external_system": external_system, "external_id": external_id}
    take_turn(f"contract {external_system} {external_id}")
    known = Contract.objects.filter(**number).first()
    if known is not None and known.pk == contract.pk:
        return contract
    if known is not None or contract.status == ContractStatus.ACKNOWLEDGED:
        raise AcknowledgedOtherwise
    contract.external_system, contract.external_id = external_system, external_id
    contract.status, contract.acknowledged_at = ContractStatus.ACKNOWLEDGED, timezone.now()
    contract.save(
        update_fields=[*number, "status", "acknowledged_at", "updated_at"],
    )
    publish(
        ContractAcknowledged(
            contract_id=contract.pk, opportunity_id=contract.opportunity_id, **number
        ),
        actor=actor,
    )
    return contract


def _terms_told(contract: Contract) -> dict[str, Any]:
    """What events say of a contract's terms."""
    return {
        "contract_id": contract.pk,
        "opportunity_id": contract.opportunity_id,
        "contract_term": contract.contract_term,
        "start_date": contract.start_date,
        "end_date": contract.end_date,
        "payment_terms": contract.payment_terms,
        "billing_frequency": contract.billing_frequency,
    }
