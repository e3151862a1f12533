"""The uploaded file itself: a path or an open binary file that is read several times."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

Source = str | os.PathLike[str] | BinaryIO

BLOCK = 1024 * 1024


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The file at its first byte. A path is closed again; a file object stays its owner's."""
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


def size_of(file: BinaryIO) -> int:
    """The number of bytes; leaves the file at its start."""
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(0)
    return size


def blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    """The rest of the file, a megabyte at a time."""
    while block := file.read(BLOCK):
        yield block
