"""What stops a start, said in one sentence to the person at the terminal."""

from __future__ import annotations


class CannotStart(Exception):
    """A reason why a command stops here; its text is a whole sentence, shown without traceback."""
