"""People nobody works with any more are erased, once the business has said after how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.accounts.models import Contact
from apps.activities.models import Activity
from apps.activities.services.activities import log_activity
from apps.core.models import BusinessEvent
from apps.core.retention import days_kept, forget_what_is_due, keep_for
from apps.leads.models import Lead
from apps.leads.services.merging import merge_leads
from apps.opportunities.services.conversion import convert_lead
from apps.opportunities.services.pipelines import seed_default_pipeline
from apps.privacy.models import Erasure
from apps.privacy.services.retention import REASON
from tests.factories.accounts import ContactFactory
from tests.factories.leads import LeadFactory
from tests.factories.users import actor_of

NOW = timezone.now()
LONG_AGO = NOW - timedelta(days=800)


@pytest.fixture
def two_years(db, system):
    """The rule that people are kept for two years."""
    keep_for(name="privacy.people", days=730, actor=system)


def left_alone(*rows, since=LONG_AGO):
    """Nobody has touched these rows since."""
    for row in rows:
        type(row)._base_manager.filter(pk=row.pk).update(updated_at=since)


def forget():
    return forget_what_is_due("privacy", now=NOW)["privacy.people"]


def names():
    return sorted(Lead.objects.with_bin().values_list("first_name", flat=True))


def old_lead(**facts):
    lead = LeadFactory(**facts)
    left_alone(lead)
    return lead


def test_out_of_the_box_everybody_stays(db):
    old_lead(first_name="Old")
    assert days_kept()["privacy.people"] is None
    assert "privacy.people" not in forget_what_is_due("privacy", now=NOW)
    assert names() == ["Old"]


def test_whom_nobody_worked_with_is_erased_and_the_books_stay(two_years):
    gone = old_lead(first_name="Old", company="Quarry", status="unqualified")
    LeadFactory(first_name="New")
    assert forget() == 1

    gone.refresh_from_db()
    assert names() == ["", "New"]
    assert (gone.company, gone.email) == ("Quarry", "")
    erasure = Erasure.objects.get()
    assert (erasure.reason, erasure.rows) == (REASON, {"leads": [str(gone.pk)]})
    assert BusinessEvent.objects.filter(name="person.erased").count() == 1


def test_a_second_night_finds_nobody(two_years):
    left_alone(LeadFactory(first_name="Old"), since=LONG_AGO)
    assert (forget(), forget()) == (1, 0)
    left_alone(*Lead.objects.all())
    assert forget() == 0
    assert Erasure.objects.count() == 1


def test_a_trial_counts_and_erases_nobody(two_years, capsys):
    old_lead(first_name="Old")
    call_command("retention")
    line = next(one for one in capsys.readouterr().out.splitlines() if "privacy.people" in one)
    assert line.split()[1:5] == ["730", "days", "1", "due"]
    assert names() == ["Old"]


@pytest.mark.parametrize("days_ago", [729, 731])
def test_the_day_decides(two_years, days_ago):
    left_alone(LeadFactory(first_name="Old"), since=NOW - timedelta(days=days_ago))
    assert forget() == (1 if days_ago > 730 else 0)


def test_one_row_in_use_keeps_the_person(two_years, admin):
    """Another lead, a contact and an activity of theirs, and something that is still planned."""
    by = actor_of(admin)
    again = old_lead(first_name="Again", email="again@acme.example", status="unqualified")
    LeadFactory(first_name="Again", email=again.email)
    customer = old_lead(first_name="Customer", email="customer@acme.example")
    ContactFactory(email=customer.email)
    called = old_lead(first_name="Called")
    log_activity(type="call", subject="Hello", lead_id=called.pk, actor=by)
    planned = old_lead(first_name="Planned")
    log_activity(
        type="call",
        subject="Hello",
        lead_id=planned.pk,
        scheduled_at=NOW + timedelta(days=1),
        actor=by,
    )
    left_alone(*Activity.objects.all(), *Lead.objects.filter(first_name__in=("Called", "Planned")))
    Lead.objects.filter(first_name="Called").update(last_activity_at=NOW)
    assert forget() == 0
    assert names() == ["Again", "Again", "Called", "Customer", "Planned"]
    assert not Erasure.objects.exists()


def test_whoever_became_a_customer_stays(two_years, system, rep):
    seed_default_pipeline(actor=system)
    lead = LeadFactory(first_name="Jane", status="qualified")
    convert_lead(lead_id=lead.pk, owner_id=rep.pk, actor=system)
    left_alone(lead, *Contact.objects.all())
    assert forget() == 0
    assert names() == ["Jane"]


def test_leads_that_were_folded_together_go_together(two_years, system):
    survivor = LeadFactory(first_name="Jane")
    merged = LeadFactory(first_name="Janet")
    merge_leads(survivor_id=survivor.pk, duplicate_ids=[merged.pk], values={}, actor=system)
    left_alone(*Lead.objects.with_bin())
    assert forget() == 2
    assert names() == ["", ""]
    assert Erasure.objects.count() == 1


def test_somebody_who_works_with_them_meanwhile_keeps_them(two_years, monkeypatch):
    """The row was found to be due, and changed before it was locked."""
    lead = old_lead(first_name="Old")
    from_the_list = type(lead)._base_manager.filter(pk=lead.pk)
    monkeypatch.setattr(
        "apps.privacy.services.retention.IdlePeople._rows",
        lambda self: [("leads", from_the_list)],
    )
    left_alone(lead, since=NOW)
    assert forget() == 0
    assert names() == ["Old"]
