"""docs/security.md claims nothing that is not there, and leaves no requirement out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "security.md"
TEXT = DOCUMENT.read_text()
STATES = {"met", "not met", "not applicable"}

_SECTIONS = json.loads((Path(__file__).parent / "asvs_4_0_3.json").read_text())
REQUIRED = [f"{section}.{one}" for section, numbers in _SECTIONS.items() for one in numbers]

_ROW = re.compile(r"^\| (\d+\.\d+\.\d+[^|]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_CITED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_LINKED = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
_SETTING = re.compile(r"`[A-Z][A-Z_]{3,}`")


def _numbers(cell: str) -> Iterator[str]:
    """`2.4.1–2.4.3, 2.5.1` one by one, of what the standard asks of levels 1 and 2."""
    for part in cell.split(", "):
        first, _, last = part.partition("–")
        if not last:
            yield first
            continue
        section, begin = first.rsplit(".", 1)
        end_section, end = last.rsplit(".", 1)
        assert section == end_section
        within = range(int(begin), int(end) + 1)
        yield from (f"{section}.{one}" for one in _SECTIONS[section] if one in within)


ROWS = _ROW.findall(TEXT)


def test_every_requirement_of_level_two_is_answered_exactly_once():
    answered = Counter(number for cell, *_ in ROWS for number in _numbers(cell))
    assert [one for one in REQUIRED if answered[one] != 1] == []
    assert set(answered) == set(REQUIRED)
    assert len(REQUIRED) == 259


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_is_met_shows_by_what(row):
    _, requirement, state, evidence = row
    assert requirement.strip()
    assert state in STATES
    if state == "met":
        assert _CITED.search(evidence) or _LINKED.search(evidence) or _SETTING.search(evidence)
    else:
        assert len(evidence) > 10


def test_the_counts_at_the_top_are_those_of_the_tables():
    counted: Counter[str] = Counter()
    for cell, _, state, _ in ROWS:
        counted[state] += len(list(_numbers(cell)))
    told = ", ".join(f"{counted[state]} {state}" for state in ("met", "not met", "not applicable"))
    assert f"**{told}**" in TEXT


@pytest.mark.parametrize(("path", "name"), sorted(set(_CITED.findall(TEXT))))
def test_every_cited_test_exists(path, name):
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize("target", sorted(set(_LINKED.findall(TEXT))))
def test_every_linked_file_exists(target):
    assert (DOCUMENT.parent / target).resolve().is_relative_to(ROOT)
    assert (DOCUMENT.parent / target).exists()


@pytest.mark.parametrize("name", sorted({one.strip("`") for one in _SETTING.findall(TEXT)}))
def test_every_named_setting_exists(name):
    settings = "".join(one.read_text() for one in (ROOT / "salesplatform/settings").glob("*.py"))
    assert re.search(rf"\b{name}\b", settings)
