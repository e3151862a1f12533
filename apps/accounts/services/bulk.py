"""What can be done to many accounts at once: the same services as for one."""

from __future__ import annotations

from apps.accounts.fields import ACCOUNTS
from apps.accounts.services.accounts import delete_accounts, reassign_accounts, restore_accounts
from apps.core.bulk import BulkOperation

BULK_OPERATIONS = {
    "assign": BulkOperation("accounts.bulk_assign", ACCOUNTS, reassign_accounts),
    "delete": BulkOperation("accounts.bulk_delete", ACCOUNTS, delete_accounts),
    "restore": BulkOperation("accounts.bulk_restore", ACCOUNTS, restore_accounts),
}
