"""The sender of webhooks killed with -9 at work: every event arrives, and few come twice."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from apps.integrations.services.deliveries import BATCH
from salesplatform.embedded.services import Services
from tests.embedded.conftest import _own_environment, folder, programs, services  # noqa: F401
from tests.faults.test_servers_killed import Platform, _count
from tests.integrations.receivers import receiving

LEADS = 2000
TELL = """
from django.db import transaction
from apps.core.actors import system_actor
from apps.core.identifiers import new_id
from apps.core.journal import publish
from apps.integrations.services.webhooks import add_webhook_target
from apps.leads.events import LeadUpdated
actor = system_actor()
add_webhook_target(name="Partner", url={url!r}, event_types=["lead.updated"], actor=actor)
with transaction.atomic():
    publish(*(LeadUpdated(lead_id=new_id(), changed=("a",)) for _ in range({leads})), actor=actor)
"""
NOT_THERE = "integrations_webhookdelivery WHERE status <> 'delivered'"


def test_kills_of_the_sender_lose_nothing(
    services: Services,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEBHOOK_LOCAL_HOSTS", "127.0.0.1")
    platform = Platform(services)
    platform.command("migrate", "-v0")
    with receiving() as partner:
        platform.command("shell", "-c", TELL.format(url=partner.url, leads=LEADS))
        url = services.environment["DATABASE_URL"]

        def arrived() -> Counter[str]:
            return Counter(headers["webhook-id"] for headers, _ in partner.heard)

        with platform.process("manage.py", "webhooks") as first:
            platform.wait_until(lambda: len(partner.heard) > 50)
            os.kill(first.pid, signal.SIGKILL)
        assert len(arrived()) < LEADS
        with platform.process("manage.py", "webhooks"):
            platform.wait_until(lambda: len(arrived()) == LEADS and _count(url, NOT_THERE) == 0)
    assert arrived().total() - LEADS <= 3 * BATCH
