"""Quotas of activities: what people complete counts, on its day and where it lies."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from apps.accounts.services.accounts import reassign_account
from apps.activities.models import Activity
from apps.activities.services.activities import (
    change_activity,
    complete_activity,
    delete_activity,
    restore_activity,
)
from apps.core.errors import Refusal
from apps.core.models import BusinessEvent
from apps.core.periods import organisation_today
from apps.leads.services.merging import merge_leads, undo_merge
from apps.opportunities.services.deals import (
    delete_opportunity,
    reassign_opportunity,
    restore_opportunity,
)
from apps.quotas.models import ActivityCount, ActivityNews, Quota, QuotaCredit
from apps.quotas.selectors.attainment import attainments, miscounts
from apps.quotas.services.activities import count_activities, recount_activities
from apps.quotas.services.quotas import set_quota
from apps.quotas.tasks import count_moved_activities
from tests.at_once import outcomes_at_once
from tests.factories.accounts import AccountFactory
from tests.factories.activities import make_activity
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory

PERIOD = f"FY_{organisation_today().year}"


def quota_of(*, actor, amount=4, period=PERIOD, **holder):
    return set_quota(
        period=period,
        quota_type="activities",
        quota_amount=Decimal(amount),
        actor=actor,
        **{f"{name}_id": one.pk for name, one in holder.items()},
    )


@pytest.fixture
def attained(system):
    """What a person or a territory attained; the number of activities."""

    def ask(period=PERIOD, **holder):
        asked = {f"{name}_id": one.pk for name, one in holder.items()}
        (found,) = attainments(actor=system, period=period, today=organisation_today(), **asked)
        return found.attained

    return ask


def told():
    rows = BusinessEvent.objects.filter(name="quota.attained").order_by("sequence")
    return [(one.payload["quota_type"], one.payload["attainment_amount"]) for one in rows]


def test_what_somebody_completes_counts_for_them_and_those_above(
    rep, manager, outsider, system, attained, deliver_events
):
    for who in (rep, manager, outsider):
        quota_of(user=who, actor=system)
    lead = LeadFactory(owner=rep)
    task = make_activity(by=rep, lead_id=lead.pk, type="task")
    make_activity(by=rep, lead_id=lead.pk)
    make_activity(by=manager, lead_id=lead.pk)
    deliver_events()
    assert [attained(user=one) for one in (rep, manager, outsider)] == [1, 2, 0]
    complete_activity(activity_id=task.pk, actor=system)
    deliver_events()
    assert [attained(user=one) for one in (rep, manager, outsider)] == [2, 3, 0]
    assert not ActivityNews.objects.exists()
    assert miscounts() == []


def test_is_attained_and_told_once(rep, manager, api, system, deliver_events):
    quota = quota_of(user=rep, actor=system, amount=2)
    lead = LeadFactory(owner=rep)
    for _ in range(3):
        make_activity(by=rep, lead_id=lead.pk)
        deliver_events()
    assert told() == [("activities", 2)]
    (found,) = api(rep).call("GET", "/quotas").json()["data"]
    assert (found["id"], found["attainment_amount"]) == (str(quota.pk), 3)
    assert found["attainment_percentage"] == 150
    asked = f"/quotas/attainment?period={PERIOD}&user_id={rep.pk}"
    (found,) = api(rep).call("GET", asked).json()["quotas"]
    assert (found["attainment_amount"], found["attainment_percentage"]) == (3, 150)
    assert found["projected_attainment"] >= 3


def test_looks_only_at_quotas_of_the_type_and_the_days_that_changed(rep, system, deliver_events):
    year = organisation_today().year
    for period in (PERIOD, f"FY_{year - 1}"):
        quota_of(user=rep, actor=system, period=period, amount=1)
    QuotaCredit.objects.create(
        opportunity=make_deal(owner=rep),
        version=1,
        user=rep,
        kind="revenue",
        closed_on=organisation_today(),
        amount=100,
        currency="USD",
        rate=1,
        converted=100,
        deals=1,
    )
    revenue = Quota.objects.create(
        user=rep,
        period=PERIOD,
        starts_on=date(year, 1, 1),
        ends_on=date(year, 12, 31),
        quota_type="revenue",
        amount=1,
        currency="USD",
    )
    ActivityCount.objects.create(holder_id=rep.pk, day=date(year - 1, 5, 1), count=9)
    make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk)
    deliver_events()
    assert told() == [("activities", 1)]
    revenue.refresh_from_db()
    assert revenue.attained_at is None


def test_shows_in_the_back_office(rep, manager, client, system, deliver_events):
    quota = quota_of(user=rep, actor=system)
    make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk)
    deliver_events()
    client.force_login(manager)
    for address in ("/admin/quotas/quota/", f"/admin/quotas/quota/{quota.pk}/change/"):
        assert "25.00 %" in client.get(address).content.decode()


def test_a_deleted_one_does_not_count_until_it_is_restored(
    rep, admin, acting, system, attained, deliver_events
):
    quota_of(user=rep, actor=system)
    activity = make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk)
    deliver_events()
    delete_activity(activity_id=activity.pk, actor=acting(admin))
    deliver_events()
    assert attained(user=rep) == 0
    restore_activity(activity_id=activity.pk, actor=acting(admin))
    deliver_events()
    assert attained(user=rep) == 1
    Activity.objects.filter(pk=activity.pk).update(completed_at=None)
    count_activities(actor=system)
    assert attained(user=rep) == 0
    assert miscounts() == []


def test_goes_into_the_bin_and_back_with_its_deal(rep, system, attained, deliver_events):
    quota_of(user=rep, actor=system)
    deal = make_deal(owner=rep)
    make_activity(by=rep, opportunity_id=deal.pk)
    deliver_events()
    assert attained(user=rep) == 1
    delete_opportunity(opportunity_id=deal.pk, actor=system)
    count_moved_activities()
    assert attained(user=rep) == 0
    restore_opportunity(opportunity_id=deal.pk, actor=system)
    count_moved_activities()
    assert attained(user=rep) == 1


def test_done_by_somebody_else_after_all_it_counts_for_them(
    rep, manager, outsider, system, attained, deliver_events
):
    for who in (rep, manager, outsider):
        quota_of(user=who, actor=system)
    activity = make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk)
    change_activity(activity_id=activity.pk, user_id=outsider.pk, actor=system)
    deliver_events()
    assert [attained(user=one) for one in (rep, manager, outsider)] == [0, 0, 1]


def test_a_deal_handed_over_takes_its_activities_to_the_other_territory_but_not_from_the_person(
    rep, outsider, system, attained, deliver_events
):
    west = TerritoryFactory()
    north, south = TerritoryFactory(parent_territory=west), TerritoryFactory()
    for place in (west, north, south):
        quota_of(territory=place, actor=system, amount=1)
    quota_of(user=rep, actor=system)
    deal = make_deal(owner=rep, territory_id=north.pk)
    make_activity(by=rep, opportunity_id=deal.pk)
    deliver_events()
    assert [attained(territory=one) for one in (west, north, south)] == [1, 1, 0]
    assert len(told()) == 2
    reassign_opportunity(
        opportunity_id=deal.pk, owner_id=outsider.pk, territory_id=south.pk, actor=system
    )
    count_moved_activities()
    assert [attained(territory=one) for one in (west, north, south)] == [0, 0, 1]
    assert attained(user=rep) == 1
    assert len(told()) == 3
    assert miscounts() == []


def test_an_account_takes_its_activities_along(rep, system, attained, deliver_events):
    north, south = TerritoryFactory(), TerritoryFactory()
    for place in (north, south):
        quota_of(territory=place, actor=system)
    account = AccountFactory(owner=rep, territory=north)
    make_activity(by=rep, account_id=account.pk)
    deliver_events()
    reassign_account(account_id=account.pk, territory_id=south.pk, actor=system)
    count_moved_activities()
    assert [attained(territory=one) for one in (north, south)] == [0, 1]


@pytest.mark.parametrize(
    ("zone", "first", "second"),
    [("UTC", 0, 1), ("America/New_York", 1, 0), ("Asia/Tokyo", 0, 1)],
)
def test_the_day_is_the_organisation_s_at_the_edge_of_the_period(
    rep, system, attained, deliver_events, settings, zone, first, second
):
    settings.ORGANISATION_TIME_ZONE = zone
    for period in ("Q1_2026", "Q2_2026"):
        quota_of(user=rep, actor=system, period=period)
    moment = datetime(2026, 4, 1, 2, tzinfo=UTC)
    make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk, completed_at=moment)
    deliver_events()
    assert [attained(user=rep, period=one) for one in ("Q1_2026", "Q2_2026")] == [first, second]


def test_what_was_completed_before_is_counted_by_the_command_as_are_days_of_another_zone(
    rep, system, deliver_events, settings
):
    moment = datetime(2026, 4, 1, 2, tzinfo=UTC)
    make_activity(by=rep, lead_id=LeadFactory(owner=rep).pk, completed_at=moment)
    ActivityNews.objects.all().delete()
    deliver_events()
    with pytest.raises(CommandError, match="on 2026-04-01: 1, and 0 are counted"):
        call_command("verify_credits", stdout=StringIO())
    for zone, day in (("UTC", date(2026, 4, 1)), ("America/New_York", date(2026, 3, 31))):
        settings.ORGANISATION_TIME_ZONE = zone
        call_command("verify_credits", "--credit", stdout=StringIO())
        assert list(
            ActivityCount.objects.exclude(count=0).values_list("holder_id", "day", "count")
        ) == [(rep.pk, day, 1)]
    assert recount_activities(actor=system) == 0


@pytest.fixture
def before_counting(rep):
    """The database as it was before activities were counted; runs the migration that begins it."""
    state = MigrationLoader(connection).project_state(("quotas", "0005_day_of_credits"))
    migration = import_module("apps.quotas.migrations.0006_activities").Migration
    begin = migration("0006_activities", "quotas")
    with connection.schema_editor(atomic=True) as editor:
        begin.unapply(state.clone(), editor)

    def apply():
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with connection.schema_editor(atomic=True) as editor:
            begin.apply(state, editor)

    return apply


def test_what_was_completed_before_there_was_a_count_is_counted_by_the_first_beat(
    before_counting, rep, admin, system, acting, attained
):
    north = TerritoryFactory()
    lead = LeadFactory(owner=rep, territory=north)
    moved = make_activity(by=rep, lead_id=lead.pk)
    make_activity(by=rep, lead_id=lead.pk)
    make_activity(by=rep, lead_id=lead.pk, type="task")
    deleted = make_activity(by=rep, lead_id=lead.pk)
    delete_activity(activity_id=deleted.pk, actor=acting(admin))
    deal = make_deal(owner=rep, territory_id=north.pk)
    make_activity(by=rep, opportunity_id=deal.pk)
    delete_opportunity(opportunity_id=deal.pk, actor=system)

    before_counting()

    assert miscounts() == []
    delete_activity(activity_id=moved.pk, actor=acting(admin))
    restore_opportunity(opportunity_id=deal.pk, actor=system)
    count_moved_activities()
    for holder in ({"user": rep}, {"territory": north}):
        quota_of(actor=system, **holder)
        assert attained(**holder) == 2
    assert miscounts() == []


@pytest.mark.django_db(transaction=True)
def test_counting_twice_at_once_counts_once(rep, system):
    lead = LeadFactory(owner=rep)
    for _ in range(5):
        make_activity(by=rep, lead_id=lead.pk)
    outcomes_at_once(lambda actor: count_activities(actor=actor), [system] * 2)
    assert list(ActivityCount.objects.values_list("count", flat=True)) == [5]


# --- Whatever happens ---------------------------------------------------------------------------


def merge(world, number):
    survivor, duplicate = world["leads"]
    world["merge"] = merge_leads(
        survivor_id=survivor.pk, duplicate_ids=[duplicate.pk], values={}, actor=world["actor"]
    )


def log(world, number):
    about = [{"lead_id": one.pk} for one in world["leads"]] + [{"opportunity_id": world["deal"]}]
    moment = datetime(2026, 3, 20, tzinfo=UTC) + timedelta(hours=number % 400)
    done = {"completed_at": moment} if number % 3 else {"type": "task"}
    world["activities"].append(
        make_activity(by=world["people"][number % 2], **done, **about[number % len(about)]).pk
    )


def on_one(service, **facts):
    def act(world, number):
        chosen = world["activities"][number % len(world["activities"])]
        more = {name: fact(world, number) for name, fact in facts.items()}
        service(activity_id=chosen, actor=world["actor"], **more)

    return act


def on_deal(service, **facts):
    def act(world, number):
        more = {name: fact(world, number) for name, fact in facts.items()}
        service(opportunity_id=world["deal"], actor=world["actor"], **more)

    return act


ACTIONS = {
    "log": log,
    "complete": on_one(complete_activity),
    "delete": on_one(delete_activity),
    "restore": on_one(restore_activity),
    "somebody else": on_one(change_activity, user_id=lambda world, n: world["people"][n % 2].pk),
    "move": on_deal(reassign_opportunity, territory_id=lambda world, n: world["places"][n % 2].pk),
    "delete deal": on_deal(delete_opportunity),
    "restore deal": on_deal(restore_opportunity),
    "merge": merge,
    "undo merge": lambda world, number: undo_merge(
        merge_id=world["merge"].pk, actor=world["actor"]
    ),
    "count": lambda world, number: count_activities(actor=world["actor"]),
}
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(0, 10_000)), min_size=5, max_size=15
)


def test_the_count_is_what_the_activities_are_whatever_happens(rep, manager, system, settings):
    settings.ORGANISATION_TIME_ZONE = "America/New_York"
    places = [TerritoryFactory(), TerritoryFactory()]

    @trying(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(HAPPENINGS)
    def agrees(happenings):
        world = {
            "actor": system,
            "people": [rep, manager],
            "places": places,
            "leads": [LeadFactory(owner=rep, territory=one) for one in places],
            "deal": make_deal(owner=rep, territory_id=places[0].pk).pk,
            "activities": [],
        }
        log(world, 1)
        for action, number in happenings:
            try:
                with transaction.atomic():
                    ACTIONS[action](world, number)
            except (Refusal, KeyError):
                continue
            assert miscounts() == []
        count_activities(actor=system)
        assert not ActivityNews.objects.exists()
        assert miscounts() == []

    agrees()
    assert ActivityCount.objects.filter(count__gt=0).exists()
