"""The journal: written with the change, heard once, in order, whatever fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.core import journal
from apps.core.errors import NotFound
from apps.core.events import event
from apps.core.identifiers import new_id
from apps.core.journal import (
    deliver,
    on,
    publish,
    replay,
    replay_between,
    replay_chosen,
    want,
)
from apps.core.models import BusinessEvent, EventDelivery
from apps.leads.events import LeadUpdated


@event("test.happened", topic="sales.test", about="thing_id")
@dataclass(frozen=True, kw_only=True)
class ThingHappened:
    """Something happened to a thing."""

    thing_id: UUID
    number: int


heard: list[tuple[UUID, int]] = []
failing: set[int] = set()


@pytest.fixture(autouse=True)
def _listener() -> Iterator[None]:
    """A subscriber that notes what it hears, and fails where it is told to."""

    def note(happened):
        if hopeless := [one.event.number for one in happened if one.event.number in failing]:
            raise ValueError(*hopeless)
        heard.extend((one.event.thing_id, one.event.number) for one in happened)

    note.__module__ = "tests.handlers"
    note.__name__ = "note"
    on(ThingHappened, batch=50)(note)
    heard.clear()
    failing.clear()
    yield
    journal._subscribers.pop("tests.note")
    journal._listeners["test.happened"].clear()


def _publish(system, thing_id, *numbers):
    with transaction.atomic():
        publish(
            *(ThingHappened(thing_id=thing_id, number=number) for number in numbers), actor=system
        )


def test_refuses_to_tell_outside_a_transaction(system, transactional_db):
    with pytest.raises(RuntimeError):
        publish(ThingHappened(thing_id=new_id(), number=1), actor=system)
    assert not BusinessEvent.objects.exists()


def test_what_is_rolled_back_never_happened(system, db):
    with transaction.atomic():
        publish(ThingHappened(thing_id=new_id(), number=1), actor=system)
        transaction.set_rollback(True)
    assert not BusinessEvent.objects.exists()
    assert not EventDelivery.objects.exists()


def test_a_subscriber_hears_each_event_once_and_in_order(system, db):
    things = [new_id() for _ in range(5)]
    for number in range(20):
        _publish(system, things[number % 5], number)
    assert deliver() == 20
    assert deliver() == 0
    for thing in things:
        numbers = [number for thing_id, number in heard if thing_id == thing]
        assert numbers == sorted(numbers)
        assert len(numbers) == 4


def test_an_event_told_alone_is_kept_like_those_told_together(system, db):
    thing = new_id()
    with transaction.atomic():
        want(["test.happened"], subscriber="tests.other")
    _publish(system, thing, 1)
    _publish(system, thing, 1, 2)
    alone, first, second = BusinessEvent.objects.order_by("sequence")
    own = {"sequence", "event_id", "occurred_at", "_state"}
    kept = [
        {name: value for name, value in vars(one).items() if name not in own}
        for one in (alone, first)
    ]
    assert kept[0] == kept[1]
    assert alone.payload == {"thing_id": str(thing), "number": 1}
    waiting = EventDelivery.objects.order_by("event_sequence", "subscriber")
    assert [(one.event_sequence, one.subscriber) for one in waiting] == [
        (one.sequence, who)
        for one in (alone, first, second)
        for who in ("tests.note", "tests.other")
    ]
    assert len({one.lane for one in waiting}) == 1


def test_a_bad_event_holds_up_only_its_own_aggregate(system, db):
    bad, good = new_id(), new_id()
    failing.add(2)
    _publish(system, bad, 1, 2, 3)
    _publish(system, good, 11, 12, 13)
    deliver()
    assert [number for thing_id, number in heard if thing_id == good] == [11, 12, 13]
    assert [number for thing_id, number in heard if thing_id == bad] == [1]
    waiting = EventDelivery.objects.order_by("event_sequence")
    assert [(one.attempts, one.dead_at) for one in waiting] == [(1, None), (0, None)]
    assert waiting[0].error == "ValueError: 2"


def test_a_hopeless_event_is_kept_as_dead_and_can_be_replayed(system, db):
    failing.add(1)
    _publish(system, new_id(), 1)
    for _ in range(journal.ATTEMPTS):
        EventDelivery.objects.update(available_at="2000-01-01T00:00:00Z")
        deliver()
    dead = EventDelivery.objects.get()
    assert dead.attempts == journal.ATTEMPTS
    assert dead.dead_at is not None
    assert deliver() == 0
    failing.clear()
    replay(event_sequence=dead.event_sequence, subscriber="tests.note")
    assert deliver() == 1
    assert not EventDelivery.objects.exists()


def test_a_subscriber_hears_chosen_events_again_if_it_listens_to_them(system, db):
    thing = new_id()
    _publish(system, thing, 1, 2, 3)
    with transaction.atomic():
        publish(LeadUpdated(lead_id=thing, changed=("title",)), actor=system)
    deliver()
    heard.clear()
    first, _, third, other = BusinessEvent.objects.order_by("sequence").values_list(
        "sequence", flat=True
    )
    assert replay_chosen([third, first, other, 0], subscriber="tests.note") == {first, third}
    deliver()
    assert heard == [(thing, 1), (thing, 3)]


def test_a_subscriber_hears_a_span_of_time_again(system, transactional_db):
    thing = new_id()
    for number in range(4):
        _publish(system, thing, number)
    deliver()
    heard.clear()
    moments = BusinessEvent.objects.order_by("sequence").values_list("occurred_at", flat=True)
    begin, _, _, end = moments
    nothing = replay_between(begin, end, subscriber="tests.note", names=["lead.updated"])
    assert (nothing, EventDelivery.objects.count()) == (0, 0)
    assert replay_between(begin, end, subscriber="tests.note") == 3
    deliver()
    assert heard == [(thing, 0), (thing, 1), (thing, 2)]


def test_nobody_else_can_be_told_again(system, db):
    now = timezone.now()
    for again in (
        lambda: replay(event_sequence=1, subscriber="tests.nobody"),
        lambda: replay_chosen([1], subscriber="tests.nobody"),
        lambda: replay_between(now, now, subscriber="tests.nobody"),
    ):
        with pytest.raises(NotFound, match="tests.nobody"):
            again()


@pytest.mark.django_db(transaction=True)
def test_several_deliverers_share_the_work_and_repeat_nothing(system):
    things = [new_id() for _ in range(40)]
    for round_number in range(5):
        with transaction.atomic():
            publish(
                *(ThingHappened(thing_id=one, number=round_number) for one in things), actor=system
            )

    def work() -> None:
        try:
            while deliver():
                pass
        finally:
            connection.close()

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    deliver()
    assert len(heard) == len(set(heard)) == 200
    for thing in things:
        assert [number for thing_id, number in heard if thing_id == thing] == [0, 1, 2, 3, 4]


def test_an_event_that_can_not_be_read_holds_up_only_its_own_aggregate(system, db):
    torn, whole = new_id(), new_id()
    _publish(system, torn, 1, 2)
    _publish(system, whole, 3)
    BusinessEvent.objects.filter(aggregate_id=torn).update(payload={"number": "many"})
    deliver()
    assert heard == [(whole, 3)]
    assert [one.attempts for one in EventDelivery.objects.order_by("event_sequence")] == [1, 0]
