"""Counters of opportunities and conversions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter

from apps.core.errors import Refusal

opportunities_created = Counter(
    "salesplatform_opportunities_created", "Opportunities begun, by door", ["door"]
)
opportunities_refused = Counter(
    "salesplatform_opportunities_refused", "Opportunities not begun, by reason", ["reason"]
)
leads_converted = Counter("salesplatform_leads_converted", "Leads converted, by door", ["door"])
conversions_refused = Counter(
    "salesplatform_conversions_refused", "Leads not converted, by reason", ["reason"]
)


@contextmanager
def counting_failures(counter: Counter) -> Iterator[None]:
    """Count what is refused by its reason, and what fails unforeseen as `internal_error`."""
    try:
        yield
    except Refusal as refusal:
        counter.labels(reason=refusal.reason).inc()
        raise
    except Exception:
        counter.labels(reason="internal_error").inc()
        raise
