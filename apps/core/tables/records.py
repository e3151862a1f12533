"""The records of a delimited text: cells between delimiters, however many lines they span."""

import csv
import re
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn, TextIO

from apps.core.tables.cells import MAX_CELL, clean, refuse_long_cell, refuse_long_cells
from apps.core.tables.encodings import UNREADABLE
from apps.core.tables.table import Problem, Record, TableRefused

MAX_RECORD = 1_000_000
MAX_RECORD_LINES = 1_000


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited text marks its cells.

    With `backslash`, a quote inside a quoted cell is written `\\"` instead of `""`.
    """

    delimiter: str
    quote: str = '"'
    backslash: bool = False


class Records:
    """Reads a delimited text record by record and never loses a line on the way.

    Python's csv module reads strictly here: left lenient it drops a stray quote and swallows the
    rows up to the next one. A record that it refuses is reported on its first line alone and its
    other lines are read again as rows of their own.
    """

    def __init__(
        self, text: TextIO, *, dialect: Dialect, line: int = 0, width: int | None = None
    ) -> None:
        """`line` lines of the text were read before; `width` is the number of columns if known."""
        self._text = text
        self._dialect = dialect
        self._line = line
        self._width = width
        self._lines: list[str] = []
        self._again: deque[str] = deque()
        self._notable = False
        self._quote_open = False
        self.loosely_read = 0

    def __iter__(self) -> Generator[Record]:
        lines, reader = self._lines, self._reader()
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken(error)
                reader = self._reader()
                continue
            first, self._line = self._line + 1, self._line + len(lines)
            problem = self._inspect(cells, first) if self._notable or self._quote_open else None
            lines.clear()
            if cells:
                yield first, self._line, cells, problem

    def _reader(self) -> Iterator[list[str]]:
        dialect = self._dialect
        return csv.reader(
            self._feed(),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            # A space after a delimiter is decoration, and a quote may stand behind it.
            skipinitialspace=dialect.delimiter != " ",
            strict=True,
        )

    def _feed(self) -> Iterator[str]:
        """The physical lines; remembers those of the record under way in `_lines`."""
        lines, again, readline = self._lines, self._again, self._text.readline
        backslash = self._dialect.backslash
        while line := again.popleft() if again else readline(MAX_RECORD + 1):
            lines.append(line)
            if len(line) > MAX_CELL or len(lines) > 1:
                self._refuse_runaway()
            if "\0" in line or (not line.isascii() and UNREADABLE in line):
                self._notable = True
            yield self._doubled(line) if backslash else line

    def _doubled(self, line: str) -> str:
        quote = self._dialect.quote
        return line.replace(f"\\{quote}", quote * 2) if "\\" in line else line

    def _refuse_runaway(self) -> None:
        """Look closer at a record that is long; refuse one that can't be a row."""
        self._notable = True
        lines, first = self._lines, self._line + 1
        if len(lines) == 1 and len(lines[0]) > MAX_RECORD:
            raise TableRefused(
                "line_too_long",
                f"Line {first} is longer than {MAX_RECORD:,} characters.",
                line=first,
            )
        if len(lines) > MAX_RECORD_LINES or sum(map(len, lines)) > MAX_RECORD:
            self._refuse_endless_cell()

    def _refuse_endless_cell(self) -> NoReturn:
        lines, first = self._lines, self._line + 1
        if len(lines) == 1:
            refuse_long_cell(first)
        raise TableRefused(
            "quote_never_closed",
            f"The row that starts in line {first} opens a quote ({self._dialect.quote}) that is "
            f"not closed for {len(lines) - 1:,} lines. Close or remove it.",
            line=first,
        )

    def _inspect(self, cells: list[str], first: int) -> Problem | None:
        """What is wrong with a record that the csv module has read without complaint."""
        notable, self._notable = self._notable, False
        refuse_long_cells(cells, first)
        if self._quote_open:
            self._quote_open = self._leaves_quote_open(self._lines)
            if self._quote_open:
                return _broken_quote(first)
        return clean(cells, first) if notable else None

    def _broken(self, error: csv.Error) -> Record:
        """Report the first line of a record with a stray quote; read its other lines again."""
        if "field limit" in str(error):
            self._refuse_endless_cell()
        self._line += 1
        first, *rest = self._lines
        self._again.extendleft(reversed(rest))
        self._lines.clear()
        self._notable = False
        line = first.rstrip("\r\n")
        cells = loose_cells(line, dialect=self._dialect)
        if cells is not None and self._width in (None, len(cells)):
            self.loosely_read += 1
            return self._line, self._line, cells, clean(cells, self._line)
        self._quote_open = self._leaves_quote_open([first])
        cells = line.split(self._dialect.delimiter)
        clean(cells, self._line)
        return self._line, self._line, cells, _broken_quote(self._line)

    def _leaves_quote_open(self, lines: list[str]) -> bool:
        """Below a broken quote, a line with an odd quote is still part of the broken cell."""
        return sum(line.count(self._dialect.quote) for line in lines) % 2 == 1


def loose_cells(line: str, *, dialect: Dialect) -> list[str] | None:
    """The cells of a line whose writer did not double the quotes inside a cell.

    A quote then ends a cell only in front of a delimiter or the line's end. None when that gives
    no sure reading: a quote stays open, or a cell seems to have swallowed the start of another.
    """
    opening, closing, swallowed = _quotes(dialect)
    cells, start = [], 0
    while start <= len(line):
        opened = opening.match(line, start)
        if not opened:
            end = line.find(dialect.delimiter, start)
            end = len(line) if end < 0 else end
            cells.append(line[start:end].lstrip(" "))
            start = end + 1
            continue
        closed = closing.search(line, opened.end())
        if not closed or swallowed.search(line, opened.end(), closed.start()):
            return None
        cells.append(line[opened.end() : closed.start()])
        start = closed.end() if closed.group(1) else len(line) + 1
    return cells


@lru_cache(maxsize=16)
def _quotes(dialect: Dialect) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """What opens a quoted cell, what closes one, and what inside one looks like opening another."""
    delimiter, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
    # Where the space itself is the delimiter, it is no decoration.
    space = "" if dialect.delimiter == " " else " *"
    return (
        re.compile(rf"{space}{quote}"),
        re.compile(rf"{quote}{space}(?:({delimiter})|$)"),
        re.compile(rf"{delimiter}{space}{quote}"),
    )


def _broken_quote(line: int) -> Problem:
    return Problem(
        "broken_quote",
        f"Line {line} has a quote too many or too few, so it isn't clear where its cells end.",
        line,
    )
