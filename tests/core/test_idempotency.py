"""Idempotency keys: what happens under one happens once, whoever comes at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from apps.core.errors import Conflict, NotAllowed, RuleBroken
from apps.core.idempotency import InProgress, Key, KeyReused, Outcome
from apps.core.identifiers import new_id
from apps.core.models import IdempotencyKey
from apps.users.models import User
from tests.factories.users import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

ACTOR = new_id()


def key(text="k", digest="d"):
    return Key(ACTOR, text, digest)


def forget(refusal):
    """No refusal stands."""
    return


def told(refusal):
    """Every refusal stands."""
    return Outcome(409, {"reason": refusal.reason})


class Work:
    """Adds a person each time it is done."""

    def __init__(self, refusal=None):
        self.refusal = refusal
        self.times = 0

    def __call__(self):
        self.times += 1
        person = UserFactory()
        if self.refusal:
            raise self.refusal
        return Outcome(201, {"id": person.pk})


def test_a_repeat_gets_the_first_outcome_and_does_nothing():
    work = Work()
    first = key().once(work, told=forget)
    again = key().once(work, told=forget)
    assert (again.status, again.answer) == (201, {"id": str(first.answer["id"])})
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert (work.times, User.objects.count()) == (1, 1)


def test_another_request_and_another_actor_are_told_apart():
    key().once(Work(), told=forget)
    with pytest.raises(KeyReused):
        key(digest="other").once(Work(), told=forget)
    Key(new_id(), "k", "other").once(Work(), told=forget)
    assert User.objects.count() == 2


def test_a_refusal_that_stands_is_kept_and_its_work_is_not():
    with pytest.raises(Conflict):
        key().once(Work(Conflict("Taken.", reason="taken")), told=told)
    again = key().once(Work(), told=told)
    assert (again.status, again.answer, again.is_repeat) == (409, {"reason": "taken"}, True)
    assert User.objects.count() == 0


@pytest.mark.parametrize("failure", [NotAllowed(), RuleBroken(), ZeroDivisionError()])
def test_whatever_else_goes_wrong_leaves_the_key_free(failure):
    with pytest.raises(type(failure)):
        key().once(Work(failure), told=forget)
    assert IdempotencyKey.objects.count() == User.objects.count() == 0
    assert key().once(Work(), told=forget).is_repeat is False


def test_an_outcome_that_is_shown_once_is_not_kept():
    work = Work()
    for _ in range(2):
        key().once(lambda: Outcome(work().status, "secret", is_kept=False), told=forget)
    assert work.times == 2
    assert IdempotencyKey.objects.count() == 0


def test_a_second_request_meanwhile_is_told_so_and_afterwards_gets_the_outcome():
    begun, may_end = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert may_end.wait(10)
        return Work()()

    def first():
        try:
            return key().once(slow, told=forget)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        running = elsewhere.submit(first)
        assert begun.wait(10)
        with pytest.raises(InProgress):
            key().once(Work(), told=forget)
        may_end.set()
        outcome = running.result()
    assert key().once(Work(), told=forget).answer == {"id": str(outcome.answer["id"])}
    assert User.objects.count() == 1


def test_whoever_looked_just_before_the_first_request_ended_is_undone():
    """The key was let go after their look and before their lock, which no test can time."""
    behind = key()

    def overtaken():
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(_keep_elsewhere, behind).result()
        return Work()()

    with pytest.raises(InProgress):
        behind.once(overtaken, told=forget)
    assert User.objects.count() == 0
    assert behind.once(Work(), told=forget).answer == {"id": "first"}


def _keep_elsewhere(one):
    try:
        with transaction.atomic():
            one._keep(Outcome(201, {"id": "first"}))
    finally:
        connection.close()


def test_of_eight_at_once_one_does_the_work():
    together = threading.Barrier(8)

    def ask(_):
        together.wait(10)
        try:
            return key().once(Work(), told=forget).status
        except InProgress:
            return "in progress"
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as clients:
        statuses = list(clients.map(ask, range(8)))
    assert 201 in statuses
    assert set(statuses) <= {201, "in progress"}
    assert User.objects.count() == 1
