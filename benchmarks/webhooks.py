"""Webhooks on their way, beside what httpx alone manages (`-m benchmarks.webhooks`).

Whoever gets them answers in a process of its own, on loopback. What is compared was measured in
the same run: the same bytes with the same signature, to the same receiver.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from uuid import UUID

import django
import httpx2
from django.db import transaction

from benchmarks.databases import ROOT
from benchmarks.processes import cpu_seconds, descendants

django.setup()

from apps.core.actors import system_actor  # noqa: E402
from apps.core.identifiers import new_id  # noqa: E402
from apps.core.journal import publish  # noqa: E402
from apps.core.models import BusinessEvent, EventDelivery  # noqa: E402
from apps.integrations.models import WebhookDelivery  # noqa: E402
from apps.integrations.services.sender import headers_of  # noqa: E402
from apps.integrations.services.webhooks import (  # noqa: E402
    PLANNER,
    add_webhook_target,
    remove_webhook_target,
)
from apps.leads.events import LeadUpdated  # noqa: E402
from tests.integrations.receivers import receiving  # noqa: E402

COUNT = 5_000
MANY = 10
LEADS = 500
BATCH = 500
LOOK_EVERY = 0.05
PATIENCE = 300.0
BODY = b"x" * 420
ACTOR = system_actor(door="benchmark")


def main() -> None:
    with other_side() as url:
        alone = posted_by_httpx(url)
        print(f"httpx posts {alone:,.0f}/s on one connection", end="")
        for targets in (1, MANY):
            with added(targets, url):
                rate, spent = sent_to(targets)
            print(
                f"; {targets} targets {rate:,.0f}/s ({rate / alone:.2f} of httpx), "
                f"CPU of a delivery {spent:.2f} ms in the sender",
                end="",
            )
        with added(1, url), added(1, dead := "http://127.0.0.1:1/hook"):
            print(f"; beside a dead target {sent_beside(dead):,.0f}/s")


@contextmanager
def other_side() -> Iterator[str]:
    """The receiver, in a process of its own."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("enough")
        process.join()


def receive(other: Connection) -> None:
    """Answer until told that it is enough."""
    with receiving() as receiver:
        other.send(receiver.url)
        other.recv()


def posted_by_httpx(url: str) -> float:
    """Messages a second that httpx posts, signed, without any of the platform."""
    secret = b"s" * 32
    with httpx2.Client(trust_env=False) as client:
        began = time.perf_counter()
        for _ in range(COUNT):
            headers = headers_of(str(new_id()), datetime.now(UTC), BODY, [secret])
            client.post(url, content=BODY, headers=headers)
        return COUNT / (time.perf_counter() - began)


@contextmanager
def added(count: int, url: str) -> Iterator[None]:
    """Targets, which leave with what was sent to them."""
    targets = [
        add_webhook_target(
            name=f"Benchmark {new_id()}", url=url, event_types=["lead.updated"], actor=ACTOR
        ).owner.pk
        for _ in range(count)
    ]
    try:
        yield
    finally:
        take_back(targets)


def take_back(targets: list[UUID]) -> None:
    """Leave the database as large as it was."""
    WebhookDelivery.objects.filter(target_id__in=targets).delete()
    for one in targets:
        remove_webhook_target(target_id=one, actor=ACTOR)
    EventDelivery.objects.filter(subscriber=PLANNER).delete()
    BusinessEvent.objects.filter(door=ACTOR.door).delete()


def sent_to(targets: int) -> tuple[float, float]:
    """Deliveries a second, and milliseconds of CPU that the sender spends on one."""
    publish_events(COUNT // targets)
    with sender() as pid:
        wait(lambda: WebhookDelivery.objects.exclude(status="waiting").exists())
        began, spent = time.perf_counter(), cpu_of(pid)
        before = WebhookDelivery.objects.exclude(status="waiting").count()
        wait(lambda: is_over(targets * (COUNT // targets)))
        seconds, spent = time.perf_counter() - began, cpu_of(pid) - spent
    count = targets * (COUNT // targets) - before
    return count / seconds, spent / count * 1e3


def is_over(count: int) -> bool:
    """Whether so many were sent."""
    return WebhookDelivery.objects.exclude(status="waiting").count() >= count


def sent_beside(dead: str) -> float:
    """Deliveries a second to a target that is well, while another one is dead."""
    publish_events(COUNT)
    well = WebhookDelivery.objects.exclude(target__url=dead)
    with sender():
        wait(lambda: well.exclude(status="waiting").exists())
        began, before = time.perf_counter(), well.exclude(status="waiting").count()
        wait(lambda: well.exclude(status="waiting").count() >= COUNT)
        return (COUNT - before) / (time.perf_counter() - began)


def publish_events(count: int) -> None:
    """Leave so many events for the webhooks alone."""
    leads = [new_id() for _ in range(LEADS)]
    for start in range(0, count, BATCH):
        with transaction.atomic():
            publish(
                *(
                    LeadUpdated(lead_id=leads[number % LEADS], changed=("company", "title"))
                    for number in range(start, min(start + BATCH, count))
                ),
                actor=ACTOR,
            )
    EventDelivery.objects.exclude(subscriber=PLANNER).delete()


@contextmanager
def sender() -> Iterator[int]:
    """A sender at work."""
    process = subprocess.Popen([sys.executable, "manage.py", "webhooks"], cwd=ROOT)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def wait(condition: Callable[[], bool]) -> None:
    """Until something has come true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the sender is too slow, or gone"
        time.sleep(LOOK_EVERY)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and all it started."""
    return sum(map(cpu_seconds, descendants(pid)))


if __name__ == "__main__":
    main()
