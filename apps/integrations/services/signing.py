"""Secrets that messages are signed with: given, replaced, and opened."""

from __future__ import annotations

import secrets
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from apps.integrations.models.signing import Signing
from apps.users.services.sealing import seal, unseal

SECRET_BYTES = 32
FORMER_SECRET_WORKS_FOR = timedelta(hours=24)
Owner = TypeVar("Owner", bound=Signing)


@dataclass(frozen=True)
class IssuedSecret(Generic[Owner]):
    """A row with its secret, which nobody can show again."""

    owner: Owner
    text: str


def give_secret(owner: Owner) -> IssuedSecret[Owner]:
    """Put a fresh secret on a row, not written yet."""
    secret = secrets.token_bytes(SECRET_BYTES)
    owner.secret = seal(secret, place=_place(owner))
    return IssuedSecret(owner, f"whsec_{b64encode(secret).decode()}")


def replace_secret(owner: Owner, now: datetime) -> tuple[IssuedSecret[Owner], datetime]:
    """Put a fresh secret on a row, not written yet; returns until when the former one works."""
    former_until = now + FORMER_SECRET_WORKS_FOR
    owner.former_secret, owner.former_until = bytes(owner.secret), former_until
    return give_secret(owner), former_until


def secrets_of(owner: Signing, now: datetime) -> list[bytes]:
    """The secrets that work at a moment, the newest first."""
    sealed = [owner.secret]
    if owner.former_secret and owner.former_until and now < owner.former_until:
        sealed.append(owner.former_secret)
    return [unseal(bytes(one), place=_place(owner)) for one in sealed]


def _place(owner: Signing) -> str:
    return f"{owner._meta.model_name} {owner.pk}"
