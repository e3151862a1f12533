"""What is refused is named as the schema names it."""

from __future__ import annotations

import pytest

from apps.forecasts.models import ForecastSubmission
from apps.opportunities.models import Opportunity
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import this_quarter
from tests.factories.opportunities import default_pipeline, make_deal

CREATE = "mutation ($input: CreateOpportunityInput!) { createOpportunity(input: $input) { id } }"
LOSE = """
mutation ($id: ID!) { lost: updateOpportunityStage(opportunityId: $id, stage: CLOSED_LOST) { id } }
"""
FORECAST = "mutation ($input: CreateForecastInput!) { createForecast(input: $input) { id } }"


@pytest.fixture(autouse=True)
def pipeline(db):
    """The default pipeline."""
    return default_pipeline()


def refused(answer):
    (error,) = answer.errors
    return error["message"], error["extensions"]["details"]


@pytest.mark.parametrize(
    ("argument", "field"),
    [
        ('territoryId: "nobody"', "territoryId"),
        ("amountMin: 1e30", "amountMin"),
        ('createdAfter: "yesterday"', "createdAfter"),
    ],
)
def test_an_argument_of_a_list(ask, rep, argument, field):
    answer = ask(rep, f"{{ found: opportunities({argument}) {{ nodes {{ id }} }} }}")
    message, details = refused(answer)
    assert list(details["fields"]) == [field]
    assert message == f"{field}: {details['fields'][field][0]}"


def test_what_rows_are_ordered_by_is_a_value_and_stays(ask, rep):
    message, details = refused(ask(rep, '{ opportunities(ordering: "me") { nodes { id } } }'))
    assert "expected_close_date" in message
    assert details["fields"] == {"ordering": [message.removeprefix("ordering: ")]}


def test_a_part_of_an_input_and_what_is_in_it(ask, rep):
    account = AccountFactory(owner=rep)
    line = {"productId": "prod_1", "quantity": 1, "unitPrice": -1}
    said = {"name": "New", "accountId": str(account.pk), "products": [line]}
    _, details = refused(ask(rep, CREATE, input=said))
    wrong = {"unitPrice": ["Ensure this value is greater than or equal to 0."]}
    assert details["fields"] == {"products": {"0": wrong}}
    _, details = refused(ask(rep, CREATE, input={**said, "products": [], "nextStep": "x" * 9_000}))
    assert list(details["fields"]) == ["nextStep"]
    assert not Opportunity.objects.exists()


def test_what_is_missing(ask, api, rep):
    deal = make_deal(owner=rep, account=AccountFactory(owner=rep))
    _, details = refused(ask(rep, LOSE, id=str(deal.pk)))
    assert details["missing_fields"] == ["lossReason"]
    assert list(details["fields"]) == ["lossReason"]
    path = f"/opportunities/{deal.pk}/stage"
    by_rest = api(rep).call("PUT", path, {"stage": "closed_lost"}).json()["error"]["details"]
    assert by_rest["missing_fields"] == ["loss_reason"]
    deal.refresh_from_db()
    assert deal.stage_key == "discovery"


def test_a_sentence(ask, rep):
    said = {"period": this_quarter().key, "forecastType": "BEST_CASE", "amount": 1}
    message, details = refused(ask(rep, FORECAST, input=said))
    sentence = "Give either a territoryId or a userId."
    assert message == f"territoryId: {sentence}"
    assert details["fields"] == {"territoryId": [sentence]}
    assert not ForecastSubmission.objects.exists()


def test_a_refusal_that_is_repeated_for_its_key(ask, rep):
    said = {"period": this_quarter().key, "forecastType": "COMMIT", "amount": 1}
    first, second = (
        refused(ask(rep, FORECAST, headers={"Idempotency-Key": "k-1"}, input=said))
        for _ in range(2)
    )
    assert first == second
    assert list(second[1]["fields"]) == ["territoryId"]
