"""What is written once is sealed, batch by batch, so that nobody can alter it unnoticed.

A seal holds the digest of the rows of one month whose transactions have ended since the last one,
chained to the seal before it. Writers never wait: the clock seals afterwards, up to the oldest
transaction that is still running, below which no row can appear any more. Whoever rewrites rows and
all seals after them is found out by a head of the chain that stands elsewhere; each goes into the
log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from itertools import pairwise, takewhile

from django.db import connection, transaction
from django.db.models import Max

from apps.core.errors import RuleBroken
from apps.core.history import CHANGES
from apps.core.models import Access, Seal
from apps.core.partitions import (
    ByMonth,
    bounds_of,
    check_over,
    detach_month,
    detached_months_of,
    kept_by,
    months_of,
)
from apps.core.retention import Due, Months, forgets, months_over

log = logging.getLogger(__name__)

ACCESSES = kept_by(Access)


@dataclass(frozen=True)
class Sealed:
    """A table by month whose rows are sealed.

    `doubtful` is SQL of rows `t` that can't be genuine; `{everything}` stands for the whole table,
    detached months included.
    """

    kept: ByMonth
    digest: str
    doubtful: str = "FALSE"

    @property
    def table(self) -> str:
        """The table's name."""
        return self.kept.table

    @property
    def everything(self) -> str:
        """SQL of the whole table, with the months that stand beside it."""
        apart = [self.kept.partition(month) for month in detached_months_of(self.kept)]
        rows = " UNION ALL ".join(f"SELECT * FROM {name}" for name in (self.table, *apart))
        return f"({rows})"


# The values of an erased row are gone, its digest stays, and an entry tells of the erasure.
_DOUBTFUL_ERASURE = """
(t.erased_at IS NULL) <> (t.digest IS NULL) OR (t.erased_at IS NOT NULL AND (
    t.before IS NOT NULL OR t.after IS NOT NULL OR t.salt IS NOT NULL OR NOT EXISTS (
        SELECT FROM {everything} AS told
        WHERE told.row_id = t.row_id AND told.kind = t.kind AND told.action = 'erased')))
"""
SEALED = (
    Sealed(CHANGES, "core_digest_of_change", _DOUBTFUL_ERASURE),
    Sealed(ACCESSES, "core_digest_of_access"),
)


@dataclass(frozen=True)
class Break:
    """The first place where a month is not what was sealed."""

    table: str
    month: date
    number: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.table} {self.month:%Y-%m}, seal {self.number}: {self.sentence}"


_RUNNING_SINCE = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_UNSEALED = """
SELECT date_trunc('month', t.{moment} AT TIME ZONE 'UTC')::date, count(*), min(t.sequence),
       max(t.sequence), sha256(string_agg({digest}(t), '' ORDER BY t.sequence))
FROM {table} t WHERE t.transaction_number >= %s AND t.transaction_number < %s
GROUP BY 1 ORDER BY 1
"""


def seal_what_is_written() -> int:
    """Seal the rows of all transactions that have ended; returns how many rows."""
    return sum(_seal(one) for one in SEALED)


@transaction.atomic
def _seal(sealed: Sealed) -> int:
    """Seal one table, unless somebody else is doing it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('seal ' || %s, 0))", [sealed.table]
        )
        if not cursor.fetchone()[0]:
            return 0
        sealed_until = _sealed_until(sealed)
        cursor.execute(_RUNNING_SINCE)
        until = cursor.fetchone()[0]
        if until < sealed_until:
            log.error("%s: transactions are counted anew; nothing can be sealed", sealed.table)
            return 0
        cursor.execute(
            _UNSEALED.format(table=sealed.table, moment=sealed.kept.column, digest=sealed.digest),
            [sealed_until, until],
        )
        batches = cursor.fetchall()
    return sum(_add_seal(sealed, sealed_until, until, *batch) for batch in batches)


def _sealed_until(sealed: Sealed) -> int:
    """The transaction from which on rows are not sealed yet."""
    last = Seal.objects.filter(table=sealed.table).aggregate(Max("until_transaction"))
    return int(last["until_transaction__max"] or 0)


def _add_seal(
    sealed: Sealed,
    since: int,
    until: int,
    month: date,
    rows: int,
    first: int,
    last: int,
    digest: bytes,
) -> int:
    previous = Seal.objects.filter(table=sealed.table, month=month).order_by("-number").first()
    seal = Seal(
        table=sealed.table,
        month=month,
        number=previous.number + 1 if previous else 1,
        from_transaction=since,
        until_transaction=until,
        rows=rows,
        first_sequence=first,
        last_sequence=last,
        digest=bytes(digest),
    )
    seal.chain = _chained(seal, previous)
    seal.save(force_insert=True)
    log.info("sealed %s: %s rows, head %s", seal, rows, seal.chain.hex())
    return rows


def _chained(seal: Seal, previous: Seal | None) -> bytes:
    """What ties a seal to all before it."""
    told = (
        seal.table,
        f"{seal.month:%Y-%m}",
        seal.number,
        seal.from_transaction,
        seal.until_transaction,
        seal.rows,
        seal.first_sequence,
        seal.last_sequence,
    )
    before = bytes(previous.chain) if previous else b""
    return sha256(before + "|".join(map(str, told)).encode() + bytes(seal.digest)).digest()


# --- Verifying ----------------------------------------------------------------------------------


def heads() -> Iterator[Seal]:
    """The last seal of every table and month: whoever notes it elsewhere can prove it later."""
    yield from Seal.objects.order_by("table", "month", "-number").distinct("table", "month")


def breaks() -> Iterator[Break]:
    """The first break of every table and month; none where all is as it was written."""
    for sealed in SEALED:
        for month in _months(sealed):
            found = _first_break(sealed, month)
            if found is not None:
                yield found


def detached_months() -> list[tuple[str, date]]:
    """Sealed months that were taken away altogether, which nobody verifies."""
    return [
        (sealed.table, month)
        for sealed in SEALED
        for month in sorted(_sealed_months(sealed) - {*_months(sealed)})
    ]


def _months(sealed: Sealed) -> list[date]:
    """The months that can be verified, in their table or detached and still beside it."""
    with_rows = _months_with_rows(sealed)
    there = {*months_of(sealed.kept), *detached_months_of(sealed.kept), *with_rows}
    return sorted(there & {*_sealed_months(sealed), *with_rows})


def _sealed_months(sealed: Sealed) -> set[date]:
    return set(Seal.objects.filter(table=sealed.table).values_list("month", flat=True).distinct())


def _months_with_rows(sealed: Sealed) -> set[date]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT date_trunc('month', {sealed.kept.column} AT TIME ZONE 'UTC')::date"
            f" FROM {sealed.table} WHERE transaction_number < %s",
            [_sealed_until(sealed)],
        )
        return {month for (month,) in cursor.fetchall()}


# Rows fall into the seal in whose span their transaction lies. Those between two seals were put
# there later: a seal covers all that its month held.
_FOUND = """
SELECT number, within, count(*), sha256(string_agg(digest, '' ORDER BY sequence)),
       bool_or(doubtful)
FROM (
    SELECT place AS number, coalesce(t.transaction_number < (%s::bigint[])[place], FALSE) AS within,
           t.sequence, {digest}({row}) AS digest, {doubtful} AS doubtful
    FROM {rows} t, width_bucket(t.transaction_number, %s::bigint[]) AS place
    WHERE t.{moment} >= %s AND t.{moment} < %s AND t.transaction_number < %s
) AS found GROUP BY number, within ORDER BY number, within DESC
"""


def _first_break(sealed: Sealed, month: date) -> Break | None:
    seals = list(Seal.objects.filter(table=sealed.table, month=month).order_by("number"))
    if not seals:
        return Break(sealed.table, month, 0, "rows that nobody sealed")
    if found_in_chain := _break_in_chain(seals):
        return found_in_chain
    if month in detached_months_of(sealed.kept) and month in _months_with_rows(sealed):
        return Break(sealed.table, month, seals[-1].number, "rows were put in after it")
    found = _found(sealed, month, seals)
    if (0, False) in found:
        return Break(sealed.table, month, 1, "rows were put in before it")
    for seal in seals:
        if sentence := _trouble(seal, found):
            return Break(sealed.table, month, seal.number, sentence)
    return None


def _break_in_chain(seals: Sequence[Seal]) -> Break | None:
    """The first seal of a month that is missing or not tied to the one before it."""
    for number, (previous, seal) in enumerate(pairwise([None, *seals]), start=1):
        if seal is None or seal.number != number:
            return Break(seals[0].table, seals[0].month, number, "the seal itself is missing")
        if bytes(seal.chain) != _chained(seal, previous):
            return Break(seal.table, seal.month, number, "the seal itself was altered")
    return None


_Found = dict[tuple[int, bool], tuple[int, bytes, bool]]


def _found(sealed: Sealed, month: date, seals: Sequence[Seal]) -> _Found:
    """What is there, by the number of the seal and whether it covers it."""
    is_apart = month in detached_months_of(sealed.kept)
    with connection.cursor() as cursor:
        cursor.execute(
            _FOUND.format(
                rows=sealed.kept.partition(month) if is_apart else sealed.table,
                # What was detached has lost the type of its table.
                row=f"ROW(t.*)::{sealed.table}" if is_apart else "t",
                moment=sealed.kept.column,
                digest=sealed.digest,
                doubtful=sealed.doubtful.format(everything=sealed.everything),
            ),
            [
                [seal.until_transaction for seal in seals],
                sorted(seal.from_transaction for seal in seals),
                *bounds_of(month),
                _sealed_until(sealed),
            ],
        )
        return {
            (number, within): (rows, bytes(digest), doubtful)
            for number, within, rows, digest, doubtful in cursor.fetchall()
        }


def _trouble(seal: Seal, found: _Found) -> str:
    """What is wrong with what a seal covers; empty where nothing is."""
    rows, digest, doubtful = found.get((seal.number, True), (0, b"", False))
    if rows != seal.rows:
        return f"{rows} rows instead of {seal.rows}"
    if digest != bytes(seal.digest):
        return f"one of {rows} rows was altered (from {seal.first_sequence} on)"
    if doubtful:
        return "a row pretends to have been erased"
    if (seal.number, False) in found:
        return "rows were put in after it"
    return ""


# --- Detaching ----------------------------------------------------------------------------------


@forgets("core.changes", "Months of the change history; they are detached, not dropped", days=None)
def old_changes(before: datetime) -> Due:
    """Months of the change history that are over and sealed."""
    return _old_months(CHANGES, before)


@forgets("core.accesses", "Months of the access log; they are detached, not dropped", days=None)
def old_accesses(before: datetime) -> Due:
    """Months of the access log that are over and sealed."""
    return _old_months(ACCESSES, before)


def _old_months(kept: ByMonth, before: datetime) -> Due:
    due = takewhile(lambda month: not _is_unsealed(kept, month), months_over(kept, before))
    return Months(list(due), partial(detach_sealed_month, kept))


@transaction.atomic
def detach_sealed_month(kept: ByMonth, month: date) -> str:
    """Take a sealed month out of its table, the oldest first, so that what tells of an erasure
    stays at least as long as what was erased. Beside its table it can be verified as before.

    Returns the table in which it stays. Raises NotFound, RuleBroken.
    """
    check_over(kept, month)
    if month != months_of(kept)[0]:
        raise RuleBroken("An older month is still there.", reason="month_not_oldest")
    if _is_unsealed(kept, month):
        raise RuleBroken("The month is not sealed yet.", reason="month_not_sealed")
    return detach_month(kept, month)


def _is_unsealed(kept: ByMonth, month: date) -> bool:
    """Whether a month holds rows that no seal covers."""
    (sealed,) = (one for one in SEALED if one.kept == kept)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {kept.partition(month)} WHERE transaction_number >= %s)",
            [_sealed_until(sealed)],
        )
        return bool(cursor.fetchone()[0])
