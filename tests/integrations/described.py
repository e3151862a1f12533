"""Messages held against what is said of them: by the source's examples, and by our description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from apps.integrations.services.description import describe

SCHEMAS = Path(__file__).parent / "schemas"


def deviations(message: Mapping[str, Any], *, prefix: str = "") -> list[str]:
    """Where a message is not as the source has it (its envelope at least), or not as we say.

    Args:
        prefix: `inbound.` for what partners say, whose names can be those of our own events.
    """
    name = prefix + message["event_type"]
    return [
        f"{name}: {error.message}"
        for validator in (_of_source(name), _of_ours(name))
        for error in validator.iter_errors(message)
    ]


@cache
def _of_source(name: str) -> Draft202012Validator:
    found = SCHEMAS / f"{name}.json"
    schema = found if found.exists() else SCHEMAS / "envelope.json"
    return _validator(json.loads(schema.read_text()))


@cache
def _of_ours(name: str) -> Draft202012Validator:
    document = describe()
    payload = document["components"]["messages"][name]["payload"]
    return _validator({**payload, "components": document["components"]})


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=FormatChecker())
