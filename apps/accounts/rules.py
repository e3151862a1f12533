"""How a company is recognised, and how long a deleted one can come back."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

RESTORABLE_FOR = timedelta(days=30)
LONGEST_DOMAIN = 253

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*:)?//")
_HOST = re.compile(r"([a-z0-9_]([a-z0-9-]*[a-z0-9])?\.)+(xn--[a-z0-9-]+|[a-z]{2,})")


def normalised_domain(text: str) -> str:
    """A company's domain as it is compared: `https://www.Acme.com/about` is `acme.com`.

    Empty when the text is no domain. International names are kept in their own script.
    """
    host = re.split(r"[/?#\\]", _SCHEME.sub("", text.strip().lower()), maxsplit=1)[0]
    host = host.rpartition("@")[2].partition(":")[0].removesuffix(".")
    try:
        ascii_host = host.encode("idna").decode("ascii").lower()
        if ascii_host.startswith("www.") and ascii_host.count(".") > 1:
            ascii_host = ascii_host.removeprefix("www.")
        if len(ascii_host) > LONGEST_DOMAIN or not _HOST.fullmatch(ascii_host):
            return ""
        return ascii_host.encode("ascii").decode("idna")
    except UnicodeError:
        return ""


def can_be_restored(deleted_at: datetime, now: datetime) -> bool:
    """Whether something deleted is still in the bin."""
    return now - deleted_at <= RESTORABLE_FOR
