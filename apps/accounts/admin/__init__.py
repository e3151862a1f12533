"""Pages of accounts, of the people there, and of imported files."""

from apps.accounts.admin import accounts, contacts, imports  # noqa: F401  register themselves
