"""Table files that are Excel workbooks (XLSX), read as a person sees them on the screen."""

import re
import struct
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from typing import IO, Any, BinaryIO
from zipfile import BadZipFile, ZipFile

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from apps.core.tables.cells import MAX_ROWS, refuse_long_cells, text_of_value
from apps.core.tables.files import Source, blocks_of, opened
from apps.core.tables.headers import header_of
from apps.core.tables.table import Problem, Record, Table, TableRefused

SAMPLE_ROWS = 200

MAX_UNPACKED = 1024**3
MAX_STRINGS = 128 * 1024**2
# Real sheets shrink 10 to 40 times; a bomb a thousand times.
MAX_RATIO = 100
RATIO_MATTERS_FROM = 20 * 1024**2
# The parser holds one row of XML in memory at a time.
MAX_ROW_XML = 16 * 1024**2

_WORKBOOK_TYPES = (b"spreadsheetml.sheet.main+xml", b"ms-excel.sheet.macroEnabled.main+xml")

# A formula without a saved result. An empty text is a result too: that cell says t="str".
_UNCALCULATED = re.compile(
    rb"<(?:\w+:)?c r=\"[A-Z]+(\d+)\"(?:(?! t=\"str\")[^>])*>"
    rb"<(?:\w+:)?f(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
    rb"(?:<(?:\w+:)?v ?/>|<(?:\w+:)?v></(?:\w+:)?v>)?</(?:\w+:)?c>"
)
_LONGEST_FORMULA = 16 * 1024
_ROW = re.compile(rb"<(?:\w+:)?row[ />]")

# Not Exception: a job that is stopped by its time limit says nothing about the file.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,  # NotImplementedError for an unknown compression, RecursionError
    SyntaxError,  # ParseError of the XML parser
    TypeError,
    ValueError,  # with what defusedxml forbids
    BadZipFile,
    struct.error,
    zlib.error,
)

_LITERAL_IN_FORMAT = re.compile(r"\"[^\"]*\"|\\.|\[[^\]]*\]")
_LEADING_ZEROS = re.compile(r"0{2,}")
_ESCAPED = re.compile(r"_x(000[9AD])_")


def open_workbook(source: Source) -> Table:
    """The first filled visible sheet of a workbook as a table; the other sheets are named."""
    with opened(source) as file, _damage_refused():
        _refuse_unsafe(file)
        with _sheets_of(file) as sheets:
            sheet, sampled, problems = _first_filled(sheets)
    header = header_of(sampled, addressed=True)
    return Table(
        format="xlsx",
        columns=header.columns,
        header=header.cells,
        problems=(*problems, *header.problems),
        records=partial(
            _records,
            source,
            title=sheet.title,
            above=header.last_line,
            width=len(header.columns),
        ),
    )


def _records(source: Source, *, title: str, above: int, width: int) -> Generator[Record]:
    with opened(source) as file, _damage_refused(), _sheets_of(file) as sheets:
        sheet = next(sheet for sheet in sheets if sheet.title == title)
        for line, last_line, cells, problem in _rows(sheet):
            if line > above:
                # A sheet doesn't store empty cells at the end of a row: they are not missing.
                cells += [""] * (width - len(cells))
                yield line, last_line, cells, problem


@contextmanager
def _damage_refused() -> Iterator[None]:
    """openpyxl answers a damaged file with many exceptions; a person needs one sentence."""
    try:
        yield
    except _DAMAGE as error:
        raise TableRefused(
            "damaged_workbook",
            "The workbook is damaged. Open it in Excel, save it again and send the new file.",
        ) from error


class _Sheet(ReadOnlyWorksheet):
    """A sheet that is read only where it is asked for rows.

    openpyxl looks for its size first, and parses a sheet that doesn't state it (Google's) to the
    end. Where it is stated it may be a million rows by 16,384 columns, all of them empty.
    """

    def _get_size(self) -> None:
        return


@contextmanager
def _sheets_of(file: BinaryIO) -> Iterator[list[_Sheet]]:
    """The sheets of a workbook.

    load_workbook() reads more than that, and fails on a theme or on document properties that
    another program wrote badly, which nobody needs here.
    """
    reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    with reader.archive:
        reader.read_manifest()
        reader.read_strings()
        reader.read_workbook()
        apply_stylesheet(reader.archive, reader.wb)
        sheets = []
        for found, relation in reader.parser.find_sheets():
            if relation.target in reader.valid_files and "chartsheet" not in relation.Type:
                sheet = _Sheet(reader.wb, found.name, relation.target, reader.shared_strings)
                sheet.sheet_state = found.state
                sheets.append(sheet)
        yield sheets


def _refuse_unsafe(file: BinaryIO) -> None:
    """Refuse what is no workbook, or one made to fill the memory when it is unpacked."""
    with ZipFile(file) as archive:
        parts = archive.infolist()
        if any(part.flag_bits & 1 for part in parts):
            raise TableRefused("encrypted_workbook", "The file is protected with a password.")
        if not _is_workbook(archive):
            raise TableRefused(
                "unknown_format", "The file is neither an Excel workbook (.xlsx) nor a CSV file."
            )
        too_large = (
            sum(part.file_size for part in parts) > MAX_UNPACKED
            or any(p.file_size > MAX_STRINGS for p in parts if "sharedStrings" in p.filename)
            or any(
                part.file_size > max(RATIO_MATTERS_FROM, part.compress_size * MAX_RATIO)
                for part in parts
            )
        )
    if too_large:
        raise TableRefused(
            "workbook_too_large", "The workbook is too large when unpacked. Send it as CSV."
        )


def _is_workbook(archive: ZipFile) -> bool:
    try:
        with archive.open("[Content_Types].xml") as part:
            types = part.read(1024 * 1024)
    except KeyError:
        return False
    return any(name in types for name in _WORKBOOK_TYPES)


def _first_filled(sheets: Sequence[_Sheet]) -> tuple[_Sheet, list[Record], list[Problem]]:
    """The first visible sheet with rows, these rows, and what a person should know about it."""
    for sheet in sheets:
        if sheet.sheet_state != "visible":
            continue
        # Before anything of the sheet is parsed: this refuses what would not fit into memory.
        uncalculated = list(_uncalculated(sheet))
        if sampled := list(islice(_rows(sheet), SAMPLE_ROWS)):
            return sheet, sampled, [*_other_sheets(sheets, sheet), *uncalculated]
    raise TableRefused("empty_file", "The workbook has no rows.")


def _other_sheets(sheets: Sequence[_Sheet], read: _Sheet) -> Iterator[Problem]:
    others = [sheet.title for sheet in sheets if sheet is not read]
    if others:
        yield Problem(
            "other_sheets", f"Only the sheet {read.title} is read, not {', '.join(others)}."
        )


def _uncalculated(sheet: _Sheet) -> Iterator[Problem]:
    """Look through the sheet once, unparsed, for what openpyxl would show as an empty cell."""
    with sheet._get_source() as part:
        line = _survey(part)
    if line:
        yield Problem(
            "formula_not_calculated",
            f"Line {line} has a formula without a saved result, which is read as an empty cell. "
            "Open the file in Excel and save it again.",
            line,
        )


def _survey(part: IO[bytes]) -> int | None:
    """The first line with a formula not calculated. Refuses a row too large for the memory."""
    found, since_row, kept = None, 0, b""
    for block in blocks_of(part):
        window = kept + block
        # The regular expression is slow, and most sheets have no formula at all.
        if not found and (b"<f" in window or b":f" in window):
            found = _UNCALCULATED.search(window)
        since_row = 0 if _ROW.search(block) else since_row + len(block)
        if since_row > MAX_ROW_XML:
            raise TableRefused("workbook_too_large", "A row of the workbook is too large.")
        kept = block[-_LONGEST_FORMULA:]
    return int(found.group(1)) if found else None


def _rows(sheet: _Sheet) -> Iterator[Record]:
    for line, row in enumerate(sheet.iter_rows(), 1):
        if line > MAX_ROWS:
            raise TableRefused(
                "workbook_too_large", f"The sheet has more than {MAX_ROWS:,} rows.", line=line
            )
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            refuse_long_cells(cells, line)
            yield line, line, cells, _error_cell(row, line)


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if type(value) is str:
        return _ESCAPED.sub(_character, value) if "_x000" in value else value
    if type(value) in (int, float) and cell.has_style:
        return _formatted(value, cell.number_format)
    return text_of_value(value)


def _character(escaped: re.Match[str]) -> str:
    return chr(int(escaped.group(1), 16))


def _formatted(value: float, number_format: str) -> str:
    """Postal codes keep their leading zeros and percentages their sign; the rest is plain."""
    percent, digits = _shape(number_format)
    if percent:
        return f"{text_of_value(value * 100.0)}%"
    text = text_of_value(value)
    return text.zfill(digits) if digits and text.isdigit() else text


@lru_cache(maxsize=256)
def _shape(number_format: str) -> tuple[bool, int]:
    bare = _LITERAL_IN_FORMAT.sub("", number_format)
    return "%" in bare, len(bare) if _LEADING_ZEROS.fullmatch(bare) else 0


def _error_cell(row: Sequence[Any], line: int) -> Problem | None:
    for number, cell in enumerate(row, 1):
        if cell.data_type == "e":
            return Problem(
                "error_cell",
                f"Cell {get_column_letter(number)}{line} holds the error {cell.value}.",
                line,
            )
    return None
