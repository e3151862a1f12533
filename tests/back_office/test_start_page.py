"""The start page tells what matters, within reach and for few statements."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core.actors import Actor
from apps.forecasts.services.computation import compute_forecasts
from apps.users.models import User
from tests.back_office.conftest import Office
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal


def start(client: Any) -> Any:
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    return answer


def figures(page: Any) -> dict[str, str]:
    return {one.label: one.value for one in page.context["figures"]}


def test_counts_only_what_is_within_reach(
    rep: User, manager: User, outsider: User, office: Office
) -> None:
    LeadFactory.create_batch(2, owner=rep)
    LeadFactory()

    assert figures(start(office(rep)))["Open leads"] == "2"
    assert figures(start(office(outsider)))["Open leads"] == "0"
    of_manager = figures(start(office(manager)))
    assert (of_manager["Open leads"], of_manager["Unrouted leads"]) == ("3", "1")


def test_shows_every_chart_as_a_table_too(rep: User, office: Office) -> None:
    LeadFactory(owner=rep, status="contacted")

    page = start(office(rep))

    leads = next(one for one in page.context["panels"] if one.title == "Leads by status")
    assert ("Contacted", "1") in leads.chart.rows
    assert b'<canvas class="chart"' in page.content
    assert b"The table below holds the same numbers" in page.content


def test_says_what_to_do_where_there_is_nothing(
    manager: User, outsider: User, office: Office
) -> None:
    of_manager, of_rep = start(office(manager)).content, start(office(outsider)).content

    assert b"Import a file of leads" in of_manager
    assert b"Capture a lead" in of_rep
    assert b"Nothing has happened lately" in of_rep


def test_tells_what_happened_to_visible_rows_only(
    rep: User, outsider: User, office: Office
) -> None:
    lead = LeadFactory(owner=rep, last_name="Jabberwock")
    office(rep).post(reverse("admin:leads_lead_operation_contact", args=[lead.pk]))

    of_rep, of_outsider = start(office(rep)), start(office(outsider))

    assert b"Jabberwock" in of_rep.content
    assert of_rep.context["latest"][0].happening.what == "Lead status changed"
    assert b"Jabberwock" not in of_outsider.content


def test_compares_the_forecast_with_what_is_closed(
    rep: User, office: Office, system: Actor
) -> None:
    make_deal(owner=rep, stage="closed_won", amount=1000)
    compute_forecasts(actor=system)

    page = start(office(rep))

    panel = next(one for one in page.context["panels"] if one.title == "Forecast and closed")
    assert panel.chart.rows == [("Rex Rep", "1,000.00", "1,000.00")]


@pytest.mark.parametrize("role", ["admin", "manager", "rep"])
def test_takes_at_most_eleven_statements(
    role: str, request: pytest.FixtureRequest, rep: User, office: Office
) -> None:
    LeadFactory(owner=rep)
    make_deal(owner=rep)
    client = office(request.getfixturevalue(role))
    client.get(reverse("admin:core_job_changelist"))

    with CaptureQueriesContext(connection) as first:
        start(client)
    with CaptureQueriesContext(connection) as again:
        start(client)

    session_and_user = 2
    asked = [one["sql"] for one in first.captured_queries]
    assert len(asked) - session_and_user <= 11, "\n".join(asked)
    assert len(again.captured_queries) < len(asked)
