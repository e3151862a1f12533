"""Pages of what finance was told."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from uuid import uuid4

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from apps.forecasts.models import FinanceReport
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.finance import issue_report
from apps.quotas.services.quotas import set_quota
from tests.factories.forecasts import this_month, this_quarter, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory

LIST = "admin:forecasts_financereport_changelist"
ADD = "admin:forecasts_financereport_add"
FILE = "admin:forecasts_financereport_export"


@pytest.fixture
def west(rep, system, deliver_events):
    """A territory with something sold against its quota, and something open."""
    west = TerritoryFactory(name="Wild West")
    facts = {"owner": rep, "territory_id": west.pk, "expected_close_date": today()}
    make_deal(**facts, amount=Decimal("1234.00"), stage="closed_won")
    make_deal(**facts, amount=Decimal("777.00"), stage="negotiation")
    set_quota(
        territory_id=west.pk,
        period=this_quarter().key,
        quota_type="revenue",
        quota_amount=Decimal("4936.00"),
        actor=system,
    )
    deliver_events()
    compute_forecasts(actor=system)
    return west


def page_of(report):
    return reverse("admin:forecasts_financereport_change", args=[report.pk])


def lines_of(answer, file_format):
    held = b"".join(answer.streaming_content)
    if file_format == "csv":
        return held.decode().splitlines()
    return list(load_workbook(BytesIO(held)).active.iter_rows(values_only=True))


def test_a_quarter_is_read_on_one_page(office, admin, west, system):
    report = issue_report(period=this_quarter().key, actor=system)
    shown = office(admin).get(page_of(report)).content.decode()
    for text in ("Wild West", "1,234", "4,936", "25.00 %", "777", "negotiation", "Asked for"):
        assert text in shown


def test_a_month_has_no_territories_to_judge(office, admin, west, system):
    report = issue_report(period=this_month().key, actor=system)
    shown = office(admin).get(page_of(report)).content.decode()
    assert "Wild West" in shown
    assert "Open deals by stage" not in shown
    assert "With those below each" not in shown


def test_a_report_is_asked_for_and_issued_again(office, admin, west):
    client = office(admin)
    client.post(reverse(ADD), {"period": this_month().key})
    first = FinanceReport.objects.get()
    assert (first.kind, first.number, first.issued_by_id) == ("monthly", 1, admin.pk)
    again = reverse("admin:forecasts_financereport_operation_again", args=[first.pk])
    answer = client.post(again)
    second = FinanceReport.objects.get(number=2)
    assert (answer.status_code, answer["Location"]) == (302, page_of(second))
    listed = client.get(reverse(LIST), {"kind": "monthly"}).content.decode()
    assert listed.count("1,234.00") == 2


@pytest.mark.parametrize("period", ["FY_2026", "March"])
def test_refuses_a_period_that_makes_no_report(office, admin, period):
    answer = office(admin).post(reverse(ADD), {"period": period})
    assert "Write a period as Q1_2026 or M03_2026." in answer.content.decode()
    assert not FinanceReport.objects.exists()


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_the_page_leads_to_the_files_that_rest_gives(office, api, admin, west, system, file_format):
    report = issue_report(period=this_quarter().key, actor=system)
    address = reverse(FILE, args=[report.pk, file_format])
    client = office(admin)
    assert f'href="{address}"' in client.get(page_of(report)).content.decode()
    sent = client.get(address)
    path = f"/forecasts/reports/{report.pk}/export.{file_format}"
    by_rest = api(admin).call("GET", path)
    assert sent["Content-Disposition"] == by_rest["Content-Disposition"]
    assert f"{this_quarter().key}-1.{file_format}" in sent["Content-Disposition"]
    figures = lines_of(sent, file_format)
    assert figures == lines_of(by_rest, file_format)
    assert len(figures) > 10


def test_there_is_no_file_of_a_report_that_there_is_not(office, admin):
    assert office(admin).get(reverse(FILE, args=[uuid4(), "csv"])).status_code == 403


def test_nobody_else_finds_the_pages(office, manager, system):
    report = issue_report(period=this_month().key, actor=system)
    client = office(manager)
    assert client.get(reverse(LIST)).status_code == 403
    assert client.get(page_of(report)).status_code == 403
    assert client.get(reverse(FILE, args=[report.pk, "csv"])).status_code == 403
    assert client.post(reverse(ADD), {"period": this_month().key}).status_code == 403
    assert FinanceReport.objects.count() == 1
