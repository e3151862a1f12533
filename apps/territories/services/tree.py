"""The tree of territories and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.permissions import require
from apps.core.places import country_code
from apps.territories.errors import TerritoryNameTaken, TerritoryTreeLoops
from apps.territories.events import TerritoryCreated, TerritoryUpdated
from apps.territories.models import Territory
from apps.territories.permissions import WRITE_TERRITORY
from apps.territories.rules import is_zip_pattern
from apps.territories.selectors import make_reach_stale
from apps.users.models import User


@command
def draw_territory(*, actor: Actor, **facts: Any) -> Territory:
    """Add a territory to the tree, with its rules.

    Args:
        actor: needs `territory:write`, and the parent within reach.
        facts: the columns of `Territory` (sales-system-architecture, Territory Schema);
            `owner_id` and `parent_territory_id` by id.

    Raises:
        NotAllowed, InvalidInput, TerritoryNameTaken.
    """
    require(actor, WRITE_TERRITORY)
    _lock_tree()
    territory = Territory()
    _apply(territory, facts, actor)
    territory.save(force_insert=True)
    publish(
        TerritoryCreated(
            territory_id=territory.pk,
            name=territory.name,
            type=territory.type,
            owner_id=territory.owner_id,
            parent_territory_id=territory.parent_territory_id,
        ),
        actor=actor,
    )
    transaction.on_commit(make_reach_stale, robust=True)
    return territory


@command
def redraw_territory(*, territory_id: UUID, actor: Actor, **facts: Any) -> Territory:
    """Change a territory's place, owner or rules; what already lies in it stays.

    Raises NotFound, NotAllowed, InvalidInput, TerritoryNameTaken, TerritoryTreeLoops.
    """
    _lock_tree()
    territory = (
        Territory.objects.visible_to(actor).select_for_update().filter(pk=territory_id).first()
    )
    if territory is None:
        raise NotFound
    require(actor, WRITE_TERRITORY)
    changed = _apply(territory, facts, actor)
    if changed:
        territory.save()
        publish(TerritoryUpdated(territory_id=territory.pk, changed=tuple(changed)), actor=actor)
        transaction.on_commit(make_reach_stale, robust=True)
    return territory


def _lock_tree() -> None:
    """One change of the tree at a time: two moves at once could close a loop."""
    take_turn("territory tree")


def _apply(territory: Territory, facts: Mapping[str, Any], actor: Actor) -> list[str]:
    """Check facts and put them on the row; returns the names of those that changed."""
    cleaned = dict(facts)
    _check_references(territory, cleaned, actor)
    _check_rules(cleaned)
    changed = []
    for name, value in cleaned.items():
        if getattr(territory, name) != value:
            setattr(territory, name, value)
            changed.append(name)
    _check_bounds(territory)
    _check_name(territory)
    return changed


def _check_references(territory: Territory, facts: dict[str, Any], actor: Actor) -> None:
    owner_id = facts.get("owner_id")
    if owner_id is not None and not User.objects.active().filter(pk=owner_id).exists():
        raise InvalidInput.field("owner_id", "There is no such person.")
    parent_id = facts.get("parent_territory_id")
    if parent_id is None:
        return
    if not Territory.objects.visible_to(actor).filter(pk=parent_id).exists():
        raise InvalidInput.field("parent_territory_id", "There is no such territory.")
    ancestors: set[UUID] = set()
    while parent_id is not None and parent_id not in ancestors:
        if parent_id == territory.pk:
            raise TerritoryTreeLoops
        ancestors.add(parent_id)
        parent_id = Territory.objects.values_list("parent_territory_id", flat=True).get(
            pk=parent_id
        )


def _check_rules(facts: dict[str, Any]) -> None:
    if "countries" in facts:
        codes = [country_code(text) for text in facts["countries"]]
        if "" in codes:
            raise InvalidInput.field("countries", "Give ISO 3166 country codes.")
        facts["countries"] = codes
    for pattern in facts.get("zip_codes", ()):
        if not is_zip_pattern(pattern):
            raise InvalidInput.field(
                "zip_codes", f"{pattern} is neither exact, nor a prefix 941*, nor 94100-94199."
            )


def _check_bounds(territory: Territory) -> None:
    for name in ("employee_count", "annual_revenue"):
        low, high = getattr(territory, f"min_{name}"), getattr(territory, f"max_{name}")
        if low is not None and high is not None and low > high:
            raise InvalidInput.field(f"min_{name}", "The lower bound is above the upper one.")


def _check_name(territory: Territory) -> None:
    siblings = Territory.objects.filter(
        parent_territory_id=territory.parent_territory_id, name=territory.name
    )
    if siblings.exclude(pk=territory.pk).exists():
        raise TerritoryNameTaken
