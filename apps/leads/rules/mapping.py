"""How a file's columns become a lead's facts.

{"columns": {"Lead Source": "source", "Tags": "metadata.tags"},
 "constants": {"source": "import"},
 "templates": {"email": "{Prospect ID}@leads.example"},
 "empty_values": ["Select"]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.core.errors import InvalidInput
from apps.leads.rules.facts import WRITABLE, check_changes

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_INSIDE = ("metadata.", "attribution.")
_FILLABLE = tuple(name for name in WRITABLE if name not in ("metadata", "attribution"))

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "email": ("email", "email address", "mail", "e mail", "work email"),
    "first_name": ("first name", "firstname", "given name", "forename"),
    "last_name": ("last name", "lastname", "surname", "family name"),
    "phone": ("phone", "phone number", "mobile", "telephone", "mobile phone"),
    "company": ("company", "company name", "organisation", "organization", "account", "employer"),
    "title": ("title", "job title", "position", "role"),
    "industry": ("industry", "sector"),
    "employee_count": ("employee count", "employees", "number of employees", "company size"),
    "annual_revenue": ("annual revenue", "revenue", "turnover"),
    "source": ("source", "lead source", "origin", "lead origin"),
    "country": ("country", "country code"),
    "state": ("state", "province", "region"),
    "city": ("city", "town"),
    "postal_code": ("postal code", "zip", "zip code", "postcode"),
    "external_id": ("external id", "id", "lead id", "record id", "prospect id", "customer id"),
    "marketing_score": ("score", "lead score", "marketing score"),
    "currency": ("currency",),
}


@dataclass(frozen=True)
class ColumnMapping:
    """A checked mapping."""

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    empty_values: frozenset[str] = frozenset()

    def facts_of(self, values: Mapping[str, str]) -> dict[str, Any]:
        """The facts that a row states; empty cells state nothing."""
        facts: dict[str, Any] = dict(self.constants)
        for column, target in self.columns.items():
            text = values[column].strip()
            if text and text not in self.empty_values:
                _put(facts, target, text)
        for target, template in self.templates.items():
            if text := _filled(template, values):
                _put(facts, target, text)
        return facts


def check_mapping(given: Any, columns: Sequence[str]) -> ColumnMapping:
    """A mapping that fits a file. Raises InvalidInput saying what does not fit.

    Args:
        given: the JSON object above.
        columns: the file's column names.
    """
    if not isinstance(given, dict):
        raise InvalidInput.field("mapping", "Give an object.")
    parts = {"columns": {}, "constants": {}, "templates": {}, "empty_values": [], **given}
    if unknown := sorted(set(parts) - {"columns", "constants", "templates", "empty_values"}):
        raise InvalidInput.field("mapping", f"There is no part {', '.join(unknown)}.")
    for name in ("columns", "constants", "templates"):
        if not isinstance(parts[name], dict):
            raise InvalidInput.field("mapping", f"{name} must be an object.")
    if not isinstance(parts["empty_values"], list):
        raise InvalidInput.field("mapping", "empty_values must be a list.")
    _check_columns(parts, columns)
    _check_targets(parts)
    check_changes(_nested(parts["constants"]), country="")
    return ColumnMapping(
        columns=dict(parts["columns"]),
        constants=_nested(parts["constants"]),
        templates=dict(parts["templates"]),
        empty_values=frozenset(str(one) for one in parts["empty_values"]),
    )


def suggest_mapping(columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """The mapping that the column names suggest; every target at most once."""
    suggested: dict[str, str] = {}
    for target, names in _SYNONYMS.items():
        for column in columns:
            if column not in suggested and _folded(column) in names:
                suggested[column] = target
                break
    return {"columns": suggested}


def _folded(name: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9]+", " ", name.casefold()).split())


def _check_columns(parts: Mapping[str, Any], columns: Sequence[str]) -> None:
    used = list(parts["columns"])
    for template in parts["templates"].values():
        if not isinstance(template, str):
            raise InvalidInput.field("mapping", "A template must be text.")
        used += _PLACEHOLDER.findall(template)
    if missing := sorted(set(used) - set(columns)):
        raise InvalidInput.field(
            "mapping",
            f"The file has no column {', '.join(missing)}. Columns: {', '.join(columns)}.",
        )


def _check_targets(parts: Mapping[str, Any]) -> None:
    targets = [*parts["columns"].values(), *parts["constants"], *parts["templates"]]
    for target in targets:
        is_known = isinstance(target, str) and (
            target in _FILLABLE or (target.startswith(_INSIDE) and not target.endswith("."))
        )
        if not is_known:
            raise InvalidInput.field(
                "mapping",
                f"{target} is not a field of a lead. Fields: {', '.join(_FILLABLE)}, "
                "metadata.<name>, attribution.<name>.",
            )
    filled = [*parts["columns"].values(), *parts["templates"]]
    if twice := sorted({one for one in filled if filled.count(one) > 1}):
        raise InvalidInput.field("mapping", f"{', '.join(twice)} is filled twice.")


def _nested(constants: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for target, value in constants.items():
        _put(facts, target, value)
    return facts


def _put(facts: dict[str, Any], target: str, value: Any) -> None:
    whole, _, inside = target.partition(".")
    if inside:
        facts[whole] = {**facts.get(whole, {}), inside: value}
    else:
        facts[target] = value


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with the row's values; empty when one of them is."""
    names = _PLACEHOLDER.findall(template)
    if any(not values[name].strip() for name in names):
        return ""
    return _PLACEHOLDER.sub(lambda match: values[match[1]].strip(), template)
