"""`/metrics`: for whoever shows its token."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def ask(**headers: str):
    return Client(headers=headers).get("/metrics")


def test_the_right_token_reads_the_counters(settings):
    settings.METRICS_TOKEN = "told-to-prometheus"
    answer = ask(Authorization="Bearer told-to-prometheus")
    assert answer.status_code == 200
    assert b"salesplatform_" in answer.content


@pytest.mark.parametrize(
    "shown", ["", "Bearer ", "Bearer told", "Bearer \u00fc", "told-to-prometheus"]
)
def test_a_wrong_token_is_told_nothing(settings, shown):
    settings.METRICS_TOKEN = "told-to-prometheus"
    answer = ask(Authorization=shown)
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_without_a_token_production_shows_them_to_nobody(settings):
    settings.METRICS_TOKEN = ""
    assert ask().status_code == ask(Authorization="Bearer ").status_code == 401


def test_a_single_machine_shows_them_to_everybody():
    assert ask().status_code == 200
