"""What is refused about opportunities."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.core.errors import Conflict, RuleBroken


class StageMoveNotAllowed(RuleBroken):
    """A deal can't go from its stage to that one."""

    reason = "stage_move_not_allowed"

    @classmethod
    def of(cls, *, current: str, requested: str, allowed: Sequence[str]) -> StageMoveNotAllowed:
        """The refusal, as in sales-system-integrations, Standard Error Response."""
        return cls(
            "Invalid opportunity stage transition",
            current_stage=current,
            requested_stage=requested,
            allowed_stages=list(allowed),
        )


class StageFactsMissing(RuleBroken):
    """Facts are missing that a deal must have in a stage."""

    reason = "stage_facts_missing"

    @classmethod
    def of(cls, *, stage: str, missing: Sequence[str]) -> StageFactsMissing:
        """The refusal, naming every fact."""
        return cls(
            f"Complete {', '.join(missing)} first.",
            stage=stage,
            missing_fields=list(missing),
            fields={name: [f"Needed in the stage {stage}."] for name in missing},
        )


class OpportunityIsClosed(RuleBroken):
    """A won or lost deal keeps what its results were counted from."""

    reason = "opportunity_is_closed"
    message = "The opportunity is closed. Reopen it first."


class OpportunityIsOpen(RuleBroken):
    """Only a won or lost deal can be reopened."""

    reason = "opportunity_is_open"
    message = "The opportunity is open."


class WonOpportunityKept(RuleBroken):
    """A won deal is not deleted."""

    reason = "won_opportunity_kept"
    message = "A won opportunity can't be deleted. Reopen it first."


class OpportunityNotInBin(RuleBroken):
    """Only what was deleted can be restored."""

    reason = "opportunity_not_in_bin"
    message = "The opportunity is not in the bin."


class OpportunityOutOfReach(RuleBroken):
    """Handing over between teams is for whoever oversees both."""

    reason = "opportunity_out_of_reach"
    message = "You would not see the opportunity any more. Ask somebody who oversees both sides."


class OpportunityKnown(Conflict):
    """Another deal has the id by which one is known elsewhere; `opportunity_id` names the one
    within reach."""

    reason = "opportunity_known"
    message = "There already is an opportunity with this id."

    @classmethod
    def of(cls, opportunity_id: UUID, *, is_visible: bool) -> OpportunityKnown:
        """The refusal: it names the other deal only to somebody who may see it."""
        if is_visible:
            return cls(opportunity_id=opportunity_id)
        return cls("Somebody else already works this opportunity.", reason="duplicate_elsewhere")


class StageNotImported(RuleBroken):
    """A deal that is there already is moved, not imported into another stage."""

    reason = "stage_not_imported"

    @classmethod
    def of(cls, *, current: str, stated: str) -> StageNotImported:
        """The refusal, with where it stands and what the file says."""
        return cls(
            f"The opportunity stands in {current}, the file says {stated}. Move it instead.",
            current_stage=current,
            requested_stage=stated,
        )


class OpportunityInUse(Conflict):
    """What goes by a deal, such as a contract, would be left without it."""

    reason = "opportunity_in_use"
    message = "Something goes by the opportunity by now, such as a contract."
