"""Leads in the GraphQL schema (sales-system-integrations, GraphQL API)."""

from __future__ import annotations

from typing import Any

import graphene

from apps.core.actors import Actor
from apps.core.graphql.commands import Receipt, command
from apps.core.graphql.inputs import given, input_of
from apps.core.graphql.queries import choice, listed, shown
from apps.core.graphql.rows import Row, RowType, one_row, reference
from apps.core.graphql.scalars import DateTime, enumeration
from apps.leads import models
from apps.leads.api.leads import (
    AssignTerritoryBody,
    CreateParameters,
    NewLead,
    assignment_receipt,
)
from apps.leads.fields import LEADS
from apps.leads.services.assignment import assign_lead
from apps.leads.services.capture import create_lead
from apps.territories.fields import TERRITORY_NAMES
from apps.territories.graphql import Territory
from apps.users.fields import USER_NAMES
from apps.users.graphql import User

LeadStatus = enumeration(models.Lead.Status, "LeadStatus", "Where a lead stands.")


class Lead(RowType):
    """Unproven interest of a person."""

    class Meta:
        listing = LEADS
        required = ("status", "email", "created_at", "updated_at")
        related = {"assigned_to": User, "territory": Territory}
        enums = {"status": LeadStatus}


def _of_lead(receipt: Receipt, info: graphene.ResolveInfo) -> Row | None:
    found = LEADS.with_ids(info.context.actor, [receipt["lead_id"]])
    return one_row(LEADS, info.context.actor, found[0]) if found else None


class TerritoryAssignment(graphene.ObjectType):
    """Where a lead went."""

    lead_id = graphene.ID(required=True)
    territory_id = graphene.ID(required=True)
    lead = graphene.Field(
        Lead, resolver=_of_lead, description="Null when the lead went out of reach."
    )
    territory = reference(Territory, "territory_id", TERRITORY_NAMES, required=True)
    assigned_to = reference(User, "assigned_to", USER_NAMES)
    assigned_at = DateTime(required=True)


class Query(graphene.ObjectType):
    """What can be asked of leads."""

    class Meta:
        abstract = True

    leads = listed(
        Lead,
        order=("status", "assigned_to", "territory_id"),
        narrowings={"status": choice(LeadStatus, "status")},
    )
    lead = shown(Lead)


def _create(actor: Actor, input: dict[str, Any], **parameters: Any) -> Receipt:  # noqa: A002
    """Capture a lead."""
    lead, _ = create_lead(
        **given(NewLead, input), **given(CreateParameters, parameters), actor=actor
    )
    if actor.reach.includes(owner_id=lead.owner_id, territory_id=lead.territory_id):
        return {"id": lead.pk}
    return {
        "id": lead.pk,
        "status": lead.status,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
    }


def _created(
    actor: Actor,
    receipt: Receipt,
    *,
    input: dict[str, Any],  # noqa: A002
    **_: Any,
) -> Row:
    return one_row(LEADS, actor, {"email": input["email"].strip(), **receipt})


def _assign(actor: Actor, input: dict[str, Any]) -> Receipt:  # noqa: A002
    """Assign a lead to a territory."""
    return assignment_receipt(assign_lead(**given(AssignTerritoryBody, input), actor=actor))


class Mutation(graphene.ObjectType):
    """What can happen to leads."""

    class Meta:
        abstract = True

    create_lead = command(
        Lead,
        _create,
        show=_created,
        input=input_of(NewLead, "CreateLeadInput")(required=True),
        on_duplicate=graphene.String(
            description="What happens when an open lead has the same e-mail: refuse or update."
        ),
    )
    assign_territory = command(
        TerritoryAssignment,
        _assign,
        input=input_of(AssignTerritoryBody, "AssignTerritoryInput")(required=True),
    )
