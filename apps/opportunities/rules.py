"""How deals move: allowed stages and gates, probability and category, health score, line amounts.

Pipelines are data; here they arrive compiled as a `Process`. Nothing here knows a database or
the clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import TextChoices

from apps.core.errors import InvalidInput
from apps.core.money import ZERO, to_cents
from apps.customer_success.rules import UNKNOWN, Level, Standing, level_of
from apps.opportunities.errors import StageFactsMissing, StageMoveNotAllowed


class Kind(TextChoices):
    """What standing in a stage means."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class CanonicalStage(TextChoices):
    """The stages of the default pipeline (sales-core, Opportunities), which every other pipeline's
    stages can be likened to."""

    DISCOVERY = "discovery"
    QUALIFICATION = "qualification"
    PROPOSAL = "proposal"
    NEGOTIATION = "negotiation"
    CLOSED_WON = "closed_won"
    CLOSED_LOST = "closed_lost"


class Category(TextChoices):
    """How a deal counts in a forecast."""

    PIPELINE = "pipeline"
    BEST_CASE = "best_case"
    COMMIT = "commit"
    CLOSED = "closed"
    OMITTED = "omitted"


class Origin(TextChoices):
    """Whether a value follows the stage or was set by hand."""

    STAGE = "stage"
    MANUAL = "manual"


OPEN_CATEGORIES = (Category.PIPELINE, Category.BEST_CASE, Category.COMMIT, Category.OMITTED)

# What a stage can ask for before a deal enters it.
GATE_FACTS = (
    "amount",
    "expected_close_date",
    "next_step",
    "products",
    "contract_term",
    "start_date",
    "payment_terms",
    "billing_frequency",
    "payment_schedule",
    "special_requirements",
    "priority",
    "close_reason",
    "loss_reason",
)


@dataclass(frozen=True)
class StageRule:
    """A stage as the rules see it. `forward` names the stages a deal may go on to."""

    id: UUID
    key: str
    position: int
    kind: str
    probability: int
    forecast_category: str
    expected_days: int | None = None
    required_fields: Sequence[str] = ()
    forward: Sequence[str] = ()
    name: str = ""

    @property
    def is_open(self) -> bool:
        """Whether a deal in it is still being worked."""
        return self.kind == Kind.OPEN

    @property
    def gate(self) -> Sequence[str]:
        """The facts a deal must have to enter it; a lost one always says why."""
        if self.kind == Kind.LOST and "loss_reason" not in self.required_fields:
            return (*self.required_fields, "loss_reason")
        return self.required_fields


_LIKENED_FROM = (
    (90, CanonicalStage.NEGOTIATION),
    (50, CanonicalStage.PROPOSAL),
    (40, CanonicalStage.QUALIFICATION),
    (0, CanonicalStage.DISCOVERY),
)


def canonical_stage(stage: StageRule) -> CanonicalStage:
    """The stage of the default pipeline that a stage is or comes nearest to.

    A stage of the same name is that one; a closed one is won or lost; any other is the furthest
    whose probability it reaches.
    """
    if stage.key in CanonicalStage.values:
        return CanonicalStage(stage.key)
    if stage.kind == Kind.WON:
        return CanonicalStage.CLOSED_WON
    if stage.kind == Kind.LOST:
        return CanonicalStage.CLOSED_LOST
    return next(likened for least, likened in _LIKENED_FROM if stage.probability >= least)


@dataclass(frozen=True)
class Process:
    """A pipeline as the rules see it: its stages in their order."""

    pipeline_id: UUID
    key: str
    stages: tuple[StageRule, ...]

    def stage(self, key: str) -> StageRule:
        """The stage with this key. Raises InvalidInput."""
        for one in self.stages:
            if one.key == key:
                return one
        known = ", ".join(one.key for one in self.stages)
        raise InvalidInput.field("stage", f"The stages of the pipeline are {known}.")

    def opening(self, key: str | None) -> StageRule:
        """The stage a new deal starts in: the one asked for, or the first. Raises InvalidInput."""
        if key is None:
            return next(one for one in self.stages if one.is_open)
        stage = self.stage(key)
        if not stage.is_open:
            raise InvalidInput.field("stage", "A deal starts in an open stage.")
        return stage

    def before(self, stage: StageRule) -> StageRule | None:
        """The open stage one step back."""
        earlier = [one for one in self.stages if one.is_open and one.position < stage.position]
        return earlier[-1] if earlier else None

    def allows(self, current: StageRule, wanted: StageRule) -> bool:
        """Whether a deal can go there: forward as the pipeline says, one step back, or lost."""
        if not current.is_open:
            return False
        return (
            wanted.key in current.forward
            or wanted.kind == Kind.LOST
            or wanted == self.before(current)
        )

    def check_move(self, current: StageRule, wanted: StageRule) -> None:
        """Refuse a move that the pipeline does not allow. Raises StageMoveNotAllowed."""
        if not self.allows(current, wanted):
            raise StageMoveNotAllowed.of(
                current=current.key, requested=wanted.key, allowed=current.forward
            )


def check_gate(stage: StageRule, facts: Mapping[str, Any]) -> None:
    """Refuse a deal that lacks what the stage asks for. Raises StageFactsMissing."""
    if missing := [name for name in stage.gate if not facts.get(name)]:
        raise StageFactsMissing.of(stage=stage.key, missing=missing)


@dataclass(frozen=True)
class Graded:
    """A value, and whether it follows the stage or was set by hand."""

    value: Any
    origin: str


def probability_in(stage: StageRule, *, stated: int | None, before: Graded | None) -> Graded:
    """A deal's probability in a stage, in percent.

    What is stated counts; else what was set by hand before stays; else the stage's default.
    Stating the default leaves it the stage's. A closed deal has the probability of its stage.
    Raises InvalidInput.
    """
    if not stage.is_open and stated not in (None, stage.probability):
        raise InvalidInput.field("probability", f"In {stage.key} it is {stage.probability}.")
    return _graded(stage, stage.probability, stated, before)


def category_in(stage: StageRule, *, stated: str | None, before: Graded | None) -> Graded:
    """A deal's forecast category in a stage, by the same rule as its probability.

    Raises InvalidInput.
    """
    if not stage.is_open and stated not in (None, stage.forecast_category):
        raise InvalidInput.field(
            "forecast_category", f"In {stage.key} it is {stage.forecast_category}."
        )
    if stage.is_open and stated is not None and stated not in OPEN_CATEGORIES:
        raise InvalidInput.field(
            "forecast_category", f"Choose one of {', '.join(OPEN_CATEGORIES)}."
        )
    return _graded(stage, stage.forecast_category, stated, before)


def _graded(stage: StageRule, default: Any, stated: Any, before: Graded | None) -> Graded:
    if not stage.is_open:
        return Graded(default, Origin.STAGE)
    if stated is not None:
        return Graded(stated, Origin.STAGE if stated == default else Origin.MANUAL)
    if before is not None and before.origin == Origin.MANUAL:
        return before
    return Graded(default, Origin.STAGE)


def line_amount(*, quantity: int, unit_price: Decimal, discount: Decimal) -> Decimal:
    """What a line comes to, its discount (0 to 1) taken off."""
    return to_cents(quantity * unit_price * (1 - discount))


class SplitKind(TextChoices):
    """What a share of the credit is for: the deal itself, or help with it."""

    REVENUE = "revenue"
    OVERLAY = "overlay"


@dataclass(frozen=True)
class Split:
    """What one person is credited of a deal, in percent."""

    user_id: UUID
    kind: str
    percentage: Decimal


WHOLE = Decimal(100)


def check_splits(splits: Sequence[Split]) -> None:
    """Refuse shares that don't make sense together. Raises InvalidInput.

    Each is more than 0 and at most 100 percent, nobody has two of a kind, and those of the revenue
    come to exactly 100, or there are none.
    """
    seen: set[tuple[UUID, str]] = set()
    for place, one in enumerate(splits):
        if not ZERO < one.percentage <= WHOLE or one.percentage != to_cents(one.percentage):
            raise InvalidInput.field(
                f"splits[{place}].percentage", "Give more than 0 and at most 100, in hundredths."
            )
        if (one.user_id, one.kind) in seen:
            raise InvalidInput.field(
                f"splits[{place}].user_id", f"The person has another {one.kind} share."
            )
        seen.add((one.user_id, one.kind))
    revenue = [one.percentage for one in splits if one.kind == SplitKind.REVENUE]
    if revenue and sum(revenue) != WHOLE:
        raise InvalidInput.field(
            "splits", f"The revenue shares come to {sum(revenue)} percent instead of 100."
        )


def credited(splits: Sequence[Split], owner_id: UUID) -> tuple[Split, ...]:
    """Who is credited with a deal: as it is split, or its owner with all of the revenue."""
    if any(one.kind == SplitKind.REVENUE for one in splits):
        return tuple(splits)
    return (Split(owner_id, SplitKind.REVENUE, WHOLE), *splits)


def share_in_percent(part: Decimal, whole: Decimal, *, otherwise: int) -> int:
    """A part of a whole in whole percent; `otherwise` where there is no whole."""
    return round(part * 100 / whole) if whole else otherwise


# Providers whose addresses say nothing about a company, and the domains that RFC 2606 and 6761
# keep for examples and tests.
_PERSONAL_DOMAINS = frozenset(
    (
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "ymail.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "aol.com",
        "gmx.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "mail.com",
        "proton.me",
        "protonmail.com",
        "zoho.com",
        "yandex.com",
        "yandex.ru",
        "mail.ru",
        "qq.com",
        "163.com",
        "126.com",
    )
)
_RESERVED = ("example", "example.com", "example.net", "example.org", "test", "invalid", "localhost")


def company_domain(email: str) -> str:
    """The domain of the company an address belongs to; empty where it tells none."""
    domain = email.rpartition("@")[2].strip().lower()
    is_reserved = any(domain == one or domain.endswith(f".{one}") for one in _RESERVED)
    return "" if domain in _PERSONAL_DOMAINS or is_reserved else domain


def is_postponed(before: date | None, after: date | None) -> bool:
    """Whether an expected close moved to a later day."""
    return before is not None and after is not None and after > before


RULES_VERSION = "rules-2"


@dataclass(frozen=True)
class Health:
    """What the rules know about a deal when they score it."""

    stage: StageRule
    days_in_stage: int
    amount: Decimal
    days_to_close: int | None
    push_count: int
    has_next_step: bool
    has_lines: bool
    knows_decision_criteria: bool
    customer: Standing = UNKNOWN


@dataclass(frozen=True)
class Reason:
    """What a fact adds to a score or takes from it."""

    key: str
    points: int
    text: str

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"key": self.key, "points": self.points, "text": self.text}


@dataclass(frozen=True)
class DealScore:
    """A deal's health, 0 to 100, with the reasons that weigh most first."""

    value: int
    reasons: tuple[Reason, ...]


_BASE = 50
_STAGE_WEIGHT = 5
_SOON_DAYS, _FAR_DAYS = 90, 365


def deal_score(health: Health) -> DealScore:
    """How well a deal stands. A won deal scores 100, a lost one 0."""
    if not health.stage.is_open:
        value = 100 if health.stage.kind == Kind.WON else 0
        return DealScore(value, (Reason("stage", value, f"The deal is {health.stage.kind}."),))
    reasons = [
        Reason(
            "stage",
            health.stage.probability // _STAGE_WEIGHT,
            f"In {health.stage.key}, which is won in {health.stage.probability} %.",
        ),
        _of_amount(health),
        _of_close_date(health),
        _of_pushes(health),
        _of_age(health),
        _of_next_step(health),
        Reason("products", 4 * health.has_lines, "The products are named."),
        Reason(
            "decision_criteria",
            5 * health.knows_decision_criteria,
            "The decision criteria are known.",
        ),
        _of_customer(health.customer),
        _of_critical_tickets(health.customer),
    ]
    telling = [one for one in reasons if one.points]
    value = max(0, min(100, _BASE + sum(one.points for one in telling)))
    return DealScore(value, tuple(sorted(telling, key=lambda one: (-abs(one.points), one.key))))


def _of_next_step(health: Health) -> Reason:
    if health.has_next_step:
        return Reason("next_step", 6, "The next step is agreed.")
    return Reason("next_step", -6, "No next step is agreed.")


def _of_amount(health: Health) -> Reason:
    if health.amount > ZERO:
        return Reason("amount", 4, "The amount is stated.")
    return Reason("amount", -8, "No amount is stated.")


def _of_close_date(health: Health) -> Reason:
    days = health.days_to_close
    if days is None:
        return Reason("expected_close_date", -8, "Nobody said when it closes.")
    if days < 0:
        return Reason("expected_close_date", -20, f"It should have closed {-days} days ago.")
    if days <= _SOON_DAYS:
        return Reason("expected_close_date", 4, f"It closes within {_SOON_DAYS} days.")
    if days > _FAR_DAYS:
        return Reason("expected_close_date", -4, "It closes in more than a year.")
    return Reason("expected_close_date", 0, "")


def _of_pushes(health: Health) -> Reason:
    return Reason(
        "push_count",
        -min(20, 5 * health.push_count),
        f"Its close date was put off {health.push_count} times.",
    )


_POINTS_OF_LEVEL = {Level.HEALTHY: 4, Level.AT_RISK: -5, Level.POOR: -15}


def _of_customer(customer: Standing) -> Reason:
    if customer.health is None:
        return Reason("customer_health", 0, "")
    fell = customer.previous_health is not None and customer.health < customer.previous_health
    return Reason(
        "customer_health",
        _POINTS_OF_LEVEL[level_of(customer.health)],
        f"The customer's health {'fell to' if fell else 'is at'} {customer.health}.",
    )


def _of_critical_tickets(customer: Standing) -> Reason:
    count = customer.critical_tickets
    what = "A critical ticket is" if count == 1 else f"{count} critical tickets are"
    return Reason("critical_tickets", -10 * (count > 0), f"{what} open.")


def _of_age(health: Health) -> Reason:
    expected = health.stage.expected_days
    if not expected or health.days_in_stage <= expected:
        return Reason("stage_age", 0, "")
    points = -20 if health.days_in_stage > 2 * expected else -10
    return Reason(
        "stage_age",
        points,
        f"In this stage for {health.days_in_stage} days, where {expected} are usual.",
    )
