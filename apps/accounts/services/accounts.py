"""Accounts: opened, changed, deleted into the bin and restored, and found for a lead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from apps.accounts import rules
from apps.accounts.errors import (
    AccountDomainTaken,
    AccountElsewhere,
    AccountTreeLoops,
    TooLateToRestore,
)
from apps.accounts.events import AccountChanged, AccountDeleted, AccountOpened, AccountRestored
from apps.accounts.fields import ACCOUNTS
from apps.accounts.models import Account
from apps.accounts.permissions import ASSIGN_ACCOUNT, DELETE_ACCOUNT, WRITE_ACCOUNT
from apps.accounts.querysets import AccountQuerySet
from apps.accounts.services.assignment import (
    Handover,
    Place,
    begin_periods,
    check_owner,
    check_place,
    check_territory,
    first_place,
    hand_over,
    note_handovers,
)
from apps.core.actors import Actor
from apps.core.bulk import RowResult
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound, Refusal, StaleVersion
from apps.core.identifiers import identifier_in
from apps.core.journal import publish
from apps.core.permissions import require
from apps.core.places import country_code
from apps.territories.models import AssignmentPeriod
from apps.territories.rules import folded

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Change = Callable[[Account], Sequence[object]]


def _looking_again(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Do it once more when an import took the domain between our look and our write."""

    @wraps(command)
    def twice(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except IntegrityError:
            return command(*args, **kwargs)

    return twice


@_looking_again
@command
def open_account(
    *,
    actor: Actor,
    owner_id: UUID | None = None,
    territory_id: UUID | None = None,
    cause: str = "",
    **facts: Any,
) -> Account:
    """Make a company an account, in the territory whose rules it meets unless one is given.

    Args:
        actor: needs `account:write`; owns the account when nobody else is to.
        owner_id: without it, whoever has the turn in the territory.
        territory_id: without it, routed.
        cause: of the assignment, when it is neither typed nor routed, such as a conversion.
        facts: the columns of `Account`; `parent_account_id` by id, within reach.

    Raises:
        NotAllowed, InvalidInput, AccountDomainTaken, AccountElsewhere, TerritoryInactive,
        NobodyToAssign.
    """
    require(actor, WRITE_ACCOUNT)
    account = Account(currency=settings.DEFAULT_CURRENCY)
    _apply(account, facts, actor)
    place = first_place(account, owner_id=owner_id, territory_id=territory_id, actor=actor)
    if cause:
        place = Place(place.owner_id, place.territory_id, cause, place.reason)
    account.owner_id, account.territory_id = place.owner_id, place.territory_id
    account.save(force_insert=True)
    begin_periods([account], [place], cause=place.cause, actor=actor)
    publish(opened(account), actor=actor)
    return account


def opened(account: Account) -> AccountOpened:
    """What others hear of a new account."""
    return AccountOpened(
        account_id=account.pk,
        name=account.name,
        domain=account.domain,
        owner_id=account.owner_id,
        territory_id=account.territory_id,
        parent_account_id=account.parent_account_id,
    )


@_looking_again
@command
def change_account(
    *, account_id: UUID, actor: Actor, version: int | None = None, **facts: Any
) -> Account:
    """Change what is known of an account, or whose it is; a territory is not routed anew.

    Args:
        account_id: of an account within reach.
        actor: needs `account:write`, and `account:assign` to change owner or territory.
        version: the one the change is meant for; None changes whatever there is.
        facts: the columns of `Account`, references by id.

    Raises:
        NotFound, NotAllowed, StaleVersion with the `current` row, InvalidInput,
        AccountDomainTaken, AccountElsewhere, AccountTreeLoops, AccountOutOfReach,
        TerritoryInactive.
    """
    account = account_in_hand(account_id, actor=actor)
    require(actor, WRITE_ACCOUNT)
    if version is not None and version != account.version:
        raise StaleVersion(current=ACCOUNTS.one(actor, account.pk))
    place = Place(
        facts.pop("owner_id", account.owner_id),
        facts.pop("territory_id", account.territory_id),
        AssignmentPeriod.Cause.MANUAL,
    )
    changed = _apply(account, facts, actor)
    check_place(place, of=account, actor=actor)
    if handover := hand_over(account, place, actor=actor):
        changed += handover.changed
        note_handovers([handover], cause=place.cause, actor=actor)
        publish(handover.told, actor=actor)
    if changed:
        account.version += 1
        account.save()
        publish(told_of_change(account, changed), actor=actor)
    return account


def told_of_change(account: Account, changed: Sequence[str]) -> AccountChanged:
    """What others hear of a changed account."""
    return AccountChanged(account_id=account.pk, version=account.version, changed=tuple(changed))


def reassign_account(
    *,
    account_id: UUID,
    actor: Actor,
    owner_id: UUID | None = None,
    territory_id: UUID | None = None,
    reason: str = "",
) -> Account:
    """Hand one account over. Raises as `reassign_accounts`, and NotFound, AccountOutOfReach."""
    (result,) = reassign_accounts(
        ids=[account_id],
        owner_id=owner_id,
        territory_id=territory_id,
        reason=reason,
        actor=actor,
    )
    if result.refusal:
        raise result.refusal
    return Account.objects.get(pk=account_id)


@command
def reassign_accounts(
    *,
    ids: Sequence[UUID],
    owner_id: UUID | str | None = None,
    territory_id: UUID | str | None = None,
    reason: str = "",
    actor: Actor,
) -> list[RowResult]:
    """Hand accounts to another person, another territory or both; what is left out stays.

    Args:
        ids: the accounts.
        owner_id: who gets them.
        territory_id: where they go.
        reason: kept in the history.
        actor: needs `account:assign`.

    Raises:
        NotAllowed, InvalidInput, TerritoryInactive; what else is refused is told per account.
    """
    require(actor, ASSIGN_ACCOUNT)
    owner = check_owner(UUID(str(owner_id))) if owner_id else None
    territory = check_territory(UUID(str(territory_id))) if territory_id else None
    if owner is None and territory is None:
        raise InvalidInput("Give a territory, a person or both.", reason="nowhere_to_assign")
    cause = AssignmentPeriod.Cause.MANUAL
    handovers: list[Handover] = []

    def change(account: Account) -> Sequence[object]:
        place = Place(owner or account.owner_id, territory or account.territory_id, cause, reason)
        handover = hand_over(account, place, actor=actor)
        if handover is None:
            return []
        handovers.append(handover)
        account.version += 1
        return [handover.told, told_of_change(account, handover.changed)]

    results = _change_each(Account.objects.visible_to(actor), ids, change, actor)
    note_handovers(handovers, cause=cause, actor=actor)
    return results


def delete_account(*, account_id: UUID, actor: Actor) -> None:
    """Put one account into the bin. Raises NotFound, NotAllowed."""
    (result,) = delete_accounts(ids=[account_id], actor=actor)
    if result.refusal:
        raise result.refusal


@command
def delete_accounts(*, ids: Sequence[UUID], actor: Actor) -> list[RowResult]:
    """Put accounts into the bin, for thirty days. Raises NotAllowed."""
    require(actor, DELETE_ACCOUNT)

    def change(account: Account) -> Sequence[object]:
        return [put_in_bin(account, actor)]

    return _change_each(Account.objects.visible_to(actor), ids, change, actor)


def put_in_bin(account: Account, actor: Actor) -> AccountDeleted:
    """Mark a locked account as deleted, without saving it; answers with what others hear."""
    account.deleted_at, account.deleted_by_id = timezone.now(), actor.id
    account.version += 1
    return AccountDeleted(
        account_id=account.pk, owner_id=account.owner_id, territory_id=account.territory_id
    )


def restore_account(*, account_id: UUID, actor: Actor) -> Account:
    """Take one account out of the bin. Raises NotFound and as `restore_accounts`."""
    (result,) = restore_accounts(ids=[account_id], actor=actor)
    if result.refusal:
        raise result.refusal
    return Account.objects.get(pk=account_id)


@_looking_again
@command
def restore_accounts(*, ids: Sequence[UUID], actor: Actor) -> list[RowResult]:
    """Take accounts out of the bin.

    Raises NotAllowed; TooLateToRestore, AccountDomainTaken and AccountElsewhere are told per
    account.
    """
    require(actor, DELETE_ACCOUNT)
    restored: dict[str, UUID] = {}

    def change(account: Account) -> Sequence[object]:
        deleted_at = account.deleted_at
        if deleted_at is None or not rules.can_be_restored(deleted_at, timezone.now()):
            raise TooLateToRestore
        _check_domain(account, actor)
        if account.domain in restored:
            raise AccountDomainTaken(account_id=restored[account.domain])
        if account.domain:
            restored[account.domain] = account.pk
        account.deleted_at = account.deleted_by_id = None
        account.version += 1
        return [
            AccountRestored(
                account_id=account.pk,
                owner_id=account.owner_id,
                territory_id=account.territory_id,
            )
        ]

    return _change_each(Account.objects.with_bin().in_bin().visible_to(actor), ids, change, actor)


_CHANGEABLE = ("owner", "territory", "deleted_at", "deleted_by_id", "version", "updated_at")


def _change_each(
    rows: AccountQuerySet, ids: Sequence[UUID], change: Change, actor: Actor
) -> list[RowResult]:
    """Change accounts, locked in key order; a refused one leaves the others alone.

    `change` puts the change on the row and answers with its events, none where nothing changes,
    or raises a refusal.
    """
    locked = {account.pk: account for account in rows.with_ids(ids).lock()}
    results: list[RowResult] = []
    changed: list[Account] = []
    told: list[object] = []
    for account_id in ids:
        try:
            if account_id not in locked:
                raise NotFound
            heard = change(locked[account_id])
        except Refusal as refusal:
            results.append(RowResult(account_id, refusal))
            continue
        results.append(RowResult(account_id))
        if heard:
            locked[account_id].updated_at = timezone.now()
            changed.append(locked[account_id])
            told += heard
    if changed:
        Account.objects.with_bin().bulk_update(changed, _CHANGEABLE)
    publish(*told, actor=actor)
    return results


def match_account(*, name: str, domain: str, actor: Actor) -> Account | None:
    """The account within reach that a lead's company is: by domain, else by its exact name.

    Of several with the name, the one that was opened first. None where there is none.
    """
    within = Account.objects.visible_to(actor).order_by("created_at", "pk")
    host, key = rules.normalised_domain(domain), folded(name)
    found: Account | None = within.with_domain(host).first() if host else None
    if found is None and key:
        found = within.named(key).first()
    return found


def recognise_account(*, system: str, account_id: str, domain: str = "", actor: Actor) -> Account:
    """The account within reach that another system means, locked: by our id, by its own, else by
    domain.

    Of several with the id, the one that was opened first. Raises NotFound.
    """
    within = Account.objects.visible_to(actor).order_by("created_at", "pk")
    ours, host = identifier_in(account_id), rules.normalised_domain(domain)
    found = within.with_ids([ours]).first() if ours else None
    found = found or within.with_external_ids([(system, account_id)]).first()
    found = found or (within.with_domain(host).first() if host else None)
    if found is None:
        raise NotFound
    return account_in_hand(found.pk, actor=actor)


def account_in_hand(account_id: UUID, *, actor: Actor) -> Account:
    """An account within reach, locked until the transaction ends. Raises NotFound."""
    account: Account | None = (
        Account.objects.visible_to(actor)
        .select_for_update(of=("self",))
        .filter(pk=account_id)
        .first()
    )
    if account is None:
        raise NotFound
    return account


def _apply(account: Account, facts: Mapping[str, Any], actor: Actor) -> tuple[str, ...]:
    """Check facts and put them on the row; returns the names of those that changed."""
    cleaned = _cleaned(facts)
    changed = tuple(name for name, value in cleaned.items() if getattr(account, name) != value)
    for name in changed:
        setattr(account, name, cleaned[name])
    account.account_key = folded(account.name)
    if not account.account_key:
        raise InvalidInput.field("name", "An account has a name.")
    if "parent_account_id" in changed:
        _check_parent(account, actor)
    if "domain" in changed:
        _check_domain(account, actor)
    return changed


def _cleaned(facts: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = dict(facts)
    if cleaned.get("domain"):
        cleaned["domain"] = rules.normalised_domain(cleaned["domain"])
        if not cleaned["domain"]:
            raise InvalidInput.field("domain", "Give a domain such as acme.com.")
    if cleaned.get("country"):
        cleaned["country"] = country_code(cleaned["country"])
        if not cleaned["country"]:
            raise InvalidInput.field("country", "Give an ISO 3166 country code.")
    return cleaned


def _check_domain(account: Account, actor: Actor) -> None:
    """One live account per domain; the lock makes a second one with the same domain wait."""
    if not account.domain:
        return
    take_turn(f"account domain {account.domain}")
    other = Account.objects.with_domain(account.domain).exclude(pk=account.pk).first()
    if other is None:
        return
    if actor.reach.includes(owner_id=other.owner_id, territory_id=other.territory_id):
        raise AccountDomainTaken(account_id=other.pk)
    raise AccountElsewhere


def _check_parent(account: Account, actor: Actor) -> None:
    """The parent company is within reach and no daughter; one change of the tree at a time."""
    parent_id = account.parent_account_id
    if parent_id is None:
        return
    take_turn("account tree")
    if not Account.objects.visible_to(actor).filter(pk=parent_id).exists():
        raise InvalidInput.field("parent_account_id", "There is no such account.")
    every = Account.objects.with_bin()
    while parent_id is not None:
        if parent_id == account.pk:
            raise AccountTreeLoops
        parent_id = every.values_list("parent_account_id", flat=True).get(pk=parent_id)
