"""Mutations: one service call each, carried out once for an `Idempotency-Key`.

    assign_territory = command(TerritoryAssignment, _assign, input=AssignTerritoryInput(...))

The function calls the service and answers with a receipt: ids, statuses and numbers, no personal
data, since it is kept to answer repeats. `show` makes of the receipt what the mutation returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import graphene
import orjson

from apps.core.actors import Actor
from apps.core.api.endpoint import FINAL_REFUSALS
from apps.core.errors import Refusal
from apps.core.idempotency import Key, Outcome, digest_of

Receipt = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What resolvers know of the request.

    Attributes:
        actor: whoever asks.
        idempotency_key: empty where none was given.
        content: of the request, so that another one under the same key is recognised.
    """

    actor: Actor
    idempotency_key: str = ""
    content: bytes = b""


def command(
    returns: Any,
    act: Callable[..., Receipt],
    *,
    show: Callable[..., Any] = lambda actor, receipt, **given: receipt,
    **arguments: Any,
) -> graphene.Field:
    """A mutation.

    Args:
        returns: its type, never null.
        act: takes the actor and the mutation's arguments, calls the service, returns a receipt.
        show: takes the actor, the receipt and the arguments, returns what the type shows.
        arguments: of the mutation.
    """

    def resolve(root: None, info: graphene.ResolveInfo, **given: Any) -> Any:
        receipt = carried_out(info, lambda actor: act(actor, **given))
        return show(info.context.actor, receipt, **given)

    return graphene.Field(
        returns, required=True, args=arguments, resolver=resolve, description=act.__doc__
    )


def carried_out(info: graphene.ResolveInfo, act: Callable[[Actor], Receipt]) -> Receipt:
    """Carry out a command, once for the request's key and the mutation's name in the answer.

    Raises whatever the service raises, InvalidInput, InProgress, KeyReused.
    """
    context: Context = info.context
    if not context.idempotency_key:
        return _sendable(act(context.actor))
    place = str(info.path.key)
    key = Key(
        context.actor.id,
        sha256(f"{context.idempotency_key}/{place}".encode()).hexdigest(),
        digest_of("GRAPHQL", place, context.content),
    )
    outcome = key.once(lambda: Outcome(200, _sendable(act(context.actor))), told=_told)
    return _receipt_in(outcome)


def _sendable(receipt: Receipt) -> Receipt:
    """The receipt as rows are: text and numbers."""
    sendable: Receipt = orjson.loads(orjson.dumps(receipt, option=orjson.OPT_UTC_Z))
    return sendable


def _told(refusal: Refusal) -> Outcome | None:
    if refusal.code not in FINAL_REFUSALS:
        return None
    details = {"reason": refusal.reason, **refusal.details}
    return Outcome(400, {"code": refusal.code, "message": refusal.message, "details": details})


class RefusedBefore(Refusal):
    """The first request under this key was refused; its repeat is refused in the same words."""


def _receipt_in(outcome: Outcome) -> Receipt:
    if outcome.status == 200:
        return dict(outcome.answer)
    details = dict(outcome.answer["details"])
    refusal = RefusedBefore(outcome.answer["message"], reason=details.pop("reason"), **details)
    refusal.code = outcome.answer["code"]
    raise refusal
