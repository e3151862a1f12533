"""Pages of score models and of what is suggested."""

from apps.intelligence.admin import score_models, suggestions  # noqa: F401  register themselves
