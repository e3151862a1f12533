"""Log files of the parts: kept small, quoted when something fails."""

from __future__ import annotations

from pathlib import Path

LIMIT = 10_000_000
QUOTED_BYTES = 8_000


def rotate(log: Path) -> None:
    """Put a big log aside; one old generation is kept."""
    if log.exists() and log.stat().st_size > LIMIT:
        log.replace(log.with_name(f"{log.name}.1"))


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, set off from the text around it."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - QUOTED_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-count:])
