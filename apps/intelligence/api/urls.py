"""Addresses of models, and of what they say of deals."""

from django.urls import path

from apps.intelligence.api.models import (
    OpportunityScore,
    ScoreModelCollection,
    ScoreModelItem,
)
from apps.intelligence.api.suggestions import (
    LeadSuggestions,
    OpportunitySuggestions,
    SuggestionAcceptance,
    SuggestionCollection,
    SuggestionDismissal,
    SuggestionOutcomes,
)
from apps.intelligence.api.win_loss import WinLossView

urlpatterns = [
    path("intelligence/models", ScoreModelCollection.as_view()),
    path("intelligence/models/<uuid:model_id>", ScoreModelItem.as_view()),
    path("intelligence/suggestions", SuggestionCollection.as_view()),
    path("intelligence/suggestions/outcomes", SuggestionOutcomes.as_view()),
    path("intelligence/suggestions/<uuid:suggestion_id>/accept", SuggestionAcceptance.as_view()),
    path("intelligence/suggestions/<uuid:suggestion_id>/dismiss", SuggestionDismissal.as_view()),
    path("intelligence/win-loss", WinLossView.as_view()),
    path("leads/<uuid:lead_id>/suggestions", LeadSuggestions.as_view()),
    path("opportunities/<uuid:opportunity_id>/score", OpportunityScore.as_view()),
    path("opportunities/<uuid:opportunity_id>/suggestions", OpportunitySuggestions.as_view()),
]
