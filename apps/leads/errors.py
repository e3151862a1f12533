"""What is refused about leads."""

from __future__ import annotations

from uuid import UUID

from apps.core.errors import Conflict, RuleBroken


class DuplicateLead(Conflict):
    """An open lead with the same e-mail address exists."""

    reason = "duplicate_lead"

    @classmethod
    def of(cls, lead_id: UUID, *, is_visible: bool) -> DuplicateLead:
        """The refusal: it names the other lead only to somebody who may see it."""
        if is_visible:
            return cls("There already is an open lead with this e-mail.", existing_id=lead_id)
        return cls.elsewhere()

    @classmethod
    def elsewhere(cls) -> DuplicateLead:
        """The refusal where the other lead must not or can not be named."""
        return cls("There already is an open lead with this e-mail.", reason="duplicate_elsewhere")


class LeadMoveNotAllowed(RuleBroken):
    """A lead can't go from its status to that one."""

    reason = "lead_move_not_allowed"

    @classmethod
    def of(cls, *, current: str, requested: str, allowed: list[str]) -> LeadMoveNotAllowed:
        """The refusal, naming what would be allowed."""
        return cls(
            "Invalid lead status transition",
            current_status=current,
            requested_status=requested,
            allowed_statuses=allowed,
        )


class LeadNotReady(RuleBroken):
    """Facts are missing that a qualified lead must have."""

    reason = "lead_not_ready"


class LeadAlreadyConverted(Conflict):
    """The lead has become an opportunity before."""

    reason = "lead_already_converted"
    message = "The lead is already converted."


class LeadsNotMergeable(RuleBroken):
    """These leads can't be merged."""

    reason = "leads_not_mergeable"
