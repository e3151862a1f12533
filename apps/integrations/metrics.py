"""Counters and gauges of the bus and the inbox."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

events_relayed = Counter(
    "salesplatform_events_relayed", "Events the broker confirmed, by topic", ["topic"]
)
events_unroutable = Counter(
    "salesplatform_events_unroutable", "Events no queue is bound for, by topic", ["topic"]
)
relay_seconds_behind = Gauge(
    "salesplatform_relay_seconds_behind",
    "How long the oldest event has been waiting for the relay",
    multiprocess_mode="mostrecent",
)
relay_dead_letters = Gauge(
    "salesplatform_relay_dead_letters",
    "Events the relay gave up, until somebody replays them",
    multiprocess_mode="mostrecent",
)
inbox_received = Counter(
    "salesplatform_inbox_received", "Messages of partners that were taken in", ["partner"]
)
inbox_settled = Counter(
    "salesplatform_inbox_settled",
    "Messages of partners that were handled, refused or given up",
    ["partner", "status"],
)
webhooks_sent = Counter(
    "salesplatform_webhooks_sent", "Messages to webhooks, by outcome", ["outcome"]
)
partners_asked = Counter(
    "salesplatform_partners_asked",
    "Questions to partners, by what came of them",
    ["partner", "outcome"],
)
partner_left_alone = Gauge(
    "salesplatform_partner_left_alone",
    "Whether a partner failed so often that it is asked nothing for now: its breaker is open",
    ["partner"],
    multiprocess_mode="mostrecent",
)
