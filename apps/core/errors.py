"""What the platform refuses, in words every door can show.

A refusal carries a machine-readable `reason`, a sentence for a person and details. Domain code
raises these and never mentions HTTP; each kind of door maps them once.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Refusal(Exception):
    """An operation that was not carried out. Nothing has changed."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    reason: str = "refused"
    message: str = "This is not possible."

    def __init__(self, message: str = "", *, reason: str = "", **details: Any) -> None:
        self.message = message or self.message
        self.reason = reason or self.reason
        self.details = details
        super().__init__(self.message)


class InvalidInput(Refusal):
    """What was sent can't be understood. `fields` names each wrong field and why."""

    code = "VALIDATION_ERROR"
    reason = "invalid_input"
    message = "The request is not valid."

    @classmethod
    def field(cls, name: str, sentence: str) -> InvalidInput:
        """The refusal for one field."""
        return cls(f"{name}: {sentence}", fields={name: [sentence]})


class RuleBroken(Refusal):
    """Understood, but a rule of the business forbids it."""

    code = "VALIDATION_ERROR"
    reason = "rule_broken"


class NotSignedIn(Refusal):
    """Nobody is known to be asking."""

    code = "UNAUTHORIZED"
    reason = "not_signed_in"
    message = "Sign in first."


class NotAllowed(Refusal):
    """The actor lacks the permission."""

    code = "FORBIDDEN"
    reason = "not_allowed"
    message = "You are not allowed to do this."


class NotFound(Refusal):
    """There is no such thing within the actor's reach."""

    code = "NOT_FOUND"
    reason = "not_found"
    message = "There is nothing here."


class Conflict(Refusal):
    """It collides with what is already there."""

    code = "CONFLICT"
    reason = "conflict"


class StaleVersion(Conflict):
    """Somebody else changed the record since it was read."""

    reason = "stale_version"
    message = "The record has changed since you read it."


class TooLarge(Refusal):
    """More than the platform takes in one request."""

    code = "PAYLOAD_TOO_LARGE"
    reason = "too_large"
    message = "This is larger than allowed."


class TakesTooLong(Refusal):
    """PostgreSQL gave the question up, or waited too long for somebody else."""

    code = "SERVICE_UNAVAILABLE"
    reason = "takes_too_long"
    message = "This takes too long. Ask for less, or try again shortly."


class Unavailable(Refusal):
    """A part the operation needs does not answer right now."""

    code = "SERVICE_UNAVAILABLE"
    reason = "unavailable"
    message = "A part of the platform is not available right now. Try again shortly."
