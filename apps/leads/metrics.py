"""Counters of leads."""

from __future__ import annotations

from prometheus_client import Counter

leads_created = Counter("salesplatform_leads_created", "Leads captured, by door", ["door"])
leads_refused = Counter("salesplatform_leads_refused", "Leads not captured, by reason", ["reason"])
