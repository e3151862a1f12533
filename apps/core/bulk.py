"""Many rows at once: the same operation as for one, with a result for each.

Up to two hundred are answered at once, more become a job in batches of a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.actors import Actor
from apps.core.commands import acting
from apps.core.errors import InvalidInput, Refusal
from apps.core.jobs import Step, actor_of_job, request_job, runs
from apps.core.models import Job
from apps.core.rows.listing import Listing

AT_ONCE = 200
BATCH = 100
AT_MOST = 100_000


@dataclass(frozen=True)
class RowResult:
    """What became of one row of many."""

    id: UUID
    refusal: Refusal | None = None

    @property
    def status(self) -> str:
        """`done` or `refused`."""
        return "refused" if self.refusal else "done"


Apply = Callable[..., Sequence[RowResult]]


@dataclass(frozen=True)
class BulkOperation:
    """An operation that takes many rows.

    Attributes:
        kind: names the job that does it for more rows than can be answered at once.
        listing: says which rows a filter means.
        apply: the service; takes `ids`, the operation's own arguments and `actor`, changes what it
            may in one transaction and answers for every id.
    """

    kind: str
    listing: Listing
    apply: Apply

    def __post_init__(self) -> None:
        runs(self.kind)(self.start)

    def run(
        self,
        *,
        actor: Actor,
        ids: Sequence[UUID] | None = None,
        filters: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> Sequence[RowResult] | Job:
        """Do it: results for up to two hundred rows, a job for more. Raises InvalidInput."""
        chosen = self._chosen(actor, ids, filters)
        if len(chosen) <= AT_ONCE:
            return self.apply(ids=chosen, actor=actor, **arguments)
        # Rights and arguments are the same for all rows: refuse now what could only fail later.
        self.apply(ids=[], actor=actor, **arguments)
        with acting(actor):
            return request_job(
                self.kind,
                parameters={"ids": [str(one) for one in chosen], "arguments": arguments},
                total=len(chosen),
                actor=actor,
            )

    def start(self, job: Job, resources: ExitStack) -> Step:
        """The steps of such a job."""
        ids = [UUID(one) for one in job.parameters["ids"]]

        def next_batch(job: Job) -> bool:
            batch = ids[job.position : job.position + BATCH]
            actor = actor_of_job(job)
            for result in self.apply(ids=batch, actor=actor, **job.parameters["arguments"]):
                if result.refusal:
                    job.note_error({"id": str(result.id), **refusal_fields(result.refusal)})
                else:
                    job.succeeded += 1
            job.position += len(batch)
            return job.position < len(ids)

        return next_batch

    def _chosen(
        self, actor: Actor, ids: Sequence[UUID] | None, filters: Mapping[str, str] | None
    ) -> Sequence[UUID]:
        if (ids is None) == (filters is None):
            raise InvalidInput("Give either ids or a filter.", reason="ids_or_filter")
        if ids is None:
            ids = self.listing.ids(actor, filters or {}, limit=AT_MOST + 1)
        if len(ids) > AT_MOST:
            raise InvalidInput(f"At most {AT_MOST:,} rows at once.", reason="too_many_rows")
        return list(dict.fromkeys(ids))


def refusal_fields(refusal: Refusal) -> dict[str, Any]:
    """A refusal as a row's result tells it."""
    return {
        "code": refusal.code,
        "message": refusal.message,
        "details": {"reason": refusal.reason, **refusal.details},
    }
