"""Addresses of what customer experience and support say of accounts."""

from django.urls import path

from apps.customer_success.api.customers import (
    AccountCriticalTickets,
    AccountEscalations,
    AccountFeatureRequests,
    AccountHealth,
    AccountNps,
    AccountTickets,
    AccountUsage,
)

ACCOUNT = "accounts/<uuid:account_id>"

urlpatterns = [
    path(f"{ACCOUNT}/health", AccountHealth.as_view()),
    path(f"{ACCOUNT}/usage", AccountUsage.as_view()),
    path(f"{ACCOUNT}/nps", AccountNps.as_view()),
    path(f"{ACCOUNT}/tickets", AccountTickets.as_view()),
    path(f"{ACCOUNT}/tickets/critical", AccountCriticalTickets.as_view()),
    path(f"{ACCOUNT}/escalations", AccountEscalations.as_view()),
    path(f"{ACCOUNT}/feature-requests", AccountFeatureRequests.as_view()),
]
