"""Scores learned from data that nobody here wrote: how good they are, and what the guard finds.

    .venv/bin/python -m benchmarks.scores FOLDER

The folder holds `leads/Leads.csv` (X Education), `winloss/ibm_sales_win_loss.csv.gz` and
`winloss/maven_crm/sales_pipeline.csv`.
"""

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from apps.intelligence.rules.columns import Column, Kind, Known
from apps.intelligence.rules.learning import Learned, learn
from apps.intelligence.rules.tables import Table

SEED = 7
Rows = Sequence[Mapping[str, str]]
EMPTY = ("", "Select")

LEAD_AFTERWARDS = (
    "Tags",
    "Lead Quality",
    "Lead Profile",
    "Last Activity",
    "Last Notable Activity",
    "Asymmetrique Activity Index",
    "Asymmetrique Profile Index",
    "Asymmetrique Activity Score",
    "Asymmetrique Profile Score",
)
DEAL_AFTERWARDS = (
    "Elapsed Days In Sales Stage",
    "Sales Stage Change Count",
    "Total Days Identified Through Closing",
    "Total Days Identified Through Qualified",
    "Ratio Days Identified To Total Days",
    "Ratio Days Validated To Total Days",
    "Ratio Days Qualified To Total Days",
)


def read(path: Path) -> Rows:
    """The rows of a CSV file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def table_of(
    rows: Rows,
    *,
    outcome: tuple[str, str],
    key: str,
    leave_out: Iterable[str] = (),
    afterwards: Iterable[str] = (),
    day: str = "",
) -> Table:
    """Rows as a table to learn from: a column is of numbers where all its values are."""
    name, good = outcome
    columns, values = [], {}
    for one in rows[0].keys() - {name, key, day, *leave_out}:
        texts = ["" if row[one] in EMPTY else row[one] for row in rows]
        try:
            values[one] = np.array([float(text) if text else np.nan for text in texts])
            kind = Kind.NUMBER
        except ValueError:
            values[one] = np.array(texts, dtype=object)
            kind = Kind.CATEGORY
        known = Known.AFTERWARDS if one in afterwards else Known.CAPTURE
        columns.append(Column(one, one, kind, known))
    return Table(
        columns=sorted(columns, key=lambda column: column.name),
        values=values,
        outcome=np.array([row[name] == good for row in rows]),
        group=np.array([row[key] for row in rows]),
        at=np.array([_seconds(row[day]) for row in rows]) if day else None,
    )


def _seconds(day: str) -> float:
    return datetime.strptime(day, "%m/%d/%Y").replace(tzinfo=UTC).timestamp()


def tell(title: str, table: Table) -> Learned:
    """Learn and print what came of it."""
    started = time.process_time()
    learned = learn(table, seed=SEED)
    card = learned.card
    print(f"\n{title}: {learned.verdict.label.lower()}")
    print(f"  {card['rows']:,} rows, {card['held_out_rows']:,} held out by {card['ordered_by']}")
    for name in ("auc", "auc_anyway", "brier", "brier_anyway", "calibration_error"):
        one = card["figures"][name]
        print(f"  {name:<18} {one['value']:.4f}  ({one['low']:.4f} to {one['high']:.4f})")
    for heading in ("refused", "suspects"):
        for one in card[heading]:
            print(f"  {heading}: {one['column']}: {one['reason']}")
    print(f"  {card['trees']} trees, {time.process_time() - started:.0f} s of CPU")
    return learned


def main(folder: Path) -> None:
    """Every table in turn."""
    leads = {"outcome": ("Converted", "1"), "key": "Prospect ID", "leave_out": ["Lead Number"]}
    rows = read(folder / "leads" / "Leads.csv")
    tell("Leads, by what is known at capture", table_of(rows, **leads, afterwards=LEAD_AFTERWARDS))
    tell("Leads, all columns, none declared", table_of(rows, **leads))

    deals = {"outcome": ("Opportunity Result", "Won"), "key": "Opportunity Number"}
    rows = read(folder / "winloss" / "ibm_sales_win_loss.csv.gz")
    tell(
        "Deals, by what is known when they open",
        table_of(rows, **deals, afterwards=DEAL_AFTERWARDS),
    )
    tell("Deals, all columns, none declared", table_of(rows, **deals))

    pipeline = {
        "outcome": ("deal_stage", "Won"),
        "key": "opportunity_id",
        "leave_out": ["engage_date"],
        "day": "close_date",
    }
    rows = read(folder / "winloss" / "maven_crm" / "sales_pipeline.csv")
    rows = [row for row in rows if row["close_date"]]
    tell("Pipeline in the order of time, all columns", table_of(rows, **pipeline))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
