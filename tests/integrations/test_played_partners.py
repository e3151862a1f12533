"""The partners played for the demo: known here, answering, saying and failing on demand."""

from __future__ import annotations

import httpx2
import pytest
from django.core.management import CommandError, call_command

from apps.core.journal import deliver
from apps.customer_success.models import Case, Measure
from apps.integrations.models import InboundMessage, Partner
from apps.integrations.services.pulling import pull_from_partners
from apps.users.models import User
from salesplatform.management.commands.partners import CLIENT, PARTNERS, introduce
from salesplatform.stub_partners import StubPartners
from tests.factories.accounts import AccountFactory

TICKET = {
    "account_id": "S-1",
    "id": "T-1",
    "title": "Nothing works",
    "severity": "critical",
    "status": "open",
    "opened_at": "2026-02-10T08:00:00Z",
}


@pytest.fixture(autouse=True)
def local(settings):
    """Loopback may be asked."""
    settings.WEBHOOK_LOCAL_HOSTS = ["127.0.0.1"]


@pytest.fixture
def stub(live_server, system):
    """Played partners that are introduced to a platform that runs."""
    with StubPartners(says_to=live_server.url) as server:
        introduce(server, actor=system)
        yield server


def tell(stub, what, **told):
    answer = httpx2.post(stub.url_of(what), json=told, trust_env=False)
    return answer.status_code, answer.json()


@pytest.mark.django_db(transaction=True)
def test_they_are_partners_with_one_client_however_often_they_come(stub, system, live_server):
    before = set(Partner.objects.values_list("key", "kind"))
    assert before == set(PARTNERS.items())
    client = User.objects.get(email=CLIENT)
    assert {one.client_id for one in Partner.objects.all()} == {client.pk}
    with StubPartners(says_to=live_server.url) as again:
        introduce(again, actor=system)
        assert set(Partner.objects.values_list("key", "kind")) == before
        assert Partner.objects.get(key="cx").base_url == again.url_of("cx")
        assert Partner.objects.get(key="billing").base_url == ""
        assert again.say("support", "ticket.updated", TICKET) == 202


@pytest.mark.django_db(transaction=True)
def test_they_say_what_they_are_told_to_say(stub):
    AccountFactory(external_ids={"cx": "C-1", "support": "S-1"})
    health = {"account_id": "C-1", "score": 12}
    said = tell(stub, "say", partner="cx", type="health.updated", payload=health)
    assert said == (200, {"answered": 202})
    said = tell(stub, "say", partner="support", type="ticket.updated", payload=TICKET)
    assert said == (200, {"answered": 202})
    assert tell(stub, "say", partner="cx", type="health.updated") == (200, {"answered": 400})
    while deliver():
        pass
    assert set(InboundMessage.objects.values_list("status", flat=True)) == {"handled"}
    assert Measure.objects.get().score == 12
    assert Case.objects.get().is_critical


@pytest.mark.django_db(transaction=True)
def test_they_fail_as_they_are_told_to_fail(stub, system):
    AccountFactory(external_ids={"cx": "C-1"})
    assert tell(stub, "faults", partner="cx", fault="garbage") == (200, {})
    assert pull_from_partners(actor=system) == 0
    assert "not JSON" in Partner.objects.get(key="cx").line.trouble
    tell(stub, "faults", partner="cx", fault="none")
    assert pull_from_partners(actor=system) > 0
    status, known = tell(stub, "faults", partner="cx", fault="unheard of")
    assert (status, known["partners"]) == (400, sorted(PARTNERS))


@pytest.mark.django_db
def test_they_are_not_played_where_loopback_may_not_be_asked(settings):
    settings.WEBHOOK_LOCAL_HOSTS = []
    with pytest.raises(CommandError, match="WEBHOOK_LOCAL_HOSTS"):
        call_command("partners")
    settings.DEMO_ALLOWED = False
    with pytest.raises(CommandError, match="production"):
        call_command("partners")
    assert Partner.objects.count() == 0
