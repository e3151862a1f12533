"""Pages show moments where their reader is; nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.core.errors import NotAllowed
from apps.core.models import Change
from apps.leads.models import Lead
from apps.territories.models import TerritoryGrant
from apps.users.models import User
from apps.users.services.people import set_time_zone
from tests.back_office.conftest import Office
from tests.back_office.test_operations import operate, reasons_on_form
from tests.factories.leads import LeadFactory
from tests.factories.territories import TerritoryFactory

# Half past eleven at night on New Year's Eve in Berlin, and already 2024 in Auckland.
MOMENT = datetime(2023, 12, 31, 22, 30, tzinfo=UTC)


@pytest.fixture
def lead(admin: User, manager: User) -> Lead:
    """A lead made at the moment."""
    lead = LeadFactory()
    Lead.objects.filter(pk=lead.pk).update(created_at=MOMENT)
    return lead


def in_zone(user: User, name: str) -> User:
    User.objects.filter(pk=user.pk).update(time_zone=name)
    return user


def test_two_readers_see_one_moment_each_where_they_are(
    lead: Lead, admin: User, manager: User, office: Office
) -> None:
    page = reverse("admin:leads_lead_change", args=[lead.pk])
    in_berlin = office(in_zone(admin, "Europe/Berlin")).get(page)
    in_auckland = office(in_zone(manager, "Pacific/Auckland")).get(page)

    assert b"2023-12-31 23:30" in in_berlin.content
    assert b"2024-01-01 11:30" in in_auckland.content
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize("name", ["", "Europe/Nowhere"])
def test_without_a_known_zone_it_is_the_organisation_s(
    lead: Lead, admin: User, office: Office, settings: Any, name: str
) -> None:
    settings.ORGANISATION_TIME_ZONE = "Asia/Tokyo"
    page = office(in_zone(admin, name)).get(reverse("admin:leads_lead_change", args=[lead.pk]))
    assert b"2024-01-01 07:30" in page.content


@pytest.mark.parametrize(
    ("zone", "day", "finds"),
    [
        ("Europe/Berlin", "2023-12-31", True),
        ("Europe/Berlin", "2024-01-01", False),
        ("Pacific/Auckland", "2023-12-31", False),
        ("Pacific/Auckland", "2024-01-01", True),
    ],
)
def test_a_day_of_the_filter_begins_where_the_reader_is(
    lead: Lead, admin: User, office: Office, zone: str, day: str, finds: bool
) -> None:
    answer = office(in_zone(admin, zone)).get(
        reverse("admin:leads_lead_changelist"), {"created_at_from": day, "created_at_to": day}
    )
    assert list(answer.context["cl"].result_list) == ([lead] if finds else [])


def test_a_moment_is_asked_for_where_the_reader_is(admin: User, rep: User, office: Office) -> None:
    territory = TerritoryFactory()
    operate(
        office(in_zone(admin, "Europe/Berlin")),
        territory,
        "grant",
        user_id=str(rep.pk),
        expires_at_0="2030-07-01",
        expires_at_1="12:00",
    )
    assert TerritoryGrant.objects.get().expires_at == datetime(2030, 7, 1, 10, tzinfo=UTC)


def test_rest_tells_utc_whoever_asks(lead: Lead, admin: User, api: Any) -> None:
    answer = api(in_zone(admin, "Europe/Berlin")).call("GET", f"/leads/{lead.pk}")
    assert answer.json()["created_at"] == "2023-12-31T22:30:00.000000Z"


def test_the_zone_is_set_on_a_person_s_page_and_kept_in_the_history(
    admin: User, rep: User, office: Office
) -> None:
    operate(office(admin), rep, "time_zone", time_zone="America/New_York")
    rep.refresh_from_db()
    assert rep.time_zone == "America/New_York"
    change = Change.objects.filter(row_id=rep.pk).latest("sequence")
    assert (change.before, change.after, change.actor_id) == (
        {"time_zone": ""},
        {"time_zone": "America/New_York"},
        admin.pk,
    )

    operate(office(admin), rep, "time_zone", time_zone="")
    rep.refresh_from_db()
    assert rep.time_zone == ""


@pytest.mark.parametrize("name", ["Europe/Nowhere", "europe/berlin", "../UTC", "+01:00"])
def test_refuses_an_unknown_zone(admin: User, rep: User, office: Office, name: str) -> None:
    client = office(admin)
    changed = operate(client, rep, "time_zone", time_zone=name)
    added = client.post(
        reverse("admin:users_user_add"),
        {"email": "n@example.com", "name": "N", "role": "sales_rep", "time_zone": name},
    )

    assert set(reasons_on_form(changed)) == {"time_zone"}
    assert set(reasons_on_form(added)) == {"time_zone"}
    rep.refresh_from_db()
    assert rep.time_zone == ""
    assert not User.objects.filter(email="n@example.com").exists()


def test_only_those_who_manage_people_set_it(
    manager: User, rep: User, office: Office, acting: Any
) -> None:
    operate(office(manager), rep, "time_zone", time_zone="Asia/Tokyo")
    with pytest.raises(NotAllowed):
        set_time_zone(user_id=rep.pk, time_zone="Asia/Tokyo", actor=acting(manager))
    rep.refresh_from_db()
    assert rep.time_zone == ""
