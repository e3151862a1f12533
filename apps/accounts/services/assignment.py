"""Whose account it is: routed when it is opened, handed over later, remembered always."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from apps.accounts.errors import AccountOutOfReach
from apps.accounts.models import Account, AccountAssignment
from apps.accounts.permissions import ASSIGN_ACCOUNT
from apps.accounts.selectors import accounts_held
from apps.core.actors import Actor
from apps.core.errors import InvalidInput
from apps.core.journal import publish
from apps.core.periods import organisation_day
from apps.core.permissions import require
from apps.territories.errors import NobodyToAssign, TerritoryInactive
from apps.territories.events import AssignmentChanged
from apps.territories.models import Territory
from apps.territories.rules import Subject, reason_for
from apps.territories.selectors import current_atlas
from apps.territories.services.assignment import hand_out
from apps.territories.services.history import Move, note_assignments
from apps.users.models import User

Cause = AccountAssignment.Cause


@dataclass(frozen=True)
class Place:
    """Whose an account is to be, in which territory, and why."""

    owner_id: UUID
    territory_id: UUID | None
    cause: str
    reason: str = ""


def hand_over(account: Account, place: Place, *, actor: Actor) -> tuple[str, ...]:
    """Put a locked account elsewhere, without saving it; returns the names of what changed.

    Raises NotAllowed, InvalidInput, TerritoryInactive, AccountOutOfReach.
    """
    before = {"owner_id": account.owner_id, "territory_id": account.territory_id}
    after = {"owner_id": place.owner_id, "territory_id": place.territory_id}
    changed = tuple(name for name in before if before[name] != after[name])
    if not changed:
        return ()
    require(actor, ASSIGN_ACCOUNT)
    if "owner_id" in changed:
        check_owner(place.owner_id)
    if "territory_id" in changed:
        check_territory(place.territory_id)
    if not actor.reach.includes(owner_id=place.owner_id, territory_id=place.territory_id):
        raise AccountOutOfReach
    account.owner_id, account.territory_id = place.owner_id, place.territory_id
    begin_period(account, place, actor=actor)
    publish(
        AssignmentChanged(
            record_id=account.pk,
            record_type="account",
            territory_id=place.territory_id,
            previous_territory_id=before["territory_id"],
            owner_id=place.owner_id,
            previous_owner_id=before["owner_id"],
            reason=place.reason,
            cause=place.cause,
            effective_on=organisation_day(timezone.now()),
        ),
        actor=actor,
    )
    return changed


def begin_period(account: Account, place: Place, *, actor: Actor) -> None:
    """Remember from now on whose an account is; what was remembered last ends now."""
    note_assignments(
        AccountAssignment,
        [Move(account.pk, place.owner_id, place.territory_id, place.reason)],
        cause=place.cause,
        at=timezone.now(),
        actor=actor,
    )


def first_place(
    account: Account, *, owner_id: UUID | None, territory_id: UUID | None, actor: Actor
) -> Place:
    """Where a new account belongs: as asked for; else where the territories' rules put it, to
    whoever has the turn there; else to the actor.

    Raises InvalidInput, TerritoryInactive, NobodyToAssign.
    """
    if owner_id is not None:
        check_owner(owner_id)
    if territory_id is not None:
        check_territory(territory_id)
        cause, reason = str(Cause.MANUAL), ""
    else:
        territory_id, cause, reason = _routed(account)
    if owner_id is None and territory_id is not None:
        owner_id = hand_out([territory_id], loads=accounts_held)[0]
    if owner_id is None:
        if actor.is_system:
            raise NobodyToAssign
        owner_id = actor.id
    return Place(owner_id, territory_id, cause, reason)


def _routed(account: Account) -> tuple[UUID | None, str, str]:
    """The territory whose rules an account meets, with cause and reason."""
    winner = current_atlas().winner(
        Subject(
            country=account.country,
            state=account.state,
            postal_code=account.postal_code,
            industry=account.industry,
            company=account.name,
            domain=account.domain,
            employee_count=account.employee_count,
            annual_revenue=account.annual_revenue,
        )
    )
    if winner is None:
        return None, Cause.MANUAL, ""
    return winner.territory_id, Cause.RULE, reason_for(winner)


def check_owner(owner_id: UUID) -> None:
    """Raises InvalidInput unless the person exists and works here."""
    if not User.objects.active().filter(pk=owner_id).exists():
        raise InvalidInput.field("owner_id", "There is no such person.")


def check_territory(territory_id: UUID | None) -> None:
    """Raises InvalidInput for an unknown territory and TerritoryInactive for one switched off."""
    if territory_id is None:
        return
    territory = Territory.objects.filter(pk=territory_id).first()
    if territory is None:
        raise InvalidInput.field("territory_id", "There is no such territory.")
    if not territory.is_active:
        raise TerritoryInactive
