"""What is refused about models."""

from __future__ import annotations

from apps.core.errors import Conflict, RuleBroken


class AlreadyLearning(Conflict):
    """A score is learned once at a time."""

    reason = "already_learning"
    message = "This score is being learned already."


class ModelNotPublishable(RuleBroken):
    """Only what was better than the rules is published."""

    reason = "model_not_publishable"
    message = "Only a model that was better than what is known anyway can be published."


class ModelNotPublished(RuleBroken):
    """Only a published model can be retired."""

    reason = "model_not_published"
    message = "The model is not published."


class SuggestionOver(RuleBroken):
    """What ended is decided on no longer."""

    reason = "suggestion_over"
    message = "This is done already, or the deal is closed."


class DecidedOtherwise(Conflict):
    """Of two who decide on a suggestion, the first one counts."""

    reason = "decided_otherwise"
    message = "Somebody decided otherwise already."
