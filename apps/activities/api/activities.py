"""`/activities`, and the timelines of leads, opportunities and accounts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.accounts.fields import ACCOUNTS
from apps.activities.api.bodies import ActivityFacts, Completion, NewActivity
from apps.activities.fields import ACTIVITIES
from apps.activities.models import Activity
from apps.activities.services.activities import (
    change_activity,
    complete_activity,
    delete_activity,
    log_activity,
    restore_activity,
)
from apps.core.actors import Actor
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.schema import row_serializer
from apps.leads.fields import LEADS
from apps.opportunities.fields import OPPORTUNITIES

TAGS = ("activities",)


class ActivityReceipt(serializers.Serializer):
    """An activity that was logged, completed or restored."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    scheduled_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


def activity_receipt(activity: Activity) -> dict[str, Any]:
    """What tells how an activity stands."""
    return {
        "id": activity.pk,
        "type": activity.type,
        "scheduled_at": activity.scheduled_at,
        "completed_at": activity.completed_at,
        "created_at": activity.created_at,
    }


class ActivityCollection(Endpoint):
    """`/activities`."""

    get = listed(ACTIVITIES, summary="Activities within reach", tags=TAGS)

    @operation(
        summary="Log an activity", body=NewActivity, answer=ActivityReceipt, status=201, tags=TAGS
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return activity_receipt(log_activity(**body, actor=actor))


class ActivityItem(Endpoint):
    """`/activities/{activity_id}`."""

    get = shown(ACTIVITIES, summary="An activity", tags=TAGS)

    @operation(
        summary="Change an activity",
        body=ActivityFacts,
        answer=row_serializer(ACTIVITIES, detail=True),
        tags=TAGS,
    )
    def put(self, actor: Actor, activity_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        change_activity(activity_id=activity_id, **body, actor=actor)
        return ACTIVITIES.one(actor, activity_id)

    patch = put

    @operation(summary="Put an activity into the bin", status=204, tags=TAGS)
    def delete(self, actor: Actor, activity_id: UUID) -> None:
        delete_activity(activity_id=activity_id, actor=actor)


class ActivityCompletion(Endpoint):
    """`/activities/{activity_id}/complete`."""

    @operation(summary="Complete an activity", body=Completion, answer=ActivityReceipt, tags=TAGS)
    def post(self, actor: Actor, activity_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        return activity_receipt(complete_activity(activity_id=activity_id, **body, actor=actor))


class ActivityRestoration(Endpoint):
    """`/activities/{activity_id}/restore`."""

    @operation(summary="Take an activity out of the bin", answer=ActivityReceipt, tags=TAGS)
    def post(self, actor: Actor, activity_id: UUID) -> dict[str, Any]:
        return activity_receipt(restore_activity(activity_id=activity_id, actor=actor))


class LeadTimeline(Endpoint):
    """`/leads/{lead_id}/activities`."""

    get = listed(
        ACTIVITIES,
        within=LEADS,
        stated="lead_id",
        summary="The activities of a lead and those folded into it, newest first",
        tags=TAGS,
    )


class OpportunityTimeline(Endpoint):
    """`/opportunities/{opportunity_id}/activities`."""

    get = listed(
        ACTIVITIES,
        within=OPPORTUNITIES,
        stated="opportunity_id",
        summary="The activities of an opportunity, newest first",
        tags=TAGS,
    )


class AccountTimeline(Endpoint):
    """`/accounts/{account_id}/activities`."""

    get = listed(
        ACTIVITIES,
        within=ACCOUNTS,
        stated="account_id",
        summary="The activities of an account, its contacts and its deals, newest first",
        tags=TAGS,
    )
