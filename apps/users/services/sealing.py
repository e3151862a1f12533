"""Secrets at rest: AES-256-GCM, each bound to the place where it stands."""

from __future__ import annotations

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE_BYTES = 12


def seal(secret: bytes, *, place: str) -> bytes:
    """A secret as it may be kept; it opens only with the same `place`."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher().encrypt(nonce, secret, place.encode())


def unseal(sealed: bytes, *, place: str) -> bytes:
    """The secret. Raises ValueError when it was changed or belongs elsewhere."""
    try:
        return _cipher().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
    except InvalidTag:
        raise ValueError("This was not sealed here, or with another key.") from None


def _cipher() -> AESGCM:
    return AESGCM(base64.b64decode(settings.SEALING_KEY))
