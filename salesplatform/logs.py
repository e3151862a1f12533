"""Logs as JSON lines, each with the request's and user's id; readable text on a terminal."""

from __future__ import annotations

import os
from typing import Any

import structlog

_SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def logging_configuration(*, level: str) -> dict[str, Any]:
    """Django's LOGGING: standard-library loggers, rendered by structlog."""
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if os.environ.get("LOG_FORMAT") == "text"
        else structlog.processors.JSONRenderer()
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    renderer,
                ],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        # Each message that leaves would be a line, with its URL.
        "loggers": {"django.request": {"level": "ERROR"}, "httpx2": {"level": "WARNING"}},
    }
