"""What a password may look like, beside Django's own rules."""

from __future__ import annotations

from django.core.exceptions import ValidationError


class MaximumLength:
    """Refuses passwords so long that hashing them would keep a server busy."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def validate(self, password: str, user: object = None) -> None:
        """Raises ValidationError for one that is too long."""
        if len(password) > self.max_length:
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self) -> str:
        """What people are told."""
        return f"A password has at most {self.max_length} characters."
