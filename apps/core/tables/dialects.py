"""Which delimiter and quote a delimited text uses: a guess from its first lines."""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO

from apps.core.tables.records import Dialect, Records
from apps.core.tables.table import TableRefused

# In order of preference between equals. Where two split all rows evenly, a comma is rather a
# decimal sign than a space is a delimiter.
DELIMITERS = (";", "\t", "|", ",", " ")


def dialect_of(lines: Sequence[str], *, delimiters: Sequence[str] = DELIMITERS) -> Dialect:
    """The dialect in which most of these lines are sound rows of the same number of cells."""
    quote = _quote_of(lines)
    styles = (False, True) if any(f"\\{quote}" in line for line in lines) else (False,)
    candidates = [
        Dialect(delimiter, quote, backslash) for delimiter in delimiters for backslash in styles
    ]
    # max() keeps the first of equals.
    return max(candidates, key=lambda dialect: _fit(lines, dialect))


def _quote_of(lines: Sequence[str]) -> str:
    """The apostrophe only where it clearly encloses cells: it is in every other name."""
    text = "".join(lines)
    return max(('"', "'"), key=lambda quote: _enclosures(text, quote))


def _enclosures(text: str, quote: str) -> int:
    side = r"[,;\t|]"
    opening = re.findall(rf"(?:^|{side} ?|{quote} ){quote}", text, re.MULTILINE)
    closing = re.findall(rf"{quote}(?: ?{side}| {quote}|\s*$)", text, re.MULTILINE)
    return min(len(opening), len(closing))


def _fit(lines: Sequence[str], dialect: Dialect) -> tuple[float, bool, int]:
    """How well a dialect reads these lines; between equals the header and then width decide."""
    records = Records(StringIO("".join(lines), newline=""), dialect=dialect)
    total, widths, first_width = 0, Counter[int](), 0
    # What a wrong dialect makes of the lines may be refused, with the right one that comes later.
    with suppress(TableRefused):
        for first, last, cells, problem in records:
            total += 1
            first_width = first_width or len(cells)
            if problem is None and not _misquoted(lines[first - 1 : last], cells, dialect.quote):
                widths[len(cells)] += 1
    if not widths:
        return 0.0, False, 0
    width, hits = max(widths.items(), key=lambda item: (item[1], item[0]))
    share = (hits - records.loosely_read / 10) / total
    return share * _weight(dialect, width), first_width == width, width


def _weight(dialect: Dialect, width: int) -> float:
    """One column is what remains when nothing splits the lines; a space is in every name."""
    if width == 1:
        return 0.3
    if dialect.delimiter == " ":
        return 0.5 if width > 2 else 0.2
    return 1.0


def _misquoted(lines: Sequence[str], cells: Sequence[str], quote: str) -> bool:
    """Whether quotes stand in the line and none of them encloses a cell."""
    written = sum(line.count(quote) for line in lines)
    return written > 1 and written == sum(cell.count(quote) for cell in cells)
