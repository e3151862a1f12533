"""One cell as text: what a person reads in it, and what may be written into one."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NoReturn

from apps.core.tables.encodings import UNREADABLE
from apps.core.tables.table import Problem, TableRefused

MAX_CELL = 100_000
# What a sheet of Excel can hold; a file with more is made up.
MAX_ROWS = 1_048_576

# A spreadsheet takes a cell that begins so for a formula and runs it (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# Digits and the signs between them can call nothing: -5 and +1-555-0100 stay what they are.
_PLAIN_NUMBER = re.compile(r"[+-][\d\s.,()-]*")


def text_of_value(value: object) -> str:
    """What a person would read in a cell: 12 and not 12.0, 2026-01-31, TRUE, never 1.2E+15."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(value).upper()
        case float() | Decimal():
            return _text_of_fraction(value)
        case datetime():
            return _text_of_moment(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return _text_of_duration(value)
    return str(value)


def defused(text: str) -> str:
    """The text, with a `'` in front where a spreadsheet would run it as a formula.

    Plain numbers and telephone numbers are left alone: they can do no harm, and an export that
    changes every international number could not be imported again.
    """
    if text.startswith(_FORMULA_STARTS) and not _PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def clean(cells: list[str], line: int) -> Problem | None:
    """Replace in place what no database can store, and say so."""
    joined = "".join(cells)
    if UNREADABLE in joined:
        cells[:] = [cell.replace(UNREADABLE, "\ufffd").replace("\0", "") for cell in cells]
        return Problem(
            "unreadable_letters",
            f"Line {line} has letters that can't be read; they are shown as \ufffd.",
            line,
        )
    if "\0" in joined:
        cells[:] = [cell.replace("\0", "") for cell in cells]
        return Problem("nul_character", f"Line {line} has NUL characters; they are left out.", line)
    return None


def refuse_long_cells(cells: list[str], line: int) -> None:
    """Raise TableRefused when a cell is longer than anything a person would have typed."""
    if any(len(cell) > MAX_CELL for cell in cells):
        refuse_long_cell(line)


def refuse_long_cell(line: int) -> NoReturn:
    """Refuse the file because of a cell in this line."""
    raise TableRefused(
        "cell_too_long",
        f"A cell of the row in line {line} is longer than {MAX_CELL:,} characters.",
        line=line,
    )


def _text_of_fraction(value: float | Decimal) -> str:
    """15 digits of a float are what a spreadsheet shows: 0.1 + 0.2 is 0.3."""
    return format(value if isinstance(value, Decimal) else Decimal(format(value, ".15g")), "f")


def _text_of_moment(value: datetime) -> str:
    """A spreadsheet keeps a date as midnight of that day; nobody typed the midnight."""
    if value.tzinfo is None and value.time() == time():
        return value.date().isoformat()
    return value.isoformat(sep=" ", timespec="seconds")


def _text_of_duration(value: timedelta) -> str:
    seconds = round(abs(value).total_seconds())
    sign = "-" if value < timedelta() else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
