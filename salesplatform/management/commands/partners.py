"""Plays the demo's partners: a server on loopback that is asked, says things, and fails."""

from __future__ import annotations

import json
import signal
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actors import Actor, system_actor
from apps.integrations.models import Partner
from apps.integrations.rules.pulls import PULLS
from apps.integrations.services.bus import queue_named
from apps.integrations.services.partners import add_partner, connect_partner, rotate_secret
from apps.users.models import Role, User
from apps.users.services.people import add_user
from salesplatform.stub_partners import StubPartners

PARTNERS = {
    "marketing": "marketing",
    "cx": "customer_experience",
    "support": "support",
    "billing": "billing",
}
CLIENT = "partners@demo.test"
LOCAL = "127.0.0.1"


class Command(BaseCommand):
    help = "Play marketing, customer experience, support, billing, finance … until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8200, help="where they listen")
        parser.add_argument(
            "--says-to", default="http://127.0.0.1:8000", help="where they send webhooks"
        )

    def handle(self, *args: Any, port: int, says_to: str, **options: Any) -> None:
        if not settings.DEMO_ALLOWED:
            raise CommandError("Played partners are not for production.")
        if LOCAL not in settings.WEBHOOK_LOCAL_HOSTS:
            raise CommandError(f"They are asked at {LOCAL}: name it in WEBHOOK_LOCAL_HOSTS.")
        stopped = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        with StubPartners(port=port, says_to=says_to) as stub:
            introduce(stub, actor=system_actor(door="command"))
            if settings.AMQP_URL:
                stub.listen(settings.AMQP_URL, [queue_named(one) for one in settings.AMQP_QUEUES])
            self.stdout.write(_welcome(stub))
            self.stdout.flush()
            stopped.wait()


def introduce(stub: StubPartners, *, actor: Actor) -> None:
    """Make each played partner one of ours, with a secret it knows and a URL to be asked at."""
    client = User.objects.filter(email=CLIENT).first()
    if client is None:
        client = add_user(
            email=CLIENT,
            name="Played partners",
            role=Role.INTEGRATION,
            password=None,
            all_territories=True,
            actor=actor,
        )
    for key, kind in PARTNERS.items():
        known = Partner.objects.filter(key=key).first()
        if known is None:
            name = f"{key.upper() if key == 'cx' else key.capitalize()} (played)"
            issued = add_partner(key=key, name=name, kind=kind, client_id=client.pk, actor=actor)
        else:
            issued = rotate_secret(partner_id=known.pk, actor=actor)
        stub.secrets[key] = issued.text
        if kind in PULLS:
            partner_id = issued.owner.pk
            connect_partner(partner_id=partner_id, base_url=stub.url_of(key), actor=actor)


def _welcome(stub: StubPartners) -> str:
    root = stub.url_of("")
    said = {"partner": "cx", "type": "health.updated"}
    payload = {"account_id": "C-1000", "score": 12}
    return "\n".join(
        (
            f"Playing {', '.join(PARTNERS)}; the clock asks them every five minutes.",
            f"  curl {root}cx/accounts/C-1000/health",
            f"  curl {root}faults -d '{json.dumps({'partner': 'cx', 'fault': 'slow'})}'",
            f"  curl {root}say -d '{json.dumps({**said, 'payload': payload})}'",
            *(f"  curl {root}{one}/told" for one in stub.told),
            "Ctrl-C stops them.",
        )
    )
