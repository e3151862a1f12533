"""Erasing people (GDPR 17, CCPA 1798.105), keeping the books: deals, amounts and companies stay."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.db.models import Q

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.data_keys import destroy_keys
from apps.core.errors import InvalidInput
from apps.core.history import erase_history_of, everything_audited
from apps.core.imports.erasing import erase_from_imports
from apps.core.journal import erase_words_about, publish
from apps.core.permissions import ERASE_PERSON, require
from apps.core.personal_data import Person, holdings
from apps.privacy.events import PersonErased
from apps.privacy.models import Erasure, Export
from apps.privacy.selectors import Held, Subject, held_on
from apps.privacy.services.exports import drop_files


def what_would_be_erased(*, subject: Subject, actor: Actor) -> Held:
    """What erasing a person would take. Raises NotAllowed, InvalidInput, NothingHeld."""
    require(actor, ERASE_PERSON)
    return held_on(subject, actor=actor)


@command
def erase_person(*, subject: Subject, reason: str, actor: Actor) -> Erasure:
    """Take a person out of everything for good: nothing tells any more whom its rows are about.

    Their names are emptied and their data keys destroyed, so that addresses and numbers are lost in
    rows, history and backups alike. What they wanted stays under their blind index: whoever brings
    the address back is told that it opted out.

    Args:
        subject: by an address or a row.
        reason: such as the number of their request.
        actor: needs `privacy:erase`.

    Raises:
        NotAllowed, InvalidInput, NothingHeld.
    """
    require(actor, ERASE_PERSON)
    if not reason.strip():
        raise InvalidInput.field("reason", "Say why, such as the number of the request.")
    person = _locked(subject)
    for kind, rows in person.rows.items():
        holdings()[kind].empty(rows)
    entries = sum(
        erase_history_of(kind=kind, row_ids=ids, actor=actor)
        for kind, ids in person.ids.items()
        if kind in everything_audited()
    )
    record_ids = [row_id for ids in person.ids.values() for row_id in ids]
    destroy_keys(person.data_keys)
    _drop_exports(person)
    erasure = Erasure(
        actor_id=actor.id,
        reason=reason.strip()[:255],
        email_keys=sorted(person.email_keys),
        rows=person.ids,
        imported_rows=erase_from_imports(record_ids=record_ids, email_keys=person.email_keys),
        history_entries=entries,
        events=erase_words_about(record_ids),
    )
    erasure.save(force_insert=True)
    publish(PersonErased(erasure_id=erasure.pk, record_ids=tuple(record_ids)), actor=actor)
    return erasure


def _locked(subject: Subject) -> Person:
    """The person, locked; looked for again, since a row may have come while we waited."""
    person = subject.found(lock=True)
    while (again := subject.found(lock=True)).ids != person.ids:
        person = again
    return person


def _drop_exports(person: Person) -> None:
    """Copies that were made for the person go, too."""
    ids = [row_id for of_kind in person.ids.values() for row_id in of_kind]
    about = Export.objects.filter(
        Q(email_key__in=person.email_keys) | Q(object_id__in=ids)
    ).exclude(file="")
    found = list(about.values_list("pk", flat=True))
    transaction.on_commit(partial(drop_files, Export.objects.filter(pk__in=found)))
