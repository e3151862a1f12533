"""The installation's keys in the custody of a service that speaks like AWS KMS."""

from __future__ import annotations

import base64
import os

import boto3
import pytest
from botocore.exceptions import ClientError
from django.core.management import call_command
from moto.server import ThreadedMotoServer

from apps.core.encryption import kms
from apps.core.encryption.ring import blind_index, fresh_key, ring
from apps.leads.models import Lead
from tests.factories.leads import LeadFactory


@pytest.fixture(scope="module")
def address():
    """Where such a service listens."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def custody(address, settings, monkeypatch, capsys):
    """Settings as an installation has them whose keys are locked by KMS."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setitem(os.environ, name, value)
    settings.AWS_S3_ENDPOINT_URL = address
    service = boto3.client("kms", endpoint_url=address)
    settings.ENCRYPTION_KMS_KEY = service.create_key()["KeyMetadata"]["KeyId"]
    settings.ENCRYPTION_CUSTODY = "apps.core.encryption.kms.unlocked"
    made = []
    for _ in range(2):
        call_command("make_encryption_key")
        made.append(capsys.readouterr().out.strip())
    settings.ENCRYPTION_KEYS = f"7:{made[0]}"
    settings.BLIND_INDEX_KEY = made[1]
    return service


def test_rows_are_encrypted_under_keys_that_only_kms_unlocks(db, custody, settings):
    lead = LeadFactory(email="jane@acme.example")
    assert bytes(lead.data_key.wrapped)[0] == 7
    assert Lead.objects.get(email_key=lead.email_key).email == "jane@acme.example"
    locked = settings.ENCRYPTION_KEYS.removeprefix("7:")
    assert kms.unlocked(base64.b64decode(locked)) == ring().keys[7]
    assert ring().keys[7] not in base64.b64decode(locked)


def test_kms_is_asked_once_per_key(db, custody, monkeypatch):
    asked = []
    unlocked = kms.unlocked
    monkeypatch.setattr(kms, "unlocked", lambda key: asked.append(key) or unlocked(key))
    for number in range(3):
        LeadFactory()
        blind_index("email", str(number))
    assert len(asked) <= 2


def test_a_key_that_kms_did_not_lock_for_this_purpose_is_refused(custody, settings):
    foreign = custody.encrypt(KeyId=settings.ENCRYPTION_KMS_KEY, Plaintext=fresh_key())
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        kms.unlocked(foreign["CiphertextBlob"])
