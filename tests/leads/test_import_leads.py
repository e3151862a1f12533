"""Importing files: preview, dry run, apply, report, undo."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.core.contact_points import email_key
from apps.core.imports import engine as imports
from apps.core.jobs import run_job
from apps.core.models import BusinessEvent, Job
from apps.leads.models import Lead, LeadImport, LeadImportRow
from apps.users.models import Role
from tests.factories.leads import LeadFactory
from tests.factories.users import UserFactory

CSV = (
    "Mail;Name;Firm;Staff;Tags\n"
    "ann@acme.example;Ann;Acme;1,200;Select\n"
    "bob@acme.example;Bob;Acme;;hot\n"
    "not an address;Cid;Acme;;\n"
    "ann@acme.example;Ann;Acme Ltd;1,200;\n"
    "bob@acme.example;Bob;Acme;;hot\n"
    "eve@acme.example;Eve\n"
)
MAPPING = {
    "columns": {
        "Mail": "email",
        "Name": "last_name",
        "Firm": "company",
        "Staff": "employee_count",
        "Tags": "metadata.tags",
    },
    "constants": {"source": "import"},
    "empty_values": ["Select"],
}


@pytest.fixture
def upload(uploads):
    """Files that the manager sends."""
    return uploads("leads", text=CSV, mapping=MAPPING)


def _counts(body):
    return {name: body[name] for name in ("total", "created", "updated", "skipped", "failed")}


def test_previews_without_writing(upload):
    answer = upload(mode="preview")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["format"], body["delimiter"], body["columns"][0]) == ("csv", ";", "Mail")
    assert body["suggested_mapping"] == {"columns": {"Mail": "email"}}
    assert body["rows"][0]["Firm"] == "Acme"
    assert not LeadImport.objects.exists()


def test_every_row_ends_in_exactly_one_outcome(upload):
    body = upload(mode="apply")
    assert body["status"] == "completed_with_errors"
    assert body["progress"] == 100
    assert _counts(body) == {"total": 6, "created": 2, "updated": 1, "skipped": 1, "failed": 2}
    assert [(one["line"], one["reason"]) for one in body["errors"]] == [
        (4, "invalid_input"),
        (7, "too_few_cells"),
    ]
    ann = Lead.objects.get(email_key=email_key("ann@acme.example"))
    assert (ann.company, ann.employee_count, ann.metadata, ann.source) == (
        "Acme Ltd",
        1200,
        {},
        "import",
    )
    assert Lead.objects.get(email_key=email_key("bob@acme.example")).metadata == {"tags": "hot"}
    names = list(BusinessEvent.objects.values_list("name", flat=True))
    assert names.count("lead.created") == 2
    assert names.count("lead.updated") == 1


def test_a_dry_run_reports_and_writes_no_lead(upload):
    body = upload(mode="dry_run")
    assert _counts(body) == {"total": 6, "created": 2, "updated": 1, "skipped": 1, "failed": 2}
    assert not Lead.objects.exists()
    assert not BusinessEvent.objects.filter(topic="sales.leads").exists()


def test_failed_rows_come_back_as_csv(upload):
    body = upload(mode="apply")
    answer = upload.client.get(f"/api/v1/leads/imports/{body['id']}/failed-rows.csv")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == '"Mail","Name","Firm","Staff","Tags","extra","line","error"'
    assert lines[1].startswith('"not an address","Cid","Acme","","","","4",')
    assert len(lines) == 3


def test_undo_takes_back_created_and_updated_rows(upload, deliver_events, manager):
    known = LeadFactory(
        email="bob@acme.example",
        owner=manager,
        company="Old",
        company_key="old",
        metadata={"tags": "cold", "kept": 1},
    )
    body = upload(mode="apply")
    assert _counts(body) == {"total": 6, "created": 1, "updated": 2, "skipped": 1, "failed": 2}
    known.refresh_from_db()
    assert (known.company, known.metadata) == ("Acme", {"tags": "hot", "kept": 1})
    answer = upload.client.call("POST", f"/leads/imports/{body['id']}/undo")
    assert answer.status_code == 202, answer.content
    deliver_events()
    shown = upload.client.call("GET", f"/leads/imports/{body['id']}").json()
    assert (shown["status"], shown["not_undone"]) == ("undone", [])
    known.refresh_from_db()
    assert (known.company, known.metadata) == ("Old", {"tags": "cold", "kept": 1})
    assert list(Lead.objects.all()) == [known]
    again = upload.client.call("POST", f"/leads/imports/{body['id']}/undo")
    assert again.json()["error"]["details"]["reason"] == "import_already_undone"


def test_undo_leaves_leads_that_somebody_changed_since(upload, deliver_events):
    body = upload(mode="apply")
    bob = Lead.objects.get(email_key=email_key("bob@acme.example"))
    upload.client.call("PATCH", f"/leads/{bob.pk}", {"title": "Boss"})
    upload.client.call("POST", f"/leads/imports/{body['id']}/undo")
    deliver_events()
    shown = upload.client.call("GET", f"/leads/imports/{body['id']}").json()
    assert shown["status"] == "undone"
    assert [(one["line"], one["reason"]) for one in shown["not_undone"]] == [
        (3, "changed_since_import")
    ]
    assert [lead.pk for lead in Lead.objects.all()] == [bob.pk]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mapping": {"columns": {"Nope": "email"}}}, "mapping"),
        ({"mapping": {"columns": {"Mail": "planet"}}}, "mapping"),
        ({"mapping": {"columns": {"Mail": "email", "Name": "email"}}}, "mapping"),
        ({"mapping": {"columns": {"Name": "last_name"}}}, "mapping"),
        ({"mapping": []}, "mapping"),
        ({"mode": "now"}, "mode"),
        ({"match_on": "phone"}, "match_on"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refuses_a_mapping_that_does_not_fit(upload, change, field):
    answer = upload(**{"mode": "apply", **change})
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["details"]["fields"]
    assert not LeadImport.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize("content", ["", "\x00\x01\x02\x03" * 50])
def test_refuses_what_is_no_table(upload, content):
    answer = upload(content, mode="preview")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"


def test_refuses_a_rep(api, rep):
    answer = api(rep).post(
        "/api/v1/leads/imports", {"file": SimpleUploadedFile("a.csv", b"a\n1\n")}
    )
    assert answer.status_code == 403


def test_matches_on_external_ids(upload):
    text = (
        "Id,Mail\n7,ann@acme.example\n8,bob@acme.example\n7,new@acme.example\n9,bob@acme.example\n"
    )
    mapping = {
        "columns": {"Id": "external_id", "Mail": "email"},
        "constants": {"source": "import", "external_source": "crm"},
    }
    body = upload(text, mapping=mapping, mode="apply", match_on="external_id")
    assert _counts(body) == {"total": 4, "created": 2, "updated": 1, "skipped": 0, "failed": 1}
    assert body["errors"][0]["reason"] == "duplicate_lead"
    assert Lead.objects.get(external_id="7").email == "new@acme.example"


def test_a_template_makes_addresses_from_an_id(upload):
    mapping = {
        "columns": {"Firm": "company"},
        "constants": {"source": "import"},
        "templates": {"email": "{Name}.{Firm}@leads.example"},
    }
    text = "Name,Firm\nann,acme\n,acme\n"
    body = upload(text, mapping=mapping, mode="apply")
    assert _counts(body) == {"total": 2, "created": 1, "updated": 0, "skipped": 0, "failed": 1}
    assert Lead.objects.get().email == "ann.acme@leads.example"


def test_goes_on_where_a_killed_worker_left_off(upload, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 10)
    text = "Mail\n" + "".join(f"p{number}@acme.example\n" for number in range(35))
    mapping = {"columns": {"Mail": "email"}, "constants": {"source": "import"}}
    lead_import = LeadImport.objects.get(
        pk=upload(text, mapping=mapping, mode="apply", run=False).json()["id"]
    )
    batches = []

    class Killed(BaseException):
        """What a worker sees of kill -9: nothing more."""

    def kill_in_the_third(*arguments):
        batches.append(1)
        if len(batches) == 3:
            raise Killed
        return write(*arguments)

    write = imports._keep_outcomes
    monkeypatch.setattr(imports, "_keep_outcomes", kill_in_the_third)
    with pytest.raises(Killed):
        run_job(lead_import.job_id)
    assert Lead.objects.count() == 20
    run_job(lead_import.job_id)
    assert Lead.objects.count() == 35
    assert LeadImportRow.objects.count() == 35
    lead_import.refresh_from_db()
    assert (lead_import.created, lead_import.job.status) == (35, "completed")
    assert BusinessEvent.objects.filter(name="lead.created").count() == 35


def test_can_be_cancelled(upload, monkeypatch):
    answer = upload(mode="apply", run=False)
    lead_import = LeadImport.objects.get(pk=answer.json()["id"])
    stopped = upload.client.call("POST", f"/jobs/{lead_import.job_id}/cancel")
    assert stopped.status_code == 200
    run_job(lead_import.job_id)
    shown = upload.client.call("GET", f"/leads/imports/{lead_import.pk}").json()
    assert (shown["status"], shown["created"]) == ("cancelled", 0)


def test_an_import_is_only_for_its_importer_and_admins(upload, api, admin):
    body = upload(mode="apply")
    stranger = api(UserFactory(role=Role.SALES_MANAGER))
    for method, path in [("GET", ""), ("GET", "/failed-rows.csv"), ("POST", "/undo")]:
        assert stranger.call(method, f"/leads/imports/{body['id']}{path}").status_code == 404
    assert api(admin).call("GET", f"/leads/imports/{body['id']}").status_code == 200
    assert Lead.objects.count() == 2


def test_a_row_that_collides_unforeseen_fails_alone(upload, manager):
    LeadFactory(owner=manager, external_source="crm", external_id="7")
    text = "Mail,Origin\n" + "".join(f"p{number}@acme.example,crm\n" for number in range(3))
    known = LeadFactory(owner=manager, email="p1@acme.example", external_id="7")
    mapping = {
        "columns": {"Mail": "email", "Origin": "external_source"},
        "constants": {"source": "import"},
    }
    body = upload(text, mapping=mapping, mode="apply")
    assert (body["status"], body["created"], body["failed"]) == ("completed_with_errors", 2, 1)
    assert body["errors"][0]["reason"] == "duplicate_elsewhere"
    known.refresh_from_db()
    assert known.external_source == ""


def test_a_repeat_under_an_idempotency_key_imports_once(upload):
    first = upload(mode="apply", run=False, headers={"Idempotency-Key": "fair"})
    again = upload(mode="apply", run=False, headers={"Idempotency-Key": "fair"})
    other = upload("Mail\n", mode="apply", run=False, headers={"Idempotency-Key": "fair"})
    assert first.json() == again.json()
    assert other.status_code == 409
    assert LeadImport.objects.count() == 1


@pytest.mark.parametrize("staff", ["1e999999", "1e10", "NaN", "2147483648"])
def test_a_monstrous_number_fails_its_row(upload, staff):
    body = upload(f"Mail;Name;Firm;Staff;Tags\na@acme.example;A;B;{staff};\n", mode="apply")
    assert (body["created"], body["failed"]) == (0, 1)
    assert list(body["errors"][0]["fields"]) == ["employee_count"]
