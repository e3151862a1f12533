"""Addresses of forecasts."""

from django.urls import path

from apps.forecasts.api.accuracy import AccuracyPeriods, ForecastAccuracy
from apps.forecasts.api.changes import ForecastChanges, ForecastChangesDeals
from apps.forecasts.api.finance import ReportCollection, ReportFile, ReportPage
from apps.forecasts.api.forecasts import (
    AdjustmentCollection,
    ForecastAdjustments,
    ForecastCollection,
    PeriodDeals,
    PeriodForecasts,
)
from apps.forecasts.api.roll_up import ForecastRollUp

urlpatterns = [
    path("forecasts", ForecastCollection.as_view()),
    path("forecasts/accuracy", ForecastAccuracy.as_view()),
    path("forecasts/accuracy/periods", AccuracyPeriods.as_view()),
    path("forecasts/changes", ForecastChanges.as_view()),
    path("forecasts/changes/deals", ForecastChangesDeals.as_view()),
    path("forecasts/reports", ReportCollection.as_view()),
    path("forecasts/reports/<uuid:report_id>", ReportPage.as_view()),
    path(
        "forecasts/reports/<uuid:report_id>/export.<file_format:file_format>",
        ReportFile.as_view(),
    ),
    path("forecasts/adjustments", AdjustmentCollection.as_view()),
    path("forecasts/<uuid:forecast_id>/adjustments", ForecastAdjustments.as_view()),
    path("forecasts/<str:period>", PeriodForecasts.as_view()),
    path("forecasts/<str:period>/rollup", ForecastRollUp.as_view()),
    path("forecasts/<str:period>/deals", PeriodDeals.as_view()),
]
