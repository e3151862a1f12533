"""Whom somebody asks about, and what is held on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.core.actors import Actor
from apps.core.consents import consents_with
from apps.core.contact_points import email_key
from apps.core.errors import InvalidInput
from apps.core.models import Consent
from apps.core.permissions import READ_PERSON, require
from apps.core.personal_data import Person, holdings, person_of
from apps.privacy.errors import NothingHeld


@dataclass(frozen=True)
class Subject:
    """A person as somebody asks about them: by an address, or by a row about them."""

    email: str = ""
    kind: str = ""
    row_id: UUID | None = None

    @property
    def email_key(self) -> str:
        """The blind index of the address. Raises InvalidInput for what is none."""
        if not self.email:
            return ""
        if not (index := email_key(self.email)):
            raise InvalidInput.field("email", "Give an e-mail address such as jane@acme.com.")
        return index

    def found(self, *, lock: bool = False) -> Person:
        """Everything that is held on them. Raises InvalidInput, NothingHeld."""
        if not self.email and self.row_id is None:
            raise InvalidInput.field("email", "Name a person by an address or by an object.")
        if self.row_id is not None and self.kind not in holdings():
            raise InvalidInput.field("object", f"Rows about people are {', '.join(holdings())}.")
        person = person_of(email_key=self.email_key, kind=self.kind, row_id=self.row_id, lock=lock)
        if not person.rows:
            raise NothingHeld
        return person


@dataclass(frozen=True)
class Held:
    """What is held on a person: rows by kind, and what they agreed to."""

    rows: Mapping[str, Sequence[UUID]]
    consents: Sequence[Consent]


def held_on(subject: Subject, *, actor: Actor) -> Held:
    """What is held on a person. Raises NotAllowed, InvalidInput, NothingHeld."""
    require(actor, READ_PERSON)
    person = subject.found()
    return Held(person.ids, consents_with(person.email_keys))
