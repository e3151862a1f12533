"""How a file's columns become facts.

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

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Targets:
    """The facts that a file can fill.

    Attributes:
        noun: what has these facts, such as `a lead`.
        names: of the facts.
        objects: facts that are filled entry by entry, such as `metadata.<name>`.
        synonyms: how columns with a fact are usually headed.
    """

    noun: str
    names: tuple[str, ...]
    objects: tuple[str, ...] = ()
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def include(self, target: Any) -> bool:
        """Whether something is a fact that can be filled."""
        if not isinstance(target, str):
            return False
        whole, _, inside = target.partition(".")
        is_entry = whole in self.objects and inside != "" and not inside.endswith(".")
        return target in self.names or is_entry


@dataclass(frozen=True)
class ColumnMapping:
    """A checked mapping."""

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    empty_values: frozenset[str] = frozenset()

    def fills(self, name: str) -> bool:
        """Whether rows can state a fact, or an entry of it."""
        filled = (*self.columns.values(), *self.constants, *self.templates)
        return any(one.partition(".")[0] == name for one in filled)

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


def check_mapping(given: Any, columns: Sequence[str], targets: Targets) -> ColumnMapping:
    """A mapping that fits a file. Raises InvalidInput saying what does not fit.

    Args:
        given: the JSON object above.
        columns: the file's column names.
        targets: what can be filled.
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
    _check_targets(parts, targets)
    return ColumnMapping(
        columns=dict(parts["columns"]),
        constants=_nested(parts["constants"]),
        templates=dict(parts["templates"]),
        empty_values=frozenset(str(one) for one in parts["empty_values"]),
    )


def suggest_mapping(columns: Sequence[str], targets: Targets) -> dict[str, dict[str, str]]:
    """The mapping that the column names suggest; every target at most once."""
    suggested: dict[str, str] = {}
    for target, names in targets.synonyms.items():
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


def _check_targets(parts: Mapping[str, Any], targets: Targets) -> None:
    for target in (*parts["columns"].values(), *parts["constants"], *parts["templates"]):
        if not targets.include(target):
            known = (*targets.names, *(f"{name}.<name>" for name in targets.objects))
            raise InvalidInput.field(
                "mapping",
                f"{target} is not a field of {targets.noun}. Fields: {', '.join(known)}.",
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
