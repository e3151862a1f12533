"""How a deal begins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import Account
from apps.accounts.services.assignment import check_owner
from apps.core.actors import Actor
from apps.core.errors import InvalidInput
from apps.core.permissions import INTEGRATION, require
from apps.leads.models import Lead
from apps.opportunities.metrics import opportunities_created
from apps.opportunities.models import Opportunity
from apps.opportunities.permissions import ASSIGN_OPPORTUNITY, WRITE_OPPORTUNITY
from apps.opportunities.selectors import process_named
from apps.opportunities.services.edits import Cause, Change, Edit
from apps.opportunities.services.facts import apply_facts
from apps.opportunities.services.history import keep
from apps.opportunities.services.stages import stand_in
from apps.territories.selectors import check_active_territory
from apps.users.models import User


def open_deal(
    *,
    account: Account,
    owner_id: UUID,
    actor: Actor,
    lead: Lead | None = None,
    territory_id: UUID | None = None,
    pipeline: str | None = None,
    stage: str | None = None,
    notes: str = "",
    **facts: Any,
) -> Opportunity:
    """Begin a deal of an account, in an open stage. In the transaction of a command.

    Args:
        account: the customer, checked; gives currency and territory where none is stated.
        owner_id: whose deal it is, checked (`owner_of_new`).
        actor: needs `opportunity:write`.
        lead: what it came from, locked.
        territory_id: within reach; without it the lead's or the account's.
        pipeline: the key of a pipeline; without it the default one.
        stage: the key of an open stage; without it the first.
        notes: kept in the history.
        facts: as `apply_facts` takes them; `probability` and `forecast_category`.

    Raises:
        NotAllowed, InvalidInput, TerritoryInactive.
    """
    require(actor, WRITE_OPPORTUNITY)
    if territory_id is not None:
        check_active_territory(territory_id, actor)
    now = timezone.now()
    process = process_named(pipeline)
    deal = Opportunity(
        account=account,
        owner_id=owner_id,
        lead=lead,
        territory_id=territory_id or (lead and lead.territory_id) or account.territory_id,
        pipeline_id=process.pipeline_id,
        currency=(lead and lead.currency) or account.currency,
    )
    edit = Edit(deal, process, kind=Change.CREATED, notes=notes)
    if lead is not None:
        edit.cause = Cause.CONVERSION
    stand_in(edit, process.opening(stage), facts, now)
    apply_facts(edit, facts)
    if "amount" not in facts and deal.lines_total is not None:
        deal.amount = deal.lines_total
    if deal.loss_reason:
        raise InvalidInput.field("loss_reason", "Only a lost deal has one.")
    keep([edit], now=now, actor=actor)
    opportunities_created.labels(door=actor.door).inc()
    return deal


def owner_of_new(
    *, stated: UUID | None, actor: Actor, account: Account | None, lead: Lead | None = None
) -> UUID:
    """Whose a new deal is: as stated; else the lead's owner's, the actor's or the account's.

    Naming somebody who is none of them needs `opportunity:assign`.
    Raises NotAllowed, InvalidInput.
    """
    is_person = not actor.is_system and actor.role != INTEGRATION
    usual = [
        lead.owner_id if lead else None,
        actor.id if is_person else None,
        account.owner_id if account else None,
    ]
    if stated is not None:
        if stated not in usual:
            require(actor, ASSIGN_OPPORTUNITY)
        check_owner(stated)
        return stated
    present = [one for one in usual if one is not None]
    if present[:1] == [actor.id]:
        return actor.id
    active = set(User.objects.active().filter(pk__in=present).values_list("pk", flat=True))
    for one in present:
        if one in active:
            return one
    raise InvalidInput.field("owner_id", "Say whose opportunity it is.")
