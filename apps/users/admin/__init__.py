"""Pages of people, rights, keys and applications."""

from apps.users.admin import clients, people  # noqa: F401  register themselves
