"""The API does what its description says: Schemathesis asks every operation, as each role.

No answer is a 500, every status and body is described, and what the description does not allow is
refused. What it allows may still be refused: rules of the business are not in a description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from salesplatform.wsgi import application
from tests.leaks.requests import LEFT_OUT
from tests.leaks.worlds import ROLES, World, make_world

EXAMPLES = 6
# Whole files, in and out, have tests of their own.
FILES = r"/imports$|/export\."


@pytest.fixture
def world(db: None) -> World:
    """Rows to ask about."""
    return make_world("northwind", leads=5, amount="31415.92")


@pytest.fixture
def token(world: World, api: Any, role: str) -> Iterator[str]:
    """A person's sign-in; from then on requests keep the test's connection."""
    token = api(world.people[role]).defaults["HTTP_AUTHORIZATION"]
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield token
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.parametrize("role", ROLES)
def test_the_api_does_what_its_description_says(
    token: str,
) -> None:
    description = schemathesis.openapi.from_wsgi("/api/schema?format=json", app=application)
    failures: list[str] = []
    for found in description.get_all_operations():
        operation = found.ok()
        if operation.path in LEFT_OUT or re.search(FILES, operation.path):
            continue

        @seed(20260211)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            with transaction.atomic():
                case.call_and_validate(
                    headers={"Authorization": token}, excluded_checks=[positive_data_acceptance]
                )
                transaction.set_rollback(True)

        try:
            ask()
        except BaseExceptionGroup as several:
            failures += [f"{operation.label}: {one}" for one in several.exceptions]
        except Exception as failure:
            failures.append(f"{operation.label}: {failure}")
    assert failures == [], "\n\n".join(failures)
