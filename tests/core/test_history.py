"""The change history: every write of a business row, whatever its way, and nothing else."""

from __future__ import annotations

import psycopg
import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.state import ProjectState

from apps.core.actors import SYSTEM_ID
from apps.core.commands import acting as acting_as
from apps.core.errors import NotAllowed
from apps.core.history import (
    NOBODY_CARES_FOR,
    Watch,
    about,
    changes_visible_to,
    erase_history_of,
    everything_audited,
    fields_of_each,
    hidden_columns,
)
from apps.core.identifiers import new_id
from apps.core.loading import insert_rows
from apps.core.models import Change, DataKey
from apps.leads.models import Lead
from apps.leads.services.capture import change_lead, create_lead
from apps.opportunities.services.pipelines import seed_default_pipeline
from apps.users.services.people import set_password
from tests.factories.leads import LeadFactory
from tests.factories.users import UserFactory

BUSINESS_APPS = {one.label for one in apps.get_app_configs() if one.name.startswith("apps.")} - {
    "core"
}
NOT_AUDITED = {
    "ApiKey": "issuing, rotating and revoking are told by events; the digests are secrets",
    "Application": "admitting and ending are told by events",
    "SecondFactor": "enrolling and resetting are told by events; the rest is a secret",
    "FailedSignIns": "a counter that is forgotten after a day",
    "ExternalIdentity": "is written once, at a first sign-in through a provider",
    "SignIn": "a session, not a fact; it ends and is forgotten",
    "TerritoryGrant": "guardian's row without a UUID; the journal tells who was let in",
    "Export": "is itself the record of a request, and is forgotten after a month",
    "Turn": "is a counter and a lock",
    "AccountAssignment": "is itself a dated history",
    "OpportunityImport": "is itself the record of an import",
    "OpportunityImportRow": "is itself the record of an import",
    "AccountImport": "is itself the record of an import",
    "AccountImportRow": "is itself the record of an import",
    "LeadAssignment": "is itself a dated history",
    "LeadMerge": "is itself the record of a merge",
    "LeadImport": "is itself the record of an import",
    "LeadImportRow": "is itself the record of an import",
    "OpportunityAssignment": "is itself a dated history",
    "OpportunityChange": "is itself a dated history",
    "StageSpan": "is itself a dated history",
    "WebhookLine": "is how things stand with a target at the moment",
    "PartnerLine": "is how asking a partner goes at the moment",
    "ForecastAccuracy": "is worked out anew from facts that stay",
    "DealProbability": "is what a model says at the moment",
    "Suggestion": "is its own record: what was said, decided and came of it stays",
    "WebhookDelivery": "is itself the record of what was sent",
    "QuotaCredit": "is written once and never altered",
    "CommissionEntry": "is written once and never altered",
    "CreditedDeal": "is how far events were heard",
    "ActivityNews": "is written by triggers and taken away once it is added up",
    "ActivityCount": "is added up from activities, which are audited",
    "NightlyRun": "is computed",
    "FinanceReport": "is written once and never altered",
    "ForecastSnapshot": "is computed",
    "ForecastLine": "is computed",
    "ForecastFact": "is computed",
}


def sql(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def history_of(row):
    return [
        (one.action, one.before, one.after, one.actor_id, one.door, one.request_id)
        for one in Change.objects.filter(row_id=row.pk).order_by("sequence")
    ]


@pytest.fixture
def lead(db):
    lead = LeadFactory(status="new", score=10)
    sql("ALTER TABLE core_change DISABLE TRIGGER USER")
    sql("DELETE FROM core_change")
    sql("ALTER TABLE core_change ENABLE TRIGGER USER")
    return lead


# --- What is watched ----------------------------------------------------------------------------


def test_every_business_table_is_audited_or_says_why_not():
    audited = {
        one.model.__name__
        for one in everything_audited().values()
        if one.model._meta.app_label in BUSINESS_APPS
    }
    models_there = {
        model.__name__
        for app in BUSINESS_APPS
        for model in apps.get_app_config(app).get_models()
        if not model._meta.auto_created
    }
    assert models_there == audited | NOT_AUDITED.keys()
    assert not audited & NOT_AUDITED.keys()


def test_the_triggers_are_those_that_the_models_declare(db):
    found = {
        (table, name): arguments
        for table, name, arguments in sql(
            "SELECT tgrelid::regclass::text, tgname, string_to_array(encode(tgargs, 'escape'),"
            " '\\000') FROM pg_trigger WHERE tgfoid = 'core_note_changes'::regproc"
            " AND tgenabled = 'O'"
        )
    }
    assert found == {
        (one.model._meta.db_table, f"history_of_{event}"): [
            one.kind,
            f"{{{','.join(one.leave_out)}}}",
            "",
        ]
        for one in everything_audited().values()
        for event, _ in Watch.EVENTS
    }


def test_going_back_watches_what_was_watched_before(db):
    state = ProjectState.from_apps(apps)
    watch = Watch("lead", "leads", leave_out=("version",), before=("title", "company"))
    with connection.schema_editor(atomic=False) as editor:
        watch.database_backwards("leads", editor, state, state)
    arguments = sql(
        "SELECT encode(tgargs, 'escape') FROM pg_trigger"
        " WHERE tgrelid = 'leads_lead'::regclass AND tgname LIKE 'history_of_%%'"
    )
    left_out = ",".join((*NOBODY_CARES_FOR, "title", "company"))
    assert arguments == [(f"leads\\000{{{left_out}}}\\000",)] * len(Watch.EVENTS)


def test_no_password_and_no_key_of_a_person_is_kept():
    columns = {
        f"{kind}.{field.column}"
        for kind, one in everything_audited().items()
        for field in one.model._meta.concrete_fields
        if field.column not in one.leave_out
        and (field.column.endswith("_key") or "password" in field.column)
    }
    assert columns == {"opportunities.stage_key"}


# --- Ways to write ------------------------------------------------------------------------------


def test_a_service_stands_there_with_its_actor_door_and_request(lead, admin, acting):
    actor = acting(admin)

    change_lead(lead_id=lead.pk, actor=actor, title="Head of Tests")

    ((action, before, after, *who),) = history_of(lead)
    assert action == "changed"
    assert (before["title"], after["title"]) == ("", "Head of Tests")
    assert before.keys() == after.keys()
    assert "updated_at" not in after
    assert "version" not in after
    assert who == [admin.pk, actor.door, actor.request_id]


def test_a_row_that_is_made_shows_all_that_it_was_made_of(db, admin, acting):
    made, _ = create_lead(actor=acting(admin), source="fair", email="eve@x.example", company="X")

    action, before, after, who, *_ = history_of(made)[0]
    assert (action, before, who) == ("made", None, admin.pk)
    assert (after["company"], after["source"]) == ("X", "fair")
    assert after["email"].startswith("\\x")
    assert not {"email_key", "search_vector", "id", "territory_id"} & after.keys()


def test_the_orm_past_every_service_is_nobody_s(lead):
    Lead.objects.filter(pk=lead.pk).update(score=77)
    assert history_of(lead) == [("changed", {"score": 10}, {"score": 77}, None, "", "")]


def test_raw_sql_is_nobody_s(lead):
    sql("UPDATE leads_lead SET city = 'Rome', score = 10 WHERE id = %s", lead.pk)
    sql("DELETE FROM leads_lead WHERE id = %s", lead.pk)

    changed, removed = history_of(lead)
    assert changed == ("changed", {"city": ""}, {"city": "Rome"}, None, "", "")
    assert removed[0] == "removed"
    assert removed[1]["last_name"] == lead.last_name
    assert removed[2:4] == (None, None)


def a_key():
    key = DataKey.fresh()
    key.save()
    return key


def test_bulk_create_and_copy_are_seen_row_by_row(db, system):
    created = Lead.objects.bulk_create(LeadFactory.build(data_key=a_key()) for _ in range(3))
    copied = LeadFactory.build_batch(25)
    with acting_as(system):
        insert_rows(Lead, copied)

    assert [history_of(one)[0][0] for one in created] == ["made"] * 3
    assert {history_of(one)[0][3] for one in created} == {None}
    assert [(one[0][0], one[0][3]) for one in map(history_of, copied)] == [("made", SYSTEM_ID)] * 25


def test_a_value_that_is_emptied_or_filled_shows_the_empty_side(lead):
    sql("UPDATE leads_lead SET employee_count = 5 WHERE id = %s", lead.pk)
    sql("UPDATE leads_lead SET employee_count = NULL WHERE id = %s", lead.pk)
    assert [(before, after) for _, before, after, *_ in history_of(lead)] == [
        ({"employee_count": None}, {"employee_count": 5}),
        ({"employee_count": 5}, {"employee_count": None}),
    ]


def test_a_row_that_gets_another_id_is_one_removed_and_one_made(lead):
    other = new_id()
    sql("UPDATE leads_lead SET id = %s WHERE id = %s", other, lead.pk)
    assert [one[0] for one in history_of(lead)] == ["removed"]
    assert [one[0] for one in history_of(Lead(pk=other))] == ["made"]


def test_a_column_may_be_called_as_the_history_calls_its_own(db, system):
    pipeline = seed_default_pipeline(actor=system)
    made = Change.objects.filter(kind="stages", after__pipeline_id=str(pipeline.pk))
    assert {one.after["kind"] for one in made} == {"open", "won", "lost"}


def test_what_nobody_cares_for_leaves_nothing(lead):
    sql("UPDATE leads_lead SET updated_at = now(), version = version + 1 WHERE id = %s", lead.pk)
    sql("UPDATE leads_lead SET score = score WHERE id = %s", lead.pk)
    sql("UPDATE leads_lead SET score = 1 WHERE false")
    assert history_of(lead) == []


def test_a_password_leaves_nothing(db, admin, acting):
    person = UserFactory()
    seen = len(history_of(person))
    set_password(user_id=person.pk, password="a long new password", actor=acting(admin))
    assert len(history_of(person)) == seen


def test_what_is_rolled_back_leaves_nothing(lead):
    with transaction.atomic():
        score(lead, 77)
        transaction.set_rollback(True)
    assert history_of(lead) == []


# --- In whose name ------------------------------------------------------------------------------


def names_of(lead):
    return [(one[2]["score"], one[3]) for one in history_of(lead)]


def score(lead, number):
    Lead.objects.filter(pk=lead.pk).update(score=number)


def test_each_part_of_a_transaction_is_in_the_name_of_its_own_actor(lead, admin, system, acting):
    with acting_as(system):
        score(lead, 1)
        with acting_as(acting(admin)):
            score(lead, 2)
        score(lead, 3)
        with pytest.raises(ZeroDivisionError), acting_as(acting(admin)):
            raise ZeroDivisionError
        score(lead, 4)
    score(lead, 5)
    with pytest.raises(ZeroDivisionError), acting_as(acting(admin)):
        raise ZeroDivisionError
    score(lead, 6)
    assert names_of(lead) == [
        (1, SYSTEM_ID),
        (2, admin.pk),
        (3, SYSTEM_ID),
        (4, SYSTEM_ID),
        (5, None),
        (6, None),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_name_ends_with_its_transaction(system):
    lead = LeadFactory()
    with acting_as(system):
        score(lead, 1)
    score(lead, 2)
    assert [one[3] for one in history_of(lead)] == [None, SYSTEM_ID, None]


# --- Written once -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core_change SET door = 'nobody'",
        "UPDATE core_change SET before = NULL, after = NULL",
        "UPDATE core_change SET erased_at = now()",
        "UPDATE core_change SET erased_at = now(), before = NULL, after = NULL, salt = NULL,"
        " digest = ''",
        "DELETE FROM core_change",
    ],
)
def test_nobody_alters_the_history(lead, statement):
    score(lead, 2)
    before = history_of(lead)
    partition = sql("SELECT tableoid::regclass::text FROM core_change LIMIT 1")[0][0]
    for one in (statement, statement.replace("core_change", partition)):
        with pytest.raises(DatabaseError, match="is written once"), transaction.atomic():
            sql(one)
    assert history_of(lead) == before


@pytest.mark.django_db(transaction=True)
def test_nobody_empties_the_history():
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "options"):
        parameters.pop(name, None)
    LeadFactory()
    with (
        psycopg.connect(**parameters) as other,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="is written once"),
    ):
        other.execute("TRUNCATE core_change")
    assert Change.objects.filter(kind="leads").exists()


def test_an_erased_person_leaves_that_something_was_there(lead, admin, acting):
    score(lead, 2)
    score(lead, 3)
    actor = acting(admin)

    assert erase_history_of(kind="leads", row_ids=[lead.pk], actor=actor) == 2
    assert erase_history_of(kind="leads", row_ids=[lead.pk], actor=actor) == 0

    assert [one[:4] for one in history_of(lead)] == [
        ("changed", None, None, None),
        ("changed", None, None, None),
        ("erased", None, None, admin.pk),
    ]


def test_only_those_who_may_erase_and_see_the_history(lead, manager, acting):
    score(lead, 2)
    actor = acting(manager)
    with pytest.raises(NotAllowed):
        erase_history_of(kind="leads", row_ids=[lead.pk], actor=actor)
    with pytest.raises(NotAllowed):
        changes_visible_to(actor)
    assert history_of(lead)[0][:3] == ("changed", {"score": 10}, {"score": 2})


# --- Reading ------------------------------------------------------------------------------------


def test_a_column_that_a_role_does_not_see_is_hidden_in_the_history_too(lead, rep, admin, acting):
    change = Change(kind="products", before={"unit_cost": 1, "name": "A"}, after={"name": "B"})
    assert fields_of_each([change], acting(rep)) == [{"name": ("A", "B")}]
    assert fields_of_each([change], acting(admin)) == [{"name": ("A", "B"), "unit_cost": (1, None)}]
    assert hidden_columns("opportunity_lines", acting(rep)) == {"unit_cost"}


def test_the_history_of_a_row_is_newest_first(lead, admin, acting):
    score(lead, 2)
    score(lead, 3)
    found = about(changes_visible_to(acting(admin)), lead.pk)
    assert [one.after for one in found] == [{"score": 3}, {"score": 2}]


def test_every_audited_row_has_an_id_that_the_history_can_hold():
    keys = {type(one.model._meta.pk) for one in everything_audited().values()}
    assert keys == {models.UUIDField}
