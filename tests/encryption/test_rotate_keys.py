"""Changing the installation's key while work goes on."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from django.core.management import call_command

from apps.core.data_keys import keys_by_number, request_rotation
from apps.core.encryption.ring import fresh_key
from apps.core.errors import NotAllowed
from apps.core.jobs import run_job
from apps.core.models import DataKey, Job
from apps.leads.models import Lead
from tests.factories.leads import LeadFactory
from tests.factories.users import actor_of


@pytest.fixture
def new_key_in_front(settings):
    """From here on keys are wrapped by key 2; key 1 still unwraps."""

    def put() -> str:
        old = settings.ENCRYPTION_KEYS
        settings.ENCRYPTION_KEYS = f"2:{base64.b64encode(fresh_key()).decode()} {old}"
        return settings.ENCRYPTION_KEYS.split()[0]

    return put


def test_every_key_is_wrapped_anew_and_the_old_one_can_go(
    transactional_db, admin, settings, monkeypatch, new_key_in_front
):
    monkeypatch.setattr("apps.core.data_keys.BATCH", 3)
    leads = [LeadFactory() for _ in range(7)]
    before = {lead.pk: lead.email for lead in leads}
    alone = new_key_in_front()
    written_meanwhile = LeadFactory()
    assert keys_by_number() == {1: 7, 2: 1}

    job = request_rotation(actor=actor_of(admin))
    run_job(job.pk)

    job.refresh_from_db()
    assert (job.status, job.total, job.succeeded, job.progress) == ("completed", 7, 7, 100)
    assert keys_by_number() == {2: 8}
    settings.ENCRYPTION_KEYS = alone
    assert {lead.pk: lead.email for lead in Lead.objects.filter(pk__in=before)} == before
    assert Lead.objects.get(pk=written_meanwhile.pk).email == written_meanwhile.email


def test_a_rotation_that_was_cut_off_goes_on_where_it_was(
    transactional_db, admin, monkeypatch, new_key_in_front
):
    monkeypatch.setattr("apps.core.data_keys.BATCH", 3)
    for _ in range(7):
        LeadFactory()
    new_key_in_front()
    job = request_rotation(actor=actor_of(admin))
    whole = DataKey.objects.order_by("pk")[3:].values_list("pk", flat=True)
    broken = DataKey.objects.get(pk=whole[0])
    DataKey.objects.filter(pk=broken.pk).update(wrapped=b"\x01" + bytes(59))
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.position) == ("failed", 3)
    assert keys_by_number() == {1: 4, 2: 3}

    DataKey.objects.filter(pk=broken.pk).update(wrapped=bytes(broken.wrapped))
    Job.objects.filter(pk=job.pk).update(status="running", finished_at=None)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.position) == ("completed", 7)
    assert keys_by_number() == {2: 7}


def test_destroyed_keys_stay_destroyed(transactional_db, admin, new_key_in_front):
    lead = LeadFactory()
    DataKey.objects.filter(pk=lead.data_key_id).update(wrapped=None, destroyed_at="2026-01-01T00Z")
    new_key_in_front()
    job = request_rotation(actor=actor_of(admin))
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.total) == ("completed", 0)
    assert keys_by_number() == {}


def test_refuses_whoever_does_not_manage_the_system(db, manager):
    with pytest.raises(NotAllowed):
        request_rotation(actor=actor_of(manager))
    assert not Job.objects.exists()


def test_the_command_line_tells_how_far_it_is(transactional_db, capsys, new_key_in_front):
    LeadFactory()
    new_key_in_front()
    call_command("rotate_keys", "--dry-run")
    assert capsys.readouterr().out == "key 1, outdated: wraps 1 data keys\n"
    call_command("rotate_keys")
    assert capsys.readouterr().out.splitlines() == [
        "1 of 1 wrapped anew",
        "Completed.",
        "key 2, in use: wraps 1 data keys",
    ]
    assert UUID(Job.objects.get().parameters["after"]) == Lead.objects.get().data_key_id


def test_a_key_for_the_settings_comes_from_the_command_line(capsys):
    call_command("make_encryption_key")
    assert len(base64.b64decode(capsys.readouterr().out)) == 32
