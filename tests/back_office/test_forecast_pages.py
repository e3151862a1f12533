"""Pages of forecasts: what is said beside what is computed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from apps.forecasts.models import ForecastAccuracy, ForecastAdjustment, ForecastSnapshot
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.submissions import submit_forecast
from tests.factories.forecasts import this_quarter, today
from tests.factories.opportunities import default_pipeline, make_deal
from tests.factories.users import UserFactory

FORECASTS = "admin:forecasts_forecastsnapshot_changelist"


@pytest.fixture
def forecast(rep, system, acting):
    """A forecast of the rep, who submitted one."""
    default_pipeline()
    make_deal(owner=rep, amount=Decimal("900.00"), expected_close_date=today())
    compute_forecasts(actor=system, periods=[this_quarter()])
    submit_forecast(
        period=this_quarter().key,
        forecast_type="commit",
        amount=Decimal("1234.00"),
        user_id=rep.pk,
        actor=acting(rep),
    )
    return ForecastSnapshot.objects.get(user=rep)


def test_a_manager_adjusts_a_forecast_on_its_page(office, manager, forecast):
    client = office(manager)
    page = reverse("admin:forecasts_forecastsnapshot_change", args=[forecast.pk])
    assert "Adjust" in client.get(page).content.decode()
    client.post(
        reverse("admin:forecasts_forecastsnapshot_operation_adjust", args=[forecast.pk]),
        {"forecast_type": "commit", "amount": "777.00", "reason": "The buyer left."},
    )
    assert ForecastAdjustment.objects.get().amount == Decimal("777.00")
    shown = client.get(page).content.decode()
    for text in ("1,234.00", "777.00", "The buyer left.", "Mia Manager"):
        assert text in shown
    listed = client.get(reverse("admin:forecasts_forecastadjustment_changelist"))
    assert "The buyer left." in listed.content.decode()


def test_a_rep_is_offered_no_adjustment(office, rep, forecast):
    page = reverse("admin:forecasts_forecastsnapshot_change", args=[forecast.pk])
    assert "operation_adjust" not in office(rep).get(page).content.decode()


def test_the_list_costs_as_much_for_many_as_for_one(
    office, admin, system, forecast, django_assert_max_num_queries
):
    UserFactory.create_batch(20)
    compute_forecasts(actor=system, periods=[this_quarter()])
    client = office(admin)
    client.get(reverse(FORECASTS))
    with django_assert_max_num_queries(9):
        page = client.get(reverse(FORECASTS))
    assert len(page.context["cl"].result_list) > 20
    assert "1,234.00" in page.content.decode()


ROLL_UP = "admin:forecasts_forecastsnapshot_roll_up"


def test_a_roll_up_opens_branch_by_branch(
    office, admin, manager, rep, forecast, django_assert_num_queries
):
    client = office(admin)
    client.get(reverse(ROLL_UP))
    with django_assert_num_queries(10):
        page = client.get(reverse(ROLL_UP))
    rows = {one.name: one for one in page.context["rows"]}
    assert rows["Mia Manager"].opens
    assert "Rex Rep" not in page.content.decode()
    part = client.get(rows["Mia Manager"].opens, headers={"HX-Request": "true"})
    text = part.content.decode()
    assert "Rex Rep" in text
    assert "Mia Manager alone" in text
    assert "1,234" in text
    assert "<html" not in text
    names = [(one.name, one.place, one.depth) for one in part.context["rows"]]
    assert names == [
        ("Mia Manager alone", f"/{manager.pk}/own", 2),
        ("Rex Rep", f"/{manager.pk}/{rep.pk}", 2),
    ]


@pytest.mark.parametrize(
    "query",
    [{"node": "me"}, {"by": "product"}, {"period": "Q5_2026"}, {"node": None}],
)
def test_a_roll_up_tells_what_it_refuses_and_begins_anew(office, rep, outsider, forecast, query):
    if query == {"node": None}:
        query = {"node": str(outsider.pk)}
    answer = office(rep).get(reverse(ROLL_UP), query, follow=True)
    assert answer.redirect_chain == [(reverse(ROLL_UP), 302)]
    assert len(answer.context["messages"]) == 1
    assert answer.context["head"].name == "Rex Rep"


ACCURACY = "admin:forecasts_forecastaccuracy_accuracy"


def test_tells_how_good_forecasts_were(office, admin, rep, django_assert_num_queries):
    client = office(admin)
    assert "has ended yet" in client.get(reverse(ACCURACY)).content.decode()
    for days, weighted in ((30, "120.00"), (0, "98.00")):
        ForecastAccuracy.objects.create(
            user=rep.manager,
            period="Q1_2026",
            starts_on="2026-01-01",
            ends_on="2026-03-31",
            period_kind="quarter",
            days_before=days,
            currency="USD",
            weighted_amount=Decimal(weighted),
            actual_amount=Decimal("100.00"),
            measured_at="2026-04-01T06:00:00Z",
        )
    with django_assert_num_queries(4):
        page = client.get(reverse(ACCURACY))
    (chart,) = page.context["charts"]
    assert chart.rows == [
        ("30 days before", "20.0 % off, +20.0 % in all (1)"),
        ("On the last day", "2.0 % off, -2.0 % in all (1)"),
    ]
    listed = client.get(reverse("admin:forecasts_forecastaccuracy_changelist"))
    assert "120.00" in listed.content.decode()
    asked = client.get(reverse(ACCURACY), {"kind": "week"}, follow=True)
    assert asked.redirect_chain == [(reverse(ACCURACY), 302)]


CHANGES = "admin:forecasts_forecastsnapshot_changes"


def test_tells_what_changed_and_by_which_deals(
    office, manager, forecast, django_assert_num_queries
):
    client = office(manager)
    client.get(reverse(CHANGES))
    with django_assert_num_queries(8):
        page = client.get(reverse(CHANGES))
    ((currency, bars),) = page.context["waterfalls"]
    assert currency == "USD"
    assert [(one.label, one.sums.count, one.start, one.width, one.tone) for one in bars] == [
        ("Stood at", 0, 0.0, 0.0, "stood"),
        ("New", 1, 0.0, 100.0, "up"),
        ("Stands at", 1, 0.0, 100.0, "stood"),
    ]
    narrowed = client.get(bars[1].address)
    assert len(narrowed.context["deals"]) == 1
    assert "Opportunities: New" in narrowed.content.decode()
    lost = client.get(bars[1].address.replace("movement=new", "movement=lost"))
    assert lost.context["deals"] == []


@pytest.mark.parametrize(
    "query",
    [{"from": "soon"}, {"from": "2026-02-01", "to": "2026-01-01"}, {"movement": "gone"}],
)
def test_what_can_t_be_compared_is_told_and_begins_anew(office, rep, forecast, query):
    answer = office(rep).get(reverse(CHANGES), query, follow=True)
    assert answer.redirect_chain == [(reverse(CHANGES), 302)]
    assert len(answer.context["messages"]) == 1


def test_a_stranger_compares_nothing_of_others(office, rep, outsider, forecast):
    answer = office(outsider).get(reverse(CHANGES), {"node": str(rep.pk)}, follow=True)
    assert answer.redirect_chain == [(reverse(CHANGES), 302)]
