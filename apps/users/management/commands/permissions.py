"""Shows which role holds which permission right now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.core.permissions import declared
from apps.users.models import Role
from apps.users.selectors import permission_matrix


class Command(BaseCommand):
    help = "Show the permission matrix in effect."

    def handle(self, *args: Any, **options: Any) -> None:
        matrix = permission_matrix()
        roles = Role.values
        self.stdout.write(f"{'permission':32}" + "".join(f"{role:>15}" for role in roles))
        for permission in declared():
            marks = "".join(
                f"{'yes' if permission.name in matrix.get(role, ()) else '-':>15}" for role in roles
            )
            self.stdout.write(f"{permission.name:32}{marks}   {permission.sentence}")
