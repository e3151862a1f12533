"""Counters and gauges that the kernel owns; every app keeps its own beside its services."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

errors_answered = Counter("salesplatform_errors", "Requests refused or failed, by code", ["code"])
requests_limited = Counter("salesplatform_requests_limited", "Requests beyond their rate limit")
partition_troubles = Gauge(
    "salesplatform_partition_troubles",
    "Months that are missing, and tables with rows that wait for theirs",
    multiprocess_mode="mostrecent",
)
accesses_written = Counter("salesplatform_accesses_written", "Entries of the access log written")
accesses_waiting = Gauge(
    "salesplatform_accesses_waiting",
    "Entries of the access log that wait to be written",
    multiprocess_mode="livesum",
)
