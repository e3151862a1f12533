"""Which territory a lead falls into."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.territories.rules import (
    Atlas,
    Criteria,
    Subject,
    TerritoryRule,
    is_zip_pattern,
    overlaps,
    zip_matches,
)


def _rule(number: int, *lineage: Criteria, priority: int = 0, name: str = "") -> TerritoryRule:
    return TerritoryRule(UUID(int=number), name or f"T{number}", priority, lineage)


def _countries(*codes: str) -> Criteria:
    return Criteria(countries=frozenset(codes))


US = _countries("US")


@pytest.mark.parametrize(
    ("narrower", "wider"),
    [
        (Criteria(named_accounts=frozenset({"acme"})), Criteria(zip_codes=("94*",))),
        (Criteria(zip_codes=("94105",)), Criteria(states=frozenset({"ca"}))),
        (Criteria(states=frozenset({"ca"})), US),
        (US, Criteria(industry="technology")),
        (Criteria(countries=US.countries, industry="technology"), US),
    ],
)
def test_the_more_specific_territory_wins(narrower, wider):
    subject = Subject("us", "CA", "94105", "Technology", "ACME")
    atlas = Atlas.of([_rule(1, wider, priority=9), _rule(2, narrower)])
    match = atlas.match(subject)
    assert match.winner is not None
    assert match.winner.name == "T2"
    assert [loser.name for loser in match.losers] == ["T1"]
    assert not match.is_conflict


def test_of_equally_specific_ones_priority_decides_then_the_name():
    atlas = Atlas.of([_rule(1, US, name="B"), _rule(2, US, name="a"), _rule(3, US, priority=1)])
    match = atlas.match(Subject(country="US"))
    assert match.winner is not None
    assert match.winner.name == "T3"
    assert [(one.name, one.why) for one in match.losers] == [
        ("a", "lower priority"),
        ("B", "lower priority"),
    ]
    tied = Atlas.of([_rule(1, US, name="B"), _rule(2, US, name="a")]).match(Subject(country="US"))
    assert tied.winner is not None
    assert (tied.winner.name, tied.is_conflict) == ("a", True)


def test_a_child_must_meet_its_parents_rules():
    atlas = Atlas.of([_rule(1, US, Criteria(states=frozenset({"ca"})))])
    assert atlas.winner(Subject(country="US", state="CA")) is not None
    assert atlas.winner(Subject(country="MX", state="CA")) is None


def test_bounds_are_inclusive_and_unknown_sizes_lie_nowhere():
    atlas = Atlas.of([_rule(1, Criteria(min_employee_count=10, max_employee_count=20))])
    matched = [n for n in (9, 10, 20, 21) if atlas.winner(Subject(employee_count=n))]
    assert matched == [10, 20]
    assert atlas.winner(Subject()) is None
    rich = Atlas.of([_rule(1, Criteria(min_annual_revenue=Decimal(5)))])
    assert rich.winner(Subject(annual_revenue=Decimal("5.00"))) is not None


def test_a_territory_without_rules_claims_nothing():
    assert Atlas.of([_rule(1, Criteria())]).winner(Subject(country="US")) is None


@pytest.mark.parametrize(
    ("pattern", "code", "matches"),
    [
        ("94105", "94105", True),
        ("94105", "94105-1234", True),
        ("941*", "94199", True),
        ("941*", "93999", False),
        ("94100-94199", "94150", True),
        ("94100-94199", "94200", False),
        ("94100-94199", "941", False),
        ("SW1*", "sw1a 1aa", True),
        ("94105", "", False),
    ],
)
def test_zip_patterns(pattern, code, matches):
    assert is_zip_pattern(pattern)
    assert zip_matches(pattern, code) is matches


def test_overlaps_are_pairs_that_only_the_name_decides():
    pairs = overlaps(
        [_rule(1, _countries("US", "CA")), _rule(2, _countries("CA")), _rule(3, _countries("DE"))]
    )
    assert {frozenset((pair.first.name, pair.second.name)) for pair in pairs} == {
        frozenset(("T1", "T2"))
    }


CODES = st.sampled_from(["US", "CA", "DE", ""])
CRITERIA = st.builds(
    Criteria,
    countries=st.frozensets(CODES.filter(bool), max_size=2),
    industry=st.sampled_from(["", "technology"]),
    min_employee_count=st.one_of(st.none(), st.integers(0, 9)),
)
RULES = st.lists(st.tuples(CRITERIA, CRITERIA, st.integers(0, 2)), max_size=8)
SUBJECTS = st.builds(
    Subject,
    country=CODES,
    industry=st.sampled_from(["Technology", ""]),
    employee_count=st.one_of(st.none(), st.integers(0, 9)),
)


@given(RULES, SUBJECTS)
def test_looking_only_at_a_countrys_rules_finds_what_looking_at_all_would(drawn, subject):
    rules = [_rule(n, *lineage, priority=p) for n, (*lineage, p) in enumerate(drawn)]
    atlas = Atlas.of(rules)
    matching = [rule for rule in atlas.rules if not rule.unmet(subject)]
    assert atlas.winner(subject) == next(iter(matching), None)
