"""What is refused to partners and about them, and about webhooks."""

from __future__ import annotations

from apps.core.errors import Conflict, NotFound, NotSignedIn, RuleBroken, Unavailable


class SignatureRejected(NotSignedIn):
    """Nobody we know signed this now. Never says what is wrong with it."""

    reason = "signature_rejected"
    message = "This is not signed by a partner, or not within five minutes."


class PartnerPaused(Unavailable):
    """A partner's messages wait outside until somebody takes them in again."""

    reason = "partner_paused"
    message = "Messages are not taken in right now. Send it again later."


class PartnerKnown(Conflict):
    """Two partners would have the same key."""

    reason = "partner_known"
    message = "There already is a partner with this key."


class NotAMachineClient(RuleBroken):
    """Messages act in the name of a machine client."""

    reason = "not_a_machine_client"
    message = "Messages act in the name of a machine client: a person of role integration."


class NothingToHandle(RuleBroken):
    """What was handled, erased or dropped is not handled again."""

    reason = "nothing_to_handle"
    message = "Only a message that failed, and that is still there, can be handled again."


class WebhookNotFound(NotFound):
    """There is no such target."""

    reason = "webhook_not_found"
    message = "There is no such target."


class WebhookNameTaken(Conflict):
    """Two targets would be called the same."""

    reason = "webhook_name_taken"
    message = "Another target has this name."
