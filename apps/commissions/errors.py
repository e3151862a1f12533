"""What is refused about commissions."""

from __future__ import annotations

from apps.core.errors import Conflict, RuleBroken


class PlanNameTaken(Conflict):
    """A plan is known by its name."""

    reason = "plan_name_taken"
    message = "There is a plan of this name already."


class PlanIsRetired(RuleBroken):
    """Nobody new gets a plan of old."""

    reason = "plan_is_retired"
    message = "This plan is retired. Choose another one."


class OnPlanLater(Conflict):
    """Plans follow each other."""

    reason = "on_plan_later"
    message = "This person goes on a plan on that day or later already."
