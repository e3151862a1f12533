"""Poking the deliverer: it wakes at once, and nobody waits for Valkey to say so."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from apps.core.poke import Poke

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


def test_every_nudge_is_heard_over_one_connection(heard):
    poke = Poke()
    poke.now()
    first = address_of(poke)
    for _ in range(19):
        poke.now()
    until(lambda: heard() == 20)
    assert address_of(poke) == first


def test_a_connection_that_valkey_closed_is_made_anew(heard, valkey):
    poke = Poke()
    poke.now()
    until(lambda: heard() == 1)
    first = address_of(poke)
    assert valkey.client_kill_filter(addr=first) == 1
    until(lambda: all(one["addr"] != first for one in valkey.client_list()))
    poke.now()
    until(lambda: heard() == 2)
    assert address_of(poke) != first


def test_whoever_waits_is_woken(valkey, channel):
    poke = Poke()
    with ThreadPoolExecutor(1) as elsewhere:
        waiting = elsewhere.submit(poke.wait, 30)
        until(lambda: listeners(valkey, channel) == 1)

        def woken():
            poke.now()
            return waiting.done()

        until(woken)
