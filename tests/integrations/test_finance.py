"""What finance hears over a real RabbitMQ: credits as they are entered, and reports that stay."""

from __future__ import annotations

import json
from decimal import Decimal

import httpx2
import pytest
from django.conf import settings as configured
from django.utils import timezone

from apps.core.actors import system_actor
from apps.core.journal import deliver
from apps.forecasts.models import FinanceReport
from apps.forecasts.selectors.finance import figures_read
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.finance import issue_report
from apps.integrations.services.bus import queue_named
from apps.integrations.services.relay import send_again
from salesplatform.stub_partners import StubPartners
from tests.factories.forecasts import this_month, this_quarter, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.integrations.described import deviations
from tests.integrations.rabbitmq import wait_until

QUEUES = {"finance": configured.AMQP_QUEUES["finance"]}
WANTED = (
    "commission.eligible",
    "commission.reversed",
    "revenue.forecast",
    "pipeline.report",
    "territory.performance",
)


PLATFORM = system_actor(door="test")


@pytest.fixture
def broker(relay, settings, db):
    """A broker with finance's queue."""
    settings.AMQP_QUEUES = QUEUES
    yield relay
    relay.forget(list(QUEUES))


def tell():
    """Everybody hears what happened, the broker included."""
    while deliver() + deliver("relay"):
        pass


def wanted(bodies):
    """What is for finance alone, each as its schema and our description have it."""
    found = [one for one in bodies if one["event_type"] in WANTED]
    assert [said for one in found for said in deviations(one)] == []
    return found


def taken(broker):
    return wanted(json.loads(one.body) for one in broker.take("finance"))


def test_finance_hears_of_a_month_and_a_quarter(broker, rep):
    west = TerritoryFactory(name="West")
    facts = {"owner": rep, "territory_id": west.pk, "expected_close_date": today()}
    make_deal(**facts, amount=Decimal("1000.10"), stage="closed_won")
    make_deal(**facts, amount=Decimal("300.00"), stage="negotiation")
    tell()
    compute_forecasts(actor=PLATFORM)
    month = issue_report(period=this_month().key, actor=PLATFORM)
    quarter = issue_report(period=this_quarter().key, actor=PLATFORM)
    tell()
    # Of different reports and deals there is no order.
    told = {one["event_type"]: one for one in taken(broker)}
    credit, revenue = told.pop("commission.eligible"), told.pop("revenue.forecast")
    pipeline, territories = told.pop("pipeline.report"), told.pop("territory.performance")
    assert told == {}
    itself = {
        "report_id": str(month.pk),
        "period": this_month().key,
        "starts_on": this_month().starts_on.isoformat(),
        "ends_on": this_month().ends_on.isoformat(),
        "number": 1,
        "currency": "USD",
    }
    assert itself.items() <= revenue["payload"].items()
    assert revenue["payload"]["revenue"] == {
        "amount": 1000.10,
        "deals": 1.00,
        "by_territory": [
            {"territory_id": str(west.pk), "name": "West", "amount": 1000.10, "deals": 1.00}
        ],
    }
    assert [one["period"] for one in revenue["payload"]["forecasts"]] == [
        one.period for one in figures_read(month).forecasts
    ]
    assert pipeline["payload"]["report_id"] == str(quarter.pk)
    [stage] = pipeline["payload"]["pipelines"][0]["stages"]
    assert (stage["stage"], stage["count"], stage["total_amount"]) == ("negotiation", 1, 300.00)
    [place] = territories["payload"]["territories"]
    assert (place["name"], place["revenue_amount"], place["quota_amount"]) == (
        "West",
        1000.10,
        None,
    )
    assert len({one["event_id"] for one in (credit, revenue, pipeline, territories)}) == 4


def test_a_report_that_is_sent_again_says_what_it_said(broker, rep):
    began = timezone.now()
    issue_report(period=this_quarter().key, actor=PLATFORM)
    tell()
    first = taken(broker)
    make_deal(owner=rep, amount=Decimal("5000.00"), stage="closed_won")
    tell()
    assert [one["event_type"] for one in taken(broker)] == ["commission.eligible"]
    assert send_again(since=began, names=["report.issued"]) == 1
    tell()
    assert taken(broker) == first


def test_played_finance_shows_what_it_was_told(broker, rep):
    with StubPartners() as stub:
        stub.listen(broker.url, [queue_named("finance")])
        make_deal(owner=rep, amount=Decimal("1000.00"), stage="closed_won")
        issue_report(period=this_quarter().key, actor=PLATFORM)
        tell()
        wait_until(lambda: len(wanted(list(stub.told["finance"]))) == 3)
        shown = httpx2.get(f"{stub.url_of('finance')}/told", trust_env=False).json()["data"]
    assert sorted(one["event_type"] for one in wanted(shown)) == [
        "commission.eligible",
        "pipeline.report",
        "territory.performance",
    ]
    assert FinanceReport.objects.count() == 1
