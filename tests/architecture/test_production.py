"""Production refuses to start with what is only fit for a single machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from salesplatform.demo.company import refuse_demo_people
from tests.factories.users import UserFactory

ROOT = Path(__file__).resolve().parents[2]
SECRET = "x7" * 30


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
    assert _start(SECRET_KEY=SECRET).returncode == 0


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "local-only-secret-key-that-production-refuses"}, "SECRET_KEY must"),
        ({"SECRET_KEY": SECRET, "JWT_SECRET": "short"}, "JWT_SECRET must"),
        ({"SECRET_KEY": SECRET, "DEBUG": "true"}, "DEBUG is not for production"),
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
