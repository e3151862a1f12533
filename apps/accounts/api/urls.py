"""Addresses of accounts and contacts."""

from django.urls import path

from apps.accounts.api.accounts import (
    AccountBulkAssignment,
    AccountBulkDeletion,
    AccountBulkRestoration,
    AccountCollection,
    AccountItem,
    AccountRestoration,
)
from apps.accounts.api.contacts import ContactCollection, ContactItem, ContactRestoration
from apps.accounts.fields import ACCOUNTS
from apps.accounts.permissions import EXPORT_ACCOUNT
from apps.accounts.services.imports import ACCOUNT_IMPORTS
from apps.core.api.imports import export_address, import_addresses

IMPORT_TAGS = ("account imports",)
CONTACTS = "accounts/<uuid:account_id>/contacts"

urlpatterns = [
    path("accounts", AccountCollection.as_view()),
    export_address(ACCOUNTS, permission=EXPORT_ACCOUNT, tags=IMPORT_TAGS),
    *import_addresses(ACCOUNT_IMPORTS, tags=IMPORT_TAGS),
    path("accounts/bulk-assign", AccountBulkAssignment.as_view()),
    path("accounts/bulk-delete", AccountBulkDeletion.as_view()),
    path("accounts/bulk-restore", AccountBulkRestoration.as_view()),
    path("accounts/<uuid:account_id>", AccountItem.as_view()),
    path("accounts/<uuid:account_id>/restore", AccountRestoration.as_view()),
    path(CONTACTS, ContactCollection.as_view()),
    path(f"{CONTACTS}/<uuid:contact_id>", ContactItem.as_view()),
    path(f"{CONTACTS}/<uuid:contact_id>/restore", ContactRestoration.as_view()),
]
