"""How long what is kept for: declared by the apps, changed by the business, carried out at night.

An app says what it forgets and after how many days out of the box; None keeps it for good:

    @forgets("core.idempotency_keys", "Keys under which clients repeat a request", days=2)
    def old_keys(before: datetime) -> Due:
        return Rows(IdempotencyKey.objects.filter(created_at__lt=before))

The rules that sales operations change are rows of `RetentionRule`, from a moment on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Protocol

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import RetentionRule
from apps.core.partitions import ByMonth, month_of, months_of
from apps.core.permissions import MANAGE_SYSTEM, require

log = logging.getLogger(__name__)


class Due(Protocol):
    """What has been kept long enough."""

    def count(self) -> int:
        """How much it is."""

    def forget(self) -> int:
        """Drop it, in steps that each happen whole or not at all; returns how much it was."""


@dataclass(frozen=True)
class Rows:
    """Rows that have been kept long enough, dropped in batches.

    What lies outside the database goes first (`along`, by the rows' keys): whoever is killed in
    between finds the rows again. `at_once` is how many go in one transaction.
    """

    due: QuerySet[Any]
    along: Callable[[Sequence[Any]], None] | None = None
    at_once: int = 1000

    def count(self) -> int:
        """How many there are."""
        return self.due.count()

    def forget(self) -> int:
        """Drop them batch by batch; rows that somebody holds are left for the next night."""
        found = self.due.values_list("pk", flat=True).iterator(chunk_size=self.at_once)
        forgotten = 0
        while keys := list(islice(found, self.at_once)):
            forgotten += self._forget(keys)
        return forgotten

    @transaction.atomic
    def _forget(self, keys: Sequence[Any]) -> int:
        rows = self.due.filter(pk__in=keys).select_for_update(of=("self",), skip_locked=True)
        still_due = list(rows.values_list("pk", flat=True))
        if self.along and still_due:
            self.along(still_due)
        self.due.model._base_manager.filter(pk__in=still_due).delete()
        return len(still_due)


@dataclass(frozen=True)
class Months:
    """Months of a table that have been kept long enough: detached one by one, never dropped."""

    due: Sequence[date]
    detach: Callable[[date], str]

    def count(self) -> int:
        """How many there are."""
        return len(self.due)

    def forget(self) -> int:
        """Detach them; returns how many they were."""
        return sum(bool(self.detach(month)) for month in self.due)


def months_over(kept: ByMonth, before: datetime) -> list[date]:
    """The months of a table that were over by a moment, oldest first."""
    return [month for month in months_of(kept) if month_of(month, later=1) <= before.date()]


@dataclass(frozen=True)
class Kept:
    """Something that is kept for a time. `days` is how long out of the box."""

    name: str
    sentence: str
    days: int | None
    due: Callable[[datetime], Due]

    @property
    def app(self) -> str:
        """The app whose it is."""
        return self.name.partition(".")[0]


_declared: dict[str, Kept] = {}


def forgets(
    name: str, sentence: str, *, days: int | None
) -> Callable[[Callable[[datetime], Due]], Callable[[datetime], Due]]:
    """Declare a function that finds what was kept long enough before a moment."""

    def register(due: Callable[[datetime], Due]) -> Callable[[datetime], Due]:
        _declared[name] = Kept(name, sentence, days, due)
        return due

    return register


def everything_kept() -> tuple[Kept, ...]:
    """Whatever is kept for a time, by name."""
    return tuple(_declared[name] for name in sorted(_declared))


def days_kept() -> dict[str, int | None]:
    """For how many days each is kept today: by the latest rule in effect, else out of the box."""
    days = {one.name: one.days for one in everything_kept()}
    rules = RetentionRule.objects.filter(effective_from__lte=timezone.now())
    days.update(rules.order_by("effective_from").values_list("name", "days"))
    return days


@command
def keep_for(*, name: str, days: int | None, actor: Actor) -> RetentionRule:
    """Keep something for so many days from now on, or for good. Raises NotAllowed, NotFound,
    InvalidInput.
    """
    require(actor, MANAGE_SYSTEM)
    if name not in _declared:
        raise NotFound(f"Nothing called {name} is kept.", reason="retention_not_found")
    if days is not None and not 1 <= days <= RetentionRule.LONGEST:
        raise InvalidInput.field("days", f"Keep it from 1 to {RetentionRule.LONGEST} days.")
    return RetentionRule.objects.create(
        name=name, days=days, effective_from=timezone.now(), set_by_id=actor.id
    )


def due_now(kept: Kept, days: int | None, now: datetime) -> Due | None:
    """What has been kept for so many days; None where it is kept for good."""
    return None if days is None else kept.due(now - timedelta(days=days))


def forget_what_is_due(app: str, *, now: datetime) -> dict[str, int]:
    """Drop what an app has kept long enough; returns how much of each.

    Whatever fails is left for the next night and holds up nothing else.
    """
    forgotten = {}
    days = days_kept()
    for one in everything_kept():
        if one.app != app:
            continue
        try:
            due = due_now(one, days[one.name], now)
            if due is not None:
                forgotten[one.name] = due.forget()
        except Exception:
            log.exception("%s could not be forgotten", one.name)
    log.info("forgotten: %s", forgotten)
    return forgotten
