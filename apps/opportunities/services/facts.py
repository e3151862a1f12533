"""The facts of a deal that people state: checked, and put on a deal in hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.accounts.models import Account
from apps.accounts.services.assignment import check_owner
from apps.core.actors import Actor
from apps.core.errors import InvalidInput
from apps.core.money import to_cents
from apps.core.permissions import require
from apps.opportunities.errors import OpportunityIsClosed, OpportunityOutOfReach
from apps.opportunities.permissions import ASSIGN_OPPORTUNITY
from apps.opportunities.rules import Kind
from apps.opportunities.services.edits import Change, Edit
from apps.opportunities.services.lines import write_lines
from apps.territories.selectors import check_active_territory

PLAIN = frozenset(
    {
        "name",
        "amount",
        "currency",
        "expected_close_date",
        "next_step",
        "loss_reason",
        "close_reason",
        "contract_term",
        "start_date",
        "payment_terms",
        "billing_frequency",
        "special_requirements",
        "priority",
        "metadata",
    }
)
# What the results of a closed deal were counted from.
_COUNTED = ("account_id", "amount", "currency", "expected_close_date", "lines_total")


def apply_facts(edit: Edit, facts: Mapping[str, Any]) -> None:
    """Put stated facts on a deal in hand, its account, place and stage apart.

    Args:
        edit: the deal, new or not.
        facts: columns of `Opportunity` in `PLAIN`; `payment_schedule` as `due_on` and `amount`;
            `products` as `write_lines` takes them.

    Raises:
        InvalidInput, OpportunityIsClosed.
    """
    for name in PLAIN & facts.keys():
        setattr(edit.deal, name, facts[name])
    if "payment_schedule" in facts:
        edit.deal.payment_schedule = [
            {"due_on": one["due_on"].isoformat(), "amount": str(to_cents(one["amount"]))}
            for one in facts["payment_schedule"]
        ]
    if "products" in facts:
        write_lines(edit, facts["products"])
    if edit.before.get("kind", Kind.OPEN) != Kind.OPEN and (
        edit.differs(*_COUNTED) or edit.also_changed
    ):
        raise OpportunityIsClosed


def account_within_reach(account_id: UUID | None, actor: Actor) -> Account:
    """The account a deal is to belong to. Raises InvalidInput."""
    account: Account | None = (
        Account.objects.one_visible_to(actor, account_id) if account_id else None
    )
    if account is None:
        raise InvalidInput.field("account_id", "There is no such account.")
    return account


def hand_over(edit: Edit, facts: Mapping[str, Any], actor: Actor, *, reason: str = "") -> None:
    """Put a deal in hand to another person or territory, where `owner_id` or `territory_id` say.

    Raises NotAllowed, InvalidInput, TerritoryInactive, OpportunityOutOfReach.
    """
    deal = edit.deal
    deal.owner_id = facts.get("owner_id", deal.owner_id)
    deal.territory_id = facts.get("territory_id", deal.territory_id)
    changed = edit.differing(("owner_id", "territory_id"))
    if not changed:
        return
    require(actor, ASSIGN_OPPORTUNITY)
    if "owner_id" in changed:
        check_owner(deal.owner_id)
    if "territory_id" in changed and deal.territory_id is not None:
        check_active_territory(deal.territory_id, actor)
    if not actor.reach.includes(owner_id=deal.owner_id, territory_id=deal.territory_id):
        raise OpportunityOutOfReach
    edit.kind, edit.reason = Change.REASSIGNED, reason
