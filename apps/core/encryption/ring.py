"""The keys of the installation, and what they do: wrap data keys, and index blindly.

`ENCRYPTION_KEYS` holds one or more as `number:key`, separated by spaces; the first wraps, all of
them unwrap. `ENCRYPTION_CUSTODY` names the function that makes a usable key of a kept one, such as
by asking AWS KMS; without it they are kept as they are.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.utils.module_loading import import_string

KEY_BYTES = 32
NONCE_BYTES = 12
LARGEST_NUMBER = 255
# 120 bits: two of a billion values are never alike by chance.
INDEX_BYTES = 15


class Undecipherable(ValueError):
    """What stands there was changed, belongs elsewhere, or its key is none of ours."""


@dataclass(frozen=True)
class Cipher:
    """A data key at work."""

    key: bytes = field(repr=False)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self.key)

    def encrypt(self, clear: bytes, place: str) -> bytes:
        """What may be kept. It can be read only in the same place, such as a column of a row."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, clear, place.encode())

    def decrypt(self, kept: bytes, place: str) -> bytes:
        """What was encrypted for this place. Raises Undecipherable."""
        try:
            return self._cipher.decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise Undecipherable(f"{place} can't be read with its key.") from None


@dataclass(frozen=True)
class KeyRing:
    """The keys that wrap data keys, by number; the first one is in use."""

    in_use: int
    keys: Mapping[int, bytes] = field(repr=False)

    @classmethod
    def of(cls, text: str, unlock: Callable[[bytes], bytes] = bytes) -> KeyRing:
        """The ring as settings hold it. Raises ValueError in words.

        Args:
            text: `number:key`, the key in base64, separated by white space.
            unlock: what makes a usable key of a kept one.
        """
        keys: dict[int, bytes] = {}
        for entry in text.split():
            number, _, encoded = entry.partition(":")
            if not number.isdecimal() or not 1 <= int(number) <= LARGEST_NUMBER:
                raise ValueError(f"keys are numbered from 1 to {LARGEST_NUMBER}")
            keys[int(number)] = key_of(encoded, unlock)
        if not keys:
            raise ValueError("there is no key")
        if len(keys) != len(text.split()):
            raise ValueError("two keys have the same number")
        return cls(next(iter(keys)), keys)

    @cached_property
    def _ciphers(self) -> dict[int, AESGCM]:
        return {number: AESGCM(key) for number, key in self.keys.items()}

    def wrap(self, key: bytes) -> bytes:
        """A data key as it may be kept: the number of our key, and the rest under it."""
        nonce = os.urandom(NONCE_BYTES)
        return bytes((self.in_use,)) + nonce + self._ciphers[self.in_use].encrypt(nonce, key, None)

    def unwrap(self, wrapped: bytes) -> bytes:
        """The data key. Raises Undecipherable."""
        try:
            cipher, end = self._ciphers[wrapped[0]], 1 + NONCE_BYTES
            return cipher.decrypt(wrapped[1:end], wrapped[end:], None)
        except (KeyError, IndexError, InvalidTag, ValueError):
            raise Undecipherable("The data key is wrapped by none of our keys.") from None

    def cipher(self, wrapped: bytes) -> Cipher:
        """A wrapped data key, ready to work. Raises Undecipherable."""
        return Cipher(self.unwrap(wrapped))


def fresh_key() -> bytes:
    """A new random key."""
    return os.urandom(KEY_BYTES)


def key_of(encoded: str, unlock: Callable[[bytes], bytes] = bytes) -> bytes:
    """A key from base64. Raises ValueError in words."""
    try:
        key = unlock(base64.b64decode(encoded, validate=True))
    except ValueError:
        raise ValueError("a key is not in base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has not {KEY_BYTES} bytes")
    return key


def ring() -> KeyRing:
    """The installation's ring."""
    return _ring_of(settings.ENCRYPTION_KEYS, settings.ENCRYPTION_CUSTODY)


@cache
def _ring_of(text: str, custody: str) -> KeyRing:
    return KeyRing.of(text, _unlocking(custody))


def _unlocking(custody: str) -> Callable[[bytes], bytes]:
    unlock: Callable[[bytes], bytes] = import_string(custody) if custody else bytes
    return unlock


def blind_index(kind: str, value: str) -> str:
    """What a value is found by where only its encrypted form is kept; empty for an empty one.

    Args:
        kind: of value, so that the same text as another kind has another index.
        value: in its normalised form.
    """
    if not value:
        return ""
    key = _index_key(settings.BLIND_INDEX_KEY, settings.ENCRYPTION_CUSTODY)
    digest = hmac.digest(key, f"{kind}:{value}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:INDEX_BYTES]).decode()


@cache
def _index_key(encoded: str, custody: str) -> bytes:
    return key_of(encoded, _unlocking(custody))
