"""Importing files of opportunities with their past: what stays of it, what is told, and undo."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from apps.contracts.services.contracts import create_contract
from apps.core.commands import acting as command_acting
from apps.core.errors import NotAllowed
from apps.core.jobs import run_job
from apps.core.models import BusinessEvent
from apps.core.periods import organisation_day
from apps.opportunities.errors import OpportunityKnown
from apps.opportunities.models import (
    Opportunity,
    OpportunityAssignment,
    OpportunityImport,
    Stage,
)
from apps.opportunities.selectors import forget_pipelines
from apps.opportunities.services.deals import (
    change_opportunity,
    delete_opportunity,
    restore_opportunity,
)
from apps.opportunities.services.imports import OPPORTUNITY_IMPORTS
from apps.opportunities.services.stages import move_opportunity, reopen_opportunity
from apps.quotas.models import QuotaCredit
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.users import UserFactory

NOW = "2026-03-02T09:00:00Z"
CSV = (
    "Id;Deal;Company;Owner;Stage;Value;Opened;Closed;Expected;Lost because;Region\n"
    "o-1;Pumps;Acme;rex@salesplatform.test;Closed Won;12,000.50;2025-08-01;2025-11-14;;;North\n"
    "o-2;Valves;acme.example;Rex Rep;closed_lost;$900;2025-09-01;2025-10-01;;Too dear;\n"
    "o-3;Hoses;ACME;;Proposal;4000;2026-01-10;;2026-05-31;;South\n"
    "o-4;Taps;Nobody;;Proposal;1;;;;;\n"
    "o-5;Seals;Acme;Rex Rep;Won;70;2025-12-24;;2025-12-24;;\n"
)
MAPPING = {
    "columns": {
        "Id": "external_id",
        "Deal": "name",
        "Company": "account",
        "Owner": "owner",
        "Stage": "stage",
        "Value": "amount",
        "Opened": "opened_on",
        "Closed": "closed_on",
        "Expected": "expected_close_date",
        "Lost because": "loss_reason",
        "Region": "metadata.region",
    },
    "constants": {"external_source": "old crm"},
}
OUTCOMES = ("total", "created", "updated", "skipped", "failed")


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def rex(rep):
    """The salesperson as the file names him."""
    rep.email, rep.name = "rex@salesplatform.test", "Rex Rep"
    rep.save()
    return rep


@pytest.fixture
def acme(rex):
    return AccountFactory(name="Acme", domain="acme.example", owner=rex, currency="USD")


@pytest.fixture
def upload(uploads, acme):
    """Files that the manager sends."""
    return uploads("opportunities", text=CSV, mapping=MAPPING, mode="apply")


@pytest.fixture
def undo(upload):
    """Takes an import back."""
    return upload.undo


def counts(body):
    return tuple(body[name] for name in OUTCOMES)


def deal_named(name: str) -> Opportunity:
    return Opportunity.objects.get(name=name)


def told(*names: str) -> list[str]:
    events = BusinessEvent.objects.filter(name__in=names).order_by("sequence")
    return list(events.values_list("name", flat=True))


def one_row(**cells: str) -> str:
    """A file of one row of what is said."""
    return ";".join(cells) + "\n" + ";".join(cells.values()) + "\n"


def by_their_names(text: str) -> dict[str, object]:
    """The mapping of a file whose columns are called like facts; without an id the name is one."""
    columns = {name: name for name in text.splitlines()[0].split(";")}
    templates = {} if "external_id" in columns else {"external_id": "{name}"}
    return {"columns": columns, "templates": templates}


def test_previews_the_columns_of_other_systems(upload):
    text = "Opportunity Name,Account Name,Stage,Close Date,Amount,Created Date\nA,B,C,D,E,F\n"
    answer = upload(text, mode="preview")
    assert answer.status_code == 200, answer.content
    assert answer.json()["suggested_mapping"] == {
        "columns": {
            "Opportunity Name": "name",
            "Account Name": "account",
            "Stage": "stage",
            "Close Date": "expected_close_date",
            "Amount": "amount",
            "Created Date": "opened_on",
        }
    }
    assert not OpportunityImport.objects.exists()


def test_deals_come_with_their_past(upload, rex, acme):
    body = upload()
    assert counts(body) == (5, 4, 0, 0, 1)
    assert [(one["line"], one["fields"]) for one in body["errors"]] == [
        (5, {"account": ["There is no such account."]})
    ]
    won = deal_named("Pumps")
    assert (won.account, won.owner, won.kind, won.stage_key) == (acme, rex, "won", "closed_won")
    assert (won.amount, won.currency, won.probability) == (Decimal("12000.50"), "USD", 100)
    assert organisation_day(won.created_at) == date(2025, 8, 1)
    assert won.actual_close_date == organisation_day(won.won_at) == date(2025, 11, 14)
    assert won.expected_close_date == date(2025, 11, 14)
    assert (won.external_source, won.external_id, won.version) == ("old crm", "o-1", 2)
    assert won.metadata == {"region": "North"}
    lost = deal_named("Valves")
    assert (lost.kind, lost.loss_reason, lost.amount) == ("lost", "Too dear", Decimal("900.00"))
    assert lost.actual_close_date == date(2025, 10, 1)
    still_open = deal_named("Hoses")
    assert (still_open.kind, still_open.stage_key, still_open.version) == ("open", "proposal", 1)
    assert still_open.expected_close_date == date(2026, 5, 31)
    assert organisation_day(still_open.stage_entered_at) == date(2026, 1, 10)
    assert deal_named("Seals").actual_close_date == date(2025, 12, 24)


def test_their_history_begins_when_they_did(upload, rex):
    upload()
    won = deal_named("Pumps")
    first = Stage.objects.get(pipeline=won.pipeline, key="discovery")
    changes = won.changes.order_by("seq")
    assert [(one.kind, one.stage_from, one.stage_to, one.at) for one in changes] == [
        ("created", None, first, won.created_at),
        ("won", first, won.stage, won.won_at),
    ]
    spans = won.spans.order_by("entered_at")
    assert [(one.stage, one.entered_at, one.left_at) for one in spans] == [
        (first, won.created_at, won.won_at),
        (won.stage, won.won_at, None),
    ]
    period = OpportunityAssignment.objects.get(record=won)
    assert (period.owner, period.cause) == (rex, "import")
    assert (period.valid.lower, period.valid.upper) == (won.created_at, None)
    assert won.last_open_stage == first


def test_what_was_won_counts_and_is_no_news_to_billing(upload, rex, deliver_events):
    upload()
    deliver_events()
    created = BusinessEvent.objects.filter(name="opportunity.created").order_by("sequence")
    assert [(one.payload["kind"], one.payload["closed_on"]) for one in created] == [
        ("won", "2025-11-14"),
        ("lost", "2025-10-01"),
        ("open", None),
        ("won", "2025-12-24"),
    ]
    assert told("opportunity.won", "opportunity.lost", "opportunity.stage_changed") == []
    credits = QuotaCredit.objects.filter(user=rex).order_by("closed_on")
    assert [(one.closed_on, one.amount) for one in credits] == [
        (date(2025, 11, 14), Decimal("12000.50")),
        (date(2025, 12, 24), Decimal("70.00")),
    ]


def test_the_same_file_twice_changes_nothing(upload):
    upload()
    before = list(Opportunity.objects.order_by("pk").values())
    assert counts(upload()) == (5, 0, 0, 4, 1)
    assert list(Opportunity.objects.order_by("pk").values()) == before
    assert told("opportunity.updated") == []


def test_a_later_file_changes_what_people_state_of_open_deals(upload):
    upload()
    text = "Id;Value;Region;Expected\no-3;4500;;2026-06-30\no-2;950;;\n"
    columns = {name: MAPPING["columns"][name] for name in text.splitlines()[0].split(";")}
    body = upload(text, mapping={**MAPPING, "columns": columns})
    assert counts(body) == (2, 0, 1, 0, 1)
    assert body["errors"][0]["reason"] == "opportunity_is_closed"
    changed = deal_named("Hoses")
    assert (changed.amount, changed.version, changed.push_count) == (Decimal("4500.00"), 2, 1)
    assert changed.metadata == {"region": "South"}
    assert deal_named("Valves").amount == Decimal("900.00")
    assert told("opportunity.updated") == ["opportunity.updated"]


def test_a_deal_that_is_there_is_moved_and_not_imported_into_another_stage(upload):
    upload()
    text = "Id;Stage\no-3;Negotiation\no-1;Proposal\n"
    mapping = {**MAPPING, "columns": {"Id": "external_id", "Stage": "stage"}}
    body = upload(text, mapping=mapping)
    assert counts(body) == (2, 0, 0, 0, 2)
    assert [(one["reason"], one["current_stage"]) for one in body["errors"]] == [
        ("stage_not_imported", "proposal"),
        ("stage_not_imported", "closed_won"),
    ]
    assert [deal_named(name).version for name in ("Hoses", "Pumps")] == [1, 2]


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"stage": "Dreaming"}, "stage"),
        ({"stage": "Closed Won"}, "closed_on"),
        ({"stage": "Closed Won", "closed_on": "2026-03-03"}, "closed_on"),
        ({"stage": "won", "closed_on": "2026-01-02", "opened_on": "2026-01-03"}, "opened_on"),
        ({"opened_on": "2026-03-03"}, "opened_on"),
        ({"opened_on": "3/1/2026"}, "opened_on"),
        ({"opened_on": "2026-02-30"}, "opened_on"),
        ({"opened_on": "0026-02-03"}, "opened_on"),
        ({"amount": "-1"}, "amount"),
        ({"currency": "XXY"}, "currency"),
        ({"probability": "101"}, "probability"),
        ({"forecast_category": "closed"}, "forecast_category"),
        ({"forecast_category": "wishful"}, "forecast_category"),
        ({"owner": "Nobody"}, "owner"),
        ({"owner": "Gone Away"}, "owner"),
        ({"owner": "Twin"}, "owner"),
        ({"account": "Twins"}, "account"),
        ({"account": "Hidden"}, "account"),
        ({"pipeline": "unheard of"}, "pipeline"),
        ({"name": ""}, "name"),
        ({"external_id": ""}, "external_id"),
        ({"priority": "高"}, "priority"),
        ({"stage": "受注"}, "stage"),
        ({"stage": "!"}, "stage"),
        ({"opened_on": "9999-12-31T23:59:59-10:00"}, "opened_on"),
    ],
)
def test_a_row_that_makes_no_sense_fails_alone_and_says_why(upload, rex, cells, field):
    UserFactory(name="Gone Away", is_active=False, manager=rex.manager)
    UserFactory(name="Twin")
    UserFactory(name="Twin")
    AccountFactory(name="Twins", owner=rex)
    AccountFactory(name="Twins", owner=rex)
    AccountFactory(name="Hidden")
    wrong = {"external_id": "1", "name": "A", "account": "Acme", **cells}
    good = {**dict.fromkeys(wrong, ""), "external_id": "2", "name": "B", "account": "Acme"}
    text = one_row(**wrong) + ";".join(good.values())
    body = upload(text, mapping=by_their_names(text))
    assert counts(body) == (2, 1, 0, 0, 1)
    assert list(body["errors"][0]["fields"]) == [field]
    assert [one.name for one in Opportunity.objects.all()] == ["B"]


@pytest.mark.parametrize(
    ("order", "day"), [("month_first", date(2026, 2, 1)), ("Day first", date(2026, 1, 2))]
)
def test_days_with_slashes_are_read_as_the_file_says(upload, order, day):
    text = one_row(name="A", account="Acme", opened_on="2/1/2026", expected_close_date="31.05.2026")
    mapping = {**by_their_names(text), "constants": {"day_order": order}}
    assert counts(upload(text, mapping=mapping)) == (1, 1, 0, 0, 0)
    deal = deal_named("A")
    assert (organisation_day(deal.created_at), deal.expected_close_date) == (day, date(2026, 5, 31))


def test_moments_are_the_day_that_it_is_where_the_organisation_is(upload, settings):
    settings.ORGANISATION_TIME_ZONE = "Asia/Tokyo"
    stamp = "2025-12-31T23:30:00.000Z"
    text = one_row(name="A", account="Acme", stage="won", opened_on=stamp, closed_on=stamp)
    assert counts(upload(text, mapping=by_their_names(text))) == (1, 1, 0, 0, 0)
    deal = deal_named("A")
    assert (deal.actual_close_date, organisation_day(deal.created_at)) == (
        date(2026, 1, 1),
        date(2026, 1, 1),
    )


def test_stages_are_found_by_their_names_in_any_script(upload, pipeline):
    Stage.objects.filter(pipeline=pipeline, key="closed_won").update(name="受注")
    Stage.objects.filter(pipeline=pipeline, key="proposal").update(name="提案 A")
    forget_pipelines()
    text = "external_id;name;account;stage;closed_on\n1;A;Acme;受注;2026-01-31\n2;B;Acme;提案-a;\n"
    assert counts(upload(text, mapping=by_their_names(text))) == (2, 2, 0, 0, 0)
    assert [deal_named(name).stage_key for name in "AB"] == ["closed_won", "proposal"]


def test_what_was_expected_is_not_known_from_how_it_ended(upload):
    text = "external_id;name;account;stage;opened_on;expected_close_date;closed_on\n"
    text += "1;A;Acme;won;2025-10-01;2025-12-01;\n2;B;Acme;won;2025-10-01;2025-11-15;2025-12-01\n"
    assert counts(upload(text, mapping=by_their_names(text))) == (2, 2, 0, 0, 0)
    changes = {name: deal_named(name).changes.order_by("seq") for name in "AB"}
    assert [one.close_to for one in changes["A"]] == [None, date(2025, 12, 1)]
    assert [one.close_to for one in changes["B"]] == [date(2025, 11, 15)] * 2
    assert deal_named("B").actual_close_date == date(2025, 12, 1)


def test_naming_another_owner_takes_the_right_to_assign(acme, manager, acting):
    other = UserFactory(name="Olga Other", manager=manager)
    actor = replace(acting(manager), permissions=frozenset({"opportunity:import"}))
    rows = [
        {"name": name, "account": "Acme", "external_id": name, "owner": owner}
        for name, owner in (("A", other.email), ("B", acme.owner.email), ("C", manager.email))
    ]
    with command_acting(actor):
        written = OPPORTUNITY_IMPORTS.write_new(rows, actor=actor)
    assert isinstance(written[0], NotAllowed)
    assert list(Opportunity.objects.values_list("name", flat=True).order_by("name")) == ["B", "C"]


def test_refuses_what_no_row_could_hold(upload):
    mapping = {**MAPPING, "constants": {"metadata.note": "a\x00b"}}
    answer = upload(mapping=mapping)
    assert answer.status_code == 400, answer.content
    assert not OpportunityImport.objects.exists()


def test_whoever_left_still_owns_what_was_closed(upload, manager):
    gone = UserFactory(name="Gone Away", is_active=False, manager=manager)
    text = one_row(
        name="A", account="Acme", owner="gone away", stage="Lost", closed_on="2026-01-31"
    )
    assert counts(upload(text, mapping=by_their_names(text))) == (1, 1, 0, 0, 0)
    deal = deal_named("A")
    assert (deal.owner, deal.loss_reason) == (gone, "Not known")


def test_a_deal_is_not_given_to_somebody_out_of_reach(upload, outsider):
    text = one_row(name="A", account="Acme", owner=outsider.email)
    body = upload(text, mapping=by_their_names(text))
    assert [one["reason"] for one in body["errors"]] == ["opportunity_out_of_reach"]
    assert not Opportunity.objects.exists()


def test_what_was_won_in_a_currency_without_a_rate_is_refused(upload):
    text = one_row(name="A", account="Acme", currency="GBP", stage="won", closed_on="2026-01-31")
    body = upload(text, mapping=by_their_names(text))
    assert [one["reason"] for one in body["errors"]] == ["exchange_rate_missing"]
    assert not Opportunity.objects.exists()


def test_a_dry_run_writes_nothing(upload):
    assert counts(upload(mode="dry_run")) == (5, 4, 0, 0, 1)
    assert not Opportunity.objects.exists()
    assert told("opportunity.created") == []


def test_undo_takes_back_deals_and_what_they_counted_for(upload, undo, rex, deliver_events):
    body = upload()
    shown = undo(body)
    assert (shown["status"], shown["not_undone"]) == ("undone", [])
    deliver_events()
    assert not Opportunity.objects.exists()
    assert sum(one.amount for one in QuotaCredit.objects.filter(user=rex)) == 0
    assert counts(upload()) == (5, 4, 0, 0, 1)


def test_undo_gives_back_what_people_had_stated(upload, undo):
    upload()
    text = one_row(external_id="o-3", amount="1", probability="20", next_step="Call")
    mapping = {**by_their_names(text), "constants": {"external_source": "old crm"}}
    body = upload(text, mapping=mapping)
    assert counts(body) == (1, 0, 1, 0, 0)
    changed = deal_named("Hoses")
    assert (changed.amount, changed.probability, changed.next_step) == (1, 20, "Call")
    assert undo(body)["not_undone"] == []
    changed.refresh_from_db()
    assert (changed.amount, changed.next_step, changed.version) == (Decimal("4000.00"), "", 3)
    assert (changed.probability, changed.probability_source) == (50, "stage")


@pytest.mark.parametrize("day", ["2026-04-30", "2026-06-30"])
def test_undo_postpones_nothing_and_takes_back_what_was_postponed(upload, undo, day):
    upload()
    text = one_row(external_id="o-3", expected_close_date=day)
    mapping = {**by_their_names(text), "constants": {"external_source": "old crm"}}
    before = deal_named("Hoses")
    undo(upload(text, mapping=mapping))
    after = deal_named("Hoses")
    assert (after.expected_close_date, after.push_count) == (before.expected_close_date, 0)
    assert after.deal_score == before.deal_score


def test_undo_goes_back_step_by_step_where_a_file_has_rows_of_one_deal(upload, undo):
    upload()
    text = "external_id;amount\no-3;5000\no-3;4000\nnew;1\n"
    mapping = {**by_their_names(text), "constants": {"external_source": "old crm"}}
    body = upload(text, mapping=mapping)
    assert counts(body) == (3, 0, 2, 0, 1)
    assert undo(body)["not_undone"] == []
    deal = deal_named("Hoses")
    assert (deal.amount, deal.version) == (Decimal("4000.00"), 5)
    assert [one.amount_to for one in deal.changes.order_by("seq")] == [4000, 5000, 4000, 5000, 4000]


def test_undo_leaves_deals_with_a_contract(upload, undo, acting, manager):
    text = one_row(
        name="Pumps",
        account="Acme",
        stage="won",
        closed_on="2026-01-31",
        amount="1200",
        contract_term="12",
        start_date="2026-02-01",
        payment_terms="net_30",
        billing_frequency="Monthly",
    )
    body = upload(text, mapping=by_their_names(text))
    contract = create_contract(opportunity_id=deal_named("Pumps").pk, actor=acting(manager))
    shown = undo(body)
    assert [(one["line"], one["reason"]) for one in shown["not_undone"]] == [
        (2, "opportunity_in_use")
    ]
    contract.refresh_from_db()
    assert (deal_named("Pumps").kind, contract.voided_at) == ("won", None)


def test_undo_leaves_deals_that_somebody_worked_since(upload, undo, acting, rex):
    body = upload()
    move_opportunity(opportunity_id=deal_named("Hoses").pk, stage="negotiation", actor=acting(rex))
    shown = undo(body)
    assert [(one["line"], one["reason"]) for one in shown["not_undone"]] == [
        (4, "changed_since_import")
    ]
    assert [one.name for one in Opportunity.objects.all()] == ["Hoses"]


def test_a_brought_over_deal_lives_on_like_any_other(upload, acting, manager):
    upload()
    actor = acting(manager)
    reopened = reopen_opportunity(opportunity_id=deal_named("Pumps").pk, actor=actor)
    assert (reopened.stage_key, reopened.version) == ("discovery", 3)
    changed = change_opportunity(opportunity_id=reopened.pk, amount=Decimal(1), actor=actor)
    assert (changed.amount, changed.external_id) == (1, "o-1")


def test_a_deal_does_not_come_back_beside_its_double(upload, acting, manager):
    upload()
    actor, deal = acting(manager), deal_named("Hoses")
    delete_opportunity(opportunity_id=deal.pk, actor=actor)
    assert counts(upload()) == (5, 1, 0, 3, 1)
    with pytest.raises(OpportunityKnown):
        restore_opportunity(opportunity_id=deal.pk, actor=actor)
    assert Opportunity.objects.filter(external_id="o-3").count() == 1


def test_a_batch_asks_no_more_for_many_rows_than_for_few(upload, django_assert_max_num_queries):
    rows = (f"d{number};Deal {number};Acme;won;2025-10-01\n" for number in range(300))
    text = "external_id;name;account;stage;closed_on\n" + "".join(rows)
    answer = upload(text, mapping=by_their_names(text), run=False)
    imported = OpportunityImport.objects.get(pk=answer.json()["id"])
    with django_assert_max_num_queries(40):
        run_job(imported.job_id)
    assert Opportunity.objects.won().count() == 300


def test_is_shown_where_it_is_from(upload, api, rex):
    upload()
    body = api(rex).call("GET", f"/opportunities/{deal_named('Pumps').pk}").json()
    assert (body["external_source"], body["external_id"]) == ("old crm", "o-1")


def test_refuses_a_rep(api, rep):
    file = SimpleUploadedFile("a.csv", b"name;account\nA;Acme\n")
    assert api(rep).post("/api/v1/opportunities/imports", {"file": file}).status_code == 403
    assert not OpportunityImport.objects.exists()


def test_imports_from_the_command_line(acme, manager, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    file, said = tmp_path / "deals.csv", StringIO()
    file.write_text(CSV)
    arguments = [str(file), "--mapping", json.dumps(MAPPING)]
    call_command("import_opportunities", *arguments, "--as", manager.email, stdout=said)
    assert "5 rows: 4 created, 0 updated, 0 skipped, 1 failed." in said.getvalue()


def test_exports_the_filtered_list_within_reach(upload, api, rex):
    upload()
    answer = api(rex).call("GET", "/opportunities/export.csv?stage=closed_won&ordering=amount")
    heading, *rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert heading.startswith('"id","name","account"')
    assert [row.split(",")[1] for row in rows] == ['"Seals"', '"Pumps"']
    assert '"12000.50"' in rows[1]
    reader = UserFactory(role=Role.READ_ONLY)
    assert api(reader).call("GET", "/opportunities/export.csv").status_code == 403
