"""The AsyncAPI document tells what really leaves, and what is taken in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from jsonschema import Draft202012Validator

from apps.core.events import all_kinds
from apps.core.identifiers import new_id
from apps.core.journal import Recorded
from apps.forecasts.events import ForecastUpdated, StageShare
from apps.integrations.rules.messages import leaving, message_of
from apps.integrations.services.description import describe
from apps.integrations.services.messages import message_kinds
from apps.integrations.services.telling import TELLINGS
from apps.leads.events import LeadUpdated

NOW = datetime(2026, 2, 11, 8, tzinfo=UTC)
FORECAST = ForecastUpdated(
    period="Q1_2026",
    territory_id=new_id(),
    forecast_type="commit",
    amount=Decimal("5000000.00"),
    probability_weighted_amount=Decimal("4250000.50"),
    breakdown=(
        StageShare(
            stage="proposal",
            count=15,
            total_amount=Decimal("2000000.00"),
            weighted_amount=Decimal("1800000.00"),
        ),
    ),
    generated_at=NOW,
    user_id=None,
    currency="USD",
    node_id=new_id(),
)


def validator(name):
    document = describe()
    schema = document["components"]["messages"][name]["payload"]
    return Draft202012Validator({**schema, "components": document["components"]})


@pytest.mark.parametrize(
    ("name", "happened"),
    [
        ("forecast.updated", FORECAST),
        ("lead.updated", LeadUpdated(lead_id=new_id(), changed=("score",))),
    ],
)
def test_what_is_sent_is_as_described(name, happened):
    recorded = Recorded(7, new_id(), name, happened, NOW, new_id(), "a-request")
    sent = json.loads(message_of(recorded).body)
    assert list(validator(name).iter_errors(sent)) == []
    del sent["payload"][next(iter(sent["payload"]))]
    assert len(list(validator(name).iter_errors(sent))) == 1


def test_every_event_that_leaves_is_described_and_no_other():
    document = describe()
    leave = [kind.name for kind in leaving(all_kinds())] + [one.name for one in TELLINGS]
    come = [f"inbound.{kind.name}" for kind in message_kinds()]
    assert list(document["components"]["messages"]) == leave + come
    told, heard = set(), set()
    for name, channel in document["channels"].items():
        (heard if name.startswith("inbound.") else told).update(channel["messages"])
    assert (told, heard) == (set(leave), set(come))
    assert not {"sales.users", "sales.jobs", "sales.inbox"} & set(document["channels"])


def test_every_reference_leads_somewhere():
    document = describe()

    def check(part):
        if isinstance(part, dict):
            if "$ref" in part:
                found = document
                for key in part["$ref"].removeprefix("#/").split("/"):
                    found = found[key]
            for value in part.values():
                check(value)
        elif isinstance(part, list):
            for value in part:
                check(value)

    check(document)
