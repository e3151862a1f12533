"""How a file's columns become facts, whatever the facts are of."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.core.errors import InvalidInput
from apps.core.facts import amount_fact, check_each, currency_fact, text_fact, whole_number_fact
from apps.core.imports.mapping import Targets, check_mapping, suggest_mapping

TARGETS = Targets(
    noun="a ship",
    names=("name", "port"),
    objects=("papers",),
    synonyms={"name": ("name", "ship"), "port": ("port", "home port")},
)
COLUMNS = ("Ship", "Home-Port", "Flag")


def test_a_row_states_columns_constants_templates_and_entries():
    mapping = check_mapping(
        {
            "columns": {"Ship": "name", "Flag": "papers.flag"},
            "constants": {"port": "Oslo", "papers.class": "A"},
            "templates": {"papers.code": "{Ship}-{Flag}"},
            "empty_values": ["none"],
        },
        COLUMNS,
        TARGETS,
    )
    assert mapping.facts_of({"Ship": " Fram ", "Home-Port": "", "Flag": "NO"}) == {
        "name": "Fram",
        "port": "Oslo",
        "papers": {"class": "A", "flag": "NO", "code": "Fram-NO"},
    }
    assert mapping.facts_of({"Ship": "none", "Home-Port": "", "Flag": ""}) == {
        "port": "Oslo",
        "papers": {"class": "A"},
    }
    assert [mapping.fills(name) for name in ("papers", "port", "captain")] == [True, True, False]


def test_what_columns_are_called_suggests_a_mapping():
    assert suggest_mapping(COLUMNS, TARGETS) == {"columns": {"Ship": "name", "Home-Port": "port"}}
    assert suggest_mapping(("Ship", "NAME"), TARGETS) == {"columns": {"Ship": "name"}}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "Give an object."),
        ({"rows": {}}, "There is no part rows."),
        ({"columns": []}, "columns must be an object."),
        ({"empty_values": "none"}, "empty_values must be a list."),
        ({"columns": {"Mast": "name"}}, "The file has no column Mast."),
        ({"templates": {"name": "{Mast}"}}, "The file has no column Mast."),
        ({"templates": {"name": 7}}, "A template must be text."),
        ({"columns": {"Ship": "captain"}}, "captain is not a field of a ship."),
        ({"columns": {"Ship": 7}}, "7 is not a field of a ship."),
        ({"columns": {"Ship": "papers"}}, "papers is not a field of a ship."),
        ({"columns": {"Ship": "papers."}}, "papers. is not a field of a ship."),
        ({"columns": {"Ship": "name", "Flag": "name"}}, "name is filled twice."),
    ],
)
def test_refuses_a_mapping_that_does_not_fit(given, sentence):
    with pytest.raises(InvalidInput) as refused:
        check_mapping(given, COLUMNS, TARGETS)
    assert sentence in refused.value.message


def test_facts_are_brought_into_one_form():
    assert text_fact("  two   words ", longest=9) == "two words"
    assert whole_number_fact("1,200") == 1200
    assert whole_number_fact("") is None
    assert amount_fact("$50,000,000.005") == Decimal("50000000.00")
    assert currency_fact("EUR") == "EUR"


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (whole_number_fact, "1e999999"),
        (whole_number_fact, "1.5"),
        (whole_number_fact, -1),
        (amount_fact, "NaN"),
        (amount_fact, "1,2"),
        (amount_fact, -1),
        (currency_fact, "XXY"),
    ],
)
def test_what_makes_no_sense_is_noted_under_its_name(check, value):
    problems: dict[str, list[str]] = {}
    assert check_each({"size": value}, lambda _, one: check(one), problems) == {}
    assert list(problems) == ["size"]
