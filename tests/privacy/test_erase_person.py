"""Erasing a person, keeping the books."""

from __future__ import annotations

import threading

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection

from apps.accounts.models import Contact
from apps.core.errors import InvalidInput, NotAllowed
from apps.core.imports.requests import request_import
from apps.core.jobs import run_job
from apps.core.models import BusinessEvent, Change, DataKey
from apps.core.seals import seal_what_is_written
from apps.leads.models import Lead, LeadImport, LeadImportRow
from apps.leads.services.capture import change_lead, create_lead
from apps.leads.services.imports import LEAD_IMPORTS
from apps.leads.services.lifecycle import move_lead
from apps.leads.services.merging import merge_leads
from apps.opportunities.models import Opportunity
from apps.opportunities.services.conversion import convert_lead
from apps.opportunities.services.pipelines import seed_default_pipeline
from apps.privacy.errors import NothingHeld
from apps.privacy.models import Erasure
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from tests.factories.leads import LeadFactory
from tests.factories.users import actor_of

JANE = "jane.doe@quagga.example"


@pytest.fixture
def by(admin):
    return actor_of(admin)


def capture(actor, email=JANE, **facts):
    facts = {"source": "fair", "first_name": "Jane", "last_name": "Doe", "title": "CEO", **facts}
    lead, _ = create_lead(actor=actor, email=email, company="Quarry", city="Rome", **facts)
    return lead


def erase(by, email=JANE):
    return erase_person(subject=Subject(email=email), reason="Request 7", actor=by)


def test_nothing_tells_any_more_whom_a_lead_was_about(by):
    lead = capture(by, phone="+49 30 123456", metadata={"hobby": "chess"}, external_id="7")
    erasure = erase(by, " JANE.doe@quagga.example")

    lead = Lead.objects.get(pk=lead.pk)
    told = (lead.first_name, lead.last_name, lead.title, lead.city, lead.email, lead.phone)
    assert told == ("", "", "", "", "", "")
    assert (lead.email_key, lead.phone_key, lead.metadata, lead.external_id) == ("", "", {}, "")
    assert (lead.company, lead.source, lead.status) == ("Quarry", "fair", "unqualified")
    assert erasure.rows == {"leads": [lead.pk]}
    assert (erasure.reason, erasure.actor_id, erasure.row_count) == ("Request 7", by.id, 1)
    assert lead.data_key.wrapped is None


def test_the_history_keeps_that_there_was_something_and_its_seals_hold(by):
    lead = capture(by)
    change_lead(lead_id=lead.pk, first_name="Janet", actor=by)
    seal_what_is_written()
    erasure = erase(by)
    seal_what_is_written()

    entries = Change.objects.filter(row_id=lead.pk).order_by("sequence")
    assert [one.action for one in entries] == ["made", "changed", "changed", "erased"]
    assert all(one.before is None and one.after is None for one in entries)
    assert all(one.erased_at for one in entries[:3])
    assert erasure.history_entries == 3
    call_command("verify_history")


def test_what_became_of_the_lead_goes_too_and_the_deal_stays(by):
    seed_default_pipeline(actor=by)
    lead = capture(by)
    deal = convert_lead(lead_id=lead.pk, amount=100, actor=by)
    erasure = erase(by)

    contact = Contact.objects.get()
    assert (contact.name, contact.email, contact.title) == ("Erased person", "", "")
    lead.refresh_from_db()
    assert (lead.status, lead.converted_opportunity_id) == ("converted", deal.pk)
    deal = Opportunity.objects.get()
    assert (deal.amount, deal.account.name, deal.name) == (100, "Quarry", "Quarry")
    assert erasure.rows == {"leads": [lead.pk], "contacts": [contact.pk]}


def test_everybody_who_was_merged_into_one_is_erased(by):
    survivor = capture(by, "other@quagga.example")
    double = capture(by)
    merge_leads(survivor_id=survivor.pk, duplicate_ids=[double.pk], values={}, actor=by)
    erasure = erase(by)
    assert sorted(erasure.rows["leads"]) == sorted([survivor.pk, double.pk])
    assert {one.first_name for one in Lead.objects.all()} == {""}


def test_somebody_else_is_left_alone(by):
    capture(by)
    other = capture(by, "june@quagga.example")
    before = Lead.objects.filter(pk=other.pk).values().get()
    erase(by)
    assert Lead.objects.filter(pk=other.pk).values().get() == before
    assert Lead.objects.get(pk=other.pk).email == "june@quagga.example"


def test_leads_in_the_bin_are_people_too(by):
    lead = capture(by)
    Lead.objects.filter(pk=lead.pk).update(deleted_at="2026-01-01T00Z", deleted_by_id=by.id)
    assert erase(by).row_count == 1
    assert Lead.objects.with_bin().get(pk=lead.pk).last_name == ""


def test_words_that_somebody_wrote_of_them_leave_the_journal(by):
    lead = capture(by)
    move_lead(lead_id=lead.pk, status="unqualified", reason="Jane is on leave", actor=by)
    erasure = erase(by)
    moved = BusinessEvent.objects.get(name="lead.status_changed", aggregate_id=lead.pk)
    assert moved.payload["reason"] == ""
    assert erasure.events >= 1
    told = BusinessEvent.objects.get(name="person.erased")
    assert told.payload["record_ids"] == [str(lead.pk)]


def test_files_they_stood_in_are_dropped_and_other_rows_can_still_be_taken_back(
    transactional_db, by, settings, tmp_path
):
    settings.MEDIA_ROOT = tmp_path
    text = f"Mail,Name\n{JANE},Jane\njoe@quagga.example,Joe\n{JANE} or,Jane\n{JANE},\n"
    imported = request_import(
        LEAD_IMPORTS,
        file=SimpleUploadedFile("people.csv", text.encode()),
        filename="people.csv",
        mapping={
            "columns": {"Mail": "email", "Name": "last_name"},
            "constants": {"source": "file"},
        },
        mode="apply",
        match_on="email",
        actor=by,
    )
    run_job(imported.job_id)
    failed = LeadImportRow.objects.get(outcome="failed")
    assert failed.values["Mail"] == f"{JANE} or"
    assert len(list(tmp_path.rglob("*-*"))) == 1

    erasure = erase(by)
    assert erasure.imported_rows == 2
    assert LeadImport.objects.get().file == ""
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    kept = LeadImportRow.objects.filter(values__isnull=False)
    assert [row.outcome for row in kept] == ["failed"]


def test_a_repeated_capture_is_somebody_new(by):
    first = capture(by)
    erase(by)
    second = capture(by)
    assert second.pk != first.pk
    assert Lead.objects.get(pk=second.pk).email == JANE


def test_nothing_can_be_written_of_somebody_who_was_erased(by, api, admin):
    lead = capture(by)
    erase(by)
    answer = api(admin).call("PATCH", f"/leads/{lead.pk}", {"email": "new@quagga.example"})
    assert answer.status_code == 409
    assert answer.json()["error"]["details"]["reason"] == "person_erased"
    assert Lead.objects.get(pk=lead.pk).email_key == ""


def test_two_at_once_erase_once(transactional_db, by):
    capture(by)
    outcomes = []

    def go():
        try:
            outcomes.append(erase(by).row_count)
        except NothingHeld as refusal:
            outcomes.append(refusal.reason)
        finally:
            connection.close()

    threads = [threading.Thread(target=go) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(map(str, outcomes)) == ["1", "nothing_held"]
    assert Erasure.objects.count() == 1


def test_refuses_and_changes_nothing(by, manager):
    lead = capture(by)
    before = Lead.objects.filter(pk=lead.pk).values().get()
    subject = Subject(email=JANE)
    with pytest.raises(NotAllowed):
        erase_person(subject=subject, reason="x", actor=actor_of(manager))
    with pytest.raises(InvalidInput):
        erase_person(subject=subject, reason="  ", actor=by)
    with pytest.raises(InvalidInput):
        erase_person(subject=Subject(email="nobody"), reason="x", actor=by)
    with pytest.raises(InvalidInput):
        erase_person(subject=Subject(), reason="x", actor=by)
    with pytest.raises(NothingHeld):
        erase_person(subject=Subject(email="nobody@quagga.example"), reason="x", actor=by)
    assert Lead.objects.filter(pk=lead.pk).values().get() == before
    assert not Erasure.objects.exists()
    assert not DataKey.objects.exclude(destroyed_at=None).exists()


def test_over_rest_a_dry_run_shows_what_would_go(api, admin):
    lead = LeadFactory(email=JANE)
    client = api(admin)
    person = {"object": f"leads:{lead.pk}", "reason": "Request 8"}
    dry = client.call("POST", "/privacy/erasures", {**person, "dry_run": True})
    assert (dry.status_code, dry.json()["rows"]) == (200, {"leads": [str(lead.pk)]})
    assert Lead.objects.get(pk=lead.pk).email == JANE
    done = client.call("POST", "/privacy/erasures", person)
    assert (done.status_code, done.json()["rows"]) == (201, {"leads": [str(lead.pk)]})
    assert Lead.objects.get(pk=lead.pk).email == ""
    for wrong in ({"object": "deals:1"}, {"object": "leads:1"}, {}, {"email": "x", "reason": ""}):
        answer = client.call("POST", "/privacy/erasures", {"reason": "x", **wrong})
        assert answer.status_code == 400, answer.content
