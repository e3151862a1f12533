"""Addresses of accounts and contacts."""

from django.urls import path

from apps.accounts.api.accounts import AccountCollection, AccountItem, AccountRestoration
from apps.accounts.api.contacts import ContactCollection, ContactItem

urlpatterns = [
    path("accounts", AccountCollection.as_view()),
    path("accounts/<uuid:account_id>", AccountItem.as_view()),
    path("accounts/<uuid:account_id>/restore", AccountRestoration.as_view()),
    path("accounts/<uuid:account_id>/contacts", ContactCollection.as_view()),
    path("accounts/<uuid:account_id>/contacts/<uuid:contact_id>", ContactItem.as_view()),
]
