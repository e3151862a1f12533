"""Table files in plain text: CSV, TSV and their many cousins."""

import re
from collections.abc import Generator, Iterator
from functools import partial
from io import StringIO
from itertools import islice
from typing import TextIO

from apps.core.tables.dialects import DELIMITERS, dialect_of
from apps.core.tables.encodings import encoding_of, text_of
from apps.core.tables.files import Source, opened
from apps.core.tables.headers import header_of
from apps.core.tables.records import MAX_RECORD, Dialect, Records
from apps.core.tables.table import Problem, Record, Table

SAMPLE_LINES = 2_000
SAMPLE_RECORDS = 200
SAMPLE_CHARACTERS = 256 * 1024

# Excel's own first line in countries with a decimal comma.
_SEPARATOR_LINE = re.compile(r"sep=([^\w\s\"']|\t)\s*", re.IGNORECASE)


def open_delimited(source: Source) -> Table:
    """A delimited text as a table. Encoding, delimiter and header are guessed from its start."""
    with opened(source) as file:
        encoding = encoding_of(file)
        with text_of(file, encoding=encoding) as text:
            lines = _first_lines(text)

    separator = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    above = 1 if separator else 0
    dialect = dialect_of(
        lines[above:], delimiters=(separator.group(1),) if separator else DELIMITERS
    )
    sampled = Records(StringIO("".join(lines[above:]), newline=""), dialect=dialect, line=above)
    filled = (record for record in sampled if any(record[2]))
    header = header_of(list(islice(filled, SAMPLE_RECORDS)))

    return Table(
        format="csv",
        encoding=encoding,
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        columns=header.columns,
        header=header.cells,
        problems=(*_guesses(encoding, loosely_read=sampled.loosely_read), *header.problems),
        records=partial(
            _records,
            source,
            encoding=encoding,
            dialect=dialect,
            above=max(above, header.last_line),
            width=len(header.columns),
        ),
    )


def _records(
    source: Source, *, encoding: str, dialect: Dialect, above: int, width: int
) -> Generator[Record]:
    with opened(source) as file, text_of(file, encoding=encoding) as text:
        for _ in range(above):
            text.readline()
        yield from Records(text, dialect=dialect, line=above, width=width)


def _first_lines(text: TextIO) -> list[str]:
    lines: list[str] = []
    size = 0
    while len(lines) < SAMPLE_LINES and size < SAMPLE_CHARACTERS:
        line = text.readline(MAX_RECORD + 1)
        if not line:
            break
        lines.append(line)
        size += len(line)
    return lines


def _guesses(encoding: str, *, loosely_read: int) -> Iterator[Problem]:
    """What was decided without certainty and a person can check at a glance."""
    if encoding == "cp1252":
        yield Problem(
            "encoding_guessed",
            "The file is not in UTF-8; it was read as Western European (cp1252). "
            "Check names with accents.",
        )
    if loosely_read:
        yield Problem(
            "quotes_not_doubled",
            "Some cells hold quotes that are not doubled; "
            "a quote was taken for the end of a cell only in front of a delimiter.",
        )
