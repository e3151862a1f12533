"""Whose account it is: routed when it is opened, handed over later, remembered always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from apps.accounts.errors import AccountOutOfReach
from apps.accounts.models import Account, AccountAssignment
from apps.accounts.permissions import ASSIGN_ACCOUNT
from apps.accounts.selectors import accounts_held
from apps.core.actors import Actor
from apps.core.errors import InvalidInput
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


@dataclass(frozen=True)
class Handover:
    """An account that comes to another person or territory: what the history and others hear."""

    changed: tuple[str, ...]
    move: Move
    told: AssignmentChanged


def check_place(place: Place, *, of: Account, actor: Actor) -> None:
    """Raises NotAllowed, InvalidInput, TerritoryInactive where an account can't come there."""
    moves, travels = place.owner_id != of.owner_id, place.territory_id != of.territory_id
    if moves or travels:
        require(actor, ASSIGN_ACCOUNT)
    if moves:
        check_owner(place.owner_id)
    if travels and place.territory_id:
        check_territory(place.territory_id)


def hand_over(account: Account, place: Place, *, actor: Actor) -> Handover | None:
    """Put a locked account to a checked place, without saving it; None where it is there already.

    Raises AccountOutOfReach.
    """
    before = {"owner_id": account.owner_id, "territory_id": account.territory_id}
    after = {"owner_id": place.owner_id, "territory_id": place.territory_id}
    changed = tuple(name for name in before if before[name] != after[name])
    if not changed:
        return None
    if not actor.reach.includes(owner_id=place.owner_id, territory_id=place.territory_id):
        raise AccountOutOfReach
    account.owner_id, account.territory_id = place.owner_id, place.territory_id
    told = AssignmentChanged(
        record_id=account.pk,
        record_type="account",
        territory_id=place.territory_id,
        previous_territory_id=before["territory_id"],
        owner_id=place.owner_id,
        previous_owner_id=before["owner_id"],
        reason=place.reason,
        cause=place.cause,
        effective_on=organisation_day(timezone.now()),
    )
    return Handover(changed, _move(account, place), told)


def note_handovers(handovers: Sequence[Handover], *, cause: str, actor: Actor) -> None:
    """Remember from now on whose accounts are; what was remembered last ends now."""
    moves = [one.move for one in handovers]
    note_assignments(AccountAssignment, moves, cause=cause, at=timezone.now(), actor=actor)


def begin_periods(
    accounts: Sequence[Account], places: Sequence[Place], *, cause: str, actor: Actor
) -> None:
    """Remember whose accounts are that have just been opened, all for the same cause."""
    note_assignments(
        AccountAssignment,
        [_move(account, place) for account, place in zip(accounts, places, strict=True)],
        cause=cause,
        at=timezone.now(),
        actor=actor,
        are_new=True,
    )


def _move(account: Account, place: Place) -> Move:
    return Move(account.pk, place.owner_id, place.territory_id, place.reason)


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


def routed_places(
    accounts: Sequence[Account], *, cause: str, actor: Actor
) -> list[Place | NobodyToAssign]:
    """Where the territories' rules put new accounts, to whoever has the turn there; else to the
    actor. The platform itself owns no account: what nobody gets is answered with the refusal."""
    atlas = current_atlas()
    rules = [atlas.winner(_subject_of(account)) for account in accounts]
    routed = [rule.territory_id for rule in rules if rule]
    turns = iter(hand_out(routed, loads=accounts_held))
    places: list[Place | NobodyToAssign] = []
    for rule in rules:
        owner_id = next(turns) if rule else None
        if owner_id is None and not actor.is_system:
            owner_id = actor.id
        if owner_id is None:
            places.append(NobodyToAssign())
        elif rule is None:
            places.append(Place(owner_id, None, cause))
        else:
            places.append(Place(owner_id, rule.territory_id, cause, reason_for(rule)))
    return places


def _routed(account: Account) -> tuple[UUID | None, str, str]:
    """The territory whose rules an account meets, with cause and reason."""
    winner = current_atlas().winner(_subject_of(account))
    if winner is None:
        return None, Cause.MANUAL, ""
    return winner.territory_id, Cause.RULE, reason_for(winner)


def _subject_of(account: Account) -> Subject:
    """What routing asks about an account."""
    return Subject(
        country=account.country,
        state=account.state,
        postal_code=account.postal_code,
        industry=account.industry,
        company=account.name,
        domain=account.domain,
        employee_count=account.employee_count,
        annual_revenue=account.annual_revenue,
    )


def check_owner(owner_id: UUID) -> UUID:
    """The person, who must exist and work here. Raises InvalidInput."""
    if not User.objects.active().filter(pk=owner_id).exists():
        raise InvalidInput.field("owner_id", "There is no such person.")
    return owner_id


def check_territory(territory_id: UUID) -> UUID:
    """The territory. Raises InvalidInput for an unknown one, TerritoryInactive for one that is
    switched off."""
    territory = Territory.objects.filter(pk=territory_id).first()
    if territory is None:
        raise InvalidInput.field("territory_id", "There is no such territory.")
    if not territory.is_active:
        raise TerritoryInactive
    return territory_id
