"""Reading forecasts, the deals behind them and submissions: scope, shape, filters, cost."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from apps.core.exchange_rates import set_exchange_rate
from apps.forecasts.models import ForecastSnapshot
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.submissions import submit_forecast
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import (
    ForecastSubmissionFactory,
    next_quarter,
    this_quarter,
    today,
)
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory


@pytest.fixture
def url():
    return f"/forecasts/{this_quarter().key}"


@pytest.fixture
def forecast(rep, west, outsider, system):
    """The rep's and the territory's deals, forecast."""
    account = AccountFactory(owner=rep, name="Acme")
    place = {"account": account, "expected_close_date": today()}
    deals = [
        make_deal(**place, territory_id=west.pk, name="Big", amount=Decimal("1000.50")),
        make_deal(**place, stage="negotiation", name="Sure", amount=Decimal("200.00")),
        make_deal(
            **place,
            owner=outsider,
            territory_id=west.pk,
            name="Near",
            amount=Decimal("30.00"),
            currency="EUR",
        ),
        make_deal(**place, owner=outsider, name="Far", amount=Decimal("4.00")),
    ]
    compute_forecasts(actor=system)
    return deals


def data(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def nodes(rows):
    return [(row["user"] or row["territory"])["id"] for row in rows]


def test_shows_a_person_with_categories_and_what_was_submitted(
    api, rep, url, forecast, acting, system, django_assert_num_queries
):
    set_exchange_rate(currency="EUR", valid_from=today(), rate=Decimal("1.1"), actor=system)
    submitted = [
        submit_forecast(
            period=this_quarter().key,
            forecast_type=kind,
            amount=Decimal(amount),
            currency=currency,
            user_id=rep.pk,
            actor=acting(rep),
        ).submission
        for kind, amount, currency in (
            ("commit", "100.00", "USD"),
            ("commit", "600.25", "USD"),
            ("best_case", "0.00", "USD"),
            ("pipeline", "5.00", "EUR"),
        )
    ]
    client = api(rep)
    (row,) = data(client.call("GET", f"{url}?user_id={rep.pk}"))
    snapshot = ForecastSnapshot.objects.get(
        node_id=rep.pk, period=this_quarter().key, is_current=True
    )
    nothing = {
        "count": 0,
        "amount": 0.00,
        "weighted_amount": 0.00,
        "model_weighted_amount": None,
        "breakdown": [],
    }

    def said(one, coverage):
        return {
            "id": str(one.pk),
            "amount": float(one.amount),
            "currency": one.currency,
            "submitted_by": str(rep.pk),
            "submitted_at": one.created_at.isoformat().replace("+00:00", "Z"),
            "pipeline_coverage": coverage,
        }

    assert row == {
        "id": str(snapshot.pk),
        "period": this_quarter().key,
        "starts_on": this_quarter().starts_on.isoformat(),
        "ends_on": this_quarter().ends_on.isoformat(),
        "user": {"id": str(rep.pk), "name": "Rex Rep"},
        "territory": None,
        "currency": "USD",
        "weighted_amount": 380.10,
        "open_amount": 1200.50,
        "closed_amount": 0.00,
        "model_weighted_amount": None,
        # Won are neither (8 %), the smaller one (72 %), the larger one (2 %) or both (18 %).
        "low_amount": 200.00,
        "median_amount": 200.00,
        "high_amount": 1200.50,
        "categories": {
            "commit": {
                "count": 1,
                "amount": 200.00,
                "weighted_amount": 180.00,
                "model_weighted_amount": None,
                "breakdown": [
                    {
                        "stage": "negotiation",
                        "count": 1,
                        "total_amount": 200.00,
                        "weighted_amount": 180.00,
                    }
                ],
            },
            "best_case": nothing,
            "pipeline": {
                "count": 1,
                "amount": 1000.50,
                "weighted_amount": 200.10,
                "model_weighted_amount": None,
                "breakdown": [
                    {
                        "stage": "discovery",
                        "count": 1,
                        "total_amount": 1000.50,
                        "weighted_amount": 200.10,
                    }
                ],
            },
            "closed": nothing,
        },
        "other_currencies": [],
        "submissions": {
            "commit": said(submitted[1], 2.0),
            "best_case": said(submitted[2], None),
            "pipeline": said(submitted[3], None),
        },
        "adjustments": {},
        "kind": "request",
        "generated_at": snapshot.taken_at.isoformat().replace("+00:00", "Z"),
    }


def test_shows_everybody_within_reach_the_largest_first(
    api, rep, manager, outsider, west, url, forecast
):
    assert nodes(data(api(rep).call("GET", url))) == [str(rep.pk), str(west.pk)]
    of_manager = nodes(data(api(manager).call("GET", url)))
    assert of_manager[:2] == [str(rep.pk), str(west.pk)]
    assert set(of_manager) == {str(one.pk) for one in (rep, west, manager)}
    assert nodes(data(api(outsider).call("GET", url))) == [str(outsider.pk)]
    (row,) = data(api(rep).call("GET", f"{url}?territory_id={west.pk}"))
    assert row["territory"] == {"id": str(west.pk), "name": "West"}
    assert (row["currency"], row["open_amount"]) == ("USD", 1000.50)
    assert [
        (one["currency"], one["category"], one["amount"]) for one in row["other_currencies"]
    ] == [("EUR", "pipeline", 30.00)]


def test_read_only_people_and_admins_read_too(api, admin, west, url, forecast):
    viewer = UserFactory(role=Role.READ_ONLY)
    TerritoryMemberFactory(territory=west, user=viewer)
    assert str(west.pk) in nodes(data(api(viewer).call("GET", url)))
    assert (
        len(data(api(admin).call("GET", url)))
        == ForecastSnapshot.objects.filter(period=this_quarter().key).count()
    )


def test_what_lies_out_of_reach_is_not_there(api, rep, outsider, west, url, forecast):
    for query in (
        f"user_id={rep.pk}",
        f"territory_id={west.pk}",
        f"user_id={west.pk}",
        f"territory_id={outsider.pk}",
        f"user_id={uuid4()}",
    ):
        assert data(api(outsider).call("GET", f"{url}?{query}")) == []
    assert data(api(rep).call("GET", "/forecasts/Q1_2020")) == []


def test_pages_through_everybody_once(api, admin, url, system):
    for _ in range(5):
        TerritoryFactory()
    compute_forecasts(actor=system, periods=[this_quarter()])
    client, seen, cursor = api(admin), [], ""
    while cursor is not None:
        page = client.call("GET", f"{url}?limit=2&cursor={cursor}").json()
        seen += [row["id"] for row in page["data"]]
        cursor = page["pagination"]["next_cursor"]
    assert len(seen) == len(set(seen)) == ForecastSnapshot.objects.count()


def test_drills_down_to_the_deals(api, rep, west, url, forecast):
    big, sure, near, _ = forecast
    client = api(rep)
    rows = data(client.call("GET", f"{url}/deals?ordering=-amount"))
    assert [row["opportunity"]["name"] for row in rows] == ["Big", "Sure", "Near"]
    assert {name: rows[0][name] for name in rows[0] if name not in ("id", "counts_since")} == {
        "opportunity": {"id": str(big.pk), "name": "Big"},
        "owner": {"id": str(rep.pk), "name": "Rex Rep"},
        "territory": {"id": str(west.pk), "name": "West"},
        "stage": "discovery",
        "category": "pipeline",
        "currency": "USD",
        "amount": 1000.50,
        "probability": 20,
        "weighted_amount": 200.10,
        "model_probability": None,
        "model_weighted_amount": None,
        "counts_on": today().isoformat(),
    }
    for query, expected in (
        (f"user_id={rep.pk}&category=commit", [sure]),
        (f"territory_id={west.pk}&currency=EUR", [near]),
        ("stage=discovery&ordering=amount", [near, big]),
        ("category=closed", []),
    ):
        rows = data(client.call("GET", f"{url}/deals?{query}"))
        assert [row["opportunity"]["id"] for row in rows] == [str(one.pk) for one in expected]
    assert data(client.call("GET", f"/forecasts/{next_quarter().key}/deals")) == []


def test_the_deals_of_a_line_add_up_to_it(api, rep, url, forecast):
    client = api(rep)
    for row in data(client.call("GET", url)):
        node = (
            f"user_id={row['user']['id']}"
            if row["user"]
            else (f"territory_id={row['territory']['id']}")
        )
        for category, line in row["categories"].items():
            query = f"{node}&category={category}&currency={row['currency']}"
            deals = data(client.call("GET", f"{url}/deals?{query}"))
            assert len(deals) == line["count"]
            for name in ("amount", "weighted_amount"):
                assert sum(Decimal(str(one[name])) for one in deals) == Decimal(str(line[name]))


def test_lists_submissions_newest_first(api, rep, manager, outsider, west, acting):
    first = ForecastSubmissionFactory(user=rep)
    second = ForecastSubmissionFactory(user=rep, supersedes=first, amount=Decimal("2.00"))
    third = ForecastSubmissionFactory(
        user=None, territory=west, forecast_type="best_case", submitted_by_id=manager.pk
    )
    other = ForecastSubmissionFactory(user=outsider, period="M03_2026")
    client = api(rep)
    rows = data(client.call("GET", "/forecasts"))
    assert [row["id"] for row in rows] == [str(one.pk) for one in (third, second, first)]
    assert {name: rows[1][name] for name in rows[1] if name != "created_at"} == {
        "id": str(second.pk),
        "period": "Q1_2026",
        "territory": None,
        "user": {"id": str(rep.pk), "name": "Rex Rep"},
        "forecast_type": "commit",
        "amount": 2.00,
        "currency": "USD",
        "notes": "",
        "submitted_by": {"id": str(rep.pk), "name": "Rex Rep"},
        "supersedes_id": str(first.pk),
        "is_latest": True,
    }
    for query, expected in (
        (f"territory_id={west.pk}", [third]),
        (f"user_id={rep.pk}", [second, first]),
        (f"user_id={outsider.pk}", []),
        ("is_latest=true", [third, second]),
        ("is_latest=false", [first]),
        ("forecast_type=best_case,pipeline", [third]),
        ("period=Q1_2026&ordering=amount", [second, first, third]),
        ("period=M03_2026", []),
        (f"submitted_by={manager.pk}", [third]),
        ("created_after=2100-01-01", []),
    ):
        found = data(client.call("GET", f"/forecasts?{query}"))
        assert [row["id"] for row in found] == [str(one.pk) for one in expected], query
    assert [row["id"] for row in data(api(outsider).call("GET", "/forecasts"))] == [str(other.pk)]


@pytest.mark.parametrize(
    "path",
    [
        "/forecasts/Q5_2026",
        "/forecasts/nonsense",
        "/forecasts/Q1_2026?user_id=me",
        "/forecasts/Q1_2026?colour=red",
        "/forecasts/Q1_2026?ordering=period",
        "/forecasts/Q1_2026?limit=201",
        "/forecasts/Q1_20260/deals",
        "/forecasts/Q1_2026/deals?category=guess",
        "/forecasts/Q1_2026/deals?category=%00",
        "/forecasts?period=2026",
        "/forecasts?forecast_type=closed",
        "/forecasts?territory=west",
    ],
)
def test_refuses_parameters_that_make_no_sense(api, rep, path):
    answer = api(rep).call("GET", path)
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"


def test_nobody_reads_without_a_sign_in(client):
    for path in ("/forecasts", "/forecasts/Q1_2026", "/forecasts/Q1_2026/deals"):
        assert client.get(f"/api/v1{path}").status_code == 401


@pytest.mark.parametrize("path", ["", "/deals"])
def test_costs_a_constant_number_of_queries(
    api, rep, url, forecast, path, django_assert_num_queries
):
    client = api(rep)
    client.call("GET", f"{url}{path}")
    with django_assert_num_queries(1):
        client.call("GET", f"{url}{path}")
