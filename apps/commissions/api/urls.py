"""Addresses of commissions."""

from django.urls import path

from apps.commissions.api.commissions import (
    CommissionCalculation,
    CommissionCollection,
    CommissionDeals,
)
from apps.commissions.api.plans import PlanCollection, PlanMembership, PlanRetirement

urlpatterns = [
    path("commissions", CommissionCollection.as_view()),
    path("commissions/calculate", CommissionCalculation.as_view()),
    path("commissions/deals", CommissionDeals.as_view()),
    path("commissions/plans", PlanCollection.as_view()),
    path("commissions/plans/<uuid:plan_id>/members", PlanMembership.as_view()),
    path("commissions/plans/<uuid:plan_id>/retire", PlanRetirement.as_view()),
]
