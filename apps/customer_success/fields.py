"""What is shown of tickets, escalations and feature requests."""

from __future__ import annotations

from apps.core.rows.fields import Field, Kind
from apps.core.rows.filters import Filter, is_true, one_of, refers_to
from apps.core.rows.listing import Listing, Ordering
from apps.core.rows.scope import ParentScope
from apps.customer_success.models import Case
from apps.customer_success.permissions import READ_CUSTOMER
from apps.customer_success.rules import CaseKind, Severity

_OF_ACCOUNT = ParentScope("accounts_account", "account_id")
_FACTS = (
    Field("status"),
    Field("opened_at"),
    Field("ended_at"),
    Field("partner"),
    Field("as_of"),
)
_IS_ACTIVE = 't."ended_at" IS NULL'


def _cases(
    name: str, kind: CaseKind, *filters: Filter, condition: str = "TRUE", severity: bool = True
) -> Listing:
    """The cases of one kind, as far as a condition holds; newest first."""
    return Listing(
        name=name,
        model=Case,
        read=READ_CUSTOMER,
        scope=_OF_ACCOUNT,
        condition=f"t.\"kind\" = '{kind}' AND {condition}",
        fields=(
            Field("id"),
            Field("account_id", source="account"),
            Field("external_id"),
            Field("title"),
            *((Field("severity"),) if severity else ()),
            *_FACTS,
        ),
        filters=(refers_to("account_id"), *filters),
        orderings=(Ordering("opened_at", 't."opened_at"', Kind.MOMENT),),
        default_ordering="-opened_at",
    )


_SEVERITY, _ACTIVE = one_of("severity", Severity), is_true("is_active", _IS_ACTIVE)
TICKETS = _cases("tickets", CaseKind.TICKET, _SEVERITY, _ACTIVE)
CRITICAL_TICKETS = _cases(
    "critical_tickets",
    CaseKind.TICKET,
    condition=f"t.\"severity\" = '{Severity.CRITICAL}' AND {_IS_ACTIVE}",
)
ESCALATIONS = _cases("escalations", CaseKind.ESCALATION, _SEVERITY, _ACTIVE)
FEATURE_REQUESTS = _cases(
    "feature_requests", CaseKind.FEATURE_REQUEST, condition=_IS_ACTIVE, severity=False
)
