"""Addresses of the platform itself."""

from django.urls import path

from apps.core.api.audit import Accesses, Changes
from apps.core.api.exchange_rates import ExchangeRateCollection
from apps.core.api.system import JobCancellation, JobItem

urlpatterns = [
    path("audit/accesses", Accesses.as_view()),
    path("audit/changes", Changes.as_view()),
    path("exchange-rates", ExchangeRateCollection.as_view()),
    path("jobs/<uuid:job_id>", JobItem.as_view()),
    path("jobs/<uuid:job_id>/cancel", JobCancellation.as_view()),
]
