"""What can be done to many leads at once: the same services as for one."""

from __future__ import annotations

from apps.core.bulk import BulkOperation
from apps.leads.fields import LEADS
from apps.leads.services.assignment import assign_leads, route_leads
from apps.leads.services.lifecycle import delete_leads, move_leads

BULK_OPERATIONS = {
    "assign": BulkOperation("leads.bulk_assign", LEADS, assign_leads),
    "route": BulkOperation("leads.bulk_route", LEADS, route_leads),
    "status": BulkOperation("leads.bulk_status", LEADS, move_leads),
    "delete": BulkOperation("leads.bulk_delete", LEADS, delete_leads),
}
