"""The keys that sign tokens: the first signs, all of them verify."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

ALGORITHM = "RS256"
FEWEST_BITS = 2048
_KIND = "[A-Z ]*PRIVATE KEY-----"
_PEM = re.compile(f"-----BEGIN {_KIND}.+?-----END {_KIND}", re.DOTALL)


@dataclass(frozen=True)
class SigningKey:
    """A key pair. Its id is the thumbprint of the public half (RFC 7638)."""

    id: str
    private: RSAPrivateKey
    public: RSAPublicKey

    @property
    def public_form(self) -> dict[str, Any]:
        """The public half as others read it (RFC 7517)."""
        return {**_numbers(self.public), "kid": self.id, "use": "sig", "alg": ALGORITHM}


@dataclass(frozen=True)
class KeyRing:
    """Several keys, so that one can be replaced while tokens of the other still live."""

    keys: tuple[SigningKey, ...]

    @classmethod
    def of(cls, text: str) -> KeyRing:
        """The ring of the RSA private keys in a text, in PEM, one after the other.

        Raises:
            ValueError: for a text without a key, or with one that can't be used.
        """
        found = _PEM.findall(text.replace("\\n", "\n"))
        if not found:
            raise ValueError("there is no private key in PEM")
        return cls(tuple(_key(pem) for pem in found))

    @property
    def first(self) -> SigningKey:
        """The key that signs."""
        return self.keys[0]

    def named(self, key_id: Any) -> SigningKey | None:
        """The key with an id."""
        return next((one for one in self.keys if one.id == key_id), None)


def fresh_key() -> str:
    """A key of one's own, in PEM."""
    key = generate_private_key(public_exponent=65537, key_size=FEWEST_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _key(pem: str) -> SigningKey:
    try:
        private = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("a private key can't be read, or asks for a password") from None
    if not isinstance(private, RSAPrivateKey) or private.key_size < FEWEST_BITS:
        raise ValueError(f"a key is not RSA of at least {FEWEST_BITS} bits")
    public = private.public_key()
    named = json.dumps(_numbers(public), separators=(",", ":"), sort_keys=True)
    return SigningKey(_text(sha256(named.encode()).digest()), private, public)


def _numbers(public: RSAPublicKey) -> dict[str, str]:
    numbers = public.public_numbers()
    return {"e": _integer(numbers.e), "kty": "RSA", "n": _integer(numbers.n)}


def _integer(number: int) -> str:
    return _text(number.to_bytes((number.bit_length() + 7) // 8))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
