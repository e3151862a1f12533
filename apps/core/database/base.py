"""The engine itself; Django looks for it under this name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.postgresql import base as postgresql
from django.db.backends.utils import CursorWrapper, debug_transaction
from psycopg import ClientCursor, OperationalError
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

BEGIN = "BEGIN"
RELEASE = "RELEASE SAVEPOINT"


class Cursor(postgresql.CursorMixin, ClientCursor[Any]):
    """Takes along the statements that wait for the next one."""

    waiting: list[str] = []  # noqa: RUF012  of the connection, once Django made the cursor

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Execute a statement; what waits goes first, in the same message."""
        if not self.waiting:
            return super().execute(query, params, **options)
        before = self._taken()
        # Merged with its values already: a percent sign in it stands for itself.
        super().execute(";\n".join((*before, self.mogrify(query, params))), **options)
        for _ in before:
            self.nextset()
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        """Execute a statement for many values, after what waits."""
        self.send_waiting()
        super().executemany(query, params_seq, **options)

    def copy(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """Copy rows, after what waits."""
        self.send_waiting()
        return super().copy(statement, params, **options)

    def send_waiting(self) -> None:
        """Send what waits in a message of its own."""
        if self.waiting:
            super().execute(";\n".join(self._taken()))

    def _taken(self) -> list[str]:
        taken = list(self.waiting)
        self.waiting.clear()
        return taken


class DatabaseWrapper(postgresql.DatabaseWrapper):
    """Django's connection. The one below it is always in autocommit: `BEGIN` is ours to send."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: list[str] = []

    def send_along(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Let a statement wait for the next one; outside of a transaction send it at once."""
        if not self.in_atomic_block:
            with self.cursor() as cursor:
                cursor.execute(sql, parameters)
            return
        self.validate_no_broken_transaction()
        with self.wrap_database_errors:
            self._let_wait(self._merging.mogrify(sql, parameters))

    def prepared_cursor(self) -> CursorWrapper:
        """A cursor that sends values apart from the statement, which the server then keeps."""
        self.ensure_connection()
        with self.wrap_database_errors:
            self._send_waiting()
            cursor = postgresql.ServerBindingCursor(self.connection)  # type: ignore[call-arg]
        return self._prepare_cursor(cursor)  # type: ignore[attr-defined]

    def get_connection_params(self) -> dict[str, Any]:
        """As Django's, with our cursor."""
        return {**super().get_connection_params(), "cursor_factory": Cursor}

    def connect(self) -> None:
        """Connect. What waited for the last statement of a lost connection is lost with it."""
        self.waiting.clear()
        super().connect()
        # Only ever puts values into statements; made for each of them, it costs as much as that.
        self._merging = Cursor(self.connection)

    def create_cursor(self, name: str | None = None) -> Any:
        """A cursor that takes along what waits; one kept on the server sends it first."""
        if name:
            self._send_waiting()
        cursor = super().create_cursor(name)
        cursor.waiting = self.waiting
        return cursor

    def _let_wait(self, sql: str) -> None:
        self.waiting.append(sql)
        if self.queries_logged:  # for who counts statements
            with debug_transaction(self, sql):
                pass

    def _send_waiting(self) -> None:
        if self.waiting:
            with self.create_cursor() as cursor:
                cursor.send_waiting()

    def _set_autocommit(self, autocommit: bool) -> None:
        if not autocommit:
            self.waiting.append(BEGIN)
        elif not self.connection.autocommit:
            super()._set_autocommit(True)  # type: ignore[misc]

    def _commit(self) -> None:
        if self.waiting == [BEGIN]:
            self.waiting.clear()
        elif self.connection is not None:
            with debug_transaction(self, "COMMIT"), self.wrap_database_errors:
                message = ";\n".join((*self.waiting, "COMMIT"))
                self.waiting.clear()
                self._send(message)

    def _send(self, message: str) -> None:
        """Send statements whose answers nobody asks for: it takes no cursor, and half as long."""
        result = self.connection.pgconn.exec_(message.encode())
        if self.connection.broken:
            raise OperationalError(result.get_error_message())
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)

    def _rollback(self) -> None:
        self.waiting.clear()
        super()._rollback()  # type: ignore[misc]

    def _savepoint(self, sid: str) -> None:
        self._let_wait(self.ops.savepoint_create_sql(sid))

    def _savepoint_rollback(self, sid: str) -> None:
        created = self.ops.savepoint_create_sql(sid)
        if created in self.waiting:
            # The server never heard of it, nor of what came after it.
            del self.waiting[self.waiting.index(created) + 1 :]
        else:
            self.waiting.clear()
            super()._savepoint_rollback(sid)  # type: ignore[misc]

    def _savepoint_commit(self, sid: str) -> None:
        if self.waiting[-1:] == [self.ops.savepoint_create_sql(sid)]:
            self.waiting.pop()
        elif all(one.startswith(RELEASE) for one in self.waiting):
            # Nothing waits that could still fail.
            self._let_wait(self.ops.savepoint_commit_sql(sid))
        else:
            super()._savepoint_commit(sid)  # type: ignore[misc]
