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
from datetime import date
from hashlib import sha256
from itertools import pairwise

from django.db import connection, transaction
from django.db.models import Max

from apps.core.models import Change, Seal
from apps.core.partitions import ByMonth, bounds_of, kept_by, months_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sealed:
    """A table by month whose rows are sealed. `doubtful` is SQL of rows that can't be genuine."""

    kept: ByMonth
    digest: str
    doubtful: str = "FALSE"

    @property
    def table(self) -> str:
        """The table's name."""
        return self.kept.table


# The values of an erased row are gone, its digest stays, and an entry tells of the erasure.
_DOUBTFUL_ERASURE = """
(t.erased_at IS NULL) <> (t.digest IS NULL) OR (t.erased_at IS NOT NULL AND (
    t.before IS NOT NULL OR t.after IS NOT NULL OR t.salt IS NOT NULL OR NOT EXISTS (
        SELECT FROM core_change told
        WHERE told.row_id = t.row_id AND told.kind = t.kind AND told.action = 'erased')))
"""
SEALED = (Sealed(kept_by(Change), "core_digest_of_change", _DOUBTFUL_ERASURE),)


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
    """Sealed months that were taken out of their table, which nobody verifies."""
    return [
        (sealed.table, month)
        for sealed in SEALED
        for month in _sealed_months(sealed)
        if month not in months_of(sealed.kept) and month not in _months_with_rows(sealed)
    ]


def _months(sealed: Sealed) -> list[date]:
    there = {*months_of(sealed.kept), *_months_with_rows(sealed)}
    return sorted(there & {*_sealed_months(sealed), *_months_with_rows(sealed)})


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
           t.sequence, {digest}(t) AS digest, {doubtful} AS doubtful
    FROM {table} t, width_bucket(t.transaction_number, %s::bigint[]) AS place
    WHERE t.{moment} >= %s AND t.{moment} < %s AND t.transaction_number < %s
) AS found GROUP BY number, within ORDER BY number, within DESC
"""


def _first_break(sealed: Sealed, month: date) -> Break | None:
    seals = list(Seal.objects.filter(table=sealed.table, month=month).order_by("number"))
    if not seals:
        return Break(sealed.table, month, 0, "rows that nobody sealed")
    for number, (previous, seal) in enumerate(pairwise([None, *seals]), start=1):
        if seal is None or seal.number != number:
            return Break(sealed.table, month, number, "the seal itself is missing")
        if bytes(seal.chain) != _chained(seal, previous):
            return Break(sealed.table, month, number, "the seal itself was altered")
    found = _found(sealed, month, seals)
    if (0, False) in found:
        return Break(sealed.table, month, 1, "rows were put in before it")
    for seal in seals:
        if sentence := _trouble(seal, found):
            return Break(sealed.table, month, seal.number, sentence)
    return None


_Found = dict[tuple[int, bool], tuple[int, bytes, bool]]


def _found(sealed: Sealed, month: date, seals: Sequence[Seal]) -> _Found:
    """What is there, by the number of the seal and whether it covers it."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FOUND.format(
                table=sealed.table,
                moment=sealed.kept.column,
                digest=sealed.digest,
                doubtful=sealed.doubtful,
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
