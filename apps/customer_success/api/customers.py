"""`/accounts/{account_id}/health` and what else is said of customers, from the mirror."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.accounts.fields import ACCOUNTS
from apps.core.actors import Actor
from apps.core.api.endpoint import Endpoint, listed, operation
from apps.core.rows.listing import Listing
from apps.customer_success.fields import CRITICAL_TICKETS, ESCALATIONS, FEATURE_REQUESTS, TICKETS
from apps.customer_success.rules import Level, MeasureKind
from apps.customer_success.selectors import measure_of

TAGS = ("customer success",)


class Told(serializers.Serializer):
    """Who said it last and when it was true; null where nobody said anything."""

    account_id = serializers.UUIDField()
    partner = serializers.CharField(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)


class HealthAnswer(Told):
    """How healthy a customer is, 0 to 100."""

    score = serializers.IntegerField(allow_null=True)
    level = serializers.ChoiceField(Level.choices, allow_null=True)
    previous_score = serializers.IntegerField(allow_null=True)


class UsageAnswer(Told):
    """How much a customer uses: numbers by name."""

    metrics = serializers.DictField(child=serializers.FloatField(), allow_null=True)


class NpsAnswer(Told):
    """Whether a customer would recommend us, -100 to 100."""

    score = serializers.IntegerField(allow_null=True)
    previous_score = serializers.IntegerField(allow_null=True)


def _said(kind: MeasureKind, answer: type[Told], *, summary: str) -> Any:
    names = tuple(answer().fields)

    def get(self: Endpoint, actor: Actor, account_id: UUID) -> dict[str, Any]:
        found = measure_of(account_id=account_id, kind=kind, actor=actor)
        if found is None:
            return {**dict.fromkeys(names), "account_id": account_id}
        return {name: getattr(found, name) for name in names}

    return operation(summary=summary, answer=answer, tags=TAGS)(get)


class AccountHealth(Endpoint):
    """`/accounts/{account_id}/health`."""

    get = _said(MeasureKind.HEALTH, HealthAnswer, summary="How healthy a customer is")


class AccountUsage(Endpoint):
    """`/accounts/{account_id}/usage`."""

    get = _said(MeasureKind.USAGE, UsageAnswer, summary="How much a customer uses")


class AccountNps(Endpoint):
    """`/accounts/{account_id}/nps`."""

    get = _said(MeasureKind.NPS, NpsAnswer, summary="Whether a customer would recommend us")


def _cases(listing: Listing, *, summary: str) -> Any:
    return listed(listing, within=ACCOUNTS, stated="account_id", summary=summary, tags=TAGS)


class AccountTickets(Endpoint):
    """`/accounts/{account_id}/tickets`."""

    get = _cases(TICKETS, summary="The support tickets of an account, newest first")


class AccountCriticalTickets(Endpoint):
    """`/accounts/{account_id}/tickets/critical`."""

    get = _cases(CRITICAL_TICKETS, summary="The open tickets of an account that can't wait")


class AccountEscalations(Endpoint):
    """`/accounts/{account_id}/escalations`."""

    get = _cases(ESCALATIONS, summary="What an account took further up, now and before")


class AccountFeatureRequests(Endpoint):
    """`/accounts/{account_id}/feature-requests`."""

    get = _cases(FEATURE_REQUESTS, summary="What an account wishes for and may still get")
