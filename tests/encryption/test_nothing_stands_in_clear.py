"""After everything that can happen to people, no address or number of theirs stands in clear
anywhere: not in a table, the cache, a stored file, a log line or a message to a worker."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

import pytest
import redis
from celery.signals import task_prerun
from django.conf import settings as configured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse

from apps.core.imports.models import ImportedFile
from apps.leads.models import Lead
from apps.opportunities.services.pipelines import seed_default_pipeline
from tests.factories.accounts import AccountFactory

# Each person's address and number, and what only they have in common.
ADDRESS, NUMBER = "zebra.{}@quagga.example", "+4930555771{}"
CSV = "Mail,Phone,Name,Note\n{}"


def person(number):
    return {"email": ADDRESS.format(number), "phone": NUMBER.format(number)}


def traces():
    """What would give somebody away, as it is written or encoded."""
    plain = ("zebra.", "quagga.example", "4930555771", "30555771", "ZEBRA.")
    encoded = ("zebra.", "ebra.1", "bra.12", "30555771", "0555771", "555771")
    return [
        *(one.encode() for one in plain),
        *(one.encode().hex().encode() for one in ("zebra.", "30555771")),
        *(base64.b64encode(one.encode()[: len(one) // 3 * 3]) for one in encoded),
    ]


def found_in(what, places):
    return [f"{what}: {name}" for name, raw in places if any(one in raw for one in traces())]


def tables():
    """Every row of every table, as text, with bytes also as they are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" AS t')
            for (row,) in cursor.fetchall():
                yield f"{table} {row[:80]}", row.encode()


def cache():
    client = redis.from_url(configured.REDIS_URL)
    for key in client.scan_iter():
        yield key.decode(errors="replace"), key + (client.dump(key) or b"")


def files(folder):
    for path in Path(folder).rglob("*"):
        if path.is_file():
            yield path.name, path.name.encode() + path.read_bytes()


@pytest.fixture
def messages():
    """What workers were told."""
    told = []

    def hear(task=None, args=(), kwargs=None, **_):
        told.append((task.name, repr((args, kwargs)).encode()))

    task_prerun.connect(hear)
    yield told
    task_prerun.disconnect(hear)


def test_nothing_stands_in_clear(
    api, system, admin, manager, client, settings, tmp_path, caplog, messages, deliver_events
):
    settings.MEDIA_ROOT = tmp_path
    caplog.set_level(logging.DEBUG)
    seed_default_pipeline(actor=system)
    rest = api(manager)

    def call(method, path, body=None, status=200, **headers):
        answer = rest.call(method, path, body, **headers)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    made = [
        call(
            "POST",
            "/leads",
            {
                **person(number),
                "source": "fair",
                "last_name": f"Person {number}",
                "company": "Quarry",
                "metadata": {"second address": ADDRESS.format(90 + number)},
            },
            201,
            idempotency_key=f"key-{number}",
        )["id"]
        for number in range(4)
    ]
    # Refused: taken, unreadable, out of place.
    call("POST", "/leads", {**person(0), "source": "fair"}, 409, idempotency_key="taken")
    call("POST", "/leads", {"email": "zebra.@@quagga.example", "source": "fair"}, 400)
    call("POST", "/leads", {"email": ADDRESS.format(7), "currency": ADDRESS.format(8)}, 400)
    call("GET", f"/leads?score_min={ADDRESS.format(8)}", status=400)
    # Found, changed, merged and separated, converted.
    assert call("GET", f"/leads?email={ADDRESS.format(0)}")["data"][0]["id"] == made[0]
    call("PATCH", f"/leads/{made[0]}", {"email": ADDRESS.format(10), "phone": NUMBER.format(9)})
    merge = call("POST", f"/leads/{made[1]}/merge", {"duplicate_ids": [made[2]]}, 201)
    call("POST", f"/leads/merges/{merge['id']}/undo")
    call("POST", f"/leads/{made[3]}/convert", {"expected_close_date": "2030-01-01"}, 201)
    account = AccountFactory(owner=manager, country="DE")
    contact = call("POST", f"/accounts/{account.pk}/contacts", {"name": "P", **person(5)}, 201)
    call("PUT", f"/accounts/{account.pk}/contacts/{contact['id']}", person(6))
    # What was done about them.
    words = {"type": "call", "subject": f"Called {NUMBER.format(5)}", "outcome": ADDRESS.format(6)}
    notes = {"description": ADDRESS.format(5), "metadata": {"meeting_notes": NUMBER.format(6)}}
    for about in ({"lead_id": made[0]}, {"contact_id": contact["id"]}):
        logged = call("POST", "/activities", {**words, **notes, **about}, 201)
        call("PUT", f"/activities/{logged['id']}", {"subject": f"Wrote to {ADDRESS.format(5)}"})
        assert call("GET", f"/activities/{logged['id']}")["description"] == ADDRESS.format(5)
    task = {"type": "task", "subject": words["subject"], "lead_id": made[0]}
    task_id = call("POST", "/activities", task, 201)["id"]
    call("POST", f"/activities/{task_id}/complete", {"outcome": NUMBER.format(5)})
    # A file: new, changed, failed and without headings, then taken back.
    lines = "".join(f"{ADDRESS.format(n)},{NUMBER.format(n)},N{n},see {n}\n" for n in (0, 1, 11))
    text = CSV.format(f"{lines}zebra.no.address,{NUMBER.format(3)},,\n")
    columns = {"Mail": "email", "Phone": "phone", "Name": "last_name", "Note": "metadata.note"}
    for content, mapping in (
        (text, {"columns": columns, "constants": {"source": "file"}}),
        (lines, {"columns": {"Column 1": "email"}, "constants": {"source": "file"}}),
    ):
        sent = {
            "file": SimpleUploadedFile("people.csv", content.encode()),
            "mapping": json.dumps(mapping),
        }
        answer = rest.post("/api/v1/leads/imports", {**sent, "mode": "apply"})
        assert answer.status_code == 202, answer.content
        deliver_events()
        shown = call("GET", f"/leads/imports/{answer.json()['id']}")
        assert shown["failed"] + shown["created"] + shown["updated"] + shown["skipped"] > 1
        failed = rest.get(f"/api/v1/leads/imports/{answer.json()['id']}/failed-rows.csv")
        assert failed.status_code == 200
        call("POST", f"/leads/imports/{answer.json()['id']}/undo", status=202)
        deliver_events()
    export = rest.get("/api/v1/leads/export.csv")
    assert ADDRESS.format(1).encode() in b"".join(export)
    call("DELETE", f"/leads/{made[1]}", status=204)
    # The back office, with what is wrong too.
    client.force_login(admin)
    changelist = reverse("admin:leads_lead_changelist")
    assert ADDRESS.format(10) in client.get(changelist, {"q": ADDRESS.format(10)}).content.decode()
    page = reverse("admin:leads_lead_change", args=[made[0]])
    assert ADDRESS.format(10) in client.get(page).content.decode()
    client.post(reverse("admin:leads_lead_add"), {"source": "x", "email": ADDRESS.format(10)})
    deliver_events()

    assert Lead.objects.get(pk=made[0]).email == ADDRESS.format(10)
    places = [
        *found_in("table", tables()),
        *found_in("cache", cache()),
        *found_in("file", files(tmp_path)),
        *found_in("message", messages),
        *found_in("log", ((one.getMessage()[:80], line(one)) for one in caplog.records)),
    ]
    assert places == []
    assert len(list(files(tmp_path))) == 2
    assert ImportedFile.__subclasses__()


def line(record):
    return f"{record.getMessage()} {record.__dict__} {record.exc_text}".encode()


def test_the_search_itself_finds_what_stands_in_clear(db):
    AccountFactory(name="call zebra.1@quagga.example")
    (found,) = found_in("table", tables())[:1]
    assert found.startswith("table: ")
