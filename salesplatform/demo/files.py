"""Taking in the demo's files, as somebody does who uploads them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from apps.core.actors import Actor
from apps.core.imports.kind import ImportKind
from apps.core.imports.models import ImportedFile
from apps.core.imports.requests import request_import
from apps.core.jobs import run_job


def take_in(
    kind: ImportKind,
    content: Iterable[bytes],
    *,
    filename: str,
    mapping: Mapping[str, Any],
    match_on: str,
    actor: Actor,
) -> ImportedFile:
    """Import a file and work it off; returns what became of it."""
    imported = request_import(
        kind,
        file=io.BytesIO(b"".join(content)),
        filename=filename,
        mapping=mapping,
        mode="apply",
        match_on=match_on,
        actor=actor,
    )
    run_job(imported.job_id)
    worked_off: ImportedFile = kind.files._default_manager.select_related("job").get(pk=imported.pk)
    return worked_off
