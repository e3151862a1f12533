"""What is refused about quotas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError

from apps.core.errors import Conflict, RuleBroken


class QuotaTaken(Conflict):
    """A person or territory has one quota of a type for a period."""

    reason = "quota_taken"
    message = "There is such a quota already. Change it instead."


class OwnQuota(RuleBroken):
    """Nobody sets their own target."""

    reason = "own_quota"
    message = "Somebody else sets your quota."


class AllocatedElsewhere(Conflict):
    """A quota belongs to one allocation at most, and never to itself."""

    reason = "allocated_elsewhere"
    message = "One of these quotas is part of another allocation, or this one is part of it."


class QuotaChangedMeanwhile(Conflict):
    """What is planned goes by what was read."""

    reason = "quota_changed_meanwhile"
    message = "Somebody changed one of these quotas meanwhile. Look at them again."


# The constraint by which the database knows.
ONCE = "quota_once"


@contextmanager
def refused_where_taken() -> Iterator[None]:
    """Refuse what somebody else set at the same time. Raises QuotaTaken."""
    try:
        yield
    except IntegrityError as failure:
        if ONCE in str(failure):
            raise QuotaTaken from failure
        raise
