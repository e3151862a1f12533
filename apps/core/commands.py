"""A command: one transaction in the name of its actor, who then stands in the history.

    @command
    def qualify_lead(*, lead_id: UUID, actor: Actor) -> Lead: ...

The name is told to the database once, at the start of the transaction, and ends with it. What is
written without one, such as by SQL from a console, is recorded as nobody's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

from apps.core.actors import Actor
from apps.core.database import send_along

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_NAME = """
SELECT set_config('salesplatform.actor_id', %s, true),
       set_config('salesplatform.door', %s, true),
       set_config('salesplatform.request_id', %s, true)
"""
_Named = tuple[str, str, str]
_NOBODY: _Named = ("", "", "")
_named: ContextVar[_Named] = ContextVar("named", default=_NOBODY)


def command(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a function in one transaction, in the name of its argument `actor`."""
    place = list(inspect.signature(function).parameters).index("actor")

    @wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        actor = kwargs["actor"] if "actor" in kwargs else args[place]
        with acting(actor):  # type: ignore[arg-type]
            return function(*args, **kwargs)

    return run


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """A transaction in the name of an actor; inside another one, of the inner actor."""
    is_within = connection.in_atomic_block
    before = _named.get() if is_within else _NOBODY
    named = (str(actor.id), actor.door, actor.request_id)
    with transaction.atomic():
        if named == before:
            yield
            return
        _tell(named)
        token = _named.set(named)
        try:
            yield
        finally:
            _named.reset(token)
        # What is rolled back takes the name along.
        if is_within and not connection.needs_rollback:
            _tell(before)


def _tell(named: _Named) -> None:
    send_along(_NAME, named)
