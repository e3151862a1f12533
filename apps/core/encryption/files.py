"""Files full of people: stored encrypted, piece by piece, and read back whole."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import BinaryIO

from django.core.files.base import File
from django.core.files.storage import default_storage

from apps.core.encryption.ring import Cipher, Undecipherable

PIECE = 1 << 20
_LENGTH_BYTES = 4
_END = b""


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
