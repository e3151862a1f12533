"""What can be done to many deals at once: the same services as for one."""

from __future__ import annotations

from apps.core.bulk import BulkOperation
from apps.opportunities.fields import OPPORTUNITIES
from apps.opportunities.services.stages import move_opportunities

MOVE_MANY = BulkOperation("opportunities.bulk_stage", OPPORTUNITIES, move_opportunities)
