"""Logging activities, changing them, completing them, and the bin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import Contact
from apps.activities.errors import ActivityAlreadyCompleted
from apps.activities.events import ActivityChanged, ActivityCompleted, ActivityLogged
from apps.activities.models import Activity
from apps.activities.permissions import DELETE_ACTIVITY, WRITE_ACTIVITY
from apps.activities.rules import done_at, lies_ahead, outcome_kind
from apps.activities.services.subjects import lock_subjects
from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.loading import insert_rows, update_rows
from apps.core.periods import check_day
from apps.core.permissions import require
from apps.leads.services.activity import lock_for_activity, note_activity
from apps.users.models import User

Facts = Mapping[str, Any]
_ABOUT = ("lead_id", "opportunity_id", "account_id", "contact_id")
FACTS = (
    "type",
    "direction",
    "subject",
    "description",
    "outcome",
    "duration_minutes",
    "scheduled_at",
    "participants",
    "metadata",
    "user_id",
)


@command
def log_activity(
    *,
    actor: Actor,
    lead_id: UUID | None = None,
    opportunity_id: UUID | None = None,
    account_id: UUID | None = None,
    contact_id: UUID | None = None,
    completed_at: datetime | None = None,
    told_by: tuple[str, str] = ("", ""),
    **facts: Any,
) -> Activity:
    """Note something that was done or is to be done about a lead, a deal, an account or a contact.

    Args:
        actor: needs `activity:write`, and must see what it is about.
        lead_id, opportunity_id, account_id, contact_id: at least one of them.
        completed_at: when it was done; now, unless it is scheduled or a task.
        told_by: the other system that told of it, and what it calls it.
        facts: as in `FACTS`; `user_id` is who does it, the actor unless stated. An `outcome` only
            of what was done.

    Raises:
        NotFound, NotAllowed, InvalidInput, PersonErased.
    """
    about = lock_subjects(
        lead_id=lead_id,
        account_id=account_id,
        contact_id=contact_id,
        opportunity_id=opportunity_id,
        actor=actor,
    )
    require(actor, WRITE_ACTIVITY)
    place = about.place
    now = timezone.now()
    activity = Activity(
        data_key=about.data_key,
        lead=about.lead,
        opportunity=about.deal,
        account_id=about.account_id,
        contact=about.contact,
        owner_id=place.owner_id,
        territory_id=place.territory_id,
        user_id=facts.get("user_id") or actor.id,
        external_system=told_by[0],
        external_id=told_by[1],
        created_at=now,
        updated_at=now,
    )
    stated = _put(activity, {"user_id": activity.user_id, **_stated(facts)}, actor)
    _check_done(completed_at, now)
    activity.completed_at = done_at(
        type_=activity.type,
        scheduled_at=activity.scheduled_at,
        completed_at=completed_at,
        now=now,
    )
    _count_outcome(activity, stated)
    insert_rows(Activity, [activity])
    told: list[object] = [
        ActivityLogged(
            **_told(activity),
            scheduled_at=activity.scheduled_at,
            completed_at=activity.completed_at,
        )
    ]
    if activity.completed_at is not None:
        told.append(_completed(activity))
        if about.lead is not None:
            note_activity(about.lead.pk, at=activity.completed_at)
    publish(*told, actor=actor)
    return activity


@command
def complete_activity(
    *,
    activity_id: UUID,
    actor: Actor,
    completed_at: datetime | None = None,
    outcome: str = "",
    duration_minutes: int | None = None,
) -> Activity:
    """Tell that an activity was done, and what came of it.

    What is left out of outcome and duration keeps its value.
    Raises NotFound, NotAllowed, InvalidInput, ActivityAlreadyCompleted.
    """
    lead_id = _lock_lead_of(activity_id, actor=actor)
    activity = lock_activity(activity_id, actor=actor)
    require(actor, WRITE_ACTIVITY)
    if activity.completed_at is not None:
        raise ActivityAlreadyCompleted
    now = timezone.now()
    _check_done(completed_at, now)
    activity.completed_at = completed_at or now
    activity.outcome = outcome or activity.outcome
    activity.outcome_kind = outcome_kind(activity.outcome)
    if duration_minutes is not None:
        activity.duration_minutes = duration_minutes
    activity.updated_at = now
    columns = ("completed_at", "outcome", "outcome_kind", "duration_minutes", "updated_at")
    update_rows([activity], columns)
    if lead_id is not None:
        note_activity(lead_id, at=activity.completed_at)
    publish(_completed(activity), actor=actor)
    return activity


@command
def change_activity(*, activity_id: UUID, actor: Actor, **facts: Any) -> Activity:
    """Change what is known of an activity; what it is about and whether it was done stays.

    Args:
        activity_id: within reach.
        actor: needs `activity:write`.
        facts: as in `FACTS`. An `outcome` only of what was done.

    Raises:
        NotFound, NotAllowed, InvalidInput, PersonErased.
    """
    activity = lock_activity(activity_id, actor=actor)
    require(actor, WRITE_ACTIVITY)
    if changed := _put(activity, facts, actor):
        _count_outcome(activity, changed)
        activity.updated_at = timezone.now()
        update_rows([activity], (*changed, "outcome_kind", "updated_at"))
        publish(ActivityChanged(activity_id=activity.pk, changed=changed), actor=actor)
    return activity


@command
def delete_activity(*, activity_id: UUID, actor: Actor) -> None:
    """Put an activity into the bin, from which it can be restored for 30 days.

    Raises NotFound, NotAllowed.
    """
    activity = lock_activity(activity_id, actor=actor)
    require(actor, DELETE_ACTIVITY)
    activity.deleted_at, activity.deleted_by_id = timezone.now(), actor.id
    _keep_bin(activity, actor)


@command
def restore_activity(*, activity_id: UUID, actor: Actor) -> Activity:
    """Take an activity out of the bin. Raises NotFound, NotAllowed."""
    activity = lock_activity(activity_id, actor=actor, in_bin=True)
    require(actor, DELETE_ACTIVITY)
    activity.deleted_at = activity.deleted_by_id = None
    _keep_bin(activity, actor)
    return activity


def lock_activity(activity_id: UUID, *, actor: Actor, in_bin: bool = False) -> Activity:
    """An activity within reach, locked. In a transaction. Raises NotFound."""
    locked = Activity.objects.lock_visible_to(actor, [activity_id], in_bin=in_bin)
    activity: Activity | None = locked.get(activity_id)
    if activity is None or activity.subject_in_bin:
        raise NotFound
    return activity


def _lock_lead_of(activity_id: UUID, *, actor: Actor) -> UUID | None:
    """The lead of an activity, which never changes, locked before the activity as in all locks.

    Of an activity out of reach nothing is locked.
    """
    visible = Activity.objects.visible_to(actor).filter(pk=activity_id)
    found = visible.values_list("lead_id", flat=True).first()
    if found is not None:
        lock_for_activity(found)
    return found


def _keep_bin(activity: Activity, actor: Actor) -> None:
    activity.updated_at = timezone.now()
    update_rows([activity], ("deleted_at", "deleted_by_id", "updated_at"))
    publish(ActivityChanged(activity_id=activity.pk, changed=("bin",)), actor=actor)


def _stated(facts: Facts) -> dict[str, Any]:
    """What was said; a person who was not named is the actor."""
    return {name: value for name, value in facts.items() if (name, value) != ("user_id", None)}


def _put(activity: Activity, facts: Facts, actor: Actor) -> tuple[str, ...]:
    """Check facts and put them on the row; returns the names of those that changed."""
    if unknown := sorted(set(facts) - set(FACTS)):
        raise InvalidInput(
            f"There is no {', '.join(unknown)}.",
            fields={name: ["This field does not exist."] for name in unknown},
        )
    changed = tuple(name for name, value in facts.items() if getattr(activity, name) != value)
    for name in changed:
        setattr(activity, name, facts[name])
    _check(activity)
    if "user_id" in facts:
        _check_person(activity.user_id)
    if "participants" in changed:
        _check_participants(activity.participants, actor)
    return changed


def _count_outcome(activity: Activity, changed: Collection[str]) -> None:
    """Tell what its outcome counts as. Raises InvalidInput where one is stated too early."""
    if activity.is_completed:
        activity.outcome_kind = outcome_kind(activity.outcome)
    elif activity.outcome and "outcome" in changed:
        raise InvalidInput.field("outcome", "What is still to be done has no outcome yet.")


def _check(activity: Activity) -> None:
    if activity.type not in Activity.Type.values:
        raise InvalidInput.field("type", f"Give one of {', '.join(Activity.Type.values)}.")
    if activity.direction:
        _check_direction(activity)
    if activity.scheduled_at is not None:
        check_day(activity.scheduled_at.date(), "scheduled_at")
    if not activity.subject:
        raise InvalidInput.field("subject", "Say in a few words what it is about.")


def _check_direction(activity: Activity) -> None:
    if activity.direction not in Activity.Direction.values:
        raise InvalidInput.field("direction", "Give inbound or outbound, or nothing.")
    if activity.type not in Activity.DIRECTED:
        raise InvalidInput.field("direction", "Only e-mails and calls come in or go out.")


def _check_person(user_id: UUID | None) -> None:
    if user_id is None or not User.objects.active().filter(pk=user_id).exists():
        raise InvalidInput.field("user_id", "There is nobody at work with this id.")


def _check_participants(ids: Iterable[UUID], actor: Actor) -> None:
    """People here, and contacts that the actor sees. Raises InvalidInput."""
    wanted = set(ids)
    known = set(User.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    if missing := wanted - known:
        contacts = Contact.objects.visible_to(actor).filter(pk__in=missing)
        missing -= set(contacts.values_list("pk", flat=True))
    if missing:
        raise InvalidInput.field(
            "participants", f"There is nobody with the id {', '.join(sorted(map(str, missing)))}."
        )


def _check_done(completed_at: datetime | None, now: datetime) -> None:
    if completed_at is None:
        return
    check_day(completed_at.date(), "completed_at")
    if lies_ahead(completed_at, now):
        raise InvalidInput.field("completed_at", "What lies ahead is not completed yet.")


def _told(activity: Activity) -> dict[str, Any]:
    return {
        "activity_id": activity.pk,
        "type": activity.type,
        "user_id": activity.user_id,
        **{name: getattr(activity, name) for name in _ABOUT},
    }


def _completed(activity: Activity) -> ActivityCompleted:
    assert activity.completed_at is not None
    return ActivityCompleted(
        **_told(activity),
        completed_at=activity.completed_at,
        duration_minutes=activity.duration_minutes,
    )
