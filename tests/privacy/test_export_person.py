"""Everything that is held on a person, for them."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core.consents import note_consent
from apps.core.models import DataKey
from apps.core.retention import forget_what_is_due
from apps.leads.services.capture import change_lead, create_lead
from apps.privacy.models import Export
from apps.privacy.selectors import Subject
from apps.privacy.services.erasures import erase_person
from tests.factories.accounts import ContactFactory
from tests.factories.users import actor_of

JANE = "jane.doe@quagga.example"


@pytest.fixture
def kept_in(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return lambda: [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.fixture
def jane(admin):
    """Jane as a lead that was changed, and as a contact."""
    by = actor_of(admin)
    lead, _ = create_lead(actor=by, email=JANE, source="fair", first_name="Jane", phone="030 1234")
    change_lead(lead_id=lead.pk, first_name="Janet", phone="+49 30 99999", actor=by)
    note_consent(email=JANE, purpose="sale", is_given=False, source="web", actor=by)
    return lead, ContactFactory(email=JANE, name="Jane D.")


def contents(answer):
    with zipfile.ZipFile(io.BytesIO(b"".join(answer))) as archive:
        return json.loads(archive.read("person.json"))


def test_holds_rows_changes_events_and_consents_in_clear(api, admin, jane, kept_in, deliver_events):
    lead, contact = jane
    client = api(admin)
    asked = client.call("POST", "/privacy/exports", {"email": JANE.upper()})
    assert (asked.status_code, asked.json()["is_ready"]) == (202, False)
    path = f"/privacy/exports/{asked.json()['id']}"
    assert client.call("GET", f"{path}/file.zip").status_code == 400
    deliver_events()

    assert client.call("GET", path).json()["status"] == "completed"
    answer = client.call("GET", f"{path}/file.zip")
    assert answer["Content-Type"] == "application/zip"
    assert answer["Cache-Control"] == "private, no-store"
    told = contents(answer)
    (told_lead,), (told_contact,) = told["rows"]["leads"], told["rows"]["contacts"]
    assert told_lead["id"] == str(lead.pk)
    assert (told_lead["email"], told_lead["phone"]) == (JANE, "+49 30 99999")
    assert (told_contact["id"], told_contact["name"]) == (str(contact.pk), "Jane D.")
    changed = next(one for one in told["changes"] if one["action"] == "changed")
    assert changed["fields"]["phone"] == ["030 1234", "+49 30 99999"]
    assert {"lead.created", "lead.updated"} <= {one["name"] for one in told["events"]}
    assert [(one["purpose"], one["is_given"]) for one in told["consents"]] == [("sale", False)]
    (file,) = kept_in()
    assert JANE.encode() not in file.read_bytes()
    assert zipfile.is_zipfile(file) is False


def test_is_dropped_with_its_key_after_its_time(api, admin, jane, kept_in, deliver_events):
    asked = api(admin).call("POST", "/privacy/exports", {"email": JANE}).json()
    deliver_events()
    export = Export.objects.get()
    forget_what_is_due("privacy", now=timezone.now() + timedelta(days=29))
    assert len(kept_in()) == 1
    forget_what_is_due("privacy", now=timezone.now() + timedelta(days=31))
    assert kept_in() == []
    assert not Export.objects.exists()
    assert DataKey.objects.get(pk=export.data_key_id).wrapped is None
    path = f"/privacy/exports/{asked['id']}/file.zip"
    assert api(admin).call("GET", path).status_code == 404


def test_goes_when_the_person_is_erased(
    api, admin, jane, kept_in, deliver_events, django_capture_on_commit_callbacks
):
    asked = api(admin).call("POST", "/privacy/exports", {"object": f"leads:{jane[0].pk}"}).json()
    deliver_events()
    with django_capture_on_commit_callbacks(execute=True):
        erase_person(subject=Subject(email=JANE), reason="Request 9", actor=actor_of(admin))
    assert kept_in() == []
    answer = api(admin).call("GET", f"/privacy/exports/{asked['id']}/file.zip")
    assert answer.json()["error"]["details"]["reason"] == "export_not_ready"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refuses_whoever_may_not_look_into_people(api, manager, jane, method):
    client = api(manager)
    if method == "GET":
        answer = client.call("GET", f"/privacy/people?email={JANE}")
    else:
        answer = client.call("POST", "/privacy/exports", {"email": JANE})
    assert answer.status_code == 403
    assert not Export.objects.exists()


def test_refuses_somebody_of_whom_nothing_is_held(api, admin):
    answer = api(admin).call("POST", "/privacy/exports", {"email": "nobody@quagga.example"})
    assert answer.status_code == 404
    assert answer.json()["error"]["details"]["reason"] == "nothing_held"
    assert not Export.objects.exists()


def test_shows_what_is_held_without_an_export(api, admin, jane):
    lead, contact = jane
    told = api(admin).call("GET", f"/privacy/people?email={JANE}").json()
    assert told["rows"] == {"leads": [str(lead.pk)], "contacts": [str(contact.pk)]}
    assert [(one["purpose"], one["source"]) for one in told["consents"]] == [("sale", "web")]
