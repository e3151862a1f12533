"""Publishes events and hands them to a handler that does nothing (`-m benchmarks.journal`)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import django
from django.db import transaction

django.setup()

from apps.core.actors import system_actor  # noqa: E402
from apps.core.events import event  # noqa: E402
from apps.core.identifiers import new_id  # noqa: E402
from apps.core.journal import Recorded, deliver, on, publish  # noqa: E402

EVENTS = 50_000
BATCH = 500


@event("benchmark.happened", topic="benchmark", about="record_id")
@dataclass(frozen=True, kw_only=True)
class BenchmarkHappened:
    """Something that nobody minds."""

    record_id: UUID
    number: int


@on(BenchmarkHappened, batch=BATCH)
def hear(heard: Sequence[Recorded]) -> None:
    """Nothing more."""


def main() -> None:
    actor = system_actor(door="benchmark")
    began = time.perf_counter()
    for start in range(0, EVENTS, BATCH):
        with transaction.atomic():
            publish(
                *(
                    BenchmarkHappened(record_id=new_id(), number=start + number)
                    for number in range(BATCH)
                ),
                actor=actor,
            )
    published = time.perf_counter()
    heard = 0
    while count := deliver():
        heard += count
    print(
        f"published {EVENTS / (published - began):,.0f}/s, "
        f"heard {heard / (time.perf_counter() - published):,.0f}/s"
    )


if __name__ == "__main__":
    main()
