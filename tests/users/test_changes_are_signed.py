"""What is changed about people, rights and keys says who did it, through which door, for which
request."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from apps.core.actors import SYSTEM_ID
from apps.core.models import BusinessEvent, Change
from apps.territories.models import TerritoryGrant
from apps.users.models import ApiKey, Role, RolePermission, User
from apps.users.selectors import permission_matrix
from tests.back_office.test_operations import filled
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory


def signed(row):
    """The signatures under the changes of a row."""
    changes = Change.objects.filter(row_id=row.pk).order_by("sequence")
    return [(one.action, one.actor_id, one.door, one.request_id) for one in changes]


def told(name, **about):
    """The signatures under the events of a name."""
    events = BusinessEvent.objects.filter(name=name, **about).order_by("sequence")
    return [(one.actor_id, one.door, one.correlation_id) for one in events]


@pytest.fixture
def office(client, admin):
    """The back office as the admin has it open; each request has the id that is stated."""
    client.force_login(admin)
    return client


def test_a_person_changed_in_the_back_office(office, admin, rep):
    page = reverse("admin:users_user_change", args=[rep.pk])
    form = {**filled(office.get(page)), "role": "read_only"}
    office.post(page, form, headers={"X-Request-ID": "change-7"})
    rep.refresh_from_db()
    assert rep.role == "read_only"
    assert signed(rep)[1:] == [("changed", admin.pk, "back_office", "change-7")]
    assert told("user.access_changed", aggregate_id=rep.pk) == [
        (admin.pk, "back_office", "change-7")
    ]


def test_the_first_admin_made_on_the_command_line(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a long enough pass phrase")
    call_command("createsuperuser", interactive=False, email="first@example.com", name="First")
    first = User.objects.get(email="first@example.com")
    assert [one[:3] for one in signed(first)] == [("made", SYSTEM_ID, "command")]


def test_a_right_given_in_the_back_office(office, admin):
    held = {f"{role} {name}" for role, names in permission_matrix().items() for name in names}
    office.post(
        reverse("admin:users_rolepermission_changelist"),
        {"held": sorted(held | {"read_only lead:export"})},
        headers={"X-Request-ID": "rights-7"},
    )
    row = RolePermission.objects.get()
    assert (row.role, row.permission, row.allowed) == ("read_only", "lead:export", True)
    assert signed(row) == [("made", admin.pk, "back_office", "rights-7")]


def test_a_key_given_replaced_and_taken_over_rest(api, admin):
    rest, machine = api(admin), UserFactory(role=Role.INTEGRATION)
    in_a_month = (timezone.now() + timedelta(days=30)).isoformat()
    facts = {"user_id": str(machine.pk), "name": "Nightly", "expires_at": in_a_month}
    issued = rest.call("POST", "/api-keys", facts, x_request_id="key-1")
    assert issued.status_code == 201, issued.content
    key = ApiKey.objects.get()
    rotated = rest.call("POST", f"/api-keys/{key.pk}/rotate", {}, x_request_id="key-2")
    assert rotated.status_code == 200, rotated.content
    revoked = rest.call("POST", f"/api-keys/{key.pk}/revoke", {}, x_request_id="key-3")
    assert revoked.status_code == 204, revoked.content

    for name, request_id in (("issued", "key-1"), ("rotated", "key-2"), ("revoked", "key-3")):
        assert told(f"api_key.{name}") == [(admin.pk, "rest", request_id)]


def test_a_look_at_a_territory_granted_in_the_back_office(office, admin, rep):
    territory = TerritoryFactory()
    office.post(
        reverse("admin:territories_territory_operation_grant", args=[territory.pk]),
        {"user_id": str(rep.pk)},
        headers={"X-Request-ID": "grant-7"},
    )
    assert TerritoryGrant.objects.get().user == rep
    assert told("territory.updated", aggregate_id=territory.pk) == [
        (admin.pk, "back_office", "grant-7")
    ]
    event = BusinessEvent.objects.get(name="territory.updated", aggregate_id=territory.pk)
    assert event.payload["changed"] == ["grants"]
