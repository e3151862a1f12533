"""Addresses of contracts."""

from django.urls import path

from apps.contracts.api.contracts import (
    ContractAcknowledgement,
    ContractCollection,
    ContractItem,
    OpportunityContracts,
    SaleAcknowledged,
)

urlpatterns = [
    path("contracts", ContractCollection.as_view()),
    path("contracts/sales", SaleAcknowledged.as_view()),
    path("contracts/<uuid:contract_id>", ContractItem.as_view()),
    path("contracts/<uuid:contract_id>/acknowledge", ContractAcknowledgement.as_view()),
    path("opportunities/<uuid:opportunity_id>/contracts", OpportunityContracts.as_view()),
]
