"""Production refuses to start with what is only fit for a single machine."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ImproperlyConfigured

from apps.users.rules.signing import fresh_key
from salesplatform.demo.company import refuse_demo_people
from tests.factories.users import UserFactory

ROOT = Path(__file__).resolve().parents[2]
SECRET = "x7" * 30
KEYS = fresh_key()
ALL = {
    "SECRET_KEY": SECRET,
    "JWT_SIGNING_KEYS": KEYS,
    "SEALING_KEY": b64encode(SECRET[:32].encode()).decode(),
    "ENCRYPTION_KEYS": f"1:{b64encode(SECRET[1:33].encode()).decode()}",
    "BLIND_INDEX_KEY": b64encode(SECRET[2:34].encode()).decode(),
}
WEAK_KEY = (
    generate_private_key(65537, 1024)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)


def _start(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import salesplatform.settings.production"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_starts_with_a_secret_of_its_own():
    assert _start(**ALL).returncode == 0
    on_one_line = {**ALL, "JWT_SIGNING_KEYS": KEYS.replace("\n", "\\n")}
    assert _start(**on_one_line).returncode == 0


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "local-only-secret-key-that-production-refuses"}, "SECRET_KEY must"),
        ({"SECRET_KEY": SECRET}, "JWT_SIGNING_KEYS: there is no private key"),
        ({**ALL, "JWT_SIGNING_KEYS": "secret" * 20}, "JWT_SIGNING_KEYS: there is no private key"),
        ({**ALL, "JWT_SIGNING_KEYS": KEYS.replace("a", "b")}, "JWT_SIGNING_KEYS: a private key"),
        ({**ALL, "JWT_SIGNING_KEYS": WEAK_KEY}, "JWT_SIGNING_KEYS: a key is not RSA of"),
        ({**ALL, "SEALING_KEY": ""}, "SEALING_KEY must be"),
        ({**ALL, "SEALING_KEY": "c2hvcnQ="}, "SEALING_KEY must be"),
        ({**ALL, "SEALING_KEY": "no base64!"}, "SEALING_KEY must be"),
        ({**ALL, "ENCRYPTION_KEYS": ""}, "ENCRYPTION_KEYS: there is no key"),
        ({**ALL, "ENCRYPTION_KEYS": "1:c2hvcnQ="}, "ENCRYPTION_KEYS: a key has not 32 bytes"),
        ({**ALL, "BLIND_INDEX_KEY": "no base64!"}, "BLIND_INDEX_KEY: a key is not in base64"),
        ({**ALL, "DEBUG": "true"}, "DEBUG is not for production"),
    ],
)
def test_refuses_what_is_only_fit_for_one_machine(variables, sentence):
    refused = _start(**variables)
    assert refused.returncode != 0
    assert sentence in refused.stderr


def test_refuses_the_demos_sign_ins(db, settings):
    settings.DEMO_ALLOWED = False
    refuse_demo_people()
    person = UserFactory(email="rep@demo.test")
    with pytest.raises(ImproperlyConfigured):
        refuse_demo_people()
    person.is_active = False
    person.save()
    refuse_demo_people()
