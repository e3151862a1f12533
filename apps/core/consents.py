"""What people agreed to: noted with where they said it, kept for good, counted by the latest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.contact_points import email_key
from apps.core.errors import InvalidInput
from apps.core.events import event
from apps.core.journal import publish
from apps.core.models import Consent
from apps.core.permissions import READ_CONSENT, WRITE_CONSENT, require

# SQL over the row `t` of a person: whether they want their data neither sold nor shared (CCPA).
OPTED_OUT_OF_SALE = """
coalesce((SELECT NOT c.is_given FROM core_consent c
          WHERE c.email_key = t.email_key AND c.purpose = 'sale' ORDER BY c.id DESC LIMIT 1), FALSE)
"""


@event("consent.noted", topic="sales.privacy", about="consent_id")
@dataclass(frozen=True, kw_only=True)
class ConsentNoted:
    """Somebody agreed to a use of their data, or refused it."""

    consent_id: UUID
    purpose: str
    is_given: bool


@command
def note_consent(*, email: str, purpose: str, is_given: bool, source: str, actor: Actor) -> Consent:
    """Note that a person agreed to a use of their data, or refused it.

    Args:
        email: an address of theirs; it holds for every record that has it, those to come too.
        purpose: one of `Consent.Purpose`.
        is_given: False refuses; for `sale` that is the opt-out of the CCPA.
        source: where they said so.
        actor: needs `consent:write`.

    Raises:
        NotAllowed, InvalidInput.
    """
    require(actor, WRITE_CONSENT)
    return keep_consent(email=email, purpose=purpose, is_given=is_given, source=source, actor=actor)


def keep_consent(*, email: str, purpose: str, is_given: bool, source: str, actor: Actor) -> Consent:
    """The same for somebody who may write to the person's record. In their transaction."""
    if not (index := email_key(email)):
        raise InvalidInput.field("email", "Give an e-mail address such as jane@acme.com.")
    if purpose not in Consent.Purpose.values:
        raise InvalidInput.field("purpose", f"Choose one of {', '.join(Consent.Purpose.values)}.")
    consent = Consent(
        email_key=index,
        purpose=purpose,
        is_given=is_given,
        source=source[:255],
        actor_id=actor.id,
    )
    consent.save(force_insert=True)
    publish(ConsentNoted(consent_id=consent.pk, purpose=purpose, is_given=is_given), actor=actor)
    return consent


def consents_of(email: str, *, actor: Actor) -> Sequence[Consent]:
    """What somebody agreed to and refused, the latest first. Raises NotAllowed, InvalidInput."""
    require(actor, READ_CONSENT)
    if not (index := email_key(email)):
        raise InvalidInput.field("email", "Give an e-mail address such as jane@acme.com.")
    return consents_with({index})


def consents_with(email_keys: Collection[str]) -> Sequence[Consent]:
    """What whoever has these blind indexes agreed to and refused, the latest first."""
    return list(Consent.objects.filter(email_key__in=email_keys).order_by("-id"))
