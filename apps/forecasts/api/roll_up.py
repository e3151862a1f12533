"""`/forecasts/{period}/rollup`: what a node and its branches come to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.amounts import Amount, cents
from apps.core.api.bodies import Body, Identifier
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.schema import Card
from apps.forecasts.rules import ForecastType, Line
from apps.forecasts.selectors.nodes import period_named
from apps.forecasts.selectors.roll_up import Figures, Sheet, roll_up
from apps.opportunities.rules import Category
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES

TAGS = ("forecasts",)


class RollUpQuery(Body):
    """Of whom; without either of the ids the top of what the caller reaches."""

    by = serializers.ChoiceField(
        Line.choices, required=False, help_text="By default the reporting line."
    )
    user_id = Identifier(required=False)
    territory_id = Identifier(required=False)


class JudgedAnswer(serializers.Serializer):
    """What was said in all, by type; what nobody spoke of is nothing."""

    commit = Amount(allow_null=True)
    best_case = Amount(allow_null=True)
    pipeline = Amount(allow_null=True)


class FiguresAnswer(serializers.Serializer):
    """What a node or branch comes to in one currency."""

    currency = serializers.CharField()
    count = serializers.IntegerField()
    commit_amount = Amount()
    best_case_amount = Amount()
    pipeline_amount = Amount()
    open_amount = Amount()
    closed_amount = Amount()
    weighted_amount = Amount()
    model_weighted_amount = Amount(allow_null=True)
    submitted = JudgedAnswer()
    adjusted = JudgedAnswer(help_text="What was submitted, with adjustments in its place.")
    quota_amount = Amount(allow_null=True)
    attainment_amount = Amount(allow_null=True)
    gap_amount = Amount(allow_null=True, help_text="Below zero the quota is exceeded.")
    coverage = serializers.FloatField(
        allow_null=True, help_text="How many times over what is open covers the gap."
    )


class OutlookAnswer(serializers.Serializer):
    """What the total may come to: less than low in one of ten cases, more than high in one."""

    currency = serializers.CharField()
    low_amount = Amount()
    median_amount = Amount()
    high_amount = Amount()


class RunRateAnswer(serializers.Serializer):
    """What the total comes to if the days left bring what as many brought before."""

    currency = serializers.CharField()
    amount = Amount()
    low_amount = Amount(help_text="It comes to less in one of ten cases.")
    high_amount = Amount(help_text="It comes to more in one of ten cases.")


class BranchAnswer(serializers.Serializer):
    """A direct branch. The one of neither a person nor a territory is all that is out of reach."""

    user = Card(allow_null=True)
    territory = Card(allow_null=True)
    has_branches = serializers.BooleanField()
    currencies = FiguresAnswer(many=True)


class RollUpAnswer(serializers.Serializer):
    """What a node comes to: its own deals and its branches make the total."""

    period = serializers.CharField()
    by = serializers.ChoiceField(Line.choices)
    user = Card(allow_null=True)
    territory = Card(allow_null=True)
    total = FiguresAnswer(many=True)
    outlook = OutlookAnswer(many=True)
    run_rate = RunRateAnswer(many=True, help_text="Without what was not sold in until 60 days ago.")
    own = FiguresAnswer(
        many=True,
        help_text="Its own deals. What was said, and the quota, speak for everybody below: "
        "they stand here only where there are no branches.",
    )
    branches = BranchAnswer(many=True)


class ForecastRollUp(Endpoint):
    """`/forecasts/{period}/rollup`."""

    @operation(
        summary="A forecast with those below it, branch by branch",
        query=RollUpQuery,
        answer=RollUpAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor, period: str, query: dict[str, Any]) -> dict[str, Any]:
        line = Line(query.pop("by")) if "by" in query else None
        found = roll_up(actor=actor, period=period_named(period), line=line, **query)
        names = TERRITORY_NAMES if found.line == Line.TERRITORY else USER_NAMES
        ids = [found.node_id, *(one.head for one in found.branches)]
        cards = names.cards(str(one) for one in ids if one)

        def node(node_id: Any) -> dict[str, Any]:
            card = cards.get(str(node_id))
            is_place = found.line == Line.TERRITORY
            return {"user": None if is_place else card, "territory": card if is_place else None}

        return {
            "period": found.period.key,
            "by": found.line,
            **node(found.node_id),
            "total": _sheet(found.total),
            "outlook": [
                {
                    "currency": currency,
                    "low_amount": cents(one.low),
                    "median_amount": cents(one.median),
                    "high_amount": cents(one.high),
                }
                for currency, one in sorted(found.outlooks.items())
            ],
            "run_rate": [
                {
                    "currency": currency,
                    "amount": cents(one.amount),
                    "low_amount": cents(one.low),
                    "high_amount": cents(one.high),
                }
                for currency, one in sorted(found.run_rates.items())
            ],
            "own": _sheet(found.own),
            "branches": [
                {
                    **node(one.head),
                    "has_branches": one.has_branches,
                    "currencies": _sheet(one.sheet),
                }
                for one in found.branches
            ],
        }


def _sheet(sheet: Sheet) -> list[dict[str, Any]]:
    return [_figures(one) for one in sheet.in_order()]


def _figures(found: Figures) -> dict[str, Any]:
    return {
        "currency": found.currency,
        "count": found.count,
        "commit_amount": cents(found.amount_of(Category.COMMIT)),
        "best_case_amount": cents(found.amount_of(Category.BEST_CASE)),
        "pipeline_amount": cents(found.amount_of(Category.PIPELINE)),
        "open_amount": cents(found.open_amount),
        "closed_amount": cents(found.closed_amount),
        "weighted_amount": cents(found.weighted_amount),
        "model_weighted_amount": cents(found.model_weighted_amount),
        "submitted": _judged(found.submitted),
        "adjusted": _judged(found.adjusted),
        "quota_amount": cents(found.quota),
        "attainment_amount": cents(found.attained),
        "gap_amount": cents(found.gap),
        "coverage": None if found.coverage is None else float(found.coverage),
    }


def _judged(said: Mapping[str, Decimal]) -> dict[str, Any]:
    return {one: cents(said.get(one)) for one in ForecastType.values}
