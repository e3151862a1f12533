"""What is refused about contracts."""

from __future__ import annotations

from apps.core.errors import Conflict, RuleBroken


class OpportunityNotWon(RuleBroken):
    """A contract follows a sale."""

    reason = "opportunity_not_won"
    message = "Only a won opportunity has a contract."


class ContractExists(Conflict):
    """A deal has one contract that stands."""

    reason = "contract_exists"
    message = "This opportunity has a contract already. Change that one instead."


class ContractIsVoid(RuleBroken):
    """The deal of a contract was taken up again."""

    reason = "contract_is_void"
    message = "The contract is void, since its opportunity was reopened."


class AcknowledgedOtherwise(Conflict):
    """One contract here is one contract there."""

    reason = "acknowledged_otherwise"
    message = "The contract, or this number, belongs to another one already."


class ScheduleMismatch(RuleBroken):
    """What is paid is what was sold."""

    reason = "schedule_mismatch"
    message = "The payments don't come to the amount of the contract."
