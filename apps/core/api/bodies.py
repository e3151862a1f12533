"""Strict request bodies: known fields only, right types only, bounded strings, no NUL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import orjson
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import BaseParser

from apps.core.errors import InvalidInput
from apps.core.money import CURRENCIES, LARGEST
from apps.core.periods import check_day, organisation_today

LARGEST_INTEGER = 2_147_483_647
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 means it; lone surrogates and NUL are refused."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        raw = stream.read()
        if b"\\u0000" in raw:
            raise ParseError("NUL is not allowed in text.")
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as failure:
            raise ParseError(f"The body is not valid JSON: {failure}.") from None


class Text(serializers.CharField):
    """A trimmed string of bounded length without control characters."""

    def __init__(self, *, max_length: int = 255, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise ValidationError("Give a string.")
        if _CONTROL.search(data):
            raise ValidationError("Control characters are not allowed.")
        return super().to_internal_value(data)


class WholeNumber(serializers.IntegerField):
    """A JSON integer within what the database keeps."""

    def __init__(
        self, *, min_value: int = 0, max_value: int = LARGEST_INTEGER, **kwargs: Any
    ) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise ValidationError("Give a whole number.")
        return super().to_internal_value(data)


class Money(serializers.DecimalField):
    """An amount with at most two decimals, not negative; a JSON number or its text."""

    def __init__(self, *, min_value: Any = 0, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 15)
        kwargs.setdefault("decimal_places", 2)
        super().__init__(min_value=min_value, max_value=LARGEST, coerce_to_string=False, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            raise ValidationError("Give an amount.")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """true or false, nothing that resembles them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise ValidationError("Give true or false.")
        return data


class Identifier(serializers.UUIDField):
    """A UUID as text."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            raise ValidationError("Give a UUID.")
        return super().to_internal_value(data)


class Currency(Text):
    """An ISO 4217 code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=3, min_length=3, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if code not in CURRENCIES:
            raise ValidationError("This is not an ISO 4217 currency.")
        return code


class JSONObject(serializers.DictField):
    """A JSON object of bounded size, for what the platform keeps but does not interpret."""

    LARGEST_BYTES = 16_384

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise ValidationError("Give an object.")
        try:
            size = len(orjson.dumps(data))
        except TypeError:
            raise ValidationError("This is nested too deeply.") from None
        if size > self.LARGEST_BYTES:
            raise ValidationError(f"Give at most {self.LARGEST_BYTES} bytes.")
        return data


class JSONText(serializers.JSONField):
    """JSON inside a form's field."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return orjson.loads(str(data))
        except orjson.JSONDecodeError as failure:
            raise ValidationError(f"This is not valid JSON: {failure}.") from None


class Body(serializers.Serializer):
    """A request body, or a set of query parameters: fields that are not declared are refused."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise ValidationError({"non_field_errors": ["Give a JSON object."]})
        if unknown := [str(name) for name in data if name not in self.fields]:
            raise ValidationError({name: ["This field does not exist."] for name in unknown})
        values: dict[str, Any] = super().to_internal_value(data)
        return values


class Days(Body):
    """Which days are asked about: the last ones, where nobody says."""

    usual_days = 30

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name that Python allows."""
        days = {
            "from": serializers.DateField(required=False, help_text="The first day."),
            "to": serializers.DateField(required=False, help_text="The last day; today."),
        }
        return {**days, **super().get_fields()}

    @classmethod
    def taken_from(cls, query: dict[str, Any]) -> tuple[date, date]:
        """The first and the last day that a query asks about; they are in it no longer."""
        last = query.pop("to", None) or organisation_today()
        check_day(last, "to")
        first = query.pop("from", None) or last - timedelta(days=cls.usual_days - 1)
        return first, last


def read(body: type[Body], data: Any) -> dict[str, Any]:
    """The values of a body. Raises InvalidInput naming every wrong field."""
    try:
        return dict(_prepared(body).run_validation(data))
    except ValidationError as failure:
        fields = _plain(failure.detail)
        if not isinstance(fields, dict):
            fields = {"non_field_errors": fields}
        first = next(iter(fields))
        raise InvalidInput(f"{first}: {_first_sentence(fields[first])}", fields=fields) from None


_instances: dict[type[Body], Body] = {}


def _prepared(body: type[Body]) -> Body:
    """One instance per class: copying the declared fields for each request costs more than
    checking them, and validation keeps nothing in the instance."""
    if body not in _instances:
        _instances[body] = body()
    return _instances[body]


def _plain(detail: Any) -> Any:
    if isinstance(detail, dict):
        return {str(name): _plain(value) for name, value in detail.items()}
    if isinstance(detail, list):
        return [_plain(value) for value in detail]
    return str(detail)


def _first_sentence(detail: Any) -> str:
    while isinstance(detail, dict | list) and detail:
        detail = next(iter(detail.values())) if isinstance(detail, dict) else detail[0]
    return str(detail)
