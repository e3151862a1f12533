"""The installation's keys in the custody of AWS KMS, or of a service that speaks like it.

KMS is asked once per key and process; data keys are unwrapped here, since a page of fifty people
can't wait for fifty answers.
"""

from __future__ import annotations

from typing import Any

import boto3
from django.conf import settings

# Ties what KMS encrypted to this purpose: nothing else can pass for a key of ours.
CONTEXT = {"purpose": "salesplatform encryption key"}


def locked() -> bytes:
    """A fresh key as KMS encrypted it; nobody has seen it in clear."""
    answer = _client().generate_data_key_without_plaintext(
        KeyId=settings.ENCRYPTION_KMS_KEY, KeySpec="AES_256", EncryptionContext=CONTEXT
    )
    return bytes(answer["CiphertextBlob"])


def unlocked(key: bytes) -> bytes:
    """A kept key, decrypted by KMS under its own key of the settings."""
    answer = _client().decrypt(
        CiphertextBlob=key, KeyId=settings.ENCRYPTION_KMS_KEY, EncryptionContext=CONTEXT
    )
    return bytes(answer["Plaintext"])


def _client() -> Any:
    return boto3.client("kms", endpoint_url=settings.AWS_S3_ENDPOINT_URL)
