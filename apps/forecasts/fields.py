"""What forecasts, the deals behind them and submissions show, and what they are narrowed by."""

from __future__ import annotations

from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import (
    Filter,
    at_least,
    at_most,
    equals,
    is_true,
    one_of,
    refers_to,
)
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import OpenScope, OwnedScope
from apps.forecasts.models import (
    FinanceReport,
    ForecastAccuracy,
    ForecastAdjustment,
    ForecastFact,
    ForecastSnapshot,
    ForecastSubmission,
)
from apps.forecasts.permissions import READ_FORECAST, READ_REPORT
from apps.forecasts.rules import ForecastType, Length
from apps.forecasts.selectors.nodes import period_named
from apps.opportunities.permissions import READ_OPPORTUNITY
from apps.opportunities.rules import Category
from apps.territories.fields import TERRITORY_NAMES
from apps.users.fields import USER_NAMES

_NODE_SCOPE = OwnedScope(owner="user_id", territory="territory_id")


def _period_key(text: str) -> str:
    return period_named(text).key


def _period_days(text: str) -> str:
    period = period_named(text)
    return f"[{period.starts_on},{period.ends_on}]"


_PERIOD_SENTENCE = "Such as Q1_2026, M03_2026 or FY_2026."
_OF_PERIOD = Filter("period", 't."period" = %s', _period_key, _PERIOD_SENTENCE)


def _node(name: str) -> Filter:
    """Rows of this person or territory, found by the index that the two share."""
    wanted = refers_to(name, column="node_id")
    return Filter(
        name, f'{wanted.sql} AND t."{name}" IS NOT NULL', wanted.parse, schema=wanted.schema
    )


_CATEGORIES = """(
    SELECT json_object_agg(k.category, json_build_object(
        'count', coalesce(l.count, 0), 'amount', coalesce(l.amount, 0.00),
        'weighted_amount', coalesce(l.weighted_amount, 0.00),
        'model_weighted_amount', CASE WHEN t.model_weighted_amount IS NOT NULL
                                 THEN coalesce(l.model_weighted_amount, 0.00) END,
        'breakdown', coalesce(l.breakdown, '[]')) ORDER BY k.position)
    FROM (VALUES ('commit', 1), ('best_case', 2), ('pipeline', 3), ('closed', 4))
         AS k(category, position)
    LEFT JOIN forecasts_forecastline l
           ON l.snapshot_id = t.id AND l.currency = t.currency AND l.category = k.category)"""
_OTHER_CURRENCIES = """(
    SELECT coalesce(json_agg(json_build_object(
        'currency', l.currency, 'category', l.category, 'count', l.count, 'amount', l.amount,
        'weighted_amount', l.weighted_amount,
        'model_weighted_amount', l.model_weighted_amount, 'breakdown', l.breakdown)
        ORDER BY l.currency, l.category), '[]')
    FROM forecasts_forecastline l WHERE l.snapshot_id = t.id AND l.currency <> t.currency)"""
# The same coverage as `rules.coverage`, of the pipeline as it was computed.
_SUBMISSIONS = """(
    SELECT coalesce(json_object_agg(s.forecast_type, json_build_object(
        'id', s.id, 'amount', s.amount, 'currency', s.currency,
        'submitted_by', s.submitted_by_id,
        'submitted_at',
        to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'pipeline_coverage', CASE WHEN s.amount > 0 AND s.currency = t.currency
                             THEN trim_scale(round(t.open_amount / s.amount, 4)) END)
        ORDER BY s.forecast_type), '{}')
    FROM forecasts_forecastsubmission s
    WHERE s.node_id = t.node_id AND s.period = t.period
      AND NOT EXISTS (SELECT FROM forecasts_forecastsubmission n WHERE n.supersedes_id = s.id))"""
_ADJUSTMENTS = """(
    SELECT coalesce(json_object_agg(a.forecast_type, json_build_object(
        'id', a.id, 'amount', a.amount, 'currency', a.currency, 'reason', a.reason,
        'adjusted_by', a.adjusted_by_id,
        'adjusted_at',
        to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        ORDER BY a.forecast_type), '{}')
    FROM forecasts_forecastadjustment a
    WHERE a.node_id = t.node_id AND a.period = t.period
      AND NOT EXISTS (SELECT FROM forecasts_forecastadjustment n WHERE n.supersedes_id = a.id))"""

FORECASTS = Listing(
    name="computed_forecasts",
    model=ForecastSnapshot,
    read=READ_FORECAST,
    scope=_NODE_SCOPE,
    condition='t."is_current"',
    fields=(
        Field("id"),
        Field("period"),
        Field("starts_on"),
        Field("ends_on"),
        Field("user", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("currency"),
        Field("weighted_amount"),
        Field("open_amount"),
        Field("closed_amount"),
        Field("model_weighted_amount"),
        Field("low_amount"),
        Field("median_amount"),
        Field("high_amount"),
        Field("categories", expression=_CATEGORIES, kind=Kind.JSON),
        Field("other_currencies", expression=_OTHER_CURRENCIES, kind=Kind.JSON),
        Field("submissions", expression=_SUBMISSIONS, kind=Kind.JSON),
        Field("adjustments", expression=_ADJUSTMENTS, kind=Kind.JSON),
        Field("kind"),
        Field("generated_at", source="taken_at"),
    ),
    filters=(_OF_PERIOD, _node("user_id"), _node("territory_id")),
    orderings=(
        Ordering("weighted_amount", 't."weighted_amount"', Kind.MONEY),
        Ordering("open_amount", 't."open_amount"', Kind.MONEY),
        Ordering("closed_amount", 't."closed_amount"', Kind.MONEY),
    ),
    default_ordering="-weighted_amount",
)

# How likely the score model says now that it is won; what is closed is.
_BY_MODEL = """(
    SELECT CASE t.category WHEN 'closed' THEN 1 ELSE coalesce(d.probability, t.probability / 100.0)
           END
    FROM intelligence_scoremodel m
    LEFT JOIN intelligence_dealprobability d ON d.opportunity_id = t.opportunity_id
    WHERE m.subject = 'deal' AND m.state = 'published')"""
_DEAL_NAME = "(SELECT o.name FROM opportunities_opportunity o WHERE o.id = t.opportunity_id)"

FORECAST_DEALS = Listing(
    name="forecast_deals",
    model=ForecastFact,
    read=READ_OPPORTUNITY,
    condition='t."ended_at" IS NULL',
    fields=(
        Field("id"),
        Field("opportunity", card_name=_DEAL_NAME),
        Field("owner", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("stage"),
        Field("category"),
        Field("currency"),
        Field("amount"),
        Field("probability"),
        Field("weighted_amount"),
        Field("model_probability", expression=f"round(100 * {_BY_MODEL}, 2)", kind=Kind.MONEY),
        Field(
            "model_weighted_amount",
            expression=f"round(t.amount * {_BY_MODEL}, 2)",
            kind=Kind.MONEY,
        ),
        Field("counts_on"),
        Field("counts_since", source="began_at"),
    ),
    filters=(
        Filter(
            "period",
            't."counts_on" BETWEEN lower(%s::daterange) AND upper(%s::daterange) - 1',
            _period_days,
            _PERIOD_SENTENCE,
        ),
        refers_to("user_id", column="owner_id"),
        refers_to("territory_id"),
        one_of("category", Category),
        equals("stage"),
        equals("currency"),
    ),
    orderings=(
        Ordering("counts_on", 't."counts_on"', Kind.DAY),
        Ordering("amount", 't."amount"', Kind.MONEY),
        Ordering("weighted_amount", 't."weighted_amount"', Kind.MONEY),
    ),
    default_ordering="counts_on",
)


def _is_latest(table: str) -> str:
    return f"NOT EXISTS (SELECT FROM {table} n WHERE n.supersedes_id = t.id)"


_JUDGED = (
    Field("id"),
    Field("period"),
    Field("territory", card=TERRITORY_NAMES),
    Field("user", card=USER_NAMES),
    Field("forecast_type"),
    Field("amount"),
    Field("currency"),
)
_LATEST_SUBMISSION = _is_latest("forecasts_forecastsubmission")
_LATEST_ADJUSTMENT = _is_latest("forecasts_forecastadjustment")


def _judged_by(name: str, is_latest: str) -> tuple[Filter, ...]:
    """What judgements of a kind are narrowed by."""
    return (
        _OF_PERIOD,
        _node("territory_id"),
        _node("user_id"),
        one_of("forecast_type", ForecastType),
        refers_to(name, column=f"{name}_id"),
        is_true("is_latest", is_latest),
        at_least("created_after", "created_at", "moment"),
        at_most("created_before", "created_at", "moment"),
    )


_NEWEST_OR_LARGEST = (
    Ordering("created_at", 't."created_at"', Kind.MOMENT),
    Ordering("amount", 't."amount"', Kind.MONEY),
)

SUBMISSIONS = Listing(
    name="forecasts",
    model=ForecastSubmission,
    read=READ_FORECAST,
    scope=_NODE_SCOPE,
    fields=(
        *_JUDGED,
        Field("notes"),
        Field("submitted_by", source="submitted_by_id", card=USER_NAMES),
        Field("supersedes_id", source="supersedes"),
        Field("is_latest", expression=_LATEST_SUBMISSION, kind=Kind.FLAG),
        Field("created_at"),
    ),
    filters=_judged_by("submitted_by", _LATEST_SUBMISSION),
    orderings=_NEWEST_OR_LARGEST,
)

ADJUSTMENTS = Listing(
    name="forecast_adjustments",
    model=ForecastAdjustment,
    read=READ_FORECAST,
    scope=_NODE_SCOPE,
    fields=(
        *_JUDGED,
        Field("reason"),
        Field("adjusted_by", source="adjusted_by_id", card=USER_NAMES),
        Field("supersedes_id", source="supersedes"),
        Field("is_latest", expression=_LATEST_ADJUSTMENT, kind=Kind.FLAG),
        Field("created_at"),
    ),
    filters=_judged_by("adjusted_by", _LATEST_ADJUSTMENT),
    orderings=_NEWEST_OR_LARGEST,
)

ACCURACIES = Listing(
    name="forecast_accuracies",
    model=ForecastAccuracy,
    read=READ_FORECAST,
    scope=_NODE_SCOPE,
    fields=(
        Field("id"),
        Field("period"),
        Field("period_kind"),
        Field("ends_on"),
        Field("user", card=USER_NAMES),
        Field("territory", card=TERRITORY_NAMES),
        Field("days_before"),
        Field("currency"),
        Field("submitted_amount"),
        Field("weighted_amount"),
        Field("model_weighted_amount"),
        Field("run_rate_amount"),
        Field("actual_amount"),
        Field("measured_at"),
    ),
    filters=(
        _OF_PERIOD,
        _node("user_id"),
        _node("territory_id"),
        one_of("period_kind", Length),
        at_least("ended_after", "ends_on", "day"),
        at_most("ended_before", "ends_on", "day"),
    ),
    orderings=(Ordering("ends_on", 't."ends_on"', Kind.DAY),),
    default_ordering="-ends_on",
)

# They tell of everything that is sold: whoever may read them sees all of them.
FINANCE_REPORTS = Listing(
    name="finance_reports",
    model=FinanceReport,
    read=READ_REPORT,
    scope=OpenScope(),
    fields=(
        Field("id"),
        Field("kind"),
        Field("period"),
        Field("starts_on"),
        Field("ends_on"),
        Field("number"),
        Field("is_scheduled"),
        Field("issued_at"),
        Field("issued_by", source="issued_by_id", card=USER_NAMES),
        Field("currency"),
        Field("figures", detail=True),
    ),
    filters=(
        _OF_PERIOD,
        one_of("kind", FinanceReport.Kind),
        is_true("is_scheduled", 't."is_scheduled"'),
        at_least("issued_after", "issued_at", "moment"),
        at_most("issued_before", "issued_at", "moment"),
    ),
    orderings=(
        Ordering("issued_at", 't."issued_at"', Kind.MOMENT),
        Ordering("ends_on", 't."ends_on"', Kind.DAY),
    ),
    default_ordering="-issued_at",
)
