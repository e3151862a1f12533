"""Addresses of territories."""

from django.urls import path

from apps.territories.api.access import AccessExplanation
from apps.territories.api.territories import (
    TerritoryCollection,
    TerritoryConflicts,
    TerritoryItem,
    TerritoryMatch,
)

urlpatterns = [
    path("access/explain", AccessExplanation.as_view()),
    path("territories", TerritoryCollection.as_view()),
    path("territories/match", TerritoryMatch.as_view()),
    path("territories/conflicts", TerritoryConflicts.as_view()),
    path("territories/<uuid:territory_id>", TerritoryItem.as_view()),
]
