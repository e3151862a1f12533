"""People as the platform keeps them: encrypted, each under a key of their own."""

from __future__ import annotations

import os
from typing import NamedTuple

from apps.core.encryption.ring import Cipher, blind_index, fresh_key, ring
from benchmarks.filling.text import identifier

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesplatform.settings.local")

KEY = 15


class Person(NamedTuple):
    """The columns of a lead that tell who it is, as COPY takes them, and the row of their key."""

    key: tuple[str, ...]
    key_id: str
    email: str
    email_key: str
    phone: str
    phone_key: str
    metadata: str


def person(lead: str, number: int, began: float, at: str, email: str, phone: str) -> Person:
    """Somebody with a fresh data key."""
    key = fresh_key()
    cipher = Cipher(key)
    key_id = identifier(KEY, number, began)

    def encrypted(column: str, clear: str) -> str:
        place = f"leads_lead.{column}:{lead}"
        return _bytes(cipher.encrypt(clear.encode(), place) if clear else b"")

    return Person(
        (key_id, at, _bytes(ring().wrap(key))),
        key_id,
        encrypted("email", email),
        blind_index("email", email.lower()),
        encrypted("phone", phone),
        blind_index("phone", phone),
        encrypted("metadata", '{"tags":["imported"]}'),
    )


def _bytes(raw: bytes) -> str:
    return f"\\\\x{raw.hex()}"
