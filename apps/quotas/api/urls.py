"""Addresses of quotas."""

from django.urls import path

from apps.quotas.api.plan import QuotaPlanView
from apps.quotas.api.quotas import (
    CreditCollection,
    QuotaAllocation,
    QuotaAttainment,
    QuotaCollection,
    QuotaItem,
)
from apps.quotas.api.revenue import PeriodRevenue

urlpatterns = [
    path("quotas", QuotaCollection.as_view()),
    path("quotas/allocate", QuotaAllocation.as_view()),
    path("quotas/attainment", QuotaAttainment.as_view()),
    path("quotas/credits", CreditCollection.as_view()),
    path("quotas/plan", QuotaPlanView.as_view()),
    path("quotas/<uuid:quota_id>", QuotaItem.as_view()),
    path("revenue/<str:period>", PeriodRevenue.as_view()),
]
