"""What a browser is told instead of a page, and everybody else in the envelope."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
REPORTS = reverse("admin:forecasts_financereport_changelist")


@pytest.fixture
def signed_in(rep) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(rep)
    return client


def test_a_browser_is_told_on_a_page_that_something_is_not_for_somebody(signed_in):
    answer = signed_in.get(REPORTS, headers=BROWSER)
    assert (answer.status_code, answer["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "You have no right to this page." in answer.content.decode()
    assert reverse("admin:index") in answer.content.decode()


@pytest.mark.parametrize("path", ["/admin/nowhere/", "/nowhere"])
def test_a_browser_is_told_on_a_page_that_nothing_is_there(signed_in, path):
    answer = signed_in.get(path, headers=BROWSER)
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in answer.content.decode()


def test_a_stranger_is_told_too(db):
    answer = Client().get("/nowhere", headers=BROWSER)
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_a_browser_is_told_on_a_page_that_something_failed(signed_in, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("apps.forecasts.admin.forecasts.ForecastAdmin.get_queryset", fail)
    page = reverse("admin:forecasts_forecastsnapshot_changelist")
    answer = signed_in.get(page, headers={**BROWSER, "X-Request-ID": "r-7"})
    assert (answer.status_code, answer["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert "<code>r-7</code>" in answer.content.decode()


@pytest.mark.parametrize(("path", "status"), [(REPORTS, 403), ("/admin/nowhere/", 404)])
@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_whoever_does_not_ask_for_a_page_gets_the_envelope(signed_in, path, status, accept):
    answer = signed_in.get(path, headers={"Accept": accept} if accept else {})
    assert answer.status_code == status
    assert answer.json()["error"]["message"] != ""
