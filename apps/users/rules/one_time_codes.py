"""Codes of an authenticator (RFC 6238: SHA-1, six digits, 30 seconds) and recovery codes."""

from __future__ import annotations

import base64
import hmac
import secrets
from hashlib import sha256
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DRIFT = 1  # steps by which the clock of a telephone may be off
RECOVERY_CODES = 10


def fresh_secret() -> bytes:
    """What an authenticator and we have in common."""
    return secrets.token_bytes(20)


def written(secret: bytes) -> str:
    """A secret as people type it."""
    return base64.b32encode(secret).decode()


def address_of(secret: bytes, *, account: str, issuer: str) -> str:
    """What an authenticator reads from the picture."""
    label = quote(f"{issuer}:{account}")
    return f"otpauth://totp/{label}?{urlencode({'secret': written(secret), 'issuer': issuer})}"


def code_at(secret: bytes, step: int) -> str:
    """The code of a step of 30 seconds since 1970."""
    digest = hmac.digest(secret, step.to_bytes(8), "sha1")
    place = digest[-1] & 0x0F
    number = int.from_bytes(digest[place : place + 4]) & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def step_of(secret: bytes, code: str, *, now: float, after: int) -> int | None:
    """The step whose code this is; None when it is none near now, or not `after` the last used."""
    current = int(now) // STEP_SECONDS
    found = None
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def fresh_recovery_codes() -> tuple[str, ...]:
    """Codes for whoever lost the authenticator; each has 80 random bits."""
    made = (base64.b32encode(secrets.token_bytes(10)).decode() for _ in range(RECOVERY_CODES))
    return tuple(_grouped(one) for one in made)


def _grouped(text: str) -> str:
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4)).lower()


def recovery_digest(code: str) -> str:
    """What is kept of a recovery code, however it was typed."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return sha256(plain.encode()).hexdigest()
