"""Accounts: opened, changed, deleted into the bin and restored, and found for a lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
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
from apps.accounts.permissions import DELETE_ACCOUNT, WRITE_ACCOUNT
from apps.accounts.services.assignment import Place, begin_period, first_place, hand_over
from apps.core.actors import Actor
from apps.core.errors import InvalidInput, NotFound, StaleVersion
from apps.core.journal import publish
from apps.core.permissions import require
from apps.core.places import country_code
from apps.territories.models import AssignmentPeriod
from apps.territories.rules import folded


@transaction.atomic
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
    begin_period(account, place, actor=actor)
    publish(
        AccountOpened(
            account_id=account.pk,
            name=account.name,
            domain=account.domain,
            owner_id=account.owner_id,
            territory_id=account.territory_id,
            parent_account_id=account.parent_account_id,
        ),
        actor=actor,
    )
    return account


@transaction.atomic
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
    changed = (*_apply(account, facts, actor), *hand_over(account, place, actor=actor))
    _keep(account, changed, actor)
    return account


@transaction.atomic
def reassign_account(
    *,
    account_id: UUID,
    actor: Actor,
    owner_id: UUID | None = None,
    territory_id: UUID | None = None,
    reason: str = "",
    cause: str = AssignmentPeriod.Cause.MANUAL,
) -> Account:
    """Hand an account to another person, another territory or both; what is left out stays.

    Raises NotFound, NotAllowed, InvalidInput, TerritoryInactive, AccountOutOfReach.
    """
    account = account_in_hand(account_id, actor=actor)
    place = Place(owner_id or account.owner_id, territory_id or account.territory_id, cause, reason)
    _keep(account, hand_over(account, place, actor=actor), actor)
    return account


@transaction.atomic
def delete_account(*, account_id: UUID, actor: Actor) -> Account:
    """Put an account into the bin, for thirty days. Raises NotFound, NotAllowed."""
    account = account_in_hand(account_id, actor=actor)
    require(actor, DELETE_ACCOUNT)
    account.deleted_at = timezone.now()
    account.deleted_by_id = actor.id
    account.version += 1
    account.save(update_fields=["deleted_at", "deleted_by_id", "version", "updated_at"])
    publish(
        AccountDeleted(
            account_id=account.pk, owner_id=account.owner_id, territory_id=account.territory_id
        ),
        actor=actor,
    )
    return account


@transaction.atomic
def restore_account(*, account_id: UUID, actor: Actor) -> Account:
    """Take an account out of the bin.

    Raises NotFound, NotAllowed, TooLateToRestore, AccountDomainTaken, AccountElsewhere.
    """
    account = (
        Account.objects.with_bin()
        .in_bin()
        .visible_to(actor)
        .select_for_update(of=("self",))
        .filter(pk=account_id)
        .first()
    )
    if account is None:
        raise NotFound
    require(actor, DELETE_ACCOUNT)
    if not rules.can_be_restored(account.deleted_at, timezone.now()):
        raise TooLateToRestore
    _check_domain(account, actor)
    account.deleted_at = account.deleted_by_id = None
    account.version += 1
    account.save(update_fields=["deleted_at", "deleted_by_id", "version", "updated_at"])
    publish(
        AccountRestored(
            account_id=account.pk, owner_id=account.owner_id, territory_id=account.territory_id
        ),
        actor=actor,
    )
    return account


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


def _keep(account: Account, changed: tuple[str, ...], actor: Actor) -> None:
    """Save what changed as the next version, and tell."""
    if not changed:
        return
    account.version += 1
    account.save()
    publish(
        AccountChanged(account_id=account.pk, version=account.version, changed=changed),
        actor=actor,
    )


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
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('account domain ' || %s, 0))",
            [account.domain],
        )
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
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('account tree', 0))")
    if not Account.objects.visible_to(actor).filter(pk=parent_id).exists():
        raise InvalidInput.field("parent_account_id", "There is no such account.")
    every = Account.objects.with_bin()
    while parent_id is not None:
        if parent_id == account.pk:
            raise AccountTreeLoops
        parent_id = every.values_list("parent_account_id", flat=True).get(pk=parent_id)
