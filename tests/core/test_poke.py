"""Poking the deliverer: it wakes at once, and nobody waits for Valkey to say so."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from apps.core.poke import REST, Poke

PATIENCE = 5.0


@pytest.fixture(autouse=True)
def channel(monkeypatch):
    """One of our own: other tests poke too, at the same time."""
    name = f"poke:{uuid4()}"
    monkeypatch.setattr("apps.core.poke.CHANNEL", name)
    return name


@pytest.fixture
def valkey():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def listeners(valkey, channel):
    return dict(valkey.pubsub_numsub(channel))[channel.encode()]


@pytest.fixture
def heard(valkey, channel):
    """How many nudges another process, which listens, has heard so far."""
    with valkey.pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.subscribe(channel)
        until(lambda: listeners(valkey, channel) == 1)
        nudges = []

        def count():
            if subscription.get_message(timeout=0.05) is not None:
                nudges.append(True)
            return len(nudges)

        yield count


def address_of(poke):
    """From where it speaks to Valkey."""
    with_one = poke._heralds.get_connection()
    try:
        return "{}:{}".format(*with_one._sock.getsockname()[:2])
    finally:
        poke._heralds.release(with_one)


def rested(poke):
    """Nudge again as soon as it would not keep still."""
    time.sleep(REST)
    poke.now()


def subscribed_from(poke):
    """From where it listens."""
    return "{}:{}".format(*poke._subscription.connection._sock.getsockname()[:2])


def test_every_nudge_is_heard_over_one_connection(heard):
    poke = Poke()
    poke.now()
    first = address_of(poke)
    for _ in range(9):
        rested(poke)
    until(lambda: heard() == 10)
    assert address_of(poke) == first


def test_who_nudged_keeps_still_for_a_while(heard, monkeypatch):
    monkeypatch.setattr("apps.core.poke.REST", 0.5)
    poke = Poke()
    for _ in range(20):
        poke.now()
    until(lambda: heard() == 1)
    time.sleep(0.2)
    assert heard() == 1


def test_a_connection_that_valkey_closed_is_made_anew(heard, valkey):
    poke = Poke()
    poke.now()
    until(lambda: heard() == 1)
    first = address_of(poke)
    assert valkey.client_kill_filter(addr=first) == 1
    until(lambda: all(one["addr"] != first for one in valkey.client_list()))
    rested(poke)
    until(lambda: heard() == 2)
    assert address_of(poke) != first


def waited(poke, seconds):
    """How long it slept."""
    began = time.monotonic()
    poke.wait(seconds)
    return time.monotonic() - began


def test_whoever_waits_is_woken(valkey, channel):
    poke = Poke()
    with ThreadPoolExecutor(1) as elsewhere:
        waiting = elsewhere.submit(poke.wait, 30)
        until(lambda: listeners(valkey, channel) == 1)
        Poke().now()
        waiting.result(PATIENCE)


def test_what_was_told_while_nobody_waited_is_not_lost(valkey):
    poke = Poke()
    assert waited(poke, 0.1) >= 0.1
    Poke().now()
    assert waited(poke, 30) < PATIENCE


def test_whoever_was_nudged_looks_again_when_who_nudged_keeps_still_no_longer():
    poke = Poke()
    poke.wait(0.01)
    Poke().now()
    assert waited(poke, 30) < PATIENCE
    assert REST <= waited(poke, 30) < PATIENCE
    assert waited(poke, 0.2) >= 0.2


def test_a_listener_that_valkey_dropped_listens_again(valkey, channel):
    poke = Poke()
    poke.wait(0.01)
    with ThreadPoolExecutor(1) as elsewhere:
        assert valkey.client_kill_filter(addr=subscribed_from(poke)) == 1
        poke.wait(0.01)
        waiting = elsewhere.submit(poke.wait, 30)
        until(lambda: listeners(valkey, channel) == 1)
        Poke().now()
        waiting.result(PATIENCE)
