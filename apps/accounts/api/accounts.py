"""`/accounts`: customer companies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.accounts.fields import ACCOUNTS
from apps.accounts.models import Account
from apps.accounts.rules import LONGEST_EXTERNAL_ID, LONGEST_SYSTEM, MOST_SYSTEMS
from apps.accounts.services.accounts import (
    change_account,
    delete_account,
    open_account,
    restore_account,
)
from apps.accounts.services.bulk import BULK_OPERATIONS
from apps.core.actors import Actor
from apps.core.api.bodies import Body, Currency, Identifier, Money, Text, WholeNumber
from apps.core.api.bulk import JobReceipt, ResultsAnswer, RowsBody, answer_in_bulk
from apps.core.api.endpoint import Endpoint, listed, operation, shown, version_asked_for
from apps.core.api.schema import row_serializer
from apps.core.bulk import AT_MOST

TAGS = ("accounts",)


class ExternalIds(serializers.DictField):
    """The company's id in other systems, by the system's name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=LONGEST_EXTERNAL_ID), **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Give an object.")
        too_long = any(not 0 < len(system) <= LONGEST_SYSTEM for system in data)
        if too_long or len(data) > MOST_SYSTEMS:
            raise serializers.ValidationError(
                f"Give at most {MOST_SYSTEMS} systems, with names of up to {LONGEST_SYSTEM} "
                "characters."
            )
        return super().to_internal_value(data)


class AccountFacts(Body):
    """A company; what is left out keeps its value or stays empty."""

    name = Text(max_length=255)
    domain = Text(max_length=255, required=False, allow_blank=True)
    industry = Text(max_length=100, required=False, allow_blank=True)
    employee_count = WholeNumber(required=False, allow_null=True)
    annual_revenue = Money(required=False, allow_null=True)
    currency = Currency(required=False)
    country = Text(max_length=100, required=False, allow_blank=True)
    state = Text(max_length=100, required=False, allow_blank=True)
    city = Text(max_length=100, required=False, allow_blank=True)
    postal_code = Text(max_length=20, required=False, allow_blank=True)
    owner_id = Identifier(required=False)
    territory_id = Identifier(required=False, allow_null=True)
    parent_account_id = Identifier(required=False, allow_null=True)
    external_ids = ExternalIds(required=False)


class AccountChange(AccountFacts):
    """A change of an account: any of its facts, for the version that was read."""

    name = Text(max_length=255, required=False)
    version = WholeNumber(required=False)


class AccountReceipt(serializers.Serializer):
    """An account that was opened or restored."""

    id = serializers.UUIDField()
    owner_id = serializers.UUIDField()
    territory_id = serializers.UUIDField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


def receipt(account: Account) -> dict[str, Any]:
    """What tells that an account was opened or restored."""
    return {
        "id": account.pk,
        "owner_id": account.owner_id,
        "territory_id": account.territory_id,
        "version": account.version,
        "created_at": account.created_at,
    }


class AccountCollection(Endpoint):
    """`/accounts`."""

    get = listed(ACCOUNTS, summary="Accounts within reach", tags=TAGS)

    @operation(
        summary="Open an account",
        body=AccountFacts,
        answer=AccountReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        return receipt(open_account(**body, actor=actor))


class AccountItem(Endpoint):
    """`/accounts/{account_id}`."""

    get = shown(ACCOUNTS, summary="An account", tags=TAGS)

    @operation(
        summary="Change an account",
        body=AccountChange,
        answer=row_serializer(ACCOUNTS),
        tags=TAGS,
    )
    def put(self, actor: Actor, account_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        version = version_asked_for(self.request, body)
        change_account(account_id=account_id, version=version, **body, actor=actor)
        return ACCOUNTS.one(actor, account_id)

    patch = put

    @operation(summary="Put an account into the bin", status=204, tags=TAGS)
    def delete(self, actor: Actor, account_id: UUID) -> None:
        delete_account(account_id=account_id, actor=actor)


class AccountRestoration(Endpoint):
    """`/accounts/{account_id}/restore`."""

    @operation(summary="Take an account out of the bin", answer=AccountReceipt, tags=TAGS)
    def post(self, actor: Actor, account_id: UUID) -> dict[str, Any]:
        return receipt(restore_account(account_id=account_id, actor=actor))


class AccountBulkAssignBody(RowsBody):
    """Which accounts go where."""

    territory_id = Identifier(required=False)
    owner_id = Identifier(required=False)
    reason = Text(max_length=255, required=False, allow_blank=True, default="")


class AccountBulkRestoreBody(Body):
    """Which accounts come back; a filter finds none in the bin."""

    ids = serializers.ListField(child=Identifier(), allow_empty=False, max_length=AT_MOST)


def _bulk(name: str, summary: str, body: type[Body]) -> Any:
    def post(self: Endpoint, actor: Actor, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return answer_in_bulk(BULK_OPERATIONS[name], actor, body)

    return operation(
        summary=summary,
        body=body,
        answer=ResultsAnswer,
        other_answers={202: JobReceipt},
        tags=TAGS,
    )(post)


class AccountBulkAssignment(Endpoint):
    """`/accounts/bulk-assign`."""

    post = _bulk("assign", "Give many accounts to a territory or person", AccountBulkAssignBody)


class AccountBulkDeletion(Endpoint):
    """`/accounts/bulk-delete`."""

    post = _bulk("delete", "Put many accounts into the bin", RowsBody)


class AccountBulkRestoration(Endpoint):
    """`/accounts/bulk-restore`."""

    post = _bulk("restore", "Take many accounts out of the bin", AccountBulkRestoreBody)
