"""Uploaded files: kept encrypted, and read, refusing in our words what can't be read."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage

from apps.core.encryption.ring import Cipher, Undecipherable
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


# --- Keeping ------------------------------------------------------------------------------------

PIECE = 1 << 20
_LENGTH_BYTES = 4
_END = b""


def file_name(import_id: UUID) -> str:
    """What the file of an import is stored as."""
    return f"imports/{import_id}"


def keep_file(file: BinaryIO, name: str, cipher: Cipher) -> str:
    """Store a file piece by piece, each encrypted for its place in it; returns its stored name."""
    with TemporaryFile() as encrypted:
        for piece in _encrypted(file, name, cipher):
            encrypted.write(len(piece).to_bytes(_LENGTH_BYTES))
            encrypted.write(piece)
        encrypted.seek(0)
        stored: str = default_storage.save(name, File(encrypted))
    return stored


def kept_file(stored: str, name: str, cipher: Cipher) -> BinaryIO:
    """A stored file in clear, without a name on disk and gone when it is closed.

    Raises Undecipherable when it was changed or cut off.
    """
    clear: BinaryIO = TemporaryFile()  # noqa: SIM115
    with default_storage.open(stored, "rb") as encrypted:
        place = 0
        while length := int.from_bytes(encrypted.read(_LENGTH_BYTES)):
            piece = cipher.decrypt(encrypted.read(length), f"{name}:{place}")
            if piece == _END:
                clear.seek(0)
                return clear
            clear.write(piece)
            place += 1
    clear.close()
    raise Undecipherable(f"{name} ends before its end.")


def _encrypted(file: BinaryIO, name: str, cipher: Cipher) -> Iterator[bytes]:
    """The pieces of a file, and an empty one that shows where it ends."""
    place = 0
    while piece := file.read(PIECE):
        yield cipher.encrypt(piece, f"{name}:{place}")
        place += 1
    yield cipher.encrypt(_END, f"{name}:{place}")


def _refusal(refused: TableRefused) -> InvalidInput:
    return InvalidInput(refused.sentence, reason=refused.reason, line=refused.line)
