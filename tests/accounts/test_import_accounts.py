"""Importing files of accounts: preview, dry run, apply, report, undo, and exporting them."""

from __future__ import annotations

import json
from io import BytesIO, StringIO
from threading import Thread

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from apps.accounts.errors import AccountDomainTaken
from apps.accounts.models import Account, AccountAssignment, AccountImport, AccountImportRow
from apps.accounts.services.accounts import open_account, reassign_account
from apps.accounts.services.contacts import add_contact
from apps.accounts.services.imports import ACCOUNT_IMPORTS
from apps.core.imports import engine
from apps.core.jobs import run_job
from apps.core.models import BusinessEvent, Job
from apps.core.tables import open_table
from apps.users.models import Role
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

CSV = (
    "Firm;Site;Staff;Turnover;Land;CRM\n"
    "Acme;https://www.acme.example/about;1,200;$5,000.50;usa;a1\n"
    "Globex;globex.example;;;Select;g1\n"
    "Initech;no domain;;;;\n"
    "Acme Ltd;acme.example;1,200;;;a1\n"
    "Globex;GLOBEX.example;;;;\n"
    ";hooli.example;;;;\n"
    "Soylent;soylent.example\n"
)
MAPPING = {
    "columns": {
        "Firm": "name",
        "Site": "domain",
        "Staff": "employee_count",
        "Turnover": "annual_revenue",
        "Land": "country",
        "CRM": "external_ids.crm",
    },
    "constants": {"currency": "EUR"},
    "empty_values": ["Select"],
}
SITES = {"columns": {"Firm": "name", "Site": "domain"}}
NAMES = {"columns": {"Firm": "name", "Place": "city"}}
OUTCOMES = ("total", "created", "updated", "skipped", "failed")


@pytest.fixture
def upload(uploads):
    """Files that the manager sends."""
    return uploads("accounts", text=CSV, mapping=MAPPING, mode="apply")


@pytest.fixture
def undo(upload):
    """Takes an import back."""
    return upload.undo


def counts(body):
    return tuple(body[name] for name in OUTCOMES)


def told() -> list[str]:
    events = BusinessEvent.objects.filter(topic="sales.accounts").order_by("sequence")
    return list(events.values_list("name", flat=True))


def left_alone(body):
    return [(one["line"], one["reason"]) for one in body["not_undone"]]


def test_previews_without_writing(upload):
    answer = upload("Account Name,Website,Zip\nAcme,acme.example,94105\n", mode="preview")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["format"], body["delimiter"]) == ("csv", ",")
    assert body["suggested_mapping"] == {
        "columns": {"Account Name": "name", "Website": "domain", "Zip": "postal_code"}
    }
    assert body["rows"] == [{"Account Name": "Acme", "Website": "acme.example", "Zip": "94105"}]
    assert not AccountImport.objects.exists()


def test_every_row_ends_in_exactly_one_outcome(upload, manager):
    body = upload()
    assert body["status"] == "completed_with_errors"
    assert counts(body) == (7, 2, 1, 1, 3)
    assert [(one["line"], one["reason"]) for one in body["errors"]] == [
        (4, "invalid_input"),
        (7, "invalid_input"),
        (8, "too_few_cells"),
    ]
    acme = Account.objects.get(domain="acme.example")
    assert (acme.name, acme.account_key, acme.employee_count) == ("Acme Ltd", "acme ltd", 1200)
    assert (str(acme.annual_revenue), acme.currency, acme.country) == ("5000.50", "EUR", "US")
    assert (acme.external_ids, acme.owner_id, acme.version) == ({"crm": "a1"}, manager.pk, 2)
    assert Account.objects.get(domain="globex.example").country == ""
    assert told() == ["account.created", "account.created", "account.updated"]
    changed = BusinessEvent.objects.get(name="account.updated")
    assert changed.payload == {"account_id": str(acme.pk), "version": 2, "changed": ["name"]}


def test_a_dry_run_reports_and_writes_no_account(upload):
    body = upload(mode="dry_run")
    assert counts(body) == (7, 2, 1, 1, 3)
    assert not Account.objects.exists()
    assert told() == []


def test_failed_rows_come_back_as_csv(upload):
    body = upload()
    answer = upload.client.get(f"/api/v1/accounts/imports/{body['id']}/failed-rows.csv")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == '"Firm","Site","Staff","Turnover","Land","CRM","extra","line","error"'
    assert lines[1].startswith('"Initech","no domain","","","","","","4","domain: Give a domain')
    assert len(lines) == 4


def test_accounts_are_routed_and_the_history_says_by_an_import(upload, rep, manager):
    west = TerritoryFactory(name="West", owner=rep, countries=["US"])
    upload(
        "Firm,Land\nAcme,US\nGlobex,DE\n",
        mapping={"columns": {"Firm": "name", "Land": "country"}},
        match_on="name",
    )
    acme, globex = Account.objects.order_by("name")
    assert (acme.owner, acme.territory) == (rep, west)
    assert (globex.owner, globex.territory) == (manager, None)
    period = AccountAssignment.objects.get(record=acme)
    assert (period.cause, period.reason, period.owner) == (
        "import",
        "Matches country of West.",
        rep,
    )


@pytest.mark.parametrize(
    ("match_on", "refused"), [("domain", (2, 3)), ("external_id", (2, 3)), ("name", (2, 3, 4))]
)
def test_an_account_out_of_reach_is_not_named(upload, match_on, refused):
    hidden = AccountFactory(domain="acme.example", name="Acme", external_ids={"crm": "h1"})
    text = "Firm;Site;CRM\nAcme;acme.example;\nOther;;h1\nAcme;;\n"
    mapping = {"columns": {"Firm": "name", "Site": "domain", "CRM": "external_ids.crm"}}
    body = upload(text, mapping=mapping, match_on=match_on)
    assert [(one["line"], one["reason"]) for one in body["errors"]] == [
        (line, "duplicate_elsewhere") for line in refused
    ]
    assert str(hidden.pk) not in json.dumps(body)
    hidden.refresh_from_db()
    assert (hidden.version, Account.objects.count()) == (1, 4 - len(refused))


def test_matches_on_the_ids_of_any_system(upload, rep):
    known = AccountFactory(owner=rep, name="Old", external_ids={"crm": "7", "erp": "e7"})
    text = "Firm,CRM,ERP\nNew,,e7\nNewer,7,x9\nOther,8,e7\n"
    mapping = {"columns": {"Firm": "name", "CRM": "external_ids.crm", "ERP": "external_ids.erp"}}
    body = upload(text, mapping=mapping, match_on="external_id")
    assert counts(body) == (3, 1, 2, 0, 0)
    known.refresh_from_db()
    assert (known.name, known.external_ids) == ("Newer", {"crm": "7", "erp": "x9"})
    assert Account.objects.get(name="Other").external_ids == {"crm": "8", "erp": "e7"}


def test_a_row_that_means_two_accounts_is_refused(upload, rep):
    acme = AccountFactory(owner=rep, domain="acme.example", external_ids={"crm": "1"})
    globex = AccountFactory(owner=rep, domain="globex.example", external_ids={"crm": "2"})
    mapping = {"columns": {"Firm": "name", "Site": "domain", "CRM": "external_ids.crm"}}
    body = upload("Firm;Site;CRM\nX;acme.example;2\n", mapping=mapping)
    assert counts(body) == (1, 0, 0, 0, 1)
    assert (body["errors"][0]["reason"], body["errors"][0]["account_id"]) == (
        "account_known",
        str(globex.pk),
    )
    acme.refresh_from_db()
    assert acme.version == 1


def test_a_name_is_matched_within_reach_and_refused_when_several_have_it(upload, rep):
    AccountFactory(name="Acme")
    mine = AccountFactory(owner=rep, name="ACME")
    twins = {AccountFactory(owner=rep, name="Globex").pk for _ in range(2)}
    body = upload("Firm,Place\n acme ,Rome\nGlobex,Oslo\n", mapping=NAMES, match_on="name")
    assert counts(body) == (2, 0, 1, 0, 1)
    assert body["errors"][0]["reason"] == "several_match"
    assert set(body["errors"][0]["ids"]) == {str(one) for one in twins}
    mine.refresh_from_db()
    assert (mine.name, mine.city) == ("acme", "Rome")


def test_undo_takes_back_created_and_updated_rows(upload, undo, manager):
    known = AccountFactory(
        owner=manager,
        name="Globex  Corp",
        domain="globex.example",
        annual_revenue="7.50",
        external_ids={"erp": "e1"},
    )
    body = upload()
    assert counts(body) == (7, 1, 2, 1, 3)
    known.refresh_from_db()
    assert (known.name, known.external_ids) == ("Globex", {"erp": "e1", "crm": "g1"})
    shown = undo(body)
    assert (shown["status"], shown["not_undone"]) == ("undone", [])
    known.refresh_from_db()
    assert (known.name, known.account_key) == ("Globex  Corp", "globex corp")
    assert (known.external_ids, known.currency) == ({"erp": "e1"}, "USD")
    assert str(known.annual_revenue) == "7.50"
    assert list(Account.objects.all()) == [known]
    assert Account.objects.with_bin().in_bin().get().deleted_by_id == manager.pk
    assert told().count("account.deleted") == 1
    again = upload.client.call("POST", f"/accounts/imports/{body['id']}/undo")
    assert again.json()["error"]["details"]["reason"] == "import_already_undone"


def test_undo_goes_back_step_by_step_over_many_batches(upload, undo, monkeypatch):
    monkeypatch.setattr(engine, "UNDO_BATCH", 2)
    text = "Firm,Site\n" + "".join(
        f"{name},{site}.example\n" for name in ("One", "Two", "Three") for site in ("a", "b", "c")
    )
    body = upload(text, mapping=SITES)
    assert counts(body) == (9, 3, 6, 0, 0)
    shown = undo(body)
    assert (shown["status"], shown["not_undone"]) == ("undone", [])
    assert not Account.objects.exists()
    names = Account.objects.with_bin().values_list("name", flat=True)
    assert set(names) == {"One"}


def test_undo_leaves_accounts_that_somebody_changed_since(upload, undo):
    body = upload()
    acme = Account.objects.get(domain="acme.example")
    upload.client.call("PATCH", f"/accounts/{acme.pk}", {"city": "Rome"})
    shown = undo(body)
    assert left_alone(shown) == [(5, "changed_since_import"), (2, "changed_since_import")]
    assert list(Account.objects.all()) == [acme]


@pytest.mark.parametrize("refer", ["contact", "deal", "daughter"])
def test_undo_leaves_accounts_that_something_refers_to(upload, undo, acting, manager, refer):
    body = upload("Firm,Site\nAcme,acme.example\nGlobex,globex.example\n", mapping=SITES)
    acme = Account.objects.get(domain="acme.example")
    if refer == "contact":
        add_contact(account_id=acme.pk, name="Jane", actor=acting(manager))
    elif refer == "deal":
        make_deal(owner=manager, account=acme)
    else:
        AccountFactory(owner=manager, parent_account=acme)
    shown = undo(body)
    assert left_alone(shown) == [(2, "account_in_use")]
    acme.refresh_from_db()
    assert (acme.deleted_at, acme.version) == (None, 1)
    assert not Account.objects.filter(domain="globex.example").exists()


def test_undo_leaves_an_account_whose_old_domain_is_taken(upload, undo, manager):
    known = AccountFactory(owner=manager, name="Acme", domain="old.example")
    body = upload("Firm,Site\nAcme,new.example\n", mapping=SITES, match_on="name")
    AccountFactory(domain="old.example")
    shown = undo(body)
    assert left_alone(shown) == [(2, "changed_since_import")]
    known.refresh_from_db()
    assert (known.domain, known.version) == ("new.example", 2)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mapping": {"columns": {"Nope": "name"}}}, "mapping"),
        ({"mapping": {"columns": {"Firm": "owner"}}}, "mapping"),
        ({"mapping": {"columns": {"Site": "domain", "CRM": "external_ids."}}}, "mapping"),
        ({"mapping": {"columns": {"Firm": "name", "Site": "name"}}}, "mapping"),
        ({"mapping": {"columns": {"Firm": "name"}}}, "mapping"),
        ({"mapping": {"columns": {"Site": "domain"}}, "match_on": "external_id"}, "mapping"),
        ({"mapping": {**SITES, "constants": {"currency": "XXY"}}}, "currency"),
        ({"mode": "now"}, "mode"),
        ({"match_on": "city"}, "match_on"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refuses_a_mapping_that_does_not_fit(upload, change, field):
    answer = upload(**change)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["details"]["fields"]
    assert not AccountImport.objects.exists()
    assert not Job.objects.exists()


def test_goes_on_where_a_killed_worker_left_off(upload, monkeypatch):
    monkeypatch.setattr(engine, "BATCH", 10)
    text = "Firm,Site\n" + "".join(f"Firm {number},f{number}.example\n" for number in range(35))
    imported = AccountImport.objects.get(pk=upload(text, mapping=SITES, run=False).json()["id"])
    batches = []

    class Killed(BaseException):
        """What a worker sees of kill -9: nothing more."""

    def kill_in_the_third(*arguments):
        batches.append(1)
        if len(batches) == 3:
            raise Killed
        return keep(*arguments)

    keep = engine._keep_outcomes
    monkeypatch.setattr(engine, "_keep_outcomes", kill_in_the_third)
    with pytest.raises(Killed):
        run_job(imported.job_id)
    assert Account.objects.count() == 20
    run_job(imported.job_id)
    assert (Account.objects.count(), AccountImportRow.objects.count()) == (35, 35)
    imported.refresh_from_db()
    assert (imported.created, imported.job.status) == (35, "completed")
    assert told() == ["account.created"] * 35


def test_a_batch_asks_no_more_for_many_rows_than_for_few(upload, django_assert_max_num_queries):
    text = "Firm,Site\n" + "".join(f"Firm {number},f{number}.example\n" for number in range(300))
    imported = AccountImport.objects.get(pk=upload(text, mapping=SITES, run=False).json()["id"])
    with django_assert_max_num_queries(40):
        run_job(imported.job_id)
    assert Account.objects.count() == 300


def test_can_be_cancelled(upload):
    imported = AccountImport.objects.get(pk=upload(run=False).json()["id"])
    assert upload.client.call("POST", f"/jobs/{imported.job_id}/cancel").status_code == 200
    run_job(imported.job_id)
    shown = upload.client.call("GET", f"/accounts/imports/{imported.pk}").json()
    assert (shown["status"], shown["created"]) == ("cancelled", 0)


def test_an_import_is_only_for_its_importer_and_admins(upload, api, admin):
    body = upload()
    stranger = api(UserFactory(role=Role.SALES_MANAGER))
    for method, path in [("GET", ""), ("GET", "/failed-rows.csv"), ("POST", "/undo")]:
        assert stranger.call(method, f"/accounts/imports/{body['id']}{path}").status_code == 404
    assert api(admin).call("GET", f"/accounts/imports/{body['id']}").status_code == 200
    assert upload.client.call("GET", f"/leads/imports/{body['id']}").status_code == 404
    assert Account.objects.count() == 2


def test_refuses_a_rep(api, rep):
    file = SimpleUploadedFile("a.csv", b"Firm\nAcme\n")
    answer = api(rep).post("/api/v1/accounts/imports", {"file": file})
    assert answer.status_code == 403
    assert not AccountImport.objects.exists()


def test_a_repeat_under_an_idempotency_key_imports_once(upload):
    first = upload(run=False, headers={"Idempotency-Key": "list"})
    again = upload(run=False, headers={"Idempotency-Key": "list"})
    other = upload("Firm,Site\n", mapping=SITES, run=False, headers={"Idempotency-Key": "list"})
    assert first.json() == again.json()
    assert other.status_code == 409
    assert AccountImport.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_domain_that_an_import_takes_meanwhile_is_refused(acting, manager):
    actor, outcomes = acting(manager), []

    def open_it() -> None:
        try:
            open_account(name="Acme", domain="acme.example", actor=actor)
        except AccountDomainTaken:
            outcomes.append("refused")
        finally:
            connections.close_all()

    with transaction.atomic():
        facts = ACCOUNT_IMPORTS.check({"name": "Acme", "domain": "acme.example"})
        ACCOUNT_IMPORTS.write_new([facts], actor=actor)
        assert Account.objects.count() == 1
        waiting = Thread(target=open_it)
        waiting.start()
        waiting.join(1)
    waiting.join(10)
    assert outcomes == ["refused"]
    assert Account.objects.count() == 1


def test_imports_from_the_command_line(manager, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    file, said = tmp_path / "accounts.csv", StringIO()
    file.write_text("Firm,Site\nAcme,acme.example\nInitech,nonsense\n")
    arguments = [str(file), "--mapping", json.dumps(SITES)]
    call_command("import_accounts", *arguments, "--as", manager.email, stdout=said)
    assert "2 rows: 1 created, 0 updated, 0 skipped, 1 failed." in said.getvalue()
    assert Account.objects.get().owner == manager
    with pytest.raises(CommandError):
        call_command("import_accounts", *arguments, "--as", "nobody@acme.example")


def test_the_platform_itself_owns_no_imported_account(settings, tmp_path, db):
    settings.MEDIA_ROOT = tmp_path
    file, said = tmp_path / "accounts.csv", StringIO()
    file.write_text("Firm,Site\nAcme,acme.example\n")
    call_command("import_accounts", str(file), "--mapping", json.dumps(SITES), stdout=said)
    assert "1 failed: nobody_to_assign" in said.getvalue()
    assert not Account.objects.exists()


def test_exports_the_filtered_list_within_reach(api, rep):
    AccountFactory(
        owner=rep, name="Acme", country="US", annual_revenue="1.50", external_ids={"crm": "7"}
    )
    AccountFactory(owner=rep, name="Globex", country="DE")
    AccountFactory(name="Elsewhere", country="US")
    answer = api(rep).call("GET", "/accounts/export.csv?country=US")
    heading, *rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert heading.startswith('"id","name","domain","industry"')
    assert len(rows) == 1
    assert '"Acme"' in rows[0]
    assert '"Rex Rep"' in rows[0]
    assert '"1.50"' in rows[0]
    assert '"{""crm"": ""7""}"' in rows[0]
    workbook = b"".join(api(rep).call("GET", "/accounts/export.xlsx").streaming_content)
    table = open_table(BytesIO(workbook), max_bytes=len(workbook))
    assert {row.values["name"] for row in table.rows()} == {"Acme", "Globex"}
    assert api(rep).call("GET", "/accounts/export.csv?colour=red").status_code == 400


def test_whoever_only_reads_exports_nothing(api, db):
    reader = UserFactory(role=Role.READ_ONLY)
    assert api(reader).call("GET", "/accounts/export.csv").status_code == 403


def test_what_was_imported_can_be_handed_over_meanwhile(upload, undo, acting, manager, rep):
    body = upload("Firm,Site\nAcme,acme.example\n", mapping=SITES)
    acme = Account.objects.get()
    reassign_account(account_id=acme.pk, owner_id=rep.pk, actor=acting(manager))
    assert left_alone(undo(body)) == [(2, "changed_since_import")]
    acme.refresh_from_db()
    assert (acme.owner, acme.deleted_at) == (rep, None)


def test_a_removed_contact_does_not_hold_its_account(upload, undo, acting, manager):
    body = upload("Firm,Site\nAcme,acme.example\n", mapping=SITES)
    contact = ContactFactory(account=Account.objects.get())
    path = f"/accounts/{contact.account_id}/contacts/{contact.pk}"
    assert upload.client.call("DELETE", path).status_code == 204
    assert left_alone(undo(body)) == []
    assert not Account.objects.exists()
