"""Addresses of models, and of what they say of deals."""

from django.urls import path

from apps.intelligence.api.models import (
    OpportunityScore,
    ScoreModelCollection,
    ScoreModelItem,
)
from apps.intelligence.api.winloss import WinLossView

urlpatterns = [
    path("intelligence/models", ScoreModelCollection.as_view()),
    path("intelligence/models/<uuid:model_id>", ScoreModelItem.as_view()),
    path("intelligence/win-loss", WinLossView.as_view()),
    path("opportunities/<uuid:opportunity_id>/score", OpportunityScore.as_view()),
]
