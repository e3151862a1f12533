"""What kind of file somebody uploaded; its content decides, whatever its name says."""

import re
from importlib import import_module
from typing import BinaryIO, NoReturn

from apps.core.tables.delimited import open_delimited
from apps.core.tables.encodings import is_binary
from apps.core.tables.files import Source, blocks_of, opened, size_of
from apps.core.tables.table import Table, TableRefused

MAX_BYTES = 200 * 1024**2

_ZIP = b"PK\x03\x04"
# The container of old Excel files, and of new ones with a password.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OTHER_TEXT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype|<html|<\?xml|<table|\{\\rtf|[\[{]\s*[\"{]|%PDF-)",
    re.IGNORECASE,
)


def open_table(source: Source, *, max_bytes: int = MAX_BYTES) -> Table:
    """Open an uploaded table file: find out what it is and which columns it has.

    `source` is a path or a seekable binary file, which stays open and must stay so while rows are
    read. Raises TableRefused, with a reason and a sentence, for anything that is no table.
    """
    with opened(source) as file:
        size = size_of(file)
        if not size:
            raise TableRefused("empty_file", "The file is empty.")
        if size > max_bytes:
            raise TableRefused(
                "file_too_large",
                f"The file has {size / 1024**2:.0f} MB; {max_bytes / 1024**2:.0f} MB are possible.",
            )
        head = file.read(64 * 1024)
        if head.startswith(_OLE):
            _refuse_container(file)
    if head.startswith(_ZIP):
        # What reads workbooks takes thirty megabytes, which most processes never need.
        workbook: Table = import_module("apps.core.tables.workbooks").open_workbook(source)
        return workbook
    if is_binary(head) or _OTHER_TEXT.match(head):
        raise TableRefused(
            "unknown_format", "The file is neither an Excel workbook (.xlsx) nor a CSV file."
        )
    return open_delimited(source)


def _refuse_container(file: BinaryIO) -> NoReturn:
    file.seek(0)
    # The name stands at a multiple of 128 bytes, so never across two blocks.
    if any(_ENCRYPTED in block for block in blocks_of(file)):
        raise TableRefused(
            "encrypted_workbook",
            "The workbook is protected with a password. Save it without one and send it again.",
        )
    raise TableRefused(
        "old_workbook",
        "This is an old Excel file (.xls). Save it as .xlsx or .csv and send it again.",
    )
