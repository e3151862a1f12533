"""Which line of a table holds the column names: a guess from its first records."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import ne

from apps.core.tables.table import Problem, Record, TableRefused

MAX_COLUMNS = 500
MAX_PREAMBLE = 20
MAX_NAME = 250

Cells = Sequence[str]

# What stands in data and not in the name of a column. A year alone may be a name: "2026".
_DATUM = re.compile(
    r"""
      (?!(?:19|20)\d\d$) [-+(]? [$€£¥]? \s? \d [\d\s.,]* \)? \s? [%$€£¥]?   # number, money, percent
    | \d{1,4} [-/.] \d{1,2} [-/.] \d{1,4} (?:[T\s].*)?                      # date
    | \d{1,2} : \d{2} .*                                                    # time
    | \+? [\d\s().-]{6,}                                                    # telephone
    | [^@\s]+ @ [^@\s]+ \. \w+                                              # e-mail
    | (?: https?:// | www\. ) .*                                            # web address
    | [0-9a-f]{8} - [0-9a-f-]{27}                                           # UUID
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The column names, the cells they come from and the last line above the data (or 0)."""

    columns: tuple[str, ...]
    cells: tuple[str, ...] = ()
    last_line: int = 0
    problems: tuple[Problem, ...] = ()


def header_of(records: Sequence[Record], *, addressed: bool = False) -> Header:
    """The header of a table, guessed from its first records.

    `addressed` says that a cell knows its column, as in a workbook: a longer row is not shifted
    there, so the table is as wide as its widest row. Raises TableRefused for an empty table and
    for too many columns.
    """
    rows = [cells for _, _, cells, _ in records]
    if not any(map(_filled, rows)):
        raise TableRefused("empty_file", "There are no rows at the start of the file.")
    usual = _usual_width(rows)
    index = _header_index(rows, usual)
    if index is None:
        columns = _columns([], _widest(rows) if addressed else usual)
        return Header(columns=columns, problems=(_no_header(records[0][0]),))
    cells, below = rows[index], rows[index + 1 :]
    columns = _columns(cells, _widest(rows[index:]) if addressed else _table_width(cells, below))
    return Header(
        columns=columns,
        cells=tuple(cells),
        last_line=records[index][1],
        problems=(
            *_skipped(records, index),
            *_damaged(records[index]),
            *_renamed(records[index], columns),
            *_second_headers(records, index),
        ),
    )


def _filled(cells: Cells) -> int:
    return sum(1 for cell in cells if cell.strip())


def _is_datum(cell: str) -> bool:
    text = cell.strip()
    return len(text) > MAX_NAME or _DATUM.fullmatch(text) is not None


def _widest(rows: Sequence[Cells]) -> int:
    return max(map(len, rows))


def _usual_width(rows: Sequence[Cells]) -> int:
    """The most frequent number of cells; lines with a single filled cell (titles) say nothing."""
    telling = [cells for cells in rows if _filled(cells) > 1] or rows
    widths = Counter(map(len, telling))
    return max(widths, key=lambda width: (widths[width], width))


def _table_width(header: Cells, below: Sequence[Cells]) -> int:
    """How many columns the rows of a delimited text have.

    Delimiters behind the last name count when the rows have them too. Cells beyond the header
    make a row too long, unless most rows have them and they are always empty: that is a delimiter
    at the line's end.
    """
    named = max(number for number, cell in enumerate(header, 1) if cell.strip())
    usual = _usual_width(below) if below else named
    if usual <= named or sum(len(cells) == usual for cells in below) * 2 <= len(below):
        return named
    if usual <= len(header) or not any(_filled(cells[len(header) :]) for cells in below):
        return usual
    return len(header)


def _header_index(rows: Sequence[Cells], width: int) -> int | None:
    for index, cells in enumerate(rows[: MAX_PREAMBLE + 1]):
        below = rows[index + 1 :]
        # Lines are left out only above a header that has a table under it.
        if _is_header(cells, width, below) and (not index or _has_table(below, width)):
            return index
        if _filled(cells) * 2 > width:
            break
    first = rows[0]
    # Names that repeat or are mostly missing are still names, as long as nothing looks like data.
    plain = not any(map(_is_datum, first)) and not _comes_back(first, rows[1:])
    return 0 if plain and (len(first) == width or _filled(first) > 1) else None


def _is_header(cells: Cells, width: int, below: Sequence[Cells]) -> bool:
    """More than half the columns named, each with its own text that is no value of the column."""
    if _filled(cells) * 2 <= width or any(map(_is_datum, cells)):
        return False
    names = [cell.strip().casefold() for cell in cells if cell.strip()]
    return len(set(names)) == len(names) and not _comes_back(cells, below)


def _has_table(rows: Sequence[Cells], width: int) -> bool:
    return any(len(cells) * 2 > width for cells in rows)


def _comes_back(cells: Cells, below: Sequence[Cells]) -> bool:
    """Whether what stands here is found again below in the same columns, as data is.

    The next two rows don't count, they may be further lines of the header; nor does a row that
    says all the names again, which is the header of another table.
    """
    lower = [row for row in below[2:] if any(map(ne, row, cells))]
    seen = sum(
        any(column < len(row) and row[column] == cell for row in lower)
        for column, cell in enumerate(cells)
        if cell.strip()
    )
    return seen >= min(2, _filled(cells))


def _columns(cells: Cells, width: int) -> tuple[str, ...]:
    """Trimmed, unique and never empty: a blank one is "Column 3", a second Name "Name (2)"."""
    if width > MAX_COLUMNS:
        raise TableRefused(
            "too_many_columns", f"The table has {width:,} columns; {MAX_COLUMNS} are possible."
        )
    names: dict[str, None] = {}
    for number in range(1, width + 1):
        text = " ".join(cells[number - 1].split()) if number <= len(cells) else ""
        name = base = text or f"Column {number}"
        copy = 2
        while name in names:
            name = f"{base} ({copy})"
            copy += 1
        names[name] = None
    return tuple(names)


def _no_header(line: int) -> Problem:
    return Problem(
        "no_header",
        f"Line {line} looks like data, so the columns are numbered instead of named.",
        line,
    )


def _skipped(records: Sequence[Record], index: int) -> Iterator[Problem]:
    if any(_filled(cells) for _, _, cells, _ in records[:index]):
        first, header = records[0][0], records[index][0]
        lines = header - first
        yield Problem(
            "preamble_skipped",
            f"The column names are in line {header}; "
            + (
                "the line above was left out."
                if lines == 1
                else f"{lines} lines above were left out."
            ),
            first,
        )


def _damaged(record: Record) -> Iterator[Problem]:
    if record[3]:
        yield record[3]


def _renamed(record: Record, columns: Sequence[str]) -> Iterator[Problem]:
    line, _, cells, _ = record
    blank = [cell for cell in cells[: len(columns)] if not cell.strip()]
    if blank or len(columns) > len(cells):
        yield Problem("blank_column_name", f"Some columns have no name in line {line}.", line)
    names = [" ".join(cell.split()) for cell in cells if cell.strip()]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        yield Problem(
            "duplicate_column_name",
            f"Line {line} names several columns {', '.join(twice)}; they were numbered.",
            line,
        )


def _second_headers(records: Sequence[Record], index: int) -> Iterator[Problem]:
    header = records[index][2]
    rows = [cells for _, _, cells, _ in records]
    for number in range(index + 1, min(index + 4, len(rows))):
        if not _repeats(rows[number], header) and not _names_data(rows[number], rows[number + 1 :]):
            return
        line = records[number][0]
        yield Problem(
            "second_header_row",
            f"Line {line} looks like a second line of column names; it is read as a row.",
            line,
        )


def _repeats(cells: Cells, header: Cells) -> bool:
    """Whether a row says the names again, written alike or nearly so ("E-Mail", "email")."""
    same = sum(
        _plain(cell) == _plain(name) != "" for cell, name in zip(cells, header, strict=False)
    )
    return same * 2 > _filled(header)


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _names_data(cells: Cells, below: Sequence[Cells]) -> bool:
    """Whether words stand here in columns that hold numbers, dates or addresses from here on."""
    if any(map(_is_datum, cells)) or len(set(cells)) < len(cells):
        return False
    data = [column for column in range(len(cells)) if _is_data_column(column, below)]
    worded = sum(1 for column in data if cells[column].strip())
    return worded >= 2 and worded * 2 > len(data)


def _is_data_column(column: int, rows: Sequence[Cells]) -> bool:
    values = [row[column] for row in rows if column < len(row) and row[column].strip()]
    return len(values) > 1 and sum(map(_is_datum, values)) * 5 >= len(values) * 4
