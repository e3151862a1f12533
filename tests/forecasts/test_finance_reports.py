"""Reports to finance: once a month and quarter that ended, as everything stood then, for good."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from celery.schedules import crontab
from django.db import DatabaseError, transaction
from django.utils import timezone
from openpyxl import load_workbook

from apps.core.actors import system_actor
from apps.core.errors import InvalidInput, NotAllowed
from apps.core.jobs import run_job
from apps.core.models import BusinessEvent, Job
from apps.core.money import ZERO
from apps.forecasts.models import FinanceReport, NightlyRun
from apps.forecasts.selectors.finance import figures_read
from apps.forecasts.services import finance
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.finance import issue_due_reports, issue_report
from apps.forecasts.services.nightly import request_nightly_forecast
from apps.forecasts.tasks import issue_finance_reports
from apps.quotas.services.quotas import set_quota
from salesplatform.celery import app
from tests.at_once import outcomes_at_once
from tests.factories.forecasts import next_quarter, this_month, this_quarter, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory

# Long after a month and a quarter ended, and past seven wherever the organisation is.
NOW = datetime(2026, 4, 13, 20, tzinfo=UTC)
ENDED = {("monthly", "M03_2026"), ("quarterly", "Q1_2026")}


def due(now, system):
    """What the clock issues at a moment, the night's forecasts done."""
    issued = issue_due_reports(now=now, actor=system)
    if not issued and (run := NightlyRun.objects.order_by("-day").first()):
        run_job(run.job_id)
        issued = issue_due_reports(now=now, actor=system)
    return {(one.kind, one.period) for one in issued}


def test_the_clock_looks_every_ten_minutes_from_seven_on():
    entry = app.conf.beat_schedule["finance reports"]
    assert entry["task"] == issue_finance_reports.name
    assert entry["schedule"] == crontab(hour="7-23", minute="*/10")


def test_what_ended_is_told_once_however_often_it_is_asked(system):
    assert due(NOW, system) == ENDED
    for _ in range(3):
        assert issue_due_reports(now=NOW, actor=system) == []
    assert FinanceReport.objects.count() == 2
    assert BusinessEvent.objects.filter(name="report.issued").count() == 2
    assert set(FinanceReport.objects.values_list("number", "is_scheduled")) == {(1, True)}


def test_waits_for_the_forecasts_of_the_night(system):
    assert issue_due_reports(now=NOW, actor=system) == []
    run = NightlyRun.objects.get()
    assert run.day == NOW.date()
    assert not FinanceReport.objects.exists()
    run_job(run.job_id)
    assert len(issue_due_reports(now=NOW, actor=system)) == 2


@pytest.mark.parametrize("status", [Job.Status.FAILED, Job.Status.CANCELLED])
def test_makes_the_forecasts_itself_where_the_night_failed(rep, system, status):
    make_deal(owner=rep, amount=Decimal("100.00"), expected_close_date=today())
    now = timezone.now()
    assert request_nightly_forecast(now=now, actor=system)
    Job.objects.update(status=status)
    with time_machine.travel(now.replace(hour=20), tick=False):
        issued = issue_due_reports(now=now.replace(hour=20), actor=system)
    forecasts = figures_read(next(one for one in issued if one.kind == "monthly")).forecasts
    assert {this_month().key, this_quarter().key} <= {one.period for one in forecasts}
    assert sum(one.open_amount for each in forecasts for one in each.currencies) > 0


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("UTC", datetime(2026, 5, 1, 6, 59, tzinfo=UTC), datetime(2026, 5, 1, 7, tzinfo=UTC)),
        (
            "Pacific/Auckland",
            datetime(2026, 4, 30, 18, 59, tzinfo=UTC),
            datetime(2026, 4, 30, 19, tzinfo=UTC),
        ),
        (
            "America/Los_Angeles",
            datetime(2026, 5, 1, 13, 59, tzinfo=UTC),
            datetime(2026, 5, 1, 14, tzinfo=UTC),
        ),
    ],
)
def test_a_month_ends_where_the_organisation_is(system, settings, zone, before, after):
    settings.ORGANISATION_TIME_ZONE = zone
    assert due(NOW, system) == ENDED
    assert due(before, system) == set()
    assert due(after, system) == {("monthly", "M04_2026")}


def test_catches_up_with_what_was_missed_but_not_with_what_was_before_the_first(system):
    assert due(NOW, system) == ENDED
    assert due(NOW.replace(month=8), system) == {
        ("monthly", "M04_2026"),
        ("monthly", "M05_2026"),
        ("monthly", "M06_2026"),
        ("monthly", "M07_2026"),
        ("quarterly", "Q2_2026"),
    }
    assert due(NOW.replace(month=8), system) == set()


def test_quarters_are_those_of_the_fiscal_year(system, settings):
    settings.FISCAL_YEAR_START_MONTH = 2
    assert due(NOW, system) == {("monthly", "M03_2026"), ("quarterly", "Q4_2026")}
    ended = FinanceReport.objects.get(kind="quarterly")
    assert (ended.starts_on.isoformat(), ended.ends_on.isoformat()) == ("2025-11-01", "2026-01-31")


def test_a_month_in_which_nothing_was_sold_is_told_too(system):
    due(NOW, system)
    found = figures_read(FinanceReport.objects.get(kind="monthly"))
    assert (found.revenue.amount, found.revenue.deals, found.revenue.by_territory) == (0, 0, ())
    assert [one.period for one in found.forecasts] == [
        "FY_2026",
        "M04_2026",
        "Q2_2026",
        "M05_2026",
        "Q3_2026",
    ]
    assert {each.open_amount for one in found.forecasts for each in one.currencies} == {ZERO}


def test_a_report_that_is_cut_off_leaves_nothing_and_is_told_by_the_next_beat(system, monkeypatch):
    class Killed(BaseException):
        """What a worker sees of kill -9: nothing more."""

    def kill(*_, **__):
        raise Killed

    due(NOW.replace(month=3), system)
    known = FinanceReport.objects.count()
    issue_due_reports(now=NOW, actor=system)
    run_job(NightlyRun.objects.latest("day").job_id)
    with monkeypatch.context() as patched:
        patched.setattr(finance, "publish", kill)
        with pytest.raises(Killed):
            issue_due_reports(now=NOW, actor=system)
    assert FinanceReport.objects.count() == known
    assert {(one.kind, one.period) for one in issue_due_reports(now=NOW, actor=system)} == ENDED


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_issue_one(pipeline):
    system = system_actor(door="test")
    issue_due_reports(now=NOW, actor=system)
    run_job(NightlyRun.objects.get().job_id)
    done = outcomes_at_once(
        lambda now: issue_due_reports(now=now, actor=system_actor(door="clock")), [NOW] * 4
    )
    assert done == ["done"] * 4
    assert set(FinanceReport.objects.values_list("kind", "period")) == ENDED
    assert BusinessEvent.objects.filter(name="report.issued").count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_at_once_get_a_number_each(pipeline):
    done = outcomes_at_once(
        lambda key: issue_report(period=key, actor=system_actor(door="test")),
        [this_month().key] * 3,
    )
    assert done == ["done"] * 3
    numbers = FinanceReport.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3]


# --- What it says -----------------------------------------------------------------------------


@pytest.fixture
def sales(rep, west, system, deliver_events):
    """A quarter with deals in two currencies, in a territory below another and beside it."""
    above = TerritoryFactory(name="America")
    west.parent_territory = above
    west.save()
    facts = {"owner": rep, "expected_close_date": today()}
    make_deal(**facts, territory_id=west.pk, amount=Decimal("1000.00"), stage="closed_won")
    make_deal(**facts, territory_id=above.pk, amount=Decimal("500.00"), stage="closed_won")
    make_deal(**facts, territory_id=west.pk, amount=Decimal("300.00"), stage="negotiation")
    make_deal(**facts, territory_id=west.pk, amount=Decimal("90.00"), currency="EUR")
    make_deal(**facts, amount=Decimal("40.00"))
    later = {"owner": rep, "expected_close_date": next_quarter().ends_on}
    make_deal(**later, amount=Decimal("7.00"))
    for node, amount in (({"territory_id": west.pk}, 4000), ({"user_id": rep.pk}, 2300)):
        set_quota(
            period=this_quarter().key,
            quota_type="revenue",
            quota_amount=Decimal(amount),
            actor=system,
            **node,
        )
    deliver_events()
    compute_forecasts(actor=system)
    return above, west


def test_a_month_says_what_was_sold_and_what_is_forecast(sales, system):
    above, west = sales
    report = issue_report(period=this_month().key, actor=system)
    found = figures_read(FinanceReport.objects.get(pk=report.pk))
    assert (found.revenue.amount, found.revenue.deals) == (Decimal("1500.00"), Decimal(2))
    assert [(one.name, one.amount) for one in found.revenue.by_territory] == [
        ("West", Decimal("1000.00")),
        ("America", Decimal("500.00")),
    ]
    (quarter,) = (one for one in found.forecasts if one.period == this_quarter().key)
    dollars, euros = quarter.currencies
    assert (dollars.currency, dollars.closed_amount, dollars.open_amount) == (
        "USD",
        Decimal("1500.00"),
        Decimal("340.00"),
    )
    assert (dollars.quota_amount, dollars.gap_amount, dollars.coverage) == (
        Decimal("2300.00"),
        Decimal("800.00"),
        Decimal("0.4250"),
    )
    assert (euros.currency, euros.closed_amount, euros.open_amount, euros.quota_amount) == (
        "EUR",
        ZERO,
        Decimal("90.00"),
        None,
    )


def test_a_quarter_says_what_is_open_by_stage_and_how_territories_do(sales, system):
    above, west = sales
    report = issue_report(period=this_quarter().key, actor=system)
    found = figures_read(FinanceReport.objects.get(pk=report.pk))
    ours, following = found.pipelines
    assert [(one.stage, one.currency, one.count, one.total_amount) for one in ours.stages] == [
        ("discovery", "USD", 1, Decimal("40.00")),
        ("negotiation", "USD", 1, Decimal("300.00")),
        ("discovery", "EUR", 1, Decimal("90.00")),
    ]
    assert [(one.stage, one.total_amount) for one in following.stages] == [
        ("discovery", Decimal("7.00"))
    ]
    top, below = found.territories
    assert (top.name, top.depth, top.revenue_amount, top.deals, top.quota_amount) == (
        "America",
        0,
        Decimal("1500.00"),
        Decimal(2),
        None,
    )
    assert (below.name, below.parent_territory_id, below.depth) == ("West", above.pk, 1)
    assert (below.revenue_amount, below.quota_amount, below.attainment_percentage) == (
        Decimal("1000.00"),
        Decimal("4000.00"),
        Decimal("25.00"),
    )
    assert [(one.currency, one.closed_amount, one.open_amount) for one in top.forecast] == [
        ("USD", Decimal("1500.00"), Decimal("300.00")),
        ("EUR", ZERO, Decimal("90.00")),
    ]


def test_a_report_stays_whatever_happens_to_deals(sales, rep, system, deliver_events):
    report = issue_report(period=this_quarter().key, actor=system)
    make_deal(owner=rep, amount=Decimal("5000.00"), stage="closed_won")
    deliver_events()
    again = issue_report(period=this_quarter().key, actor=system)
    first = figures_read(FinanceReport.objects.get(pk=report.pk))
    assert (report.number, again.number) == (1, 2)
    assert (first.revenue.amount, figures_read(again).revenue.amount) == (
        Decimal("1500.00"),
        Decimal("6500.00"),
    )
    for act in (
        lambda: FinanceReport.objects.update(number=7),
        lambda: FinanceReport.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="never altered"), transaction.atomic():
            act()


def test_what_was_asked_for_takes_nothing_from_what_is_due(system):
    issue_report(period="M03_2026", actor=system)
    assert due(NOW, system) == ENDED
    assert FinanceReport.objects.get(period="M03_2026", is_scheduled=True).number == 2


@pytest.mark.parametrize("key", ["FY_2026", "M12_2199", "nonsense"])
def test_refuses_years_and_what_has_not_begun(system, key):
    with pytest.raises(InvalidInput):
        issue_report(period=key, actor=system)
    assert not FinanceReport.objects.exists()


def test_refuses_who_may_not(acting, manager):
    for act in (
        lambda: issue_report(period="M03_2026", actor=acting(manager)),
        lambda: issue_due_reports(now=timezone.now(), actor=acting(manager)),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert not FinanceReport.objects.exists()
    assert not NightlyRun.objects.exists()


# --- REST -------------------------------------------------------------------------------------


def test_reports_are_issued_listed_and_read(sales, api, admin, manager):
    client = api(admin)
    answer = client.call("POST", "/forecasts/reports", {"period": this_quarter().key})
    assert answer.status_code == 201, answer.content
    receipt = answer.json()
    assert (receipt["kind"], receipt["number"]) == ("quarterly", 1)
    client.call("POST", "/forecasts/reports", {"period": this_month().key})
    listed = client.call("GET", f"/forecasts/reports?period={this_quarter().key}").json()["data"]
    assert [one["id"] for one in listed] == [receipt["id"]]
    assert "figures" not in listed[0]
    listed = client.call("GET", "/forecasts/reports?kind=monthly&is_scheduled=false").json()["data"]
    assert [one["period"] for one in listed] == [this_month().key]
    one = client.call("GET", f"/forecasts/reports/{receipt['id']}").json()
    assert one["figures"]["revenue"]["amount"] == 1500.00
    assert one["issued_by"]["name"] == "Ada Admin"
    for period in ("FY_2026", "March"):
        refused = client.call("POST", "/forecasts/reports", {"period": period})
        assert refused.json()["error"]["details"]["fields"] == {
            "period": ["Write a period as Q1_2026 or M03_2026."]
        }
    for path in ("", f"/{receipt['id']}", f"/{receipt['id']}/export.csv"):
        assert api(manager).call("GET", f"/forecasts/reports{path}").status_code == 403


def test_a_report_is_taken_along_as_a_file(sales, api, admin, system):
    report = issue_report(period=this_quarter().key, actor=system)
    client = api(admin)
    sent = client.call("GET", f"/forecasts/reports/{report.pk}/export.csv")
    text = b"".join(sent.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    period = this_quarter().key
    assert [
        one["value"]
        for one in rows
        if (one["part"], one["of"], one["period"]) == ("territory", "West", period)
        and (one["currency"], one["figure"]) == ("USD", "attainment_percentage")
    ] == ["25.00"]
    sent = client.call("GET", f"/forecasts/reports/{report.pk}/export.xlsx")
    book = load_workbook(io.BytesIO(b"".join(sent.streaming_content)))
    assert book.active.max_row == len(rows) + 1
    assert client.call("GET", f"/forecasts/reports/{report.pk}/export.pdf").status_code == 404
