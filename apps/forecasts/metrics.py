"""Gauges of forecasts."""

from __future__ import annotations

from prometheus_client import Gauge

forecast_computed_at = Gauge(
    "salesplatform_forecast_computed_at_seconds",
    "When forecasts were last computed, in seconds since 1970; their age is now minus this",
    ["occasion"],
    multiprocess_mode="max",
)
