"""What learns is only loaded where it is needed."""

from __future__ import annotations

import subprocess
import sys

from django.conf import settings

_START = """
import sys
from django.test import Client
import salesplatform.wsgi, salesplatform.urls, salesplatform.celery
Client().get("/api/schema")
learns = {"xgboost", "scipy", "numpy", "openpyxl"}
learns |= {f"apps.intelligence.rules.{one}" for one in ("learning", "reference", "tables", "trees")}
print(sorted(learns & set(sys.modules)))
"""


def test_the_web_loads_nothing_that_learns():
    """Nor what reads workbooks, which takes NumPy along."""
    started = subprocess.run(
        [sys.executable, "-c", _START], capture_output=True, text=True, cwd=settings.BASE_DIR
    )
    assert started.stdout.strip().endswith("[]"), started.stdout + started.stderr
