"""The platform's own forecast over a CRM's history, against what a spreadsheet would say.

    python -m salesplatform.embedded exec -- .venv/bin/python -m benchmarks.forecasts FOLDER

The folder holds `winloss/maven_crm/` with `sales_pipeline.csv`, `products.csv` and
`sales_teams.csv`. A database of its own is filled, and dropped afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.databases import ROOT, BenchDatabase

DEALS = 8_800
RUN = "from pathlib import Path; from benchmarks.backtest import run; run(Path({folder!r}))"


def main(folder: Path) -> None:
    """Fill, forecast, measure, print."""
    database = BenchDatabase(DEALS)
    environment = {**os.environ, **database.environment}

    def manage(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True
        )

    database.create()
    try:
        manage("migrate", "--verbosity", "0")
        manage("seed")
        manage("shell", "-v0", "-c", RUN.format(folder=str(folder.resolve())))
    finally:
        database.drop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
