"""Partners, and messages as they sign them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from apps.core.actors import system_actor
from apps.core.identifiers import new_id
from apps.integrations.models import Partner
from apps.integrations.services.partners import add_partner
from apps.integrations.services.signing import IssuedSecret
from apps.users.models import Role
from tests.factories.users import UserFactory


def make_partner(
    kind: str = "billing", *, key: str = "", client: Any = None
) -> IssuedSecret[Partner]:
    """A partner whose machine client sees every row."""
    client = client or UserFactory(role=Role.INTEGRATION, all_territories=True)
    return add_partner(
        key=key or kind,
        name=f"{key or kind} system",
        kind=kind,
        client_id=client.pk,
        actor=system_actor(door="test"),
    )


def message(type: str, payload: dict[str, Any], **envelope: Any) -> bytes:  # noqa: A002
    """A message in the envelope of the source."""
    told = {"event_id": str(new_id()), "timestamp": datetime.now(UTC), **envelope}
    told = {name: value for name, value in told.items() if value is not None}
    return json.dumps({"event_type": type, **told, "payload": payload}, default=_text).encode()


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def signed(
    secret: str, body: bytes, *, at: datetime | None = None, webhook_id: str = ""
) -> dict[str, str]:
    """The headers under which a partner sends a body."""
    at = at or datetime.now(UTC)
    webhook_id = webhook_id or f"msg_{new_id()}"
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, body.decode()),
    }
