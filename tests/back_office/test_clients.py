"""Keys of machine clients and applications in the back office."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.territories.selectors import forget_reach
from apps.users.errors import NotAClient
from apps.users.models import ApiKey, Application, Role
from apps.users.selectors import forget_standings
from apps.users.services.api_keys import issue_api_key
from apps.users.services.people import bind_client
from tests.factories.leads import LeadFactory
from tests.factories.users import UserFactory


@pytest.fixture
def issued(db, system):
    """A key of a machine client."""
    return issue_api_key(
        user_id=UserFactory(role=Role.INTEGRATION, name="Billing").pk,
        name="Nightly",
        expires_at=timezone.now() + timedelta(days=1),
        actor=system,
    )


def _secret_of(page) -> str:
    return page.content.decode().partition('<code class="input secret">')[2].partition("<")[0]


def _works(text: str) -> bool:
    forget_standings()
    return Client().get("/api/v1/leads", headers={"X-API-Key": text}).status_code == 200


def test_an_admin_gives_a_key_and_sees_its_secret_once(office, admin):
    machine = UserFactory(role=Role.INTEGRATION, name="Billing")
    person = UserFactory(name="Paula Person")
    browser = office(admin)
    address = reverse("admin:users_apikey_add")
    assert person.name not in browser.get(address).content.decode()
    until = (timezone.now() + timedelta(days=30)).date()
    form = {"user": machine.pk, "name": "Nightly", "expires_at": until, "scopes": ["lead:read"]}
    answer = browser.post(address, form)
    text = _secret_of(answer)
    assert "no-store" in answer["Cache-Control"]
    assert _works(text)
    key = ApiKey.objects.get()
    assert (key.user, key.scopes, key.expires_at.date()) == (machine, ["lead:read"], until)
    page = browser.get(reverse("admin:users_apikey_change", args=[key.pk])).content.decode()
    assert key.prefix in page
    assert text.partition(".")[2] not in page
    assert key.digest not in page


def test_a_secret_is_replaced_and_a_key_revoked(office, admin, issued):
    browser = office(admin)
    rotate = reverse("admin:users_apikey_operation_rotate", args=[issued.owner.pk])
    fresh = _secret_of(browser.post(rotate, {"grace_minutes": 0}))
    assert (_works(issued.text), _works(fresh)) == (False, True)
    browser.post(reverse("admin:users_apikey_operation_revoke", args=[issued.owner.pk]))
    assert not _works(fresh)
    answer = browser.post(rotate, {"grace_minutes": 0})
    assert b"This API key is revoked." in answer.content


def test_an_application_is_admitted_and_ended(office, admin):
    browser = office(admin)
    address = reverse("admin:users_application_add")
    form = {"name": "Mobile", "redirect_uris": "http://app.example/"}
    assert b"give an https address" in browser.post(address, form).content
    assert Application.objects.count() == 0
    form["redirect_uris"] = "https://app.example/a\n\nhttps://app.example/b "
    assert browser.post(address, form).status_code == 302
    application = Application.objects.get()
    assert application.redirect_uris == ["https://app.example/a", "https://app.example/b"]
    browser.post(reverse("admin:users_application_operation_end", args=[application.pk]))
    application.refresh_from_db()
    assert application.ended_at is not None


def test_how_far_a_client_sees_is_set_on_its_page(office, admin, issued, deliver_events):
    LeadFactory()
    browser = office(admin)
    address = reverse("admin:users_user_operation_reach", args=[issued.owner.user_id])

    def seen():
        deliver_events()
        forget_reach()
        answer = Client().get("/api/v1/leads", headers={"X-API-Key": issued.text})
        return len(answer.json()["data"])

    assert seen() == 0
    browser.post(address, {"all_territories": "on"})
    assert seen() == 1
    browser.post(address, {})
    assert seen() == 0


def test_nobody_else_can_be_let_see_everything(system, rep):
    with pytest.raises(NotAClient):
        bind_client(user_id=rep.pk, all_territories=True, actor=system)
    rep.refresh_from_db()
    assert not rep.all_territories


@pytest.mark.parametrize("role", [Role.SALES_MANAGER, Role.SALES_REP, Role.READ_ONLY])
def test_nobody_but_admins_gets_there(office, issued, role):
    browser = office(UserFactory(role=role))
    for name in ("apikey", "application"):
        assert browser.get(reverse(f"admin:users_{name}_changelist")).status_code == 403
        assert browser.get(reverse(f"admin:users_{name}_add")).status_code == 403
    browser.post(reverse("admin:users_apikey_operation_revoke", args=[issued.owner.pk]))
    assert ApiKey.objects.get().revoked_at is None
