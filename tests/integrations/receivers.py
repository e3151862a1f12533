"""Those who get webhooks: real HTTP servers on loopback, each on a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

Heard = tuple[dict[str, str], bytes]


@dataclass
class Receiver:
    """A server that keeps what it hears, and answers as it is told."""

    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"ok"
    waits: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    released: Event = field(default_factory=Event)
    server: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def hear(self, headers: dict[str, str], body: bytes) -> int:
        """Keep a message; returns the status to answer with."""
        self.heard.append((headers, body))
        if self.waits:
            self.released.wait(self.waits)
        return self.statuses.pop(0) if self.statuses else 200


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told = {name.lower(): text for name, text in self.headers.items()}
            status = receiver.hear(told, body)
            head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(receiver.answer)}"]
            head += [f"{name}: {text}" for name, text in receiver.headers.items()]
            self.wfile.write("\r\n".join([*head, "", ""]).encode() + receiver.answer)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Whoever hangs up in the middle is none of our concern."""


@contextmanager
def receiving(**options: Any) -> Iterator[Receiver]:
    """A receiver that answers until the end of the block."""
    receiver = Receiver(**options)
    receiver.server = _Server(("127.0.0.1", 0), _handler(receiver))
    receiver.server.daemon_threads = True
    thread = Thread(target=receiver.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


def wait_for(condition: Callable[[], bool], work: Callable[[], Any], seconds: float = 20.0) -> None:
    """Work until something has come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        work()
