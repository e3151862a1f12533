"""What is said of customers is shown to whoever sees the account, from the mirror."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.customer_success.permissions import READ_CUSTOMER
from apps.customer_success.services.cases import record_escalation, record_feature_request
from apps.customer_success.services.measures import record_nps, record_usage
from apps.users.services.people import allow_role
from tests.factories.accounts import AccountFactory
from tests.factories.customer_success import make_health, make_ticket, news_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 11, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
LISTS = ("tickets", "tickets/critical", "escalations", "feature-requests")
MEASURES = ("health", "usage", "nps")


@pytest.fixture
def account(rep):
    return AccountFactory(owner=rep)


@pytest.fixture
def ask(api, rep, account):
    client = api(rep)

    def asked(what, **query):
        address = f"/accounts/{account.pk}/{what}"
        words = "&".join(f"{name}={value}" for name, value in query.items())
        return client.call("GET", f"{address}?{words}" if words else address)

    return asked


def test_measures_say_who_said_them_and_when_they_were_true(ask, account, system):
    make_health(account, 80, as_of=AT - HOUR)
    make_health(account, 35, as_of=AT)
    record_nps(news=news_of(account, as_of=AT), score=-20, actor=system)
    record_usage(news=news_of(account, as_of=AT), metrics={"users": 3, "share": 0.5}, actor=system)
    told = {"account_id": str(account.pk), "partner": "cx", "as_of": "2026-02-11T08:00:00Z"}
    assert ask("health").json() == {
        **told,
        "score": 35,
        "level": "poor",
        "previous_score": 80,
    }
    assert ask("nps").json() == {**told, "score": -20, "previous_score": None}
    assert ask("usage").json() == {**told, "metrics": {"users": 3, "share": 0.5}}


def test_an_account_of_which_nobody_said_anything_answers_with_nothing(ask, account):
    nothing = {"account_id": str(account.pk), "partner": None, "as_of": None}
    assert ask("health").json() == {
        **nothing,
        "score": None,
        "level": None,
        "previous_score": None,
    }
    assert ask("nps").json() == {**nothing, "score": None, "previous_score": None}
    assert ask("usage").json() == {**nothing, "metrics": None}
    for what in LISTS:
        answer = ask(what)
        assert answer.status_code == 200
        assert answer.json()["data"] == []
        assert answer.json()["pagination"]["total"] == 0


def test_lists_hold_what_belongs_there(ask, account, system):
    make_ticket(account, "T-1", as_of=AT, opened_at=AT - 3 * HOUR)
    make_ticket(account, "T-2", as_of=AT, opened_at=AT - 2 * HOUR, status="solved")
    make_ticket(account, "T-3", as_of=AT, opened_at=AT - HOUR, severity="low")
    make_ticket(AccountFactory(), "T-4", as_of=AT)
    common = {"news": news_of(account, as_of=AT), "opened_at": AT, "actor": system}
    for number, status in enumerate(("open", "resolved")):
        record_escalation(
            external_id=f"E-{number}", title="Up", severity="high", status=status, **common
        )
    for number, status in enumerate(("planned", "shipped", "declined")):
        record_feature_request(external_id=f"F-{number}", title="Wish", status=status, **common)

    def ids(what, **query):
        return [one["external_id"] for one in ask(what, **query).json()["data"]]

    assert ids("tickets") == ["T-3", "T-2", "T-1"]
    assert ids("tickets", is_active="true") == ["T-3", "T-1"]
    assert ids("tickets", severity="low") == ["T-3"]
    assert ids("tickets", limit=1, offset=1) == ["T-2"]
    assert ids("tickets/critical") == ["T-1"]
    assert sorted(ids("escalations")) == ["E-0", "E-1"]
    assert ids("feature-requests") == ["F-0"]
    assert ask("tickets/critical").json()["data"][0] == {
        "id": ask("tickets/critical").json()["data"][0]["id"],
        "account_id": str(account.pk),
        "external_id": "T-1",
        "title": "Nothing works",
        "severity": "critical",
        "status": "open",
        "opened_at": "2026-02-11T05:00:00.000000Z",
        "ended_at": None,
        "partner": "cx",
        "as_of": "2026-02-11T08:00:00.000000Z",
    }


@pytest.mark.parametrize("what", [*MEASURES, *LISTS])
def test_an_account_out_of_reach_is_not_there(api, outsider, account, what):
    make_health(account, 35)
    make_ticket(account)
    answer = api(outsider).call("GET", f"/accounts/{account.pk}/{what}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("what", [*MEASURES, *LISTS])
def test_asks_for_the_right_to_see_it(api, rep, account, system, what):
    allow_role(role=rep.role, permission=READ_CUSTOMER, allowed=False, actor=system)
    answer = api(rep).call("GET", f"/accounts/{account.pk}/{what}")
    assert answer.status_code == 403


def test_unknown_parameters_are_refused(ask):
    assert ask("health", page=1).status_code == 400
    assert ask("tickets", page=1).status_code == 400
    assert ask("feature-requests", severity="low").status_code == 400
