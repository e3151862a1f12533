"""A table somebody sent us: its columns, its rows and what is wrong with them."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a person should look at, in plain words; `reason` is the stable code for it."""

    reason: str
    sentence: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the file.

    `number` is the line a person sees in an editor (the sheet row in a workbook) where the row
    starts. `values` always has every column of the table. `extra` holds the cells beyond the last
    column, so that a row which is too long loses nothing. A row with a problem must not be used
    as data before somebody has looked at it: its cells may stand under the wrong names.
    """

    number: int
    values: dict[str, str]
    problem: Problem | None = None
    extra: tuple[str, ...] = ()


class TableRefused(Exception):
    """The file can't be read as a table; the message is the sentence for the person who sent it."""

    def __init__(self, reason: str, sentence: str, *, line: int | None = None) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
        self.line = line


# First line, last line, cells, what is wrong. A plain tuple: one is made for every row of a file
# of a million, and it never leaves this package.
Record = tuple[int, int, list[str], Problem | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table file, opened: what it is, which columns it has and how to read its rows.

    `encoding`, `delimiter` and `quote` are None for a workbook. `problems` are those of the file
    as a whole; those of a row come with the row.
    """

    format: Literal["csv", "xlsx"]
    columns: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header: tuple[str, ...] = field(default=(), repr=False)
    records: Callable[[], Generator[Record]] = field(repr=False, compare=False)

    def rows(self) -> Generator[Row]:
        """Every row of the file from its start, one at a time; blank lines are left out.

        May raise TableRefused on the way, when a file turns out unreadable further down. A file
        object can be read by one such iterator at a time.
        """
        columns, header, width = self.columns, list(self.header), len(self.columns)
        with closing(self.records()) as records:
            for line, last_line, cells, problem in records:
                if problem is None and len(cells) == width:
                    if not any(cells):
                        continue
                    if cells == header:
                        problem = _repeated_header(line)
                    yield Row(line, dict(zip(columns, cells, strict=True)), problem)
                elif problem is not None or "".join(cells).strip():
                    yield self._troubled(line, last_line, cells, problem)

    def _troubled(
        self, line: int, last_line: int, cells: list[str], problem: Problem | None
    ) -> Row:
        width = len(self.columns)
        filled_up = cells[:width] + [""] * (width - len(cells))
        return Row(
            line,
            dict(zip(self.columns, filled_up, strict=True)),
            problem or self._ragged(line, last_line, cells),
            tuple(cells[width:]),
        )

    def _ragged(self, line: int, last_line: int, cells: list[str]) -> Problem:
        names = set(self.header) - {""}
        if len(names.intersection(cells)) * 2 > len(names):
            return Problem(
                "another_table",
                f"Line {line} looks like the column names of another table; the rows below it may "
                "not belong to this one.",
                line,
            )
        few = len(cells) < len(self.columns)
        return Problem(
            "too_few_cells" if few else "too_many_cells",
            f"{_span(line, last_line)} {len(cells)} cells instead of {len(self.columns)}: "
            f"a cell or delimiter is {'missing' if few else 'too many'}.",
            line,
        )


def sample(table: Table, *, size: int = 20) -> tuple[Row, ...]:
    """The first rows of a table, for a person to look at before anything happens."""
    with closing(table.rows()) as rows:
        return tuple(islice(rows, size))


def _repeated_header(line: int) -> Problem:
    return Problem("repeated_header", f"Line {line} repeats the column names.", line)


def _span(line: int, last_line: int) -> str:
    if last_line == line:
        return f"Line {line} has"
    return f"Lines {line} to {last_line} were read as one row and have"
