"""Addresses of models, and of what they say of deals."""

from django.urls import path

from apps.intelligence.api.models import (
    OpportunityScore,
    ScoreModelCollection,
    ScoreModelItem,
    ScoreModelPublication,
    ScoreModelRetirement,
)

urlpatterns = [
    path("intelligence/models", ScoreModelCollection.as_view()),
    path("intelligence/models/<uuid:model_id>", ScoreModelItem.as_view()),
    path("intelligence/models/<uuid:model_id>/publish", ScoreModelPublication.as_view()),
    path("intelligence/models/<uuid:model_id>/retire", ScoreModelRetirement.as_view()),
    path("opportunities/<uuid:opportunity_id>/score", OpportunityScore.as_view()),
]
