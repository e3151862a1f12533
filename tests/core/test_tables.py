"""Reading the table files that salespeople send, and writing the ones they take along."""

import random
import re
import string
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.formula import ArrayFormula

from apps.core.tables import (
    Row,
    Table,
    TableRefused,
    exports,
    open_table,
    sample,
    workbooks,
    write_csv,
    write_xlsx,
)

PEOPLE = [
    {"Name": "Jane Doe", "Email": "jane@acme.example", "City": "Paris, France", "Seats": "12"},
    {"Name": "Zoë Müller", "Email": "zoe@globex.example", "City": "Köln", "Seats": "7"},
    {"Name": 'Bo "Bobby" Li', "Email": "bo@initech.example", "City": "", "Seats": "3"},
    {"Name": "Ann\nLee", "Email": "ann@umbrella.example", "City": "Oslo", "Seats": "9"},
]
COLUMNS = tuple(PEOPLE[0])


def quoted(text: str, quote: str = '"') -> str:
    return f"{quote}{text.replace(quote, quote * 2)}{quote}"


def delimited(
    rows: Iterable[Mapping[str, str]],
    *,
    delimiter: str = ",",
    quote: str = '"',
    line_end: str = "\r\n",
) -> str:
    """A well-formed file, quoting only the cells that need it."""

    def cell(text: str) -> str:
        needs_quotes = any(mark in text for mark in (delimiter, quote, "\n", "\r"))
        return quoted(text, quote) if needs_quotes else text

    lines = [list(COLUMNS), *(list(row.values()) for row in rows)]
    return "".join(delimiter.join(map(cell, line)) + line_end for line in lines)


def read(content: str | bytes, *, encoding: str = "utf-8") -> tuple[Table, list[Row]]:
    data = content if isinstance(content, bytes) else content.encode(encoding)
    table = open_table(BytesIO(data))
    return table, list(table.rows())


def values(rows: Iterable[Row]) -> list[dict[str, str]]:
    return [row.values for row in rows]


def reasons(rows: Iterable[Row]) -> list[tuple[int, str]]:
    return [(row.number, row.problem.reason) for row in rows if row.problem]


def file_reasons(table: Table) -> list[tuple[str, int | None]]:
    return [(problem.reason, problem.line) for problem in table.problems]


def refusal(content: bytes, **options: int) -> TableRefused:
    """The refusal of a file, either when it is opened or on the way through its rows."""
    with pytest.raises(TableRefused) as refused:
        list(open_table(BytesIO(content), **options).rows())
    assert str(refused.value) == refused.value.sentence
    return refused.value


def lines_of_leads(count: int) -> list[str]:
    return [f"Jane {n},jane{n}@acme.example,Paris,{n}" for n in range(count)]


# --- A file in any dialect -------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_reads_every_delimiter_quote_and_line_end(
    delimiter: str, quote: str, line_end: str
) -> None:
    if quote == "'":
        # One quoted cell in a file gives no reason to prefer the apostrophe.
        text = delimiter.join(f"'{column}'" for column in COLUMNS) + line_end
        for row in PEOPLE:
            text += delimiter.join(quoted(cell, "'") for cell in row.values()) + line_end
    else:
        text = delimited(PEOPLE, delimiter=delimiter, line_end=line_end)

    table, rows = read(text)

    assert (table.format, table.delimiter, table.quote) == ("csv", delimiter, quote)
    assert table.columns == COLUMNS
    assert values(rows) == PEOPLE
    assert reasons(rows) == []
    assert table.problems == ()


@pytest.mark.parametrize(
    ("written_in", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("latin-1", "cp1252"),
        ("cp1252", "cp1252"),
    ],
)
def test_finds_the_encoding(written_in: str, found: str) -> None:
    table, rows = read(delimited(PEOPLE), encoding=written_in)

    assert table.encoding == found
    assert values(rows) == PEOPLE


def test_says_when_the_encoding_is_a_guess() -> None:
    table, rows = read("Name,Price\nMüller,€ 5\n", encoding="cp1252")

    assert values(rows) == [{"Name": "Müller", "Price": "€ 5"}]
    assert file_reasons(table) == [("encoding_guessed", None)]


def test_finds_the_encoding_from_a_letter_that_comes_after_megabytes_of_ascii() -> None:
    text = "Name,Email\n" + "Jane,jane@acme.example\n" * 100_000 + "Müller,m@acme.example\n"

    for encoding in ("utf-8", "cp1252"):
        table, rows = read(text, encoding=encoding)
        assert table.encoding == encoding
        assert rows[-1].values["Name"] == "Müller"


def test_reads_utf16_without_a_mark_in_another_script() -> None:
    text = "Имя;Город\r\n" + "Анна;Москва\r\n" * 50

    table, rows = read(text, encoding="utf-16-le")

    assert table.encoding == "utf-16-le"
    assert rows[0].values == {"Имя": "Анна", "Город": "Москва"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_reports_the_row_whose_letters_cannot_be_read(encoding: str) -> None:
    good = "Name,City\nZoë,Köln\nJosé,Málaga\n".encode(encoding)
    bad = {
        "utf-8": b"Bad\xff,Oslo\n",
        "utf-16": "Bad\udc00,Oslo\n".encode("utf-16-le", "surrogatepass"),
    }
    after = "Ann,Rome\n".encode({"utf-8": "utf-8", "utf-16": "utf-16-le"}[encoding])

    _, rows = read(good + bad[encoding] + after)

    assert reasons(rows) == [(4, "unreadable_letters")]
    assert rows[2].values == {"Name": "Bad\ufffd", "City": "Oslo"}
    assert rows[3].values == {"Name": "Ann", "City": "Rome"}


def test_a_file_cut_off_inside_a_letter_loses_nothing_else() -> None:
    _, rows = read("Name,City\nZoë,Köln\nAnn,Málaga – ü".encode()[:-1])

    assert reasons(rows) == [(3, "unreadable_letters")]
    assert rows[1].values == {"Name": "Ann", "City": "Málaga – \ufffd"}


def test_a_semicolon_file_with_decimal_commas_is_split_at_semicolons() -> None:
    table, rows = read("Account;Amount;Margin\nAcme;1,50;0,2\nGlobex;2,75;0,4\n")

    assert table.delimiter == ";"
    assert rows[0].values == {"Account": "Acme", "Amount": "1,50", "Margin": "0,2"}


def test_lists_inside_cells_do_not_become_columns() -> None:
    table, rows = read("Name,Tags\nAcme,a;b;c\nGlobex,d;e;f\n")

    assert table.delimiter == ","
    assert rows[1].values == {"Name": "Globex", "Tags": "d;e;f"}


def test_names_in_a_single_column_are_not_split_at_spaces() -> None:
    table, rows = read("Company name\nAcme Ltd\nGlobex Corp\nInitech Inc\n")

    assert table.columns == ("Company name",)
    assert [row.values["Company name"] for row in rows] == [
        "Acme Ltd",
        "Globex Corp",
        "Initech Inc",
    ]


def test_the_separator_line_of_excel_names_the_delimiter() -> None:
    table, rows = read("sep=;\r\nName;City\r\nAcme, Inc;Paris\r\n")

    assert table.delimiter == ";"
    assert table.columns == ("Name", "City")
    assert [(row.number, row.values) for row in rows] == [
        (3, {"Name": "Acme, Inc", "City": "Paris"})
    ]


def test_a_separator_line_without_header_is_no_row() -> None:
    _, rows = read("sep=;\r\n12;jane@acme.example\r\n13;zoe@acme.example\r\n")

    assert [row.number for row in rows] == [2, 3]


def test_spaces_behind_a_delimiter_are_decoration() -> None:
    table, rows = read('Name, City, Seats\n"Acme", "Paris, France", 12\n"Globex", "Rome", 7\n')

    assert table.columns == ("Name", "City", "Seats")
    assert rows[0].values == {"Name": "Acme", "City": "Paris, France", "Seats": "12"}


def test_quotes_escaped_by_a_backslash_are_read() -> None:
    table, rows = read('Item,Note\n"Pipe 48\\"","a \\"b\\", c"\n"Bolt","C:\\tmp"\n')

    assert values(rows) == [
        {"Item": 'Pipe 48"', "Note": 'a "b", c'},
        {"Item": "Bolt", "Note": "C:\\tmp"},
    ]
    assert table.problems == ()


def test_quotes_inside_a_cell_that_nobody_doubled_are_read_and_mentioned() -> None:
    table, rows = read('Item,Note,Seats\n"Pipe 48"","the "best" one",1\nBolt,"fine",2\n')

    assert values(rows) == [
        {"Item": 'Pipe 48"', "Note": 'the "best" one', "Seats": "1"},
        {"Item": "Bolt", "Note": "fine", "Seats": "2"},
    ]
    assert file_reasons(table) == [("quotes_not_doubled", None)]


def test_an_inch_sign_in_an_unquoted_cell_is_only_a_letter() -> None:
    _, rows = read('Item,Seats\n5" pipe,1\n5" x 7" frame,2\n')

    assert [row.values["Item"] for row in rows] == ['5" pipe', '5" x 7" frame']
    assert reasons(rows) == []


# --- Rows ------------------------------------------------------------------------------------


def test_a_row_carries_the_line_it_starts_in() -> None:
    _, rows = read(delimited([*PEOPLE, PEOPLE[0]], line_end="\n"))

    assert [row.number for row in rows] == [2, 3, 4, 5, 7]


def test_blank_lines_are_left_out_and_still_counted() -> None:
    _, rows = read("Name,City\n\nAcme,Paris\n,\n   \n\nGlobex,Rome\n\n\n")

    assert [(row.number, row.values["Name"]) for row in rows] == [(3, "Acme"), (7, "Globex")]


def test_a_missing_last_line_end_changes_nothing() -> None:
    _, rows = read("Name,City\nAcme,Paris")

    assert values(rows) == [{"Name": "Acme", "City": "Paris"}]


def test_a_row_with_too_few_cells_is_reported_and_kept() -> None:
    _, rows = read("Name,City,Seats\nAcme,Paris,1\nGlobexRome,2\nInitech,Oslo,3\n")

    assert reasons(rows) == [(3, "too_few_cells")]
    assert rows[1].values == {"Name": "GlobexRome", "City": "2", "Seats": ""}
    assert rows[1].problem is not None
    assert rows[1].problem.sentence == (
        "Line 3 has 2 cells instead of 3: a cell or delimiter is missing."
    )


def test_a_row_with_too_many_cells_is_reported_and_loses_none() -> None:
    _, rows = read("Name,City,Seats\nAcme,Paris,1\nGlobex,,Rome,2\n")

    assert reasons(rows) == [(3, "too_many_cells")]
    assert rows[1].values == {"Name": "Globex", "City": "", "Seats": "Rome"}
    assert rows[1].extra == ("2",)


def test_an_extra_empty_cell_is_reported_too_because_the_row_may_be_shifted() -> None:
    _, rows = read("Name,City,Note\nAcme,Paris,\nGlobex,,Rome,\n")

    assert reasons(rows) == [(3, "too_many_cells")]


def test_a_delimiter_at_the_end_of_every_row_is_a_column_without_name() -> None:
    table, rows = read("Name,City\nAcme,Paris,\nGlobex,Rome,\n")

    assert table.columns == ("Name", "City", "Column 3")
    assert reasons(rows) == []


def test_a_stray_quote_costs_its_own_row_and_no_other() -> None:
    lines = ['"Name","City","Seats"', '"Acme","Paris","1"', '"Globex,"Rome","2"']
    lines += [f'"Company {n}","Oslo","{n}"' for n in range(3)]

    _, rows = read("\n".join(lines))

    assert reasons(rows) == [(3, "broken_quote")]
    assert (*rows[1].values.values(), *rows[1].extra) == ('"Globex', '"Rome"', '"2"')
    assert [row.values["Name"] for row in rows[2:]] == ["Company 0", "Company 1", "Company 2"]


def test_a_quote_that_is_never_closed_near_the_end_costs_its_own_row_and_no_other() -> None:
    _, rows = read('Name,City\nAcme,Paris\n"Globex,Rome\nInitech,Oslo\nUmbrella,Bonn\n')

    assert reasons(rows) == [(3, "broken_quote")]
    assert [row.values["Name"] for row in rows] == ["Acme", '"Globex', "Initech", "Umbrella"]


def test_the_rest_of_a_broken_cell_does_not_pass_for_a_row() -> None:
    text = 'Name,Street,City\nAcme,"Rue "B" 5\nFloor 2, left",Paris\nGlobex,Via 1,Rome\n'

    _, rows = read(text)

    assert reasons(rows) == [(2, "broken_quote"), (3, "broken_quote")]
    assert rows[2].values == {"Name": "Globex", "Street": "Via 1", "City": "Rome"}


def test_a_row_with_nul_characters_is_reported() -> None:
    _, rows = read("Name,City\nAc\0me,Paris\nGlobex,Rome\n")

    assert reasons(rows) == [(2, "nul_character")]
    assert values(rows) == [
        {"Name": "Acme", "City": "Paris"},
        {"Name": "Globex", "City": "Rome"},
    ]


def test_rows_can_be_read_again_and_a_sample_costs_nothing() -> None:
    file = BytesIO("\n".join(["Name,Email,City,Seats", *lines_of_leads(100)]).encode())
    table = open_table(file)

    first = sample(table, size=3)

    assert [row.values["Seats"] for row in first] == ["0", "1", "2"]
    assert len(sample(table)) == 20
    assert sum(1 for _ in table.rows()) == 100
    assert not file.closed


def test_a_path_is_read_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "leads.xls"
    path.write_text(delimited(PEOPLE))

    assert values(open_table(path).rows()) == PEOPLE
    assert values(open_table(str(path)).rows()) == PEOPLE


def test_a_long_file_needs_no_more_memory_than_a_short_one() -> None:
    file = BytesIO("\n".join(["Name,Email,City,Seats", *lines_of_leads(100_000)]).encode())
    tracemalloc.start()
    try:
        rows = sum(1 for _ in open_table(file).rows())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert rows == 100_000
    # The search for a letter beyond ASCII holds a block of one megabyte.
    assert peak < 3 * 1024 * 1024


# --- The header ------------------------------------------------------------------------------


def test_a_file_with_only_a_header_has_no_rows() -> None:
    table, rows = read('DATE,Qty,ProductType,"URL"\n')

    assert table.columns == ("DATE", "Qty", "ProductType", "URL")
    assert rows == []
    assert table.problems == ()


def test_columns_are_trimmed_unique_and_never_empty() -> None:
    table, rows = read(" Name ,Phone,,Phone,Mobile\n phone\nAcme,1,2,3,4\n".replace("\n phone", ""))

    assert table.columns == ("Name", "Phone", "Column 3", "Phone (2)", "Mobile")
    assert rows[0].values["Phone (2)"] == "3"
    assert file_reasons(table) == [("blank_column_name", 1), ("duplicate_column_name", 1)]


def test_a_column_name_over_two_lines_becomes_one() -> None:
    table, rows = read('Name,"Annual\nrevenue"\nAcme,12\n')

    assert table.columns == ("Name", "Annual revenue")
    assert rows[0].number == 3


def test_years_may_be_column_names() -> None:
    table, rows = read("Account,2025,2026\nAcme,100,200\n")

    assert table.columns == ("Account", "2025", "2026")
    assert len(rows) == 1


@pytest.mark.parametrize(
    "first_row",
    [
        "Jane,jane@acme.example,Paris",
        "Jane,12.5,Paris",
        "Jane,31/01/2026,Paris",
        "Jane,$1 200,Paris",
        "Jane,https://acme.example/,Paris",
        "Jane,+49 30 123456,Paris",
        "No,No,Paris",
    ],
)
def test_a_first_row_that_looks_like_data_is_data(first_row: str) -> None:
    table, rows = read(f"{first_row}\nZoe,No,Rome\nAnn,No,Oslo\nBo,No,Paris\nLi,Yes,Paris\n")

    assert table.columns == ("Column 1", "Column 2", "Column 3")
    assert file_reasons(table) == [("no_header", 1)]
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]


def test_a_list_of_addresses_has_no_header() -> None:
    table, rows = read("jane@acme.example\nzoe@acme.example\n")

    assert table.columns == ("Column 1",)
    assert len(rows) == 2


@pytest.mark.parametrize(
    "preamble",
    [
        "PREAMBLE,,,\n,,,\n",
        "Leads of the fair\n\nExported by,Jane\n",
        "Report from 31/01/2026\n",
        'Report "Q1" of\n',
    ],
)
def test_lines_above_the_header_are_skipped_and_mentioned(preamble: str) -> None:
    header = preamble.count("\n") + 1

    table, rows = read(preamble + delimited(PEOPLE))

    assert table.columns == COLUMNS
    assert values(rows) == PEOPLE
    assert rows[0].number == header + 1
    assert file_reasons(table) == [("preamble_skipped", 1)]
    assert f"The column names are in line {header}" in table.problems[0].sentence


def test_blank_lines_above_the_header_are_not_worth_mentioning() -> None:
    table, rows = read("\n,,,\n" + delimited(PEOPLE))

    assert table.columns == COLUMNS
    assert table.problems == ()
    assert rows[0].number == 4


def test_a_repeated_header_line_is_reported_and_stays_a_row() -> None:
    table, rows = read("Name,City,Seats\nName,City,Seats\nAcme,Paris,1\nGlobex,Rome,2\n")

    assert file_reasons(table) == [("second_header_row", 2)]
    assert reasons(rows) == [(2, "repeated_header")]
    assert len(rows) == 3


def test_a_second_header_line_with_other_words_is_reported_and_stays_a_row() -> None:
    table, rows = read(
        "Deal,Amount,Close date,Seats\nname,USD,day/month,number\n"
        "Acme,100,31/01/2026,1\nGlobex,200,28/02/2026,2\nInitech,300,01/03/2026,3\n"
    )

    assert file_reasons(table) == [("second_header_row", 2)]
    assert reasons(rows) == []
    assert [row.number for row in rows] == [2, 3, 4, 5]


def test_two_tables_with_the_same_columns_are_read_as_one() -> None:
    table, rows = read("Name,City\nAcme,Paris\nGlobex,Rome\nName,City\nInitech,Oslo\n")

    assert reasons(rows) == [(4, "repeated_header")]
    assert [row.values["Name"] for row in rows if not row.problem] == ["Acme", "Globex", "Initech"]
    assert table.problems == ()


def test_lines_are_never_taken_for_a_preamble_above_nothing() -> None:
    _, rows = read("Leads of the fair\nJane\nZoe\nName,City\n")

    assert [row.number for row in rows][-1] == 4


def test_a_job_that_is_stopped_does_not_call_a_workbook_damaged() -> None:
    class TimeIsUp(Exception):
        pass

    class SlowFile(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise TimeIsUp

    with pytest.raises(TimeIsUp):
        workbooks.open_workbook(SlowFile(workbook_of(COLUMNS).getvalue()))


@pytest.mark.parametrize(
    ("names", "row", "problem"),
    [
        ("Name,City,Seats", "Li,Bonn,1", "too_few_cells"),
        ("Name,City,Seats,Note,Tag", "Li,Bonn,1,,", "too_many_cells"),
    ],
)
def test_rows_of_a_second_table_with_other_columns_are_all_reported(
    names: str, row: str, problem: str
) -> None:
    _, rows = read(
        f"Name,City,Seats,Note\nAcme,Paris,1,a\nGlobex,Rome,2,b\n{names}\n{row}\n{row}\n"
    )

    assert reasons(rows) == [(4, "another_table"), (5, problem), (6, problem)]
    assert [r.values["Name"] for r in rows if not r.problem] == ["Acme", "Globex"]


# --- Files that are refused ------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"  \r\n", b"\xef\xbb\xbf", b",,,\n,,,\n"])
def test_refuses_an_empty_file(content: bytes) -> None:
    assert refusal(content).reason == "empty_file"


@pytest.mark.parametrize(
    "content",
    [
        random.Random(1).randbytes(5_000),
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
        b"\x1f\x8b\x08\x00" + random.Random(2).randbytes(500),
        b"<!DOCTYPE html><html><table><tr><td>Name</td></tr></table></html>",
        b'[{"name": "Acme"}]',
        b'\xef\xbb\xbf{"name": "Acme"}',
    ],
)
def test_refuses_what_is_no_table(content: bytes) -> None:
    refused = refusal(content)

    assert refused.reason == "unknown_format"
    assert str(refused) == "The file is neither an Excel workbook (.xlsx) nor a CSV file."


def test_refuses_a_file_beyond_the_allowed_size() -> None:
    refused = refusal(b"Name,City\n" + b"Acme,Paris\n" * 300_000, max_bytes=2 * 1024**2)

    assert refused.reason == "file_too_large"
    assert str(refused) == "The file has 3 MB; 2 MB are possible."


def test_refuses_more_columns_than_anybody_maps() -> None:
    def header(count: int) -> bytes:
        return ",".join(f"Column no. {n}" for n in range(count)).encode()

    assert len(open_table(BytesIO(header(500))).columns) == 500
    assert refusal(header(501)).reason == "too_many_columns"


def test_refuses_a_quote_that_swallows_the_file_and_names_its_line() -> None:
    lines = ["Name,Email,City,Seats", *lines_of_leads(3), '"Acme,a@b.example,Paris,1']
    refused = refusal("\n".join([*lines, *lines_of_leads(1_500)]).encode())

    assert (refused.reason, refused.line) == ("quote_never_closed", 5)
    assert "line 5" in str(refused)


def test_refuses_a_quote_that_swallows_a_megabyte() -> None:
    long_line = "x" * 9_000 + "\n"
    refused = refusal(f'Name,City\nAcme,Paris\n"Globex,{long_line * 200}'.encode())

    assert (refused.reason, refused.line) == ("quote_never_closed", 3)


def test_refuses_a_cell_that_nobody_has_typed() -> None:
    for length in (100_001, 140_000):
        refused = refusal(f"Name,City\nAcme,Paris\nGlobex,{'x' * length}\n".encode())
        assert (refused.reason, refused.line) == ("cell_too_long", 3)

    _, rows = read(f"Name,City\nAcme,Paris\nGlobex,{'x' * 100_000}\n")
    assert len(rows[1].values["City"]) == 100_000


def test_refuses_a_line_without_end() -> None:
    refused = refusal(b"Name,City\nAcme,Paris\n" + b"x," * 600_000)

    assert (refused.reason, refused.line) == ("line_too_long", 3)


def test_a_long_but_honest_cell_over_many_lines_is_read() -> None:
    note = "\n".join(f"line {n}" for n in range(900))

    _, rows = read(f"Name,Note\nAcme,{quoted(note)}\nGlobex,short\n")

    assert rows[0].values["Note"] == note
    assert rows[1].number == 902


# --- Workbooks -------------------------------------------------------------------------------


SHEET = "xl/worksheets/sheet1.xml"


def workbook_of(*rows: Iterable[object], title: str = "Leads") -> BytesIO:
    workbook = openpyxl.Workbook()
    workbook.active.title = title
    for row in rows:
        workbook.active.append(list(row))
    return saved(workbook)


def saved(workbook: openpyxl.Workbook) -> BytesIO:
    file = BytesIO()
    workbook.save(file)
    return file


def rewritten(file: BytesIO, part: str, change: Mapping[str, str] | bytes) -> bytes:
    """The same workbook with one part replaced, or with some text of it replaced."""
    out = BytesIO()
    with ZipFile(file) as old, ZipFile(out, "w", ZIP_DEFLATED) as new:
        assert part in old.namelist()
        for name in old.namelist():
            content = old.read(name)
            if name == part and isinstance(change, bytes):
                content = change
            elif name == part:
                for before, after in change.items():
                    assert before.encode() in content
                    content = content.replace(before.encode(), after.encode())
            new.writestr(name, content)
    return out.getvalue()


def test_a_workbook_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(workbook_of(COLUMNS, *(row.values() for row in PEOPLE)).getvalue())

    table = open_table(path)

    assert (table.format, table.encoding, table.delimiter, table.quote) == (
        "xlsx",
        None,
        None,
        None,
    )
    assert table.columns == COLUMNS
    assert values(table.rows()) == PEOPLE
    assert [row.number for row in table.rows()] == [2, 3, 4, 5]


def test_workbook_cells_become_the_text_that_a_person_reads() -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    typed = [
        (12, "General", "12"),
        (12.0, "General", "12"),
        (0.1 + 0.2, "General", "0.3"),
        (1234567890123, "General", "1234567890123"),
        (1e20, "General", "100000000000000000000"),
        (0.0000012, "General", "0.0000012"),
        (-7.5, "General", "-7.5"),
        (1234, "00000", "01234"),
        (0.385, "0%", "38.5%"),
        (1250.5, '"USD" #,##0.00', "1250.5"),
        (True, "General", "TRUE"),
        (date(2026, 1, 31), "yyyy-mm-dd", "2026-01-31"),
        (
            datetime(2026, 1, 31, 9, 30, tzinfo=UTC).replace(tzinfo=None),
            "yyyy-mm-dd hh:mm",
            "2026-01-31 09:30:00",
        ),
        (time(9, 30), "hh:mm", "09:30:00"),
        (timedelta(hours=36), "[h]:mm:ss", "36:00:00"),
        ("two\nlines", "General", "two\nlines"),
        ("=1+1 as text", "@", "=1+1 as text"),
    ]
    sheet.append([f"Column {string.ascii_uppercase[n]}" for n in range(len(typed))])
    for column, (value, number_format, _) in enumerate(typed, 1):
        cell = sheet.cell(2, column, value)
        cell.number_format = number_format
        if isinstance(value, str):
            cell.data_type = "s"

    _, rows = read(saved(workbook).getvalue())

    assert list(rows[0].values.values()) == [text for _, _, text in typed]


def test_a_line_break_escaped_by_excel_is_a_line_break() -> None:
    file = rewritten(
        workbook_of(["Name", "City"], ["Acme LINE Ltd", "Paris"]),
        SHEET,
        {"Acme LINE Ltd": "Acme_x000D_\nLtd"},
    )

    assert read(file)[1][0].values["Name"] == "Acme\r\nLtd"


def test_an_error_cell_is_reported_with_its_place() -> None:
    _, rows = read(workbook_of(["Name", "Seats"], ["Acme", "#N/A"], ["Globex", 2]).getvalue())

    assert reasons(rows) == [(2, "error_cell")]
    assert rows[0].problem is not None
    assert rows[0].problem.sentence == "Cell B2 holds the error #N/A."
    assert rows[0].values == {"Name": "Acme", "Seats": "#N/A"}


@pytest.mark.parametrize("formula", ["=1+1", ArrayFormula("B3", "=1+1")])
def test_a_formula_without_saved_result_is_not_passed_over(formula: object) -> None:
    table, rows = read(workbook_of(["Name", "Seats"], ["Acme", 1], ["Globex", formula]).getvalue())

    assert file_reasons(table) == [("formula_not_calculated", 3)]
    assert rows[1].values == {"Name": "Globex", "Seats": ""}


def test_a_formula_with_its_result_is_read_as_that() -> None:
    file = workbook_of(["Name", "Seats", "Note"], ["Acme", "=40+2", '=""'])
    part = ZipFile(file).read(SHEET).decode()
    cells = re.findall(r"<c r=\"[BC]2\".*?</c>", part)
    calculated = rewritten(
        file,
        SHEET,
        {
            cells[0]: '<c r="B2"><f>40+2</f><v>42</v></c>',
            cells[1]: '<c r="C2" t="str"><f>""</f><v></v></c>',
        },
    )

    table, rows = read(calculated)

    assert rows[0].values == {"Name": "Acme", "Seats": "42", "Note": ""}
    assert table.problems == ()


def test_empty_cells_at_the_end_of_a_sheet_row_are_not_missing() -> None:
    _, rows = read(
        workbook_of(["Name", "City", "Note"], ["Acme"], [], ["Globex", "Rome"]).getvalue()
    )

    assert [(row.number, *row.values.values()) for row in rows] == [
        (2, "Acme", "", ""),
        (4, "Globex", "Rome", ""),
    ]
    assert reasons(rows) == []


def test_a_sheet_column_without_name_is_kept() -> None:
    table, rows = read(workbook_of(["Name", "City", None], ["Acme", None, None, "late"]).getvalue())

    assert table.columns == ("Name", "City", "Column 3", "Column 4")
    assert rows[0].values["Column 4"] == "late"


def test_a_title_above_the_header_of_a_sheet_is_skipped() -> None:
    table, rows = read(
        workbook_of(
            ["Leads of the fair"], [], COLUMNS, *(row.values() for row in PEOPLE)
        ).getvalue()
    )

    assert table.columns == COLUMNS
    assert file_reasons(table) == [("preamble_skipped", 1)]
    assert values(rows) == PEOPLE


def test_the_first_filled_visible_sheet_is_read_and_the_others_are_named() -> None:
    workbook = openpyxl.Workbook()
    workbook.active.title = "Empty"
    hidden = workbook.create_sheet("Lists")
    hidden.append(["Country"])
    hidden.sheet_state = "hidden"
    workbook.create_sheet("Leads").append(["Name", "City"])
    workbook.create_chartsheet("Chart")

    table, _ = read(saved(workbook).getvalue())

    assert table.columns == ("Name", "City")
    assert [problem.sentence for problem in table.problems] == [
        "Only the sheet Leads is read, not Empty, Lists."
    ]


def test_a_sheet_that_claims_a_wrong_size_or_none_is_read_as_it_is() -> None:
    file = workbook_of(["Name", "City"], ["Acme", "Paris"])
    dimension = '<dimension ref="A1:B2" />'

    for claim in ('<dimension ref="A1:XFD1048576" />', '<dimension ref="A1" />', ""):
        table, rows = read(rewritten(file, SHEET, {dimension: claim}))
        assert table.columns == ("Name", "City")
        assert values(rows) == [{"Name": "Acme", "City": "Paris"}]


def test_an_empty_workbook_is_refused() -> None:
    assert refusal(workbook_of().getvalue()).reason == "empty_file"


def test_a_workbook_with_a_password_is_refused() -> None:
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1016)

    encrypted = refusal(container + "EncryptedPackage".encode("utf-16-le") + bytes(96))
    old = refusal(container + "Workbook".encode("utf-16-le") + bytes(112))

    assert encrypted.reason == "encrypted_workbook"
    assert old.reason == "old_workbook"


def test_a_damaged_workbook_is_refused() -> None:
    file = workbook_of(["Name", "City"], *(["Acme", f"Paris {n}"] for n in range(500)))
    whole = file.getvalue()

    assert refusal(whole[: len(whole) // 2]).reason == "damaged_workbook"
    assert refusal(rewritten(file, SHEET, b"<worksheet>")).reason == "damaged_workbook"
    assert refusal(rewritten(file, "xl/workbook.xml", b"")).reason == "damaged_workbook"


def test_a_sheet_that_breaks_off_is_refused_after_the_rows_above() -> None:
    file = workbook_of(["Name", "City"], *(["Acme", f"Paris {n}"] for n in range(3_000)))
    broken = rewritten(file, SHEET, ZipFile(file).read(SHEET)[:100_000])
    seen = []

    table = open_table(BytesIO(broken))
    with pytest.raises(TableRefused) as refused:
        seen.extend(table.rows())

    assert refused.value.reason == "damaged_workbook"


def test_another_zip_file_is_refused() -> None:
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", "<document/>")

    assert refusal(file.getvalue()).reason == "unknown_format"


def test_a_zip_bomb_is_refused() -> None:
    file = workbook_of(["Name", "City"])

    refused = refusal(rewritten(file, SHEET, bytes(30 * 1024**2)))

    assert refused.reason == "workbook_too_large"


def test_a_sheet_row_beyond_all_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_ROW_XML", 2 * 1024**2)
    file = workbook_of(["Name", "City"])

    refused = refusal(rewritten(file, SHEET, {"</row>": "<c/>" * 1_000_000 + "</row>"}))

    assert refused.reason == "workbook_too_large"


def test_a_sheet_row_beyond_the_last_one_of_excel_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workbooks, "MAX_ROWS", 1_000)
    file = workbook_of(["Name", "City"], ["Acme", "Paris"])

    refused = refusal(rewritten(file, SHEET, {'<row r="2">': '<row r="99999999999">'}))

    assert (refused.reason, refused.line) == ("workbook_too_large", 1_001)


def test_entities_in_a_workbook_are_refused() -> None:
    assert openpyxl.DEFUSEDXML
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet '

    refused = refusal(rewritten(workbook_of(["Name", "City"]), SHEET, {"<worksheet ": bomb}))

    assert refused.reason == "damaged_workbook"


def test_a_cell_too_long_in_a_workbook_is_refused() -> None:
    file = rewritten(
        workbook_of(["Name", "City"], ["Acme", "LONG"]),
        SHEET,
        {"LONG": "x" * 100_001},
    )

    assert refusal(file).reason == "cell_too_long"


# --- Exports ---------------------------------------------------------------------------------


def exported(rows: Iterable[Mapping[str, object]], *columns: str) -> bytes:
    return b"".join(write_csv(columns=columns, rows=rows))


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "=", "+1-cmd|' /C calc'!A0"]
)
def test_what_a_spreadsheet_would_run_is_defused(text: str) -> None:
    assert (
        exported([{"Note": text}], "Note").decode("utf-8-sig").endswith(quoted(f"'{text}") + "\r\n")
    )

    file = BytesIO()
    write_xlsx(columns=["Note"], rows=[{"Note": text}], file=file)
    cell = openpyxl.load_workbook(file).active["A2"]
    assert cell.data_type == "s"
    assert cell.value.startswith("'")


@pytest.mark.parametrize(
    "value", ["-", "-5", "+1-555-0100", "+49 (30) 123.456", "-1,5", -5, -2.5, Decimal("-0.10")]
)
def test_plain_numbers_and_telephone_numbers_stay_what_they_are(value: object) -> None:
    assert exported([{"Phone": value}], "Phone").decode("utf-8-sig") == (
        f'"Phone"\r\n"{value}"\r\n'
    )


def test_column_names_are_defused_too() -> None:
    assert exported([], "=Name").decode("utf-8-sig") == '"\'=Name"\r\n'


def test_csv_shows_values_as_a_person_writes_them() -> None:
    row = {
        "nothing": None,
        "amount": Decimal("1E+3"),
        "share": 0.1 + 0.2,
        "open": False,
        "on": date(2026, 1, 31),
        "at": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        "unnamed": "left out",
    }

    text = exported([row], "nothing", "amount", "share", "open", "on", "at", "absent")

    assert text.decode("utf-8-sig").splitlines()[1] == (
        '"","1000","0.3","FALSE","2026-01-31","2026-01-31 09:30:00+00:00",""'
    )


def test_csv_is_streamed_in_chunks() -> None:
    taken = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal taken
        for number in range(10_000):
            taken = number
            yield {"Name": f"Acme {number}"}

    chunks = write_csv(columns=["Name"], rows=rows())
    first = next(chunks)

    assert first.startswith(b"\xef\xbb\xbf")
    assert taken < 9_999
    assert len(list(read(first + b"".join(chunks))[1])) == 10_000


HEADER_NAMES = st.lists(
    st.text(string.ascii_letters, min_size=1, max_size=8),
    min_size=1,
    max_size=5,
    unique_by=str.casefold,
)
# PostgreSQL stores no NUL, and no surrogates either.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@st.composite
def text_tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    columns = draw(HEADER_NAMES)
    cells = st.lists(CELLS, min_size=len(columns), max_size=len(columns))
    rows = st.lists(cells.filter(lambda row: any(row) and row != columns), max_size=6)
    return columns, draw(rows)


def undefused(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@\t\r") else text


@settings(deadline=None)
@given(text_tables())
def test_every_text_table_that_is_written_can_be_read_again(
    table: tuple[list[str], list[list[str]]],
) -> None:
    columns, rows = table
    file = exported([dict(zip(columns, row, strict=True)) for row in rows], *columns)

    opened, read_rows = read(file)

    if "no_header" in dict(file_reasons(opened)):
        # Values that repeat in every column under it make a header look like data.
        read_rows = read_rows[1:]
    else:
        assert list(opened.columns) == columns
    assert (opened.delimiter if len(columns) > 1 else ",") == ","
    assert [[undefused(cell) for cell in row.values.values()] for row in read_rows] == [
        [undefused(cell) for cell in row] for row in rows
    ]
    assert reasons(read_rows) == []


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


@settings(deadline=None)
@given(st.text(st.sampled_from("ab1\"',;\t| \n\r\\"), max_size=80))
def test_no_letter_of_a_file_is_lost_whatever_its_quotes_do(body: str) -> None:
    lead = delimited(PEOPLE)

    _, rows = read(lead + body)

    assume(rows)
    below = StringIO(lead + body, newline="").readlines()[rows[0].number - 1 :]
    assert letters("".join(below)) == letters(
        "".join(cell for row in rows for cell in (*row.values.values(), *row.extra))
    )


def test_a_workbook_keeps_numbers_and_dates() -> None:
    moment = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    row = {
        "name": "Acme\x07",
        "amount": Decimal("12.50"),
        "seats": 7,
        "id": 12345678901234567890,
        "rate": float("nan"),
        "on": moment.date(),
        "at": moment,
        "open": True,
        "note": None,
        "text": "x" * 40_000,
    }
    file = BytesIO()

    write_xlsx(columns=list(row), rows=[row], file=file)

    cells = [cell.value for cell in openpyxl.load_workbook(file).active[2]]
    assert cells[:9] == [
        "Acme\ufffd",
        12.5,
        7,
        "12345678901234567890",
        "nan",
        datetime(2026, 1, 31),  # noqa: DTZ001 - as openpyxl reads it
        "2026-01-31 09:30:00+00:00",
        True,
        None,
    ]
    assert len(cells[9]) == 32_767
    assert cells[9].endswith("…")


def test_a_workbook_that_is_written_can_be_read_again() -> None:
    file = BytesIO()

    write_xlsx(columns=COLUMNS, rows=PEOPLE, file=file)

    table, rows = read(file.getvalue())
    assert table.columns == COLUMNS
    assert values(rows) == PEOPLE
    assert table.problems == ()


def test_rows_beyond_a_sheet_go_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_ROWS", 4)
    file = BytesIO()

    write_xlsx(columns=["Seats"], rows=({"Seats": n} for n in range(7)), file=file)

    sheets = openpyxl.load_workbook(file).worksheets
    assert [[cell.value for cell in sheet["A"]] for sheet in sheets] == [
        ["Seats", 0, 1, 2],
        ["Seats", 3, 4, 5],
        ["Seats", 6],
    ]


def test_an_empty_export_still_has_its_header() -> None:
    file = BytesIO()
    write_xlsx(columns=["Name"], rows=[], file=file)

    assert [cell.value for cell in openpyxl.load_workbook(file).active[1]] == ["Name"]
    assert exported([], "Name").decode("utf-8-sig") == '"Name"\r\n'
