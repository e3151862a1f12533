"""The client: persistent connections in a closed loop, bounded in number and time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from typing import Any

from salesplatform.embedded.ports import LOOPBACK

TIMEOUT = 60.0
NO_ANSWER = 599


@dataclass(frozen=True)
class Call:
    """One request. `path` is whole, query included."""

    method: str
    path: str
    token: str = ""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, connection: HTTPConnection) -> tuple[int, bytes]:
        """Status and body of the answer."""
        headers = dict(self.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        content = None
        if self.body is not None:
            content = json.dumps(self.body).encode()
            headers["Content-Type"] = "application/json"
        connection.request(self.method, self.path, content, headers)
        response = connection.getresponse()
        return response.status, response.read()


@dataclass
class Outcome:
    """What a round of calls came to."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: list[tuple[int, bytes]] = field(default_factory=list)


class Client:
    """A few connections that stay open."""

    def __init__(self, port: int, connections: int) -> None:
        self.port = port
        self.connections = [self._open() for _ in range(connections)]

    def _open(self) -> HTTPConnection:
        return HTTPConnection(LOOPBACK, self.port, timeout=TIMEOUT)

    def close(self) -> None:
        """Hang up."""
        for one in self.connections:
            one.close()

    def reconnect(self) -> None:
        """Hang up and dial again: the kernel picks the worker per connection."""
        self.close()
        self.connections = [self._open() for _ in self.connections]

    def one(self, call: Call) -> Any:
        """A single call that has to succeed; returns the body of its answer."""
        connection = self._open()
        status, content = call.send(connection)
        connection.close()
        if status >= 300:
            raise SystemExit(f"{call.method} {call.path}: {status} {content[:500]!r}")
        return json.loads(content) if content else None

    def round(self, calls: Sequence[Call], *, seconds: float) -> Outcome:
        """Send the calls, each connection its share one after the other, until the time is up."""
        outcome = Outcome()
        deadline = time.perf_counter() + seconds
        step = len(self.connections)
        threads = [
            threading.Thread(
                target=self._work, args=(connection, calls[place::step], deadline, outcome)
            )
            for place, connection in enumerate(self.connections)
        ]
        started = time.perf_counter()
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        outcome.seconds = time.perf_counter() - started
        return outcome

    @staticmethod
    def _work(
        connection: HTTPConnection, calls: Sequence[Call], deadline: float, outcome: Outcome
    ) -> None:
        for call in calls:
            began = time.perf_counter()
            if began > deadline:
                return
            try:
                status, content = _sent(call, connection)
            except (OSError, HTTPException) as failure:
                connection.close()
                status, content = NO_ANSWER, repr(failure).encode()
            outcome.latencies.append(time.perf_counter() - began)
            if status >= 300:
                outcome.refused.append((status, content))


def _sent(call: Call, connection: HTTPConnection) -> tuple[int, bytes]:
    """Status and body of the answer; an idle connection that the server hung up is dialled anew."""
    try:
        return call.send(connection)
    except RemoteDisconnected:
        connection.close()
        return call.send(connection)
