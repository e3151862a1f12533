"""The browser these tests drive: Debian's Chromium, which `.ci/run` installs.

A machine without it runs all other tests, and says so in the heading of the run.
"""

from __future__ import annotations

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")

collect_ignore_glob = [] if CHROMIUM.exists() else ["test_*.py"]


def pytest_report_header() -> str | None:
    """Say when the browser's tests are left out."""
    return None if CHROMIUM.exists() else f"tests/browser left out: there is no {CHROMIUM}"
