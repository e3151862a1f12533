"""What every answer tells browsers, and what production's settings must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode

import pytest

from apps.users.rules.signing import fresh_key


@pytest.mark.parametrize("address", ["/health", "/api/v1/leads", "/api/schema", "/nowhere"])
def test_answers_that_are_no_pages_load_nothing(client, db, address):
    answer = client.get(address)
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("address", ["/admin/login/", "/graphiql", "/api/docs"])
def test_pages_load_from_this_host_alone(client, db, address):
    policy = client.get(address)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


def test_other_origins_are_not_let_in(api, rep):
    answer = api(rep).call("GET", "/leads", origin="https://elsewhere.example")
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_the_deployment_check_is_clean():
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "salesplatform.settings.production",
        "SECRET_KEY": "a-key-of-more-than-fifty-characters-for-this-one-check-0123456789",
        "JWT_SIGNING_KEYS": fresh_key(),
        "SEALING_KEY": b64encode(bytes(range(32))).decode(),
        "ENCRYPTION_KEYS": f"1:{b64encode(bytes(range(1, 33))).decode()}",
        "BLIND_INDEX_KEY": b64encode(bytes(range(2, 34))).decode(),
        "ALLOWED_HOSTS": "sales.example",
    }
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
