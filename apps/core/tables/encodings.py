"""Which letters the bytes of a text file mean."""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import BinaryIO, TextIO

from apps.core.tables.files import blocks_of

UNREADABLE = "\udcff"
"""Stands where bytes were no letters; a lone surrogate, which no decoder ever produces itself."""

# UTF-32 first: its little-endian mark begins with the one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 64 * 1024
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1a\x1b"))


def _mark_unreadable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNREADABLE, error.end


# One damaged byte must not cost the file: its row is reported, the others are read.
codecs.register_error("mark_unreadable", _mark_unreadable)


def encoding_of(file: BinaryIO) -> str:
    """The encoding of a text file, from its byte order mark or else from what its bytes look like.

    Plain ASCII decides nothing, and the first "ü" may come after megabytes of it. So the sample
    that decides is the block in which the first other byte stands.
    """
    file.seek(0)
    head = file.read(_SAMPLE)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if utf16 := _unmarked_utf16(head):
        return utf16
    file.seek(0)
    block = next((block for block in blocks_of(file) if not block.isascii()), b"")
    return "utf-8" if _is_utf8(block) else "cp1252"


def is_binary(head: bytes) -> bool:
    """Whether these first bytes are no text in any encoding: more control codes than accidents."""
    if any(head.startswith(mark) for mark, _ in _MARKS) or _unmarked_utf16(head):
        return False
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > max(8, len(head) // 20)


@contextmanager
def text_of(file: BinaryIO, *, encoding: str) -> Iterator[TextIO]:
    """The file as text with its line ends as they are; `UNREADABLE` where bytes are no letters."""
    file.seek(0)
    text = TextIOWrapper(file, encoding=encoding, errors="mark_unreadable", newline="")
    try:
        yield text
    finally:
        # Else the wrapper would close a file that belongs to the caller.
        text.detach()


def _unmarked_utf16(head: bytes) -> str | None:
    """Text in UTF-16 has zeros in every other byte only, and its line ends are two bytes wide."""
    for encoding, high, low in (
        ("utf-16-le", head[1::2], head[0::2]),
        ("utf-16-be", head[0::2], head[1::2]),
    ):
        if high.count(0) * 10 < len(high) or low.count(0) * 100 > len(low):
            continue
        text = head.decode(encoding, "replace")
        wide, any_width = text.count("\n") + text.count("\r"), head.count(10) + head.count(13)
        if wide * 2 > any_width:
            return encoding
    return None


def _is_utf8(block: bytes) -> bool:
    """UTF-8, damaged in places perhaps: letters that are valid outnumber the bytes that are not.

    Text in a one-byte encoding almost never forms a valid UTF-8 letter by chance.
    """
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(block)
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return good >= bad
