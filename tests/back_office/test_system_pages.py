"""People, rights, jobs, the journal and the clock."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.core.identifiers import new_id
from apps.core.jobs import request_job
from apps.core.journal import publish, subscribers
from apps.core.models import BusinessEvent, EventDelivery
from apps.leads.events import LeadUpdated
from apps.territories.models import Territory, TerritoryMember
from apps.users.models import RolePermission, User
from apps.users.selectors import permission_matrix
from tests.back_office.conftest import Office
from tests.back_office.test_operations import filled, operate, reasons_on_form, told
from tests.factories.users import PASSWORD, actor_of


def test_adds_a_person_who_can_sign_in(admin: User, manager: User, office: Office) -> None:
    office(admin).post(
        reverse("admin:users_user_add"),
        {
            "email": "new@example.com",
            "name": "Newt New",
            "role": "sales_rep",
            "manager": str(manager.pk),
            "time_zone": "Europe/Berlin",
            "password": "a long enough pass phrase",
        },
    )

    user = User.objects.get(email="new@example.com")
    assert (user.name, user.manager_id, user.time_zone) == ("Newt New", manager.pk, "Europe/Berlin")
    assert Client().login(username="new@example.com", password="a long enough pass phrase")


def test_refuses_a_weak_password_and_a_taken_address(
    admin: User, rep: User, office: Office, settings: Any
) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}
    ]
    facts = {"name": "N", "role": "sales_rep", "time_zone": "UTC"}
    client = office(admin)

    weak = client.post(
        reverse("admin:users_user_add"), {**facts, "email": "n@example.com", "password": "123"}
    )
    taken = client.post(reverse("admin:users_user_add"), {**facts, "email": rep.email.upper()})

    assert set(reasons_on_form(weak)) == {"password"}
    assert reasons_on_form(taken) == {"__all__": ["email_taken"]}


def test_ends_somebody_s_access(admin: User, rep: User, office: Office) -> None:
    client = office(admin)
    address = reverse("admin:users_user_change", args=[rep.pk])
    form = filled(client.get(address))
    form.pop("is_active")

    client.post(address, form)

    rep.refresh_from_db()
    assert (rep.is_active, rep.role, rep.token_version) == (False, "sales_rep", 1)


def test_sets_a_password_and_shows_none(admin: User, rep: User, office: Office) -> None:
    client = office(admin)

    page = client.get(reverse("admin:users_user_change", args=[rep.pk]))
    operate(client, rep, "password", password="another long pass phrase")

    assert b"scrypt" not in page.content
    assert b"md5$" not in page.content
    assert Client().login(username=rep.email, password="another long pass phrase")


def test_a_person_changes_their_own_password_and_stays_signed_in(rep: User, office: Office) -> None:
    client = office(rep)

    answer = client.post(
        reverse("admin:password_change"),
        {
            "old_password": PASSWORD,
            "new_password1": "another long pass phrase",
            "new_password2": "another long pass phrase",
        },
    )

    rep.refresh_from_db()
    assert answer.status_code == 302
    assert rep.token_version == 1
    assert client.get(reverse("admin:index")).status_code == 200


def test_a_rep_changes_nobody(rep: User, manager: User, office: Office) -> None:
    client = office(rep)
    page = reverse("admin:users_user_change", args=[manager.pk])

    assert client.get(page).status_code == 200
    assert client.post(page, {"role": "read_only"}).status_code == 403
    assert client.get(reverse("admin:users_user_add")).status_code == 403


def test_changes_the_rights_of_roles_in_one_table(admin: User, office: Office) -> None:
    address = reverse("admin:users_rolepermission_changelist")
    held = {f"{role} {name}" for role, names in permission_matrix().items() for name in names}
    wanted = (held - {"sales_rep lead:export"}) | {"sales_rep lead:import"}
    client = office(admin)

    answer = client.post(address, {"held": sorted(wanted)})

    assert told(answer) == [("2 rights changed.", "")]
    assert set(RolePermission.objects.values_list("role", "permission", "allowed")) == {
        ("sales_rep", "lead:export", False),
        ("sales_rep", "lead:import", True),
    }


def test_the_rights_are_read_by_all_and_changed_by_admins(manager: User, office: Office) -> None:
    address = reverse("admin:users_rolepermission_changelist")
    client = office(manager)

    page = client.get(address)
    answer = client.post(address, {"held": []})

    assert b"Save rights" not in page.content
    assert told(answer)[0][1] == "permission_missing"
    assert not RolePermission.objects.exists()


def dead_delivery() -> EventDelivery:
    event = BusinessEvent.objects.order_by("-sequence").first()
    assert event is not None
    return EventDelivery.objects.create(
        event_sequence=event.sequence,
        subscriber="territories.resolve_reach_anew",
        aggregate_id=event.aggregate_id,
        lane=0,
        attempts=10,
        dead_at=timezone.now(),
        error="ValueError: broken",
    )


def test_delivers_a_dead_letter_again(admin: User, manager: User, office: Office) -> None:
    with transaction.atomic():
        request_job("leads.import", parameters={}, actor=actor_of(admin))
    delivery = dead_delivery()
    dead = f"{reverse('admin:core_eventdelivery_changelist')}?state=dead"

    assert operate(office(manager), delivery, "retry").status_code == 403
    delivery.refresh_from_db()
    assert delivery.attempts == 10
    assert b"ValueError: broken" in office(admin).get(dead).content

    operate(office(admin), delivery, "retry")
    delivery.refresh_from_db()
    assert (delivery.dead_at, delivery.attempts) == (None, 0)


def test_tells_a_subscriber_of_chosen_events_again(
    admin: User, manager: User, office: Office
) -> None:
    with transaction.atomic():
        request_job("leads.import", parameters={}, actor=actor_of(admin))
        publish(LeadUpdated(lead_id=new_id(), changed=("title",)), actor=actor_of(admin))
    EventDelivery.objects.all().delete()
    address = reverse("admin:core_businessevent_changelist")
    events = BusinessEvent.objects.all()
    listener = next(one.name for one in subscribers() if "lead.updated" in one.event_names)
    asked = {
        "action": "operation_tell",
        "_selected_action": [str(one.pk) for one in events],
        "answered": "1",
        "subscriber": listener,
    }
    assert "operation_tell" not in str(office(manager).get(address).content)
    office(manager).post(address, asked)
    assert not EventDelivery.objects.exists()

    answer = office(admin).post(address, asked)
    assert told(answer)[-1][1] == "event_not_heard"
    delivery = EventDelivery.objects.get()
    assert delivery.subscriber == listener
    assert delivery.event_sequence == events.get(name="lead.updated").sequence


def test_shows_jobs_to_whoever_asked_and_lets_them_cancel(
    rep: User, outsider: User, office: Office
) -> None:
    with transaction.atomic():
        job = request_job("leads.import", parameters={}, actor=actor_of(rep))
    jobs = reverse("admin:core_job_changelist")

    assert list(office(outsider).get(jobs).context["cl"].result_list) == []
    operate(office(outsider), job, "cancel")
    job.refresh_from_db()
    assert job.cancel_requested_at is None

    answer = operate(office(rep), job, "cancel")
    job.refresh_from_db()
    assert job.cancel_requested_at is not None
    assert [str(one) for one in get_messages(answer.wsgi_request)] == ["Cancel: done."]


def test_finds_events_by_record_and_by_name(admin: User, office: Office) -> None:
    with transaction.atomic():
        job = request_job("leads.import", parameters={}, actor=actor_of(admin))
    journal = reverse("admin:core_businessevent_changelist")
    client = office(admin)

    def found(typed: str) -> int:
        return len(client.get(journal, {"q": typed}).context["cl"].result_list)

    assert (found(str(job.pk)), found("job.requested"), found("nothing.such")) == (1, 1, 0)


def test_the_system_is_for_admins_alone(rep: User, manager: User, office: Office) -> None:
    for client in (office(rep), office(manager)):
        for name in ("core_businessevent", "core_eventdelivery", "django_celery_beat_periodictask"):
            assert client.get(reverse(f"admin:{name}_changelist")).status_code == 403


def test_an_admin_changes_the_clock(admin: User, office: Office) -> None:
    every = IntervalSchedule.objects.create(every=10, period="minutes")
    task = PeriodicTask.objects.create(name="cleaning", task="apps.core.tasks.x", interval=every)
    client = office(admin)

    assert (
        b"cleaning"
        in client.get(reverse("admin:django_celery_beat_periodictask_changelist")).content
    )
    page = client.get(reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]))
    assert page.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_draws_a_territory_and_adds_a_member(manager: User, rep: User, office: Office) -> None:
    client = office(manager)

    answer: Any = client.post(
        reverse("admin:territories_territory_add"),
        {
            "name": "Benelux",
            "type": "geographic",
            "owner": str(manager.pk),
            "assignment": "round_robin",
            "priority": "0",
            "is_active": "on",
            "countries": "NL, BE,LU",
        },
    )
    territory = Territory.objects.get()
    operate(client, territory, "member", user_id=str(rep.pk), role="rep")

    assert answer.status_code == 302
    assert (territory.countries, territory.assignment) == (["NL", "BE", "LU"], "round_robin")
    assert TerritoryMember.objects.get().user_id == rep.pk


def test_a_rule_that_makes_no_sense_is_told_at_its_field(manager: User, office: Office) -> None:
    answer = office(manager).post(
        reverse("admin:territories_territory_add"),
        {
            "name": "Odd",
            "type": "geographic",
            "assignment": "owner",
            "priority": "0",
            "countries": "Atlantis",
        },
    )

    assert set(reasons_on_form(answer)) == {"countries"}
    assert not Territory.objects.exists()
