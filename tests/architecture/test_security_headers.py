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


def _production() -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "salesplatform.settings.production",
        "SECRET_KEY": "a-key-of-more-than-fifty-characters-for-this-one-check-0123456789",
        "JWT_SIGNING_KEYS": fresh_key(),
        "SEALING_KEY": b64encode(bytes(range(32))).decode(),
        "ENCRYPTION_KEYS": f"1:{b64encode(bytes(range(1, 33))).decode()}",
        "BLIND_INDEX_KEY": b64encode(bytes(range(2, 34))).decode(),
        "ALLOWED_HOSTS": "sales.example",
    }


def test_the_deployment_check_is_clean():
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env=_production(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_cookies_of_production_belong_to_this_host_alone_and_travel_over_tls():
    ask = (
        "from django.conf import settings as s;"
        "print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY,"
        " s.SESSION_COOKIE_SAMESITE, s.SESSION_COOKIE_DOMAIN, s.SESSION_COOKIE_PATH,"
        " s.CSRF_COOKIE_NAME, s.CSRF_COOKIE_SECURE)"
    )
    told = subprocess.run(
        [sys.executable, "-c", ask],
        env=_production(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert told.stdout.strip() == ("__Host-sessionid True True Lax None / __Host-csrftoken True")


@pytest.mark.parametrize(
    ("address", "filename"),
    [
        ("/leads", "api.json"),
        ("/leads/nowhere", "api.json"),
        ("/leads/export.csv", "leads.csv"),
        ("/leads/export.xlsx", "leads.xlsx"),
    ],
)
def test_answers_about_people_are_kept_by_no_cache_and_opened_by_no_browser(
    api, manager, address, filename
):
    answer = api(manager).call("GET", address)
    answer.close()
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Disposition"] == f'attachment; filename="{filename}"'


def test_pages_of_the_back_office_are_kept_by_no_cache(client, manager):
    client.force_login(manager)
    for address in ("/admin/", "/admin/leads/lead/", "/admin/password_change/"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert "private" in answer["Cache-Control"]
