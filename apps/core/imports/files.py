"""Reading an uploaded file, refusing in our words what can't be read."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any

from django.conf import settings

from apps.core.errors import InvalidInput
from apps.core.tables import Row, Table, TableRefused, open_table


def open_file(file: Any) -> Table:
    """The table in a file. Raises InvalidInput."""
    try:
        return open_table(file, max_bytes=settings.IMPORT_MAX_BYTES)
    except TableRefused as refused:
        raise _refusal(refused) from None


def read_rows(table: Table) -> Generator[Row]:
    """The rows of a table. Raises InvalidInput where a file breaks off in the middle."""
    try:
        with closing(table.rows()) as rows:
            yield from rows
    except TableRefused as refused:
        raise _refusal(refused) from None


def count_rows(table: Table) -> int:
    """How many rows a table has."""
    with closing(read_rows(table)) as rows:
        return sum(1 for _ in rows)


def _refusal(refused: TableRefused) -> InvalidInput:
    return InvalidInput(refused.sentence, reason=refused.reason, line=refused.line)
