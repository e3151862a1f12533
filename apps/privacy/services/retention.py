"""What is forgotten about people: copies of what is held on them, and people nobody works with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.core.actors import system_actor
from apps.core.commands import acting
from apps.core.personal_data import Person, holdings
from apps.core.retention import Due, forgets
from apps.privacy.selectors import Subject
from apps.privacy.services import exports  # noqa: F401  declares what it forgets
from apps.privacy.services.erasures import erase_person

REASON = "Kept for as long as the rules say."


@forgets(
    "privacy.people",
    "People nobody has worked with since: they are erased, the books stay",
    days=None,
)
def idle_people(before: datetime) -> Due:
    """People all of whose rows were left alone since a moment; one row in use keeps the person."""
    return IdlePeople(before)


@dataclass(frozen=True)
class IdlePeople:
    """People nobody has worked with since a moment, counted by the rows that name them."""

    before: datetime

    def count(self) -> int:
        """How many rows name them."""
        return sum(rows.count() for _, rows in self._rows())

    def forget(self) -> int:
        """Erase them one by one; returns how many rows named them."""
        return sum(
            self._erase(kind, row_id)
            for kind, rows in self._rows()
            for row_id in rows.values_list("pk", flat=True).iterator()
        )

    def _rows(self) -> Iterator[tuple[str, QuerySet[Any]]]:
        for kind, one in holdings().items():
            if one.idle is not None and one.has_address:
                named = one.model._base_manager.filter(one.idle(self.before))
                yield kind, self._unless_in_use(named.filter(data_key__destroyed_at=None))

    def _unless_in_use(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        for other in holdings().values():
            in_use = other.in_use(self.before)
            rows = rows.exclude(Exists(in_use.filter(data_key=OuterRef("data_key"))))
            if other.has_address:
                same = in_use.filter(email_key=OuterRef("email_key"))
                rows = rows.exclude(~Q(email_key="") & Exists(same))
        return rows

    def _erase(self, kind: str, row_id: UUID) -> int:
        """Erase whom a row is about, unless somebody was erased or worked with meanwhile."""
        actor = system_actor(door="clock")
        subject = Subject(kind=kind, row_id=row_id)
        with acting(actor):
            person = subject.found(lock=True)
            if not self._is_idle(person):
                return 0
            erase_person(subject=subject, reason=REASON, actor=actor)
            return len(person.rows[kind])

    def _is_idle(self, person: Person) -> bool:
        known = any(
            row.data_key.destroyed_at is None for rows in person.rows.values() for row in rows
        )
        return known and not any(
            holdings()[kind].in_use(self.before).filter(pk__in=ids).exists()
            for kind, ids in person.ids.items()
        )
