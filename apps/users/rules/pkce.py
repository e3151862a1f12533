"""Proof that whoever exchanges a code is whoever asked for it (RFC 7636, S256)."""

from __future__ import annotations

import base64
import re
import secrets
from hashlib import sha256
from hmac import compare_digest

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def fresh_verifier() -> str:
    """A secret that only its maker knows."""
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    """What may be told of a verifier beforehand."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def proves(verifier: str, *, challenge: str) -> bool:
    """Whether a verifier is the one behind a challenge."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    return compare_digest(challenge_of(verifier), challenge)
