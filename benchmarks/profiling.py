"""Looks inside one operation: where its time goes in Python, and how its statements are planned.

The platform runs in this process, through the same WSGI entry as the web server's.
"""

from __future__ import annotations

import cProfile
import io
import json
import os
import pstats
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import django
from django.core.wsgi import get_wsgi_application
from django.db import connection

from benchmarks.client import Call
from benchmarks.databases import BenchDatabase
from benchmarks.operations import OPERATIONS, Bench, Operation
from benchmarks.server import PLATFORM, serving

WARM_UP = 60
CALLS = 300
FUNCTIONS = 35


class InProcess:
    """The platform's WSGI application, called directly."""

    def __init__(self, database: BenchDatabase) -> None:
        os.environ.update(database.environment, DJANGO_SETTINGS_MODULE=PLATFORM[0])
        django.setup()
        self.application: Callable[..., Any] = get_wsgi_application()

    def __call__(self, call: Call) -> tuple[str, bytes]:
        """Status and body of the answer."""
        told: list[str] = []

        def start_response(status: str, headers: Any, failure: Any = None) -> None:
            told.append(status)

        response = self.application(_environ(call), start_response)
        content = b"".join(response)
        response.close()
        return told[0], content


def _environ(call: Call) -> dict[str, Any]:
    path, _, query = call.path.partition("?")
    content = json.dumps(call.body).encode() if call.body is not None else b""
    return {
        "REQUEST_METHOD": call.method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json" if content else "",
        "CONTENT_LENGTH": str(len(content)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {call.token}",
        **{f"HTTP_{name.upper().replace('-', '_')}": text for name, text in call.headers.items()},
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


@dataclass
class Statements:
    """Notes every statement that Django sends, and the time until its answer."""

    seconds: float = 0.0
    texts: list[str] = field(default_factory=list)

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.seconds += time.perf_counter() - began
            self.texts.append(sql)


def operation_named(name: str) -> Operation:
    """The operation. Raises SystemExit with the names there are."""
    if name not in OPERATIONS:
        raise SystemExit(f"There is no operation {name}. There are: {', '.join(OPERATIONS)}.")
    return OPERATIONS[name]


@contextmanager
def _prepared(database: BenchDatabase, operation: Operation) -> Iterator[tuple[Bench, InProcess]]:
    """The platform in this process, and beside it a server for signing in and asking around."""
    with serving(database, PLATFORM) as server:
        yield Bench(database, server.port), InProcess(database)


def profile(database: BenchDatabase, operation: Operation, *, order: str = "tottime") -> None:
    """Print the time of a call in this process, its share in PostgreSQL, and the top functions."""
    with _prepared(database, operation) as (bench, platform):
        calls = operation.calls(bench, WARM_UP + 2 * CALLS)
        _insist(platform, calls[:WARM_UP])
        plain, profiled = calls[WARM_UP : WARM_UP + CALLS], calls[WARM_UP + CALLS :]
        statements = Statements()
        began, cpu_began = time.perf_counter(), time.process_time()
        with connection.execute_wrapper(statements):
            _insist(platform, plain)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        profiler = cProfile.Profile()
        profiler.enable()
        _insist(platform, profiled)
        profiler.disable()
    count = len(plain)
    print(
        f"{operation.name}: {wall / count * 1000:.2f} ms a call, "
        f"{cpu / count * 1000:.2f} ms CPU of this process, "
        f"{statements.seconds / count * 1000:.2f} ms in "
        f"{len(statements.texts) / count:.1f} statements."
    )
    if profiled:
        print(f"Under the profiler, {len(profiled)} calls:")
        pstats.Stats(profiler).strip_dirs().sort_stats(order).print_stats(FUNCTIONS)


def explain(database: BenchDatabase, operation: Operation) -> None:
    """Print every statement of one call with its plan, as it really ran (auto_explain)."""
    with _prepared(database, operation) as (bench, platform):
        calls = operation.calls(bench, 4)
        _insist(platform, calls[:-1])
        plans: list[str] = []
        _explain_all(plans)
        _insist(platform, calls[-1:])
    print(f"{operation.name}: {len(plans)} statements")
    for plan in plans:
        print(f"\n{plan}")


def _explain_all(plans: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for name, value in (
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_buffers", "on"),
            ("auto_explain.log_triggers", "on"),
            ("auto_explain.log_nested_statements", "on"),
            ("client_min_messages", "log"),
        ):
            cursor.execute(f"SET {name} = {value}")
        psycopg_connection = cursor.connection
    psycopg_connection.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))


def _insist(platform: InProcess, calls: Sequence[Call]) -> None:
    for call in calls:
        status, content = platform(call)
        if not status.startswith("2"):
            raise SystemExit(f"{call.method} {call.path}: {status} {content[:500]!r}")
