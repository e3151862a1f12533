"""What a score may know: columns, what they are called in a sentence, and when they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import TextChoices


class Subject(TextChoices):
    """What is scored."""

    DEAL = "deal"
    LEAD = "lead"


class Kind(TextChoices):
    """How a column is read."""

    NUMBER = "number"
    CATEGORY = "category"


class Known(TextChoices):
    """When the value of a column is known.

    What is only filled in afterwards is never learned from, however much it tells.
    """

    CAPTURE = "capture"
    HISTORY = "history"
    AFTERWARDS = "afterwards"


class Verdict(TextChoices):
    """What came of learning."""

    BETTER = "better", "Better than the rules"
    NO_SIGNAL = "no_signal", "No signal in your data"
    TOO_FEW = "too_few", "Too few closed rows"
    TOO_GOOD = "too_good", "Too good to be true"


@dataclass(frozen=True)
class Column:
    """A fact that is learned from, with the sentences that explain what it did to a score.

    `says` is the sentence where there is a value, `absent` where there is none.
    """

    name: str
    label: str
    kind: Kind = Kind.NUMBER
    known: Known = Known.CAPTURE
    says: str = ""
    absent: str = ""

    def sentence(self, value: Any) -> str:
        """What the value of a row is, in words."""
        if value is None or value == "":
            return self.absent or f"{self.label} is not known."
        return (self.says or f"{self.label}: {{value}}.").format(value=_readable(value))


def _readable(value: Any) -> str:
    if isinstance(value, float | int | Decimal):
        value = float(value)
        return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2f}"
    return str(value)


Values = Mapping[str, Any]
