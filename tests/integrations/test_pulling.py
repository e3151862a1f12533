"""Partners are asked what they know by now: with patience, in time, and each for itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import redis
from prometheus_client import REGISTRY

from apps.core.cache import shared_cache
from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.identifiers import new_id
from apps.core.models import BusinessEvent, Change
from apps.customer_success.models import Case, Measure
from apps.integrations.models import Partner, PartnerLine
from apps.integrations.services import asking, pulling
from apps.integrations.services.asking import LARGEST_ANSWER, is_left_alone
from apps.integrations.services.partners import connect_partner, pause_partner, token_of
from apps.integrations.services.pulling import pull_from_partners
from apps.leads.models import Campaign
from apps.users.models import User
from apps.users.selectors import forget_standings
from salesplatform.stub_partners import StubPartners
from tests.factories.accounts import AccountFactory
from tests.factories.customer_success import make_health, make_ticket
from tests.factories.integrations import make_partner
from tests.factories.leads import LeadFactory

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 11, 8, tzinfo=UTC)
KINDS = {"cx": "customer_experience", "support": "support", "marketing": "marketing"}


@pytest.fixture(autouse=True)
def hurried(settings, monkeypatch):
    """Loopback may be asked, and nobody waits long between attempts."""
    settings.WEBHOOK_LOCAL_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(asking, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(asking, "LONGEST_WAIT_SECONDS", 0.002)


@pytest.fixture
def stub():
    with StubPartners(token="told-once", slow_seconds=20) as server:
        yield server


@pytest.fixture
def connect(stub, system):
    """Makes a partner of ours that the stub plays."""

    def connected(key, token="told-once", base_url=None):
        partner = make_partner(KINDS.get(key, "customer_experience"), key=key).owner
        url = stub.url_of(key) if base_url is None else base_url
        return connect_partner(partner_id=partner.pk, base_url=url, token=token, actor=system)

    return connected


@pytest.fixture
def account(rep):
    return AccountFactory(owner=rep, external_ids={"cx": "C 1/ü", "support": "S-1"})


def left_alone():
    name = "salesplatform_partner_left_alone"
    return REGISTRY.get_sample_value(name, {"partner": "cx"})


def line_of(partner):
    return PartnerLine.objects.get(partner=partner)


def cx(stub, **answers):
    """What customer experience answers about the account, and nothing else."""
    for what in ("health", "usage", "nps", "tickets"):
        stub.put[f"/cx/accounts/C%201%2F%C3%BC/{what}"] = answers.get(what)


HEALTH = {"as_of": AT.isoformat(), "score": 35}


def test_what_customer_experience_knows_is_taken_over(stub, connect, account, system):
    partner = connect("cx")
    ticket = {
        "id": "T-1",
        "title": "Slow",
        "severity": "low",
        "status": "open",
        "opened_at": AT.isoformat(),
    }
    usage = {"as_of": AT.isoformat(), "metrics": {"users": 3}}
    tickets = {"as_of": AT.isoformat(), "data": [ticket, {**ticket, "id": "T-2"}]}
    cx(stub, health=HEALTH, usage=usage, nps={**HEALTH, "score": -9}, tickets=tickets)
    assert pull_from_partners(actor=system) == 4
    found = {one.kind: (one.score, one.metrics, one.partner) for one in Measure.objects.all()}
    assert found == {
        "health": (35, {}, "cx"),
        "usage": (None, {"users": 3}, "cx"),
        "nps": (-9, {}, "cx"),
    }
    assert sorted(Case.objects.values_list("external_id", flat=True)) == ["T-1", "T-2"]
    told = BusinessEvent.objects.get(name="account.health_changed")
    assert (told.actor_id, told.door) == (partner.client_id, "clock")
    line = line_of(partner)
    assert (line.trouble, line.position) == ("", "")
    assert line.answered_at is not None
    assert len(stub.asked) == 4
    before = Change.objects.count()
    assert pull_from_partners(actor=system) == 4
    assert Change.objects.count() == before


def test_both_partners_are_played_as_the_demo_plays_them(connect, account, system):
    connect("cx")
    connect("support")
    assert pull_from_partners(actor=system) >= 6
    assert Measure.objects.count() == 3
    assert set(Case.objects.values_list("partner", flat=True)) == {"cx", "support"}
    assert {one.trouble for one in PartnerLine.objects.all()} == {""}


def test_marketing_is_asked_for_the_campaigns_of_its_leads(stub, connect, system, monkeypatch):
    monkeypatch.setattr(pulling, "AT_ONCE", 2)
    partner = connect("marketing")
    for campaign in ("Spring", "autumn", "Spring", "Ärger", ""):
        LeadFactory(external_source="marketing", campaign_id=campaign)
    LeadFactory(external_source="fair", campaign_id="elsewhere")
    while not line_of(partner).asked_at or line_of(partner).position:
        pull_from_partners(actor=system)
    assert line_of(partner).trouble == ""
    found = dict(Campaign.objects.values_list("external_id", "name"))
    assert found == {one: f"Campaign {quote(one)}" for one in ("Spring", "autumn", "Ärger")}
    assert len(stub.asked) == 3


def test_older_answers_change_nothing(stub, connect, account, system):
    connect("cx")
    make_health(account, 80, as_of=AT + timedelta(hours=1))
    cx(stub, health=HEALTH)
    pull_from_partners(actor=system)
    assert Measure.objects.get().score == 80


def test_a_critical_ticket_that_is_listed_no_longer_is_closed(stub, connect, account, system):
    connect("support")
    make_ticket(account, "T-1", partner="support", as_of=AT, opened_at=AT)
    make_ticket(account, "T-2", partner="support", as_of=AT, opened_at=AT)
    make_ticket(account, "T-3", partner="cx", as_of=AT, opened_at=AT)
    later = AT + timedelta(hours=1)
    make_ticket(account, "T-4", partner="support", as_of=later, opened_at=AT)
    ticket = {
        "id": "T-1",
        "title": "Nothing works",
        "severity": "critical",
        "status": "open",
        "opened_at": AT.isoformat(),
    }
    listed = {"as_of": (AT + timedelta(minutes=30)).isoformat(), "data": [ticket]}
    stub.put["/support/accounts/S-1/tickets/critical"] = listed
    for what in ("escalations", "feature-requests"):
        stub.put[f"/support/accounts/S-1/{what}"] = None
    assert pull_from_partners(actor=system) == 1
    found = dict(Case.objects.values_list("external_id", "status"))
    assert found == {"T-1": "open", "T-2": "closed", "T-3": "open", "T-4": "open"}
    told = BusinessEvent.objects.filter(name="account.critical_ticket_closed")
    assert [one.payload["external_id"] for one in told] == ["T-2"]


def test_what_fails_in_passing_is_asked_again(stub, connect, account, system):
    class Recovering(list):
        def append(self, path):
            super().append(path)
            stub.faults["cx"] = "none" if len(self) > 2 else "error"

    partner = connect("cx")
    cx(stub, health=HEALTH)
    stub.asked = Recovering()
    assert pull_from_partners(actor=system) == 1
    assert len(set(stub.asked[:3])) == 1
    assert Measure.objects.get().score == 35
    assert line_of(partner).trouble == ""
    assert not is_left_alone(partner)


@pytest.mark.parametrize("fault", ["error", "dead"])
def test_who_fails_too_often_is_left_alone_and_asked_again_later(
    stub, connect, rep, system, monkeypatch, fault
):
    accounts = [AccountFactory(owner=rep, external_ids={"cx": f"C-{one}"}) for one in range(5)]
    partner = connect("cx")
    stub.faults["cx"] = fault
    assert pull_from_partners(actor=system) == 0
    assert len(stub.asked) == asking.FAILURES_UNTIL_OPEN
    assert is_left_alone(partner)
    assert left_alone() == 1
    assert line_of(partner).trouble
    assert line_of(partner).answered_at is None
    assert pull_from_partners(actor=system) == 0
    assert len(stub.asked) == asking.FAILURES_UNTIL_OPEN
    assert Measure.objects.count() == 0

    monkeypatch.setattr(asking, "OPEN_FOR_SECONDS", 0)
    stub.faults["cx"] = "none"
    while line_of(partner).position:
        assert pull_from_partners(actor=system) > 0
    assert not is_left_alone(partner)
    assert left_alone() == 0
    pull_from_partners(actor=system)
    assert Measure.objects.filter(kind="health").count() == len(accounts)


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"<html>", "This is not JSON"),
        ([1], "This is no object."),
        ({"data": [1]}, "no list of objects"),
        ({"score": 35}, "timestamp"),
        ({**HEALTH, "score": 101}, "score"),
        ({**HEALTH, "score": "35"}, "score"),
        ({**HEALTH, "more": 1}, "more"),
        ({**HEALTH, "as_of": "0001-01-01T00:00:00+14:00"}, "years"),
        ({**HEALTH, "as_of": "2999-01-01T00:00:00Z"}, "future"),
    ],
)
def test_garbage_is_told_and_stores_nothing(stub, connect, account, system, answer, trouble):
    partner = connect("cx")
    if isinstance(answer, bytes):
        stub.faults["cx"] = "garbage"
    cx(stub, health=answer)
    assert pull_from_partners(actor=system) == 0
    assert trouble in line_of(partner).trouble
    assert Measure.objects.count() == 0


@pytest.mark.parametrize("answer", ["torn", "too much"])
def test_one_account_that_always_fails_holds_up_no_other(stub, connect, rep, system, answer):
    accounts = [AccountFactory(owner=rep, external_ids={"cx": f"C-{one}"}) for one in range(3)]
    partner = connect("cx")
    whole = stub.answer

    def torn(path):
        if "C-1" in path and answer == "torn":
            raise RuntimeError("torn")
        if "C-1" in path:
            return {"as_of": "2026-01-01T00:00:00Z", "note": "much " * LARGEST_ANSWER}
        return whole(path)

    stub.answer = torn
    pull_from_partners(actor=system)
    found = set(Measure.objects.filter(kind="health").values_list("account_id", flat=True))
    assert found == {accounts[0].pk, accounts[2].pk}
    assert line_of(partner).position == ""
    assert line_of(partner).trouble != ""


def test_a_slow_partner_delays_no_other_and_the_run_ends_in_time(
    stub, connect, account, system, monkeypatch
):
    slow, quick = connect("cx"), connect("support")
    stub.faults["cx"] = "slow"
    began = time.monotonic()
    pull_from_partners(actor=system, seconds=2.0)
    assert time.monotonic() - began < 4
    assert line_of(slow).trouble == "It is too slow to be asked everything."
    assert line_of(quick).trouble == ""
    assert set(Case.objects.values_list("partner", flat=True)) == {"support"}


def test_a_run_goes_on_where_the_last_one_ended(stub, connect, rep, system, monkeypatch):
    monkeypatch.setattr(pulling, "AT_ONCE", 2)
    for one in range(5):
        AccountFactory(owner=rep, external_ids={"cx": f"C-{one}"})
    partner = connect("cx")
    seen = []
    for _ in range(4):
        stub.asked.clear()
        pull_from_partners(actor=system)
        seen.append(sorted({one.split("/")[3] for one in stub.asked}))
    assert seen == [["C-0", "C-1"], ["C-2", "C-3"], ["C-4"], ["C-0", "C-1"]]
    assert line_of(partner).trouble == ""


def test_what_a_partner_does_not_know_is_no_trouble(stub, connect, account, system):
    partner = connect("cx")
    cx(stub)
    assert pull_from_partners(actor=system) == 0
    assert line_of(partner).trouble == ""
    assert len(stub.asked) == 4


def test_a_token_that_is_not_theirs_is_told_and_not_tried_again(stub, connect, account, system):
    partner = connect("cx", token="another")
    assert pull_from_partners(actor=system) == 0
    assert line_of(partner).trouble == "It answered 401."
    assert len(stub.asked) == 1
    assert not is_left_alone(partner)


def test_only_accounts_within_reach_of_its_client_are_asked_about(
    stub, connect, account, outsider, system
):
    partner = connect("cx")
    User.objects.filter(pk=partner.client_id).update(all_territories=False)
    forget_standings()
    assert pull_from_partners(actor=system) == 0
    assert stub.asked == []
    User.objects.filter(pk=partner.client_id).update(is_active=False)
    forget_standings()
    assert pull_from_partners(actor=system) == 0
    assert "may not act" in line_of(partner).trouble


def test_whoever_is_paused_or_not_connected_is_not_asked(stub, connect, account, system):
    paused, none = connect("cx"), connect("support")
    pause_partner(partner_id=paused.pk, actor=system)
    connect_partner(partner_id=none.pk, actor=system)
    assert pull_from_partners(actor=system) == 0
    assert stub.asked == []


def test_without_valkey_partners_are_asked_all_the_same(
    stub, connect, account, system, monkeypatch
):
    connect("cx")
    cx(stub, health=HEALTH)

    def away(*args, **kwargs):
        raise redis.ConnectionError

    monkeypatch.setattr(type(shared_cache.client), "execute_command", away)
    assert pull_from_partners(actor=system) == 1
    assert Measure.objects.get().score == 35


def test_a_token_stays_with_its_host(connect, system):
    partner = connect("cx", token="told-once", base_url="https://cx.example/api")

    def told(url):
        connect_partner(partner_id=partner.pk, base_url=url, actor=system)
        return token_of(Partner.objects.get(pk=partner.pk))

    assert told("https://cx.example/api/v2") == "told-once"
    assert told("https://elsewhere.example/api") == ""


def test_a_token_is_sealed_and_belongs_to_its_partner(connect, system):
    partner = connect("cx", token="told-once")
    kept = Partner.objects.get(pk=partner.pk)
    assert b"told-once" not in bytes(kept.token)
    assert token_of(kept) == "told-once"
    other = connect("support", token="")
    assert (other.token, token_of(other)) == (None, "")
    other.token = kept.token
    with pytest.raises(ValueError, match="not sealed here"):
        token_of(other)
    changes = Change.objects.filter(kind="partners", row_id=partner.pk).order_by("sequence")
    assert "token" not in changes.last().after


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "http://partner.example"},
        {"base_url": "https://10.0.0.1/api"},
        {"base_url": "https://partner.example/api?key=1"},
        {"base_url": "https://u:p@partner.example"},
        {"base_url": "", "token": "lonely"},
        {"base_url": "https://partner.example", "token": "two\nlines"},
    ],
)
def test_refuses_urls_and_tokens_that_make_no_sense(system, wrong):
    partner = make_partner("customer_experience", key="cx").owner
    with pytest.raises(InvalidInput):
        connect_partner(partner_id=partner.pk, actor=system, **wrong)
    partner.refresh_from_db()
    assert (partner.base_url, partner.token) == ("", None)


def test_refuses_whoever_may_not_connect(rep, acting, admin):
    partner = make_partner("customer_experience", key="cx").owner
    url = "https://partner.example"
    with pytest.raises(NotAllowed):
        connect_partner(partner_id=partner.pk, base_url=url, actor=acting(rep))
    with pytest.raises(NotFound):
        connect_partner(partner_id=new_id(), base_url=url, actor=acting(admin))
    partner.refresh_from_db()
    assert partner.base_url == ""


def test_a_name_that_leads_inside_is_not_asked(connect, account, system, monkeypatch):
    partner = connect("cx", base_url="https://partner.example")
    monkeypatch.setattr(
        "apps.integrations.services.posting.addresses_of", lambda host: ["127.0.0.1"]
    )
    assert pull_from_partners(actor=system) == 0
    assert "not one of the public internet" in line_of(partner).trouble
