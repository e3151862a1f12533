"""Who works a territory, who is away, and who may look at it as an exception."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from django.contrib.auth.models import Permission as DjangoPermission
from django.db import transaction
from django.db.models import Q

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.periods import organisation_today
from apps.core.permissions import require
from apps.territories.events import TerritoryUpdated
from apps.territories.models import Absence, Territory, TerritoryGrant, TerritoryMember
from apps.territories.permissions import WRITE_TERRITORY
from apps.territories.selectors import make_reach_stale
from apps.users.models import User


@command
def add_member(
    *,
    territory_id: UUID,
    user_id: UUID,
    actor: Actor,
    role: str = TerritoryMember.Role.REP,
    valid_from: date | None = None,
    valid_until: date | None = None,
    capacity: int | None = None,
) -> TerritoryMember:
    """Let a person work a territory, `valid_until` being the last day.

    Raises NotFound, NotAllowed, InvalidInput.
    """
    territory = _territory(territory_id, actor)
    user = _person(user_id)
    starts_on = valid_from or organisation_today()
    if valid_until is not None and valid_until < starts_on:
        raise InvalidInput.field("valid_until", "The last day lies before the first.")
    member, _ = TerritoryMember.objects.update_or_create(
        territory=territory,
        user=user,
        valid_from=starts_on,
        defaults={"role": role, "valid_until": valid_until, "capacity": capacity},
    )
    _tell(territory, "members", actor)
    return member


@command
def add_claimed_members(*, user_id: UUID, names: Sequence[str], actor: Actor) -> None:
    """Make a person a member of the territories with these names; those that are there stay.

    Nobody loses a territory by it, and names that no territory has are passed over.
    Raises NotAllowed.
    """
    today = organisation_today()
    worked = TerritoryMember.objects.filter(
        Q(valid_until=None) | Q(valid_until__gte=today), user_id=user_id, valid_from__lte=today
    )
    missing = (
        Territory.objects.active().filter(name__in=names).exclude(pk__in=worked.values("territory"))
    )
    for territory_id in missing.values_list("pk", flat=True):
        add_member(territory_id=territory_id, user_id=user_id, actor=actor)


@command
def end_membership(*, member_id: UUID, last_day: date, actor: Actor) -> TerritoryMember:
    """Let a person's work in a territory end with a day. Raises NotFound, NotAllowed."""
    member = TerritoryMember.objects.select_for_update().filter(pk=member_id).first()
    if member is None:
        raise NotFound
    territory = _territory(member.territory_id, actor)
    if last_day < member.valid_from:
        raise InvalidInput.field("valid_until", "The last day lies before the first.")
    member.valid_until = last_day
    member.save(update_fields=["valid_until", "updated_at"])
    _tell(territory, "members", actor)
    return member


@command
def grant_view(
    *, territory_id: UUID, user_id: UUID, expires_at: datetime | None, actor: Actor
) -> TerritoryGrant:
    """Let a person see a territory they are no member of, until a moment.

    Raises NotFound, NotAllowed, InvalidInput.
    """
    territory = _territory(territory_id, actor)
    user = _person(user_id)
    view = DjangoPermission.objects.get(
        codename="view_territory", content_type__app_label="territories"
    )
    grant, _ = TerritoryGrant.objects.update_or_create(
        user=user, permission=view, content_object=territory, defaults={"expires_at": expires_at}
    )
    _tell(territory, "grants", actor)
    return grant


@command
def note_absence(*, user_id: UUID, starts_on: date, ends_on: date, actor: Actor) -> Absence:
    """Take a person out of the handing out of work. Raises NotAllowed, InvalidInput."""
    if actor.id != user_id:
        require(actor, WRITE_TERRITORY)
    if ends_on < starts_on:
        raise InvalidInput.field("ends_on", "The last day lies before the first.")
    return Absence.objects.create(user=_person(user_id), starts_on=starts_on, ends_on=ends_on)


def _territory(territory_id: UUID, actor: Actor) -> Territory:
    territory = (
        Territory.objects.visible_to(actor).select_for_update().filter(pk=territory_id).first()
    )
    if territory is None:
        raise NotFound
    require(actor, WRITE_TERRITORY)
    return territory


def _person(user_id: UUID) -> User:
    user = User.objects.active().filter(pk=user_id).first()
    if user is None:
        raise InvalidInput.field("user_id", "There is no such person.")
    return user


def _tell(territory: Territory, what: str, actor: Actor) -> None:
    publish(TerritoryUpdated(territory_id=territory.pk, changed=(what,)), actor=actor)
    transaction.on_commit(make_reach_stale, robust=True)
