"""Partners and the inbox in the back office, and on the command line."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from apps.core.actors import system_actor
from apps.core.identifiers import new_id
from apps.core.models import Access
from apps.integrations.models import InboundMessage, Partner
from apps.integrations.services.inbox import take_delivery
from apps.integrations.services.pulling import pull_from_partners
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.integrations import make_partner, message, signed
from tests.factories.users import UserFactory, actor_of


def sale():
    return message("contract.created", {"opportunity_id": str(new_id()), "contract_id": "C-quagga"})


@pytest.fixture
def dead(db):
    """A message that was given up."""
    partner = make_partner("billing").owner
    kept, _ = take_delivery(partner=partner, body=sale(), actor=actor_of(partner.client))
    InboundMessage.objects.update(status="dead", due_at=None, attempts=10, reason="not_found: x")
    kept.refresh_from_db()
    return kept


def secret_of(page):
    return page.content.decode().partition('<code class="input secret">')[2].partition("<")[0]


def is_let_in(secret):
    body = sale()
    answer = Client().generic(
        "POST",
        "/api/v1/inbound/billing",
        data=body,
        content_type="application/json",
        headers=signed(secret, body),
    )
    return answer.status_code


def test_an_admin_adds_a_partner_and_sees_its_secret_once(office, admin):
    machine = UserFactory(role=Role.INTEGRATION, name="Billing client", all_territories=True)
    person = UserFactory(name="Paula Person")
    browser = office(admin)
    address = reverse("admin:integrations_partner_add")
    assert person.name not in browser.get(address).content.decode()
    form = {"name": "Billing", "key": "billing", "kind": "billing", "client": machine.pk}
    answer = browser.post(address, form)
    secret = secret_of(answer).replace("&#x3D;", "=")
    assert "no-store" in answer["Cache-Control"]
    assert is_let_in(secret) == 202
    partner = Partner.objects.get()
    page = browser.get(reverse("admin:integrations_partner_change", args=[partner.pk]))
    assert "/api/v1/inbound/billing" in page.content.decode()
    assert secret not in page.content.decode()
    assert b"There already is a partner with this key." in browser.post(address, form).content
    assert Partner.objects.count() == 1


def test_a_secret_is_replaced_once_somebody_said_yes(office, admin):
    known = make_partner("billing")
    browser = office(admin)
    rotate = reverse("admin:integrations_partner_operation_rotate", args=[known.owner.pk])
    assert b"The fresh secret is shown once." in browser.get(rotate).content
    fresh = secret_of(browser.post(rotate)).replace("&#x3D;", "=")
    assert fresh not in ("", known.text)
    assert (is_let_in(fresh), is_let_in(known.text)) == (202, 202)


def test_a_partner_is_paused_and_resumed(office, admin):
    known = make_partner("billing")
    browser = office(admin)
    for name, status in (("pause", 503), ("resume", 202)):
        operation = f"admin:integrations_partner_operation_{name}"
        browser.post(reverse(operation, args=[known.owner.pk]))
        assert is_let_in(known.text) == status


def test_the_inbox_is_narrowed_and_its_messages_handled_again(office, admin, dead, read_so_far):
    browser = office(admin)
    listing = reverse("admin:integrations_inboundmessage_changelist")
    for status, is_there in (("dead", True), ("handled", False)):
        page = browser.get(listing, {"status": status}).content.decode()
        assert (dead.message_id in page) is is_there
    assert dead.message_id in browser.get(listing, {"q": dead.message_id}).content.decode()
    page = browser.get(reverse("admin:integrations_inboundmessage_change", args=[dead.pk]))
    assert "C-quagga" in page.content.decode()
    assert sorted({one.kind for one in read_so_far()}) == ["inbound_messages"]
    assert Access.objects.filter(reading="shown", row_ids=[dead.pk]).exists()
    browser.post(reverse("admin:integrations_inboundmessage_operation_replay", args=[dead.pk]))
    dead.refresh_from_db()
    assert (dead.status, dead.attempts, dead.reason) == ("received", 0, "")


@pytest.mark.parametrize("role", [Role.SALES_MANAGER, Role.SALES_REP, Role.READ_ONLY])
def test_it_is_closed_to_everybody_else(office, dead, role):
    browser = office(UserFactory(role=role))
    for address in (
        reverse("admin:integrations_inboundmessage_changelist"),
        reverse("admin:integrations_inboundmessage_change", args=[dead.pk]),
        reverse("admin:integrations_partner_changelist"),
        reverse("admin:integrations_partner_add"),
    ):
        assert browser.get(address).status_code == 403
    replay = reverse("admin:integrations_inboundmessage_operation_replay", args=[dead.pk])
    assert browser.post(replay).status_code == 403
    dead.refresh_from_db()
    assert dead.status == "dead"


def test_the_command_line_shows_what_failed_and_handles_it_again(dead):
    said = io.StringIO()
    call_command("inbox", "--partner", "billing", stdout=said)
    assert f"{dead.pk} " in said.getvalue()
    assert "dead billing contract.created" in said.getvalue()
    call_command("inbox", "--partner", "support", "--replay", stdout=said)
    dead.refresh_from_db()
    assert dead.status == "dead"
    call_command("inbox", "--id", str(dead.pk), "--replay", stdout=said)
    assert "will be handled again" in said.getvalue()
    dead.refresh_from_db()
    assert dead.status == "received"
    with pytest.raises(CommandError, match="No such message failed"):
        call_command("inbox", "--id", str(dead.pk))


def test_an_admin_connects_a_partner_and_sees_how_asking_it_goes(office, admin, settings):
    settings.WEBHOOK_LOCAL_HOSTS = ["127.0.0.1"]
    partner = make_partner("customer_experience", key="cx").owner
    browser = office(admin)
    page = reverse("admin:integrations_partner_change", args=[partner.pk])
    connect = page.replace("/change/", "/connect/")
    told = {"base_url": "http://127.0.0.1:9/cx/", "token": "told-once"}
    assert "Give an https URL" in browser.post(connect, {"base_url": "http://a.b"}).content.decode()
    browser.post(connect, told)
    partner.refresh_from_db()
    assert partner.base_url == "http://127.0.0.1:9/cx"
    shown = browser.get(page).content.decode()
    assert "Not asked yet" in shown
    assert "told-once" not in shown
    AccountFactory(external_ids={"cx": "C-1"})
    AccountFactory(external_ids={"cx": "C-2"})
    pull_from_partners(actor=system_actor(door="test"))
    shown = browser.get(page).content.decode()
    assert "Left alone" in shown
    assert "Connection refused" in shown
    assert (
        "Left alone"
        in browser.get(reverse("admin:integrations_partner_changelist")).content.decode()
    )


def test_a_partner_of_whom_nothing_is_asked_is_not_connected(office, admin):
    partner = make_partner("billing").owner
    page = reverse("admin:integrations_partner_change", args=[partner.pk])
    assert "Connect" not in office(admin).get(page).content.decode()
