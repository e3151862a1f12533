"""Which territory a lead or account falls into, and why not into the others.

Rules are compiled once per change of the tree; matching a record costs microseconds and needs no
database. More specific beats less: named account, ZIP, state, country, then industry and size; of
equally specific ones the one with more criteria, then priority, then name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from functools import cached_property
from uuid import UUID


@dataclass(frozen=True)
class Subject:
    """What is routed: the facts of a lead or account that territories ask about."""

    country: str = ""
    state: str = ""
    postal_code: str = ""
    industry: str = ""
    company: str = ""
    domain: str = ""
    employee_count: int | None = None
    annual_revenue: Decimal | None = None


class Specificity(IntEnum):
    """How narrow the narrowest criterion of a territory is."""

    ANYTHING = 0
    INDUSTRY_OR_SIZE = 1
    COUNTRY = 2
    STATE = 3
    ZIP = 4
    NAMED_ACCOUNT = 5


@dataclass(frozen=True)
class Criteria:
    """The rules of one territory, its ancestors' not included."""

    countries: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()
    zip_codes: tuple[str, ...] = ()
    industry: str = ""
    min_employee_count: int | None = None
    max_employee_count: int | None = None
    min_annual_revenue: Decimal | None = None
    max_annual_revenue: Decimal | None = None
    named_accounts: frozenset[str] = frozenset()

    @cached_property
    def given(self) -> tuple[str, ...]:
        """The names of the criteria that narrow anything."""
        sizes = (self.min_employee_count, self.max_employee_count)
        revenues = (self.min_annual_revenue, self.max_annual_revenue)
        present = {
            "named_account": bool(self.named_accounts),
            "zip_code": bool(self.zip_codes),
            "state": bool(self.states),
            "country": bool(self.countries),
            "industry": bool(self.industry),
            "employee_count": sizes != (None, None),
            "annual_revenue": revenues != (None, None),
        }
        return tuple(name for name, is_given in present.items() if is_given)

    def unmet(self, subject: Subject) -> str:
        """The first criterion the subject does not meet; empty when it meets all."""
        return next((name for name in self.given if not _CHECKS[name](self, subject)), "")


def _has_named(criteria: Criteria, subject: Subject) -> bool:
    named = criteria.named_accounts
    return folded(subject.company) in named or (
        bool(subject.domain) and subject.domain.lower() in named
    )


_CHECKS: dict[str, Callable[[Criteria, Subject], bool]] = {
    "named_account": _has_named,
    "zip_code": lambda criteria, subject: any(
        zip_matches(pattern, subject.postal_code) for pattern in criteria.zip_codes
    ),
    "state": lambda criteria, subject: folded(subject.state) in criteria.states,
    "country": lambda criteria, subject: subject.country.upper() in criteria.countries,
    "industry": lambda criteria, subject: folded(subject.industry) == criteria.industry,
    "employee_count": lambda criteria, subject: within(
        subject.employee_count, criteria.min_employee_count, criteria.max_employee_count
    ),
    "annual_revenue": lambda criteria, subject: within(
        subject.annual_revenue, criteria.min_annual_revenue, criteria.max_annual_revenue
    ),
}


_RANKS = {
    "named_account": Specificity.NAMED_ACCOUNT,
    "zip_code": Specificity.ZIP,
    "state": Specificity.STATE,
    "country": Specificity.COUNTRY,
    "industry": Specificity.INDUSTRY_OR_SIZE,
    "employee_count": Specificity.INDUSTRY_OR_SIZE,
    "annual_revenue": Specificity.INDUSTRY_OR_SIZE,
}


def folded(text: str) -> str:
    """Text as it is compared: trimmed, spaces collapsed, without case."""
    return " ".join(text.split()).casefold()


def within(
    value: int | Decimal | None, smallest: int | Decimal | None, largest: int | Decimal | None
) -> bool:
    """Whether a value lies between two bounds, both included; unknown values lie nowhere."""
    if value is None:
        return False
    return (smallest is None or value >= smallest) and (largest is None or value <= largest)


_ZIP_RANGE = re.compile(r"(\d+)\s*-\s*(\d+)")
_ZIP_PATTERN = re.compile(r"[A-Z0-9][A-Z0-9 ]*\*?|\d+\s*-\s*\d+|\*", re.IGNORECASE)


def is_zip_pattern(pattern: str) -> bool:
    """Whether a pattern is exact (94105), a prefix (941*) or a range of numbers (94100-94199)."""
    text = pattern.strip()
    if not _ZIP_PATTERN.fullmatch(text):
        return False
    if bounds := _ZIP_RANGE.fullmatch(text):
        first, last = bounds.groups()
        return len(first) == len(last) and first <= last
    return True


def zip_matches(pattern: str, postal_code: str) -> bool:
    """Whether a postal code meets a pattern. US ZIP+4 codes meet the patterns of their ZIP."""
    code = postal_code.replace(" ", "").upper()
    pattern = pattern.replace(" ", "").upper()
    if not code:
        return False
    if pattern.endswith("*"):
        return code.startswith(pattern[:-1])
    plain = code.split("-")[0] if re.fullmatch(r"\d{5}-\d{4}", code) else code
    if bounds := _ZIP_RANGE.fullmatch(pattern):
        first, last = bounds.groups()
        return plain.isdigit() and len(plain) == len(first) and first <= plain <= last
    return pattern in (code, plain)


@dataclass(frozen=True)
class TerritoryRule:
    """A territory as routing sees it: its own criteria and those of its ancestors, outermost
    first."""

    territory_id: UUID
    name: str
    priority: int
    lineage: tuple[Criteria, ...]

    @cached_property
    def criteria(self) -> tuple[str, ...]:
        """Every criterion that has to hold, inherited ones included."""
        return tuple(name for level in self.lineage for name in level.given)

    @cached_property
    def countries(self) -> frozenset[str] | None:
        """The only countries in which it can match; None when any will do."""
        named = [level.countries for level in self.lineage if level.countries]
        return frozenset.intersection(*named) if named else None

    @property
    def specificity(self) -> Specificity:
        """How narrow the narrowest criterion is."""
        ranks = (_RANKS[name] for name in self.criteria)
        return max(ranks, default=Specificity.ANYTHING)

    @property
    def rank(self) -> tuple[int, int, int]:
        """What decides between territories that all match, highest first."""
        return (int(self.specificity), len(self.criteria), self.priority)

    def unmet(self, subject: Subject) -> str:
        """The first criterion that fails, inherited ones first; empty when all hold."""
        return next((name for level in self.lineage if (name := level.unmet(subject))), "")


@dataclass(frozen=True)
class Loser:
    """A territory that was not chosen, and why."""

    territory_id: UUID
    name: str
    why: str


@dataclass(frozen=True)
class Match:
    """Where a subject belongs, the reason, and every territory that lost."""

    winner: TerritoryRule | None
    reason: str
    losers: tuple[Loser, ...] = ()
    is_conflict: bool = False


@dataclass(frozen=True)
class Atlas:
    """All active territories' rules, best first, so that the first that matches wins."""

    rules: tuple[TerritoryRule, ...]

    @classmethod
    def of(cls, rules: Iterable[TerritoryRule]) -> Atlas:
        """Sort rules into the order in which they are tried."""
        claiming = [rule for rule in rules if rule.criteria]
        ordered = sorted(
            claiming, key=lambda rule: (*(-part for part in rule.rank), folded(rule.name))
        )
        return cls(tuple(ordered))

    @cached_property
    def _anywhere(self) -> tuple[TerritoryRule, ...]:
        return tuple(rule for rule in self.rules if rule.countries is None)

    @cached_property
    def _by_country(self) -> dict[str, tuple[TerritoryRule, ...]]:
        """The rules that can match in each country that any rule names, best first."""
        named = {code for rule in self.rules for code in rule.countries or ()}
        return {
            code: tuple(
                rule for rule in self.rules if rule.countries is None or code in rule.countries
            )
            for code in named
        }

    def winner(self, subject: Subject) -> TerritoryRule | None:
        """The territory a subject belongs to; None leaves it unrouted."""
        possible = self._by_country.get(subject.country.upper(), self._anywhere)
        return next((rule for rule in possible if not rule.unmet(subject)), None)

    def match(self, subject: Subject) -> Match:
        """The territory a subject belongs to, with the whole explanation."""
        winner = self.winner(subject)
        losers = []
        is_conflict = False
        for rule in self.rules:
            if rule is winner:
                continue
            failed = rule.unmet(subject)
            losers.append(Loser(rule.territory_id, rule.name, _why(rule, winner, failed)))
            is_conflict |= bool(winner) and not failed and rule.rank == winner.rank  # type: ignore[union-attr]
        return Match(winner, reason_for(winner), tuple(losers), is_conflict)


def reason_for(winner: TerritoryRule | None) -> str:
    """The sentence that explains a match."""
    if winner is None:
        return "No territory claims it."
    criteria = ", ".join(dict.fromkeys(name.replace("_", " ") for name in winner.criteria))
    return f"Matches {criteria} of {winner.name}."


def _why(rule: TerritoryRule, winner: TerritoryRule | None, failed: str) -> str:
    if failed or winner is None:
        return f"{failed.replace('_', ' ')} does not match"
    if rule.specificity < winner.specificity:
        return "less specific"
    if len(rule.criteria) < len(winner.criteria):
        return "fewer criteria"
    if rule.priority < winner.priority:
        return "lower priority"
    return "same rank, later by name"


@dataclass(frozen=True)
class Overlap:
    """Two territories of equal rank that can claim the same record."""

    first: TerritoryRule
    second: TerritoryRule


def overlaps(rules: Sequence[TerritoryRule]) -> list[Overlap]:
    """Pairs of equal rank whose criteria don't exclude each other: only the name decides."""
    found = []
    ordered = Atlas.of(rules).rules
    for position, first in enumerate(ordered):
        for second in ordered[position + 1 :]:
            if second.rank != first.rank:
                break
            if _compatible(first, second):
                found.append(Overlap(first, second))
    return found


def _compatible(first: TerritoryRule, second: TerritoryRule) -> bool:
    return all(not _exclude(mine, theirs) for mine in first.lineage for theirs in second.lineage)


def _exclude(one: Criteria, other: Criteria) -> bool:
    """Whether no record can meet both."""
    sets = (
        (one.countries, other.countries),
        (one.states, other.states),
        (one.named_accounts, other.named_accounts),
    )
    if any(mine and theirs and not mine & theirs for mine, theirs in sets):
        return True
    if one.industry and other.industry and one.industry != other.industry:
        return True
    if one.zip_codes and other.zip_codes and not _zips_overlap(one.zip_codes, other.zip_codes):
        return True
    return _apart(
        one.min_employee_count,
        one.max_employee_count,
        other.min_employee_count,
        other.max_employee_count,
    ) or _apart(
        one.min_annual_revenue,
        one.max_annual_revenue,
        other.min_annual_revenue,
        other.max_annual_revenue,
    )


def _zips_overlap(mine: Iterable[str], theirs: Iterable[str]) -> bool:
    spans = [_zip_span(pattern) for pattern in theirs]
    return any(
        first <= other_last and other_first <= last
        for first, last in map(_zip_span, mine)
        for other_first, other_last in spans
    )


def _zip_span(pattern: str) -> tuple[str, str]:
    text = pattern.replace(" ", "").upper()
    if text.endswith("*"):
        return text[:-1], text[:-1] + "\uffff"
    if bounds := _ZIP_RANGE.fullmatch(text):
        return bounds.group(1), bounds.group(2)
    return text, text


def _apart(
    low: int | Decimal | None,
    high: int | Decimal | None,
    other_low: int | Decimal | None,
    other_high: int | Decimal | None,
) -> bool:
    return (high is not None and other_low is not None and high < other_low) or (
        other_high is not None and low is not None and other_high < low
    )


@dataclass(frozen=True)
class Candidate:
    """Somebody who could take work in a territory."""

    user_id: UUID
    open_leads: int = 0
    capacity: int | None = None
    is_away: bool = False

    @property
    def can_take_more(self) -> bool:
        """Whether the person is here and has room."""
        return not self.is_away and (self.capacity is None or self.open_leads < self.capacity)


def least_loaded(candidates: Sequence[Candidate]) -> Candidate | None:
    """The one with the fewest open leads who can take more; ties by id, so it is repeatable."""
    able = [one for one in candidates if one.can_take_more]
    return min(able, key=lambda one: (one.open_leads, one.user_id), default=None)


def next_in_turn(candidates: Sequence[Candidate], turn: int) -> Candidate | None:
    """Whose turn it is when `turn` records were handed out before; those who can't are skipped."""
    ordered = sorted(candidates, key=lambda one: one.user_id)
    for step in range(len(ordered)):
        candidate = ordered[(turn + step) % len(ordered)]
        if candidate.can_take_more:
            return candidate
    return None
