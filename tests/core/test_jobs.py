"""Jobs: in whose name and with which rights the work goes on."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.core.actors import SYSTEM_ID
from apps.core.data_keys import request_rotation
from apps.core.errors import NotAllowed
from apps.core.jobs import actor_of_job, request_job, run_job
from apps.core.models import Job
from apps.forecasts.services.nightly import request_nightly_forecast
from apps.leads.models import Lead
from apps.leads.services.bulk import BULK_OPERATIONS
from apps.privacy.models import Export
from apps.privacy.selectors import Subject
from apps.privacy.services.exports import request_export
from apps.users.models import Role
from apps.users.selectors import forget_standings
from apps.users.services.api_keys import issue_api_key
from apps.users.services.people import allow_role, change_access
from tests.factories.leads import LeadFactory
from tests.factories.users import UserFactory

JANE = Subject(email="jane@quagga.example")


@pytest.fixture
def machine(db):
    """A machine client that owns some leads."""
    return UserFactory(role=Role.INTEGRATION)


@pytest.fixture
def allow(system):
    """Gives a role a permission, or takes it away."""

    def allowed(role, permission, *, allowed=True):
        allow_role(role=role, permission=permission, allowed=allowed, actor=system)
        forget_standings()

    return allowed


@pytest.fixture
def with_key(machine, system):
    """A client with a key of some scopes."""

    def client(*scopes):
        in_a_month = timezone.now() + timedelta(days=30)
        facts = {"user_id": machine.pk, "name": "Nightly", "expires_at": in_a_month}
        key = issue_api_key(**facts, scopes=scopes, actor=system)
        return Client(headers={"X-API-Key": key.text})

    return client


@pytest.fixture
def one_at_once(monkeypatch):
    """Makes a job of whatever is done to more than one row."""
    monkeypatch.setattr("apps.core.bulk.AT_ONCE", 1)


def statuses_of(*leads):
    return [Lead.objects.get(pk=one.pk).status for one in leads]


@pytest.mark.parametrize(
    ("scopes", "succeeded", "becomes"),
    [
        (["lead:write"], 1, ["contacted", "new"]),
        (["lead:write", "territory:assign"], 2, ["contacted", "contacted"]),
    ],
)
def test_a_job_that_a_key_begins_sees_as_far_as_the_key(
    machine, allow, with_key, one_at_once, deliver_events, scopes, succeeded, becomes
):
    allow(Role.INTEGRATION, "territory:assign")
    own, unrouted = LeadFactory(owner=machine), LeadFactory()
    answer = with_key(*scopes).post(
        "/api/v1/leads/bulk-status",
        json.dumps({"ids": [str(own.pk), str(unrouted.pk)], "status": "contacted"}),
        content_type="application/json",
    )
    assert answer.status_code == 202, answer.content
    deliver_events()

    job = Job.objects.get()
    assert (job.scopes, job.succeeded, job.failed) == (scopes, succeeded, 2 - succeeded)
    assert [one["code"] for one in job.errors] == ["NOT_FOUND"] * job.failed
    assert statuses_of(own, unrouted) == becomes


@pytest.mark.parametrize(
    ("scopes", "company"),
    [(["lead:import"], "Old"), (["lead:import", "territory:assign"], "Acme")],
)
def test_an_import_writes_nothing_that_its_key_does_not_see(
    allow, with_key, deliver_events, settings, tmp_path, scopes, company
):
    settings.MEDIA_ROOT = tmp_path
    for permission in ("lead:import", "territory:assign"):
        allow(Role.INTEGRATION, permission)
    unrouted = LeadFactory(email="bob@acme.example", company="Old")
    answer = with_key(*scopes).post(
        "/api/v1/leads/imports",
        {
            "file": SimpleUploadedFile("leads.csv", b"Mail,Firm\nbob@acme.example,Acme\n"),
            "mapping": json.dumps(
                {
                    "columns": {"Mail": "email", "Firm": "company"},
                    "constants": {"source": "import"},
                }
            ),
            "mode": "apply",
        },
    )
    assert answer.status_code == 202, answer.content
    deliver_events()

    unrouted.refresh_from_db()
    job = Job.objects.get()
    assert (unrouted.company, job.failed) == (company, 1 if company == "Old" else 0)
    assert Lead.objects.count() == 1


def test_a_role_that_lost_a_right_meanwhile_ends_the_job(rep, acting, allow, one_at_once):
    leads = LeadFactory.create_batch(2, owner=rep)
    ids = [one.pk for one in leads]
    job = BULK_OPERATIONS["status"].run(ids=ids, status="contacted", actor=acting(rep))
    allow(Role.SALES_REP, "lead:write", allowed=False)
    run_job(job.pk)

    job.refresh_from_db()
    assert (job.status, job.message) == ("failed", "This needs the permission lead:write.")
    assert statuses_of(*leads) == ["new", "new"]


@pytest.mark.parametrize(
    ("right", "begin"),
    [
        ("system:manage", lambda actor: request_rotation(actor=actor)),
        ("privacy:read", lambda actor: request_export(subject=JANE, actor=actor).job),
        (
            "forecast:compute",
            lambda actor: request_nightly_forecast(now=timezone.now(), actor=actor).job,
        ),
    ],
)
def test_work_on_everything_ends_with_the_right_to_it(admin, acting, allow, right, begin):
    LeadFactory(email=JANE.email)
    job = begin(acting(admin))
    allow(Role.ADMIN, right, allowed=False)
    run_job(job.pk)

    job.refresh_from_db()
    assert (job.status, job.message) == ("failed", f"This needs the permission {right}.")
    assert (job.position, Export.objects.exclude(file="").count()) == (0, 0)


def test_an_import_ends_when_the_right_to_import_does(
    api, manager, allow, deliver_events, settings, tmp_path
):
    settings.MEDIA_ROOT = tmp_path
    mapping = {"columns": {"Mail": "email"}, "constants": {"source": "import", "company": "Acme"}}
    answer = api(manager).post(
        "/api/v1/leads/imports",
        {
            "file": SimpleUploadedFile("leads.csv", b"Mail\nbob@acme.example\n"),
            "mapping": json.dumps(mapping),
            "mode": "apply",
        },
    )
    assert answer.status_code == 202, answer.content
    allow(Role.SALES_MANAGER, "lead:import", allowed=False)
    deliver_events()

    job = Job.objects.get()
    assert (job.status, job.message) == ("failed", "This needs the permission lead:import.")
    assert not Lead.objects.exists()


def test_a_right_that_came_later_is_not_used(rep, acting, allow, one_at_once):
    own, unrouted = LeadFactory(owner=rep), LeadFactory()
    ids = [own.pk, unrouted.pk]
    job = BULK_OPERATIONS["status"].run(ids=ids, status="contacted", actor=acting(rep))
    allow(Role.SALES_REP, "territory:assign")
    run_job(job.pk)

    job.refresh_from_db()
    assert (job.succeeded, job.failed) == (1, 1)
    assert statuses_of(own, unrouted) == ["contacted", "new"]


def test_a_person_whose_access_ended_does_nothing_more(rep, acting, system, one_at_once):
    leads = LeadFactory.create_batch(2, owner=rep)
    ids = [one.pk for one in leads]
    job = BULK_OPERATIONS["status"].run(ids=ids, status="contacted", actor=acting(rep))
    change_access(user_id=rep.pk, role=rep.role, manager_id=None, is_active=False, actor=system)
    forget_standings()

    with pytest.raises(NotAllowed):
        actor_of_job(job)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == "failed"
    assert statuses_of(*leads) == ["new", "new"]


def test_a_job_of_the_platform_may_do_everything(db, system):
    job = request_job("test.none", parameters={}, actor=system)
    actor = actor_of_job(job, door="import")
    assert job.scopes is None
    assert (actor.id, actor.is_system, actor.door) == (SYSTEM_ID, True, "import")
    assert actor.request_id == "test-request"


def test_a_job_that_was_begun_without_scopes_has_todays_rights(rep, acting):
    job = request_job("test.none", parameters={}, actor=acting(rep))
    Job.objects.filter(pk=job.pk).update(scopes=None)
    job.refresh_from_db()
    assert actor_of_job(job).permissions == acting(rep).permissions
