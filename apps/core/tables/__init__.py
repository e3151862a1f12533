"""Table files that people upload and take along: CSV in all its forms, and Excel workbooks.

`open_table` reads what salespeople really send: it finds out encoding, delimiter and header by
itself, says in plain words what it had to guess, and never loses a row silently. `write_csv` and
`write_xlsx` write exports that do no harm in a spreadsheet. Nothing here knows what the columns
mean.
"""

from apps.core.tables.exports import write_csv, write_xlsx
from apps.core.tables.formats import open_table
from apps.core.tables.table import Problem, Row, Table, TableRefused, sample

__all__ = [
    "Problem",
    "Row",
    "Table",
    "TableRefused",
    "open_table",
    "sample",
    "write_csv",
    "write_xlsx",
]
