"""Tables for people to take along: CSV and XLSX, written row by row."""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from io import StringIO
from itertools import chain, islice
from typing import BinaryIO

from apps.core.tables.cells import MAX_ROWS, defused, text_of_value

_CHUNK = 64 * 1024
_LONGEST_EXCEL_TEXT = 32_767
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
# Excel counts in 15 digits; a longer number is an identifier and must not lose its end.
_EXACT_INTEGERS = 10**15

_WorkbookValue = str | int | float | Decimal | date | time | timedelta | None


def write_csv(*, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """A table as CSV in chunks of bytes, ready to be streamed; opens in Excel with a double click.

    UTF-8 with its mark (Excel would guess wrong without), every cell quoted (so that no reader has
    to guess the delimiter), formulas defused. `columns` names the keys to write; a key that a row
    doesn't have is an empty cell.
    """
    text = StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    text.write("\ufeff")
    writer.writerow([defused(column) for column in columns])
    for row in rows:
        writer.writerow([_csv_cell(row.get(column)) for column in columns])
        if text.tell() > _CHUNK:
            yield _drained(text)
    yield _drained(text)


def write_xlsx(
    *, columns: Sequence[str], rows: Iterable[Mapping[str, object]], file: BinaryIO
) -> None:
    """A table as an Excel workbook: numbers and dates stay such, formulas are defused.

    Rows beyond what a sheet can hold go to a further sheet. A text beyond what a cell can hold
    (32,767 characters) ends in "…".
    """
    # With the NumPy it takes along it has thirty megabytes, which most processes never need.
    workbook = import_module("openpyxl").Workbook(write_only=True)
    heading = [_xlsx_cell(column) for column in columns]
    cells = ([_xlsx_cell(row.get(column)) for column in columns] for row in rows)
    following: list[list[_WorkbookValue]] | None = []
    while following is not None:
        sheet = workbook.create_sheet()
        sheet.append(heading)
        for row in chain(following, islice(cells, MAX_ROWS - 1 - len(following))):
            sheet.append(row)
        next_row = next(cells, None)
        following = None if next_row is None else [next_row]
    workbook.save(file)


def _csv_cell(value: object) -> str:
    text = text_of_value(value)
    # A number is no formula, whatever its sign.
    return text if isinstance(value, int | float | Decimal) else defused(text)


def _drained(text: StringIO) -> bytes:
    chunk = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return chunk


def _xlsx_cell(value: object) -> _WorkbookValue:
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) < _EXACT_INTEGERS else str(value)
        case float() | Decimal():
            return value if math.isfinite(value) else str(value)
        case datetime() if value.tzinfo:
            # Excel knows no time zones: as text, the offset stays.
            return text_of_value(value)
        case date() | time() | timedelta():
            return value
    text = _NOT_IN_XML.sub("\ufffd", defused(text_of_value(value)))
    return text if len(text) <= _LONGEST_EXCEL_TEXT else f"{text[: _LONGEST_EXCEL_TEXT - 1]}…"
