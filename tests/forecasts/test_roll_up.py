"""Rolling forecasts up: the sum of the leaves to the cent, and whoever is further up speaks."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.forecasts.models import ForecastLine, ForecastSnapshot
from apps.forecasts.rules import Line, Said, in_effect
from apps.forecasts.selectors.roll_up import roll_up
from apps.forecasts.services.adjustments import adjust_forecast
from apps.forecasts.services.computation import compute_forecasts
from apps.forecasts.services.submissions import submit_forecast
from apps.opportunities.services.announcements import credits_told
from apps.quotas.services.credits import credit_deals
from apps.quotas.services.quotas import set_quota
from apps.territories.models import Territory
from apps.territories.selectors import forget_reach
from apps.users.models import Role, User
from tests.factories.accounts import AccountFactory
from tests.factories.forecasts import this_quarter, today
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

CATEGORIES = ("commit", "best_case", "pipeline", "closed")


def deal(owner, amount, stage="negotiation", **facts):
    return make_deal(
        owner=owner, amount=Decimal(amount), stage=stage, expected_close_date=today(), **facts
    )


def rolled(actor, **node):
    return roll_up(actor=actor, period=this_quarter(), **node)


def submit(node, amount, actor, forecast_type="commit", **facts):
    place = "territory_id" if isinstance(node, Territory) else "user_id"
    return submit_forecast(
        period=this_quarter().key,
        forecast_type=forecast_type,
        amount=Decimal(amount),
        actor=actor,
        **{place: node.pk},
        **facts,
    ).submission


def amounts(figures):
    return {one: figures.amount_of(one) for one in CATEGORIES}


@pytest.fixture
def team(manager, rep):
    """A director over the manager, who leads the rep and another one."""
    director = UserFactory(role=Role.SALES_MANAGER, name="Dee Director")
    User.objects.filter(pk=manager.pk).update(manager=director)
    other = UserFactory(role=Role.SALES_REP, manager=manager, name="Ola Other")
    forget_reach()
    return director, manager, rep, other


def test_a_node_shows_its_own_its_branches_and_their_sum(team, system, acting, api):
    director, manager, rep, other = team
    deal(rep, "100.10")
    deal(rep, "20.20", stage="discovery")
    deal(other, "7.07", stage="proposal")
    deal(other, "5.00", stage="closed_won")
    deal(manager, "1.00")
    deal(director, "50.00", currency="EUR")
    compute_forecasts(actor=system, periods=[this_quarter()])

    found = rolled(acting(director))
    assert (found.line, found.node_id) == (Line.REPORTING, director.pk)
    assert [one.currency for one in found.total.in_order()] == ["USD", "EUR"]
    assert amounts(found.total["USD"]) == {
        "commit": Decimal("101.10"),
        "best_case": Decimal("7.07"),
        "pipeline": Decimal("20.20"),
        "closed": Decimal("5.00"),
    }
    # 90.09, 0.90, 3.54, 4.04 and 5.00.
    assert found.total["USD"].weighted_amount == Decimal("103.57")
    assert (found.total["USD"].count, found.own["EUR"].open_amount) == (5, Decimal("50.00"))
    (branch,) = found.branches
    assert (branch.head, branch.has_branches) == (manager.pk, True)
    assert amounts(branch.sheet["USD"]) == amounts(found.total["USD"])

    answer = api(director).call(
        "GET", f"/forecasts/{this_quarter().key}/rollup?user_id={manager.pk}"
    )
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["by"], body["user"]["name"], body["territory"]) == (
        "reporting_line",
        "Mia Manager",
        None,
    )
    assert [one["user"]["name"] for one in body["branches"]] == ["Rex Rep", "Ola Other"]
    assert body["branches"][0]["currencies"] == [
        {
            "currency": "USD",
            "count": 2,
            "commit_amount": 100.10,
            "best_case_amount": 0.00,
            "pipeline_amount": 20.20,
            "open_amount": 120.30,
            "closed_amount": 0.00,
            "weighted_amount": 94.13,
            "model_weighted_amount": None,
            "submitted": {"commit": None, "best_case": None, "pipeline": None},
            "adjusted": {"commit": None, "best_case": None, "pipeline": None},
            "quota_amount": None,
            "attainment_amount": 0.00,
            "gap_amount": None,
            "coverage": None,
        }
    ]
    assert body["own"][0]["commit_amount"] == 1.00
    # All but 100.10, which is lost in one of ten cases; all but 20.20, which is won in one of five.
    assert body["outlook"] == [
        {"currency": "USD", "low_amount": 33.27, "median_amount": 113.17, "high_amount": 126.30}
    ]


def test_whoever_is_further_up_speaks_for_those_below(team, system, acting):
    director, manager, rep, other = team
    compute_forecasts(actor=system, periods=[this_quarter()])
    of_rep = submit(rep, "100.00", acting(rep))
    submit(other, "200.00", acting(other))
    submit(other, "10.00", acting(other), "best_case")
    found = rolled(acting(director))
    assert found.total["USD"].submitted == {"commit": Decimal(300), "best_case": Decimal(10)}
    assert found.branches[0].sheet["USD"].submitted == found.total["USD"].submitted

    adjust_forecast(
        forecast_id=of_rep.pk, amount=Decimal("60.00"), reason="Late", actor=acting(manager)
    )
    found = rolled(acting(director))
    assert found.total["USD"].submitted["commit"] == Decimal(300)
    assert found.total["USD"].adjusted == {"commit": Decimal(260), "best_case": Decimal(10)}

    of_manager = submit(manager, "280.00", acting(manager))
    found = rolled(acting(director))
    assert found.total["USD"].submitted == {"commit": Decimal(280), "best_case": Decimal(10)}
    assert found.total["USD"].adjusted["commit"] == Decimal(280)
    adjust_forecast(
        forecast_id=of_manager.pk, amount=Decimal("270.00"), reason="Cold", actor=acting(director)
    )
    found = rolled(acting(director))
    assert found.total["USD"].adjusted["commit"] == Decimal(270)
    # One level below everybody still says what they said.
    below = {one.head: one.sheet["USD"] for one in rolled(acting(manager)).branches}
    assert below[rep.pk].submitted["commit"] == Decimal(100)
    assert below[rep.pk].adjusted["commit"] == Decimal(60)
    assert rolled(acting(manager)).total["USD"].adjusted["commit"] == Decimal(270)


def test_what_is_said_of_a_node_is_its_own_where_nobody_is_below(team, system, acting, admin, api):
    _, manager, rep, _ = team
    deal(rep, "90.00")
    compute_forecasts(actor=system, periods=[this_quarter()])
    of_rep = submit(rep, "100.00", acting(rep))
    submit(manager, "280.00", acting(manager))
    adjust_forecast(
        forecast_id=of_rep.pk, amount=Decimal("60.00"), reason="Late", actor=acting(manager)
    )
    for one, amount in ((manager, "500.00"), (rep, "200.00")):
        set_quota(
            period=this_quarter().key,
            quota_type="revenue",
            quota_amount=Decimal(amount),
            user_id=one.pk,
            actor=acting(admin),
        )
    path = f"/forecasts/{this_quarter().key}/rollup?user_id="
    alone = api(rep).call("GET", f"{path}{rep.pk}").json()
    assert alone["branches"] == []
    assert alone["own"] == alone["total"]
    (own,) = alone["own"]
    assert (own["submitted"]["commit"], own["adjusted"]["commit"]) == (100.00, 60.00)
    assert (own["quota_amount"], own["gap_amount"]) == (200.00, 200.00)

    leading = api(manager).call("GET", f"{path}{manager.pk}").json()
    (total,), (own,) = leading["total"], leading["own"]
    assert (total["submitted"]["commit"], total["quota_amount"]) == (280.00, 500.00)
    assert (own["submitted"]["commit"], own["quota_amount"]) == (None, None)
    branch = next(one for one in leading["branches"] if one["user"]["id"] == str(rep.pk))
    assert branch["currencies"] == alone["own"]


def test_shows_quota_attainment_gap_and_coverage(team, system, acting, admin):
    director, manager, rep, other = team
    deal(rep, "90.00")
    won = [deal(rep, "30.00", stage="closed_won"), deal(other, "10.00", stage="closed_won")]
    credit_deals(told=credits_told(won), actor=system)
    for one, amount in ((manager, "100.00"), (rep, "60.00")):
        set_quota(
            period=this_quarter().key,
            quota_type="revenue",
            quota_amount=Decimal(amount),
            user_id=one.pk,
            actor=acting(admin),
        )
    compute_forecasts(actor=system, periods=[this_quarter()])
    total = rolled(acting(manager)).total["USD"]
    assert (total.quota, total.attained, total.gap) == (Decimal(100), Decimal(40), Decimal(60))
    assert total.coverage == Decimal("1.5000")
    below = {one.head: one.sheet["USD"] for one in rolled(acting(manager)).branches}
    assert (below[rep.pk].gap, below[rep.pk].coverage) == (Decimal(30), Decimal("3.0000"))
    assert (below[other.pk].quota, below[other.pk].attained) == (None, Decimal(10))
    assert (below[other.pk].gap, below[other.pk].coverage) == (None, None)
    # The director has none: that of the manager counts.
    assert rolled(acting(director)).total["USD"].quota == Decimal(100)


def test_rolls_up_territories_and_names_none_that_is_out_of_reach(rep, west, system, acting):
    north, south = (TerritoryFactory(parent_territory=west) for _ in range(2))
    below = TerritoryFactory(parent_territory=north)
    for place, amount in ((west, "1.00"), (north, "20.00"), (below, "300.00"), (south, "4000.00")):
        deal(rep, amount, territory_id=place.pk)
    compute_forecasts(actor=system, periods=[this_quarter()])
    found = rolled(system, territory_id=west.pk)
    assert found.total["USD"].open_amount == Decimal("4321.00")
    assert [(one.head, one.has_branches) for one in found.branches] == [
        (south.pk, False),
        (north.pk, True),
    ]
    # A rep of the west sees its sums, and not what lies below by name.
    (others,) = rolled(acting(rep), line=Line.TERRITORY).branches
    assert (others.head, others.has_branches) == (None, False)
    assert others.sheet["USD"].open_amount == Decimal("4320.00")


def test_without_a_node_begins_at_the_top_of_what_is_reached(team, admin, outsider, system, acting):
    director, _, rep, _ = team
    deal(rep, "10.00")
    deal(outsider, "200.00")
    compute_forecasts(actor=system, periods=[this_quarter()])
    found = rolled(acting(admin))
    assert found.node_id is None
    assert [one.head for one in found.branches][:2] == [outsider.pk, director.pk]
    assert found.total["USD"].open_amount == Decimal("210.00")
    alone = rolled(acting(outsider))
    assert (alone.node_id, alone.branches) == (outsider.pk, [])
    nowhere = rolled(acting(outsider), line=Line.TERRITORY)
    assert (nowhere.node_id, nowhere.branches, list(nowhere.total)) == (None, [], ["USD"])


def test_refuses_what_makes_no_sense_or_lies_out_of_reach(api, rep, outsider, west):
    path = f"/forecasts/{this_quarter().key}/rollup"
    client = api(outsider)
    for query, status in (
        (f"user_id={rep.pk}", 404),
        (f"territory_id={west.pk}", 404),
        (f"user_id={outsider.pk}&territory_id={west.pk}", 400),
        (f"user_id={outsider.pk}&by=territory", 400),
        ("by=product", 400),
        ("user_id=me", 400),
        ("colour=red", 400),
    ):
        assert client.call("GET", f"{path}?{query}").status_code == status, query
    assert client.call("GET", "/forecasts/Q5_2026/rollup").status_code == 400


def test_costs_as_many_statements_for_many_as_for_one(
    team, system, acting, django_assert_num_queries
):
    director, manager, *_ = team
    people = UserFactory.create_batch(20, manager=manager)
    for one in people[:5]:
        deal(one, "1.00")
    compute_forecasts(actor=system, periods=[this_quarter()])
    actor = acting(director)
    assert actor.reach.user_ids
    with django_assert_num_queries(8):
        assert len(rolled(actor).branches) == 1
    with django_assert_num_queries(7):
        assert len(rolled(actor, user_id=manager.pk).branches) == 22


# --- To the cent ------------------------------------------------------------------------------

CENTS = st.integers(1, 10**9).map(lambda cents: Decimal(cents) / 100)
# Of each person or place: whom it stands below (of those before), and its deals.
TREES = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.lists(
            st.tuples(
                CENTS,
                st.sampled_from(["discovery", "proposal", "negotiation", "closed_won"]),
                st.sampled_from(["USD", "EUR"]),
            ),
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=7,
)


def lines_of(nodes):
    found = defaultdict(Decimal)
    rows = ForecastLine.objects.filter(
        snapshot__node_id__in=nodes, snapshot__period=this_quarter().key, snapshot__is_current=True
    )
    for one in rows:
        found[one.currency, one.category] += one.amount
        found[one.currency, "weighted"] += one.weighted_amount
    return dict(found)


def sums_of(sheet):
    found = {(one.currency, k): v for one in sheet.values() for k, v in one.amounts.items()}
    weighted = {
        (one.currency, "weighted"): one.weighted_amount for one in sheet.values() if one.count
    }
    return found | weighted


def added(*sheets):
    found = defaultdict(Decimal)
    for sheet in sheets:
        for key, amount in sums_of(sheet).items():
            found[key] += amount
    return dict(found)


def planted(tree, account, *, by_territory):
    """People or territories below each other, with deals."""
    nodes = []
    for place, (above, deals) in enumerate(tree):
        over = nodes[above % place] if place else None
        make = TerritoryFactory if by_territory else UserFactory
        node = make(**{"parent_territory" if by_territory else "manager": over})
        nodes.append(node)
        for amount, stage, currency in deals:
            deal(
                account.owner if by_territory else node,
                amount,
                stage,
                account=account,
                currency=currency,
                territory_id=node.pk if by_territory else None,
            )
    return nodes


def who_is_below(nodes):
    """Of each node the ids of those below it and its own; they come from the top down."""
    below = {node.pk: {node.pk} for node in nodes}
    for node in reversed(nodes):
        over = getattr(node, "parent_territory_id", None) or getattr(node, "manager_id", None)
        if over in below:
            below[over] |= below[node.pk]
    return below


def test_a_roll_up_is_the_sum_of_its_leaves_to_the_cent(system):
    account = AccountFactory()

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(TREES, st.booleans())
    def holds(tree, by_territory):
        nodes = planted(tree, account, by_territory=by_territory)
        compute_forecasts(actor=system, periods=[this_quarter()])
        below = who_is_below(nodes)
        name = "territory_id" if by_territory else "user_id"
        for node in nodes:
            found = rolled(system, **{name: node.pk})
            leaves = lines_of(below[node.pk])
            assert sums_of(found.total) == leaves
            assert added(found.own, *(one.sheet for one in found.branches)) == leaves
            for branch in found.branches:
                assert sums_of(branch.sheet) == lines_of(below[branch.head])

    holds()
    assert ForecastSnapshot.objects.exists()


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans(), CENTS), min_size=1, max_size=12),
)
def test_what_is_said_speaks_once_for_everybody(tree):
    ids = [UUID(int=place + 1) for place in range(len(tree))]
    above = {ids[0]: None} | {
        ids[place]: ids[over % place] for place, (over, _, _) in enumerate(tree) if place
    }
    said = [
        Said(one, "submitted", "commit", "USD", amount)
        for one, (_, speaks, amount) in zip(ids, tree, strict=True)
        if speaks
    ]

    def told_by(node):
        own = [one.amount for one in said if one.node_id == node]
        below = [told_by(one) for one, over in above.items() if over == node]
        return own[0] if own else sum(below, Decimal(0))

    for voice in ("submitted", "adjusted"):
        found = [one.amount for one in in_effect(said, above) if one.voice == voice]
        assert sum(found, Decimal(0)) == told_by(ids[0])
