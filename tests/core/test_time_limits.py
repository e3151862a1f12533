"""Nobody waits for ever: PostgreSQL gives up what takes too long, and the answer says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from apps.leads.models import Lead
from tests.factories.leads import LeadFactory

ROOT = Path(__file__).resolve().parents[2]
SHOWN = "from django.conf import settings; print(settings.DATABASES['default']['OPTIONS'])"


@pytest.fixture
def impatient(transactional_db):
    """From here on statements are given up after 200 ms, and waiting for locks after 50."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 200; SET lock_timeout = 50")
    yield
    connection.close()


def refused(answer):
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["details"]["reason"], answer["Retry-After"]


def test_a_statement_that_takes_too_long_is_given_up(api, admin, impatient, monkeypatch):
    client = api(admin)

    def sleep(*_, **__):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr("apps.leads.api.leads.LEADS.__class__.one", sleep)
    answer = client.call("GET", f"/leads/{LeadFactory().pk}")
    assert refused(answer) == (503, "SERVICE_UNAVAILABLE", "takes_too_long", "2")


def test_nobody_waits_long_for_somebody_else_s_lock(api, admin, impatient):
    lead = LeadFactory(title="")
    client = api(admin)
    other = psycopg.connect(
        **{
            name: settings.DATABASES["default"][key]
            for name, key in (
                ("host", "HOST"),
                ("port", "PORT"),
                ("user", "USER"),
                ("password", "PASSWORD"),
                ("dbname", "NAME"),
            )
        }
    )
    with other, other.cursor() as cursor:
        cursor.execute("SELECT FROM leads_lead WHERE id = %s FOR UPDATE", [lead.pk])
        answer = client.call("PATCH", f"/leads/{lead.pk}", {"title": "CTO"})
    assert refused(answer) == (503, "SERVICE_UNAVAILABLE", "takes_too_long", "2")
    assert Lead.objects.get(pk=lead.pk).title == ""


@pytest.mark.parametrize(
    ("code", "seconds"), [("import salesplatform.wsgi", 30), ("import django; django.setup()", 0)]
)
def test_the_web_server_is_limited_and_jobs_are_not(code, seconds):
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}; {SHOWN}"],
        cwd=ROOT,
        env={
            **{name: os.environ[name] for name in ("PATH", "DATABASE_URL") if name in os.environ},
            "DJANGO_SETTINGS_MODULE": "salesplatform.settings.local",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"statement_timeout={seconds}s -c lock_timeout={seconds // 3}s" in shown.stdout
