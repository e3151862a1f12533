"""Pages of score models, of what is suggested, and of what wins deals."""

from apps.intelligence.admin import (  # noqa: F401  register themselves
    score_models,
    suggestions,
    win_loss,
)
