"""Who read what of people: noted in memory while they read, written in batches afterwards.

A model says that its rows are about people, and under which name the log knows them:

    @personal("leads")
    class Lead(Binnable): ...

From then on every listing and every page of the back office that shows rows of it leaves an entry.
What one request shows of one kind of row is one entry, written by a thread that each process has
for this. It ends after the process's own work, so that a clean stop loses nothing. While PostgreSQL
is away the entries wait; when too many do, nothing is shown any more before they are written.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import Error, connection, models, transaction

from apps.core.actors import Actor
from apps.core.errors import Unavailable
from apps.core.metrics import accesses_waiting, accesses_written

log = logging.getLogger(__name__)

ModelClass = TypeVar("ModelClass", bound=type[models.Model])

AT_ONCE = 1_000
MOST_WAITING = 10_000
EVERY_SECONDS = 0.5
PATIENCE_SECONDS = 5.0


class Reading(StrEnum):
    """How rows were read."""

    LISTED = "listed"
    SHOWN = "shown"
    EXPORTED = "exported"
    HISTORY = "history"


_kinds: dict[Any, str] = {}


def personal(kind: str) -> Callable[[ModelClass], ModelClass]:
    """Declare that a model's rows are about people. `kind` is the name of their listing, if any."""

    def register(model: ModelClass) -> ModelClass:
        _kinds[kind] = _kinds[model] = kind
        return model

    return register


def personal_kinds() -> dict[str, type[models.Model]]:
    """Every model whose rows are about people, by the kind of its rows."""
    return {kind: what for what, kind in sorted(_kinds.items(), key=str) if what != kind}


def is_personal(what: str | type[models.Model]) -> bool:
    """Whether rows of a kind or a model are about people."""
    return what in _kinds


class Reader(NamedTuple):
    """Who reads rows of a kind, how, and in which request."""

    actor_id: UUID
    door: str
    request_id: str
    kind: str
    reading: str


# When, who, and the rows' ids as PostgreSQL writes an array.
Entry = tuple[datetime, Reader, str]
_gathered: ContextVar[dict[Reader, dict[Any, None]] | None] = ContextVar("gathered", default=None)


def note_access(
    actor: Actor, what: str | type[models.Model], ids: Collection[Any], reading: Reading
) -> None:
    """Note that an actor is shown rows; of kinds that are not about people nothing is noted.

    Raises Unavailable when the log can't be written for so long that it takes no more.
    """
    kind = _kinds.get(what)
    if kind is None or not ids:
        return
    access_log.make_room()
    reader = Reader(actor.id, actor.door, actor.request_id, kind, reading)
    request = _gathered.get()
    if request is None:
        access_log.add(reader, ids)
    else:
        request.setdefault(reader, {}).update(dict.fromkeys(map(str, ids)))


@contextmanager
def one_request() -> Iterator[None]:
    """Gather what is shown from here on into one entry for each kind of row."""
    token = _gathered.set({})
    try:
        yield
    finally:
        for reader, ids in (_gathered.get() or {}).items():
            access_log.add(reader, ids)
        _gathered.reset(token)


_COPY = "COPY core_access (read_at, actor_id, door, request_id, kind, reading, row_ids) FROM STDIN"

# A transaction is locked under its number while it goes on. What became of it only its rows can
# tell: a server that was killed forgets numbers that it gave away, and gives them to others.
_GOES_ON = """
SELECT EXISTS (SELECT FROM pg_locks WHERE transactionid = %s::text::xid8::xid)
"""
_WAS_WRITTEN = """
SELECT EXISTS (SELECT FROM core_access WHERE transaction_number = %s AND read_at = %s
               AND actor_id = %s AND request_id = %s)
"""


class AccessLog:
    """The entries of this process that wait, and the thread that writes them."""

    has_writer = True

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing waits and nobody writes: so it is at first, and in a process that was forked."""
        self.waiting: deque[Entry] = deque()
        self.written = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._writer: threading.Thread | None = None
        self._unsure: tuple[int, int] | None = None

    @property
    def seconds_behind(self) -> float:
        """How long the oldest entry has been waiting."""
        with suppress(IndexError):
            return (datetime.now(UTC) - self.waiting[0][0]).total_seconds()
        return 0.0

    def add(self, reader: Reader, ids: Collection[Any]) -> None:
        """Let an entry wait to be written."""
        self.waiting.append((datetime.now(UTC), reader, f"{{{','.join(map(str, ids))}}}"))
        if self._writer is None and self.has_writer:
            self._start()

    def make_room(self) -> None:
        """Wait while too many entries do. Raises Unavailable when that takes too long."""
        if len(self.waiting) < MOST_WAITING:
            return
        until = time.monotonic() + PATIENCE_SECONDS
        while len(self.waiting) >= MOST_WAITING:
            if time.monotonic() > until:
                raise Unavailable
            time.sleep(0.02)

    def _start(self) -> None:
        with self._lock:
            if self._writer is None:
                # The interpreter waits for what is no daemon, whichever way a process ends itself.
                self._writer = threading.Thread(
                    target=self._write_on, name="access-log", daemon=False
                )
                self._writer.start()

    def _write_on(self) -> None:
        """Write what waits, again and again, and once more when the process's work is done."""
        main = threading.main_thread()
        while main.is_alive():
            self._try_to_write()
            main.join(EVERY_SECONDS)
        self.finish()

    def _try_to_write(self) -> bool:
        try:
            while self.write():
                pass
        except Exception as failure:
            log.warning(
                "the access log can't be written, %s entries wait: %s", len(self.waiting), failure
            )
            connection.close()
            return False
        finally:
            accesses_waiting.set(len(self.waiting))
        return True

    def finish(self) -> None:
        """Write everything; what the database does not take in time goes into the process's log."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._try_to_write() and time.monotonic() < until:
            time.sleep(0.1)
        for read_at, reader, ids in self.waiting:
            log.error("access not written: %s %s %s", read_at, tuple(reader), ids)
        self.waiting.clear()
        connection.close()

    def write(self) -> int:
        """Write one batch, each entry exactly once; returns how many entries it was.

        A connection that breaks at the end of a transaction leaves open whether that happened; then
        the database is asked before anything is written again.
        """
        with self._writing:
            self._settle()
            batch = list(islice(self.waiting, AT_ONCE))
            if batch:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("SELECT pg_current_xact_id()::text::bigint")
                    self._unsure = cursor.fetchone()[0], len(batch)
                    with connection.wrap_database_errors, cursor.cursor.copy(_COPY) as copy:
                        for read_at, reader, ids in batch:
                            copy.write_row((read_at, *reader, ids))
                self._done(len(batch))
            return len(batch)

    def _settle(self) -> None:
        """Find out what became of the last batch, if nobody knows."""
        if self._unsure is None:
            return
        number, count = self._unsure
        with connection.cursor() as cursor:
            cursor.execute(_GOES_ON, [number])
            if cursor.fetchone()[0]:
                raise Error("The last batch is still being written.")
            read_at, reader, _ = self.waiting[0]
            cursor.execute(_WAS_WRITTEN, [number, read_at, reader.actor_id, reader.request_id])
            was_written = cursor.fetchone()[0]
        if was_written:
            self._done(count)
        self._unsure = None

    def _done(self, count: int) -> None:
        for _ in range(count):
            self.waiting.popleft()
        self._unsure = None
        self.written += count
        accesses_written.inc(count)


access_log = AccessLog()
os.register_at_fork(after_in_child=access_log.begin_anew)
