"""What partners are asked, and how what they answer is read.

A measure is answered as an object, a list as `{"data": [...]}`; each with `as_of`, and else with
what the message of the same name says (`services/messages.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec


@dataclass(frozen=True)
class Pull:
    """Something that a kind of partner is asked of each subject, and the message it answers with.

    `about` is the field by which that message names the subject. What a `whole` list does not hold
    is over.
    """

    path: str
    message: str
    about: str = "account_id"
    whole: bool = False

    def path_of(self, subject: str) -> str:
        """Where it is asked, below the base URL."""
        return "/" + self.path.format(quote(subject, safe=""))


# sales-system-integrations, Upstream Systems.
PULLS: Mapping[str, tuple[Pull, ...]] = {
    "marketing": (Pull("campaigns/{}", "campaign.updated", about="campaign_id"),),
    "customer_experience": (
        Pull("accounts/{}/health", "health.updated"),
        Pull("accounts/{}/usage", "usage.updated"),
        Pull("accounts/{}/nps", "nps.updated"),
        Pull("accounts/{}/tickets", "ticket.updated"),
    ),
    "support": (
        Pull("accounts/{}/tickets/critical", "ticket.updated", whole=True),
        Pull("accounts/{}/escalations", "escalation.updated"),
        Pull("accounts/{}/feature-requests", "feature_request.updated"),
    ),
}


class Garbled(Exception):
    """What came back can't be read, and why."""


@dataclass(frozen=True)
class Answered:
    """What an answer says: messages, and when all of it was true, if it says so."""

    bodies: tuple[bytes, ...]
    as_of: str | None


def read(text: str, pull: Pull, subject: str) -> Answered:
    """What an answer says about a subject. Raises Garbled where it is no answer at all."""
    try:
        answer = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as failure:
        raise Garbled(f"This is not JSON: {failure}") from None
    if not isinstance(answer, dict):
        raise Garbled("This is no object.")
    rows = answer.get("data") if "data" in answer else [answer]
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise Garbled("`data` is no list of objects.")
    as_of = answer.get("as_of")
    return Answered(
        tuple(_message(row, as_of, pull, subject) for row in rows),
        as_of if isinstance(as_of, str) else None,
    )


def _message(row: dict[str, Any], as_of: Any, pull: Pull, subject: str) -> bytes:
    payload = {**row, pull.about: subject}
    timestamp = payload.pop("as_of", as_of)
    told = {"event_type": pull.message, "timestamp": timestamp, "payload": payload}
    return msgspec.json.encode(told)
