"""What is refused about people in the data."""

from __future__ import annotations

from apps.core.errors import NotFound, RuleBroken


class NothingHeld(NotFound):
    """No row is about this person."""

    reason = "nothing_held"
    message = "Nothing is held on this person."


class ExportNotReady(RuleBroken):
    """The file is still being put together, or failed, or was dropped."""

    reason = "export_not_ready"
    message = "There is no file to be had of this export."
