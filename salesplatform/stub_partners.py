"""Partners that are not there: a server on loopback that plays marketing, customer experience,
support, billing, operations and finance, for the demo and the tests.

It answers what partners are asked, says as signed webhooks what it is told to say, shows what it
was told on the bus, and fails as it is told to fail:

    GET  /<partner>/accounts/<id>/health …       the same for the same id, unless something was put
    PUT  /<partner>/accounts/<id>/health         what is answered there from here on
    GET  /finance/told                           the newest messages of its queue
    POST /faults   {"partner": "cx", "fault": "slow"}          none, slow, error, garbage or dead
    POST /say      {"partner": "cx", "type": "health.updated", "payload": {…}}
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self
from uuid import uuid4

import httpx2
from amqp.exceptions import AMQPError
from kombu import Connection, Consumer, Queue
from kombu.exceptions import KombuError
from standardwebhooks import Webhook

KEPT = 200
LOOK_UP_SECONDS = 0.2
FAULTS = ("none", "slow", "error", "garbage", "dead")
Answer = dict[str, Any]
Made = Callable[[str, random.Random, datetime], Answer]


def _case(name: str, chance: random.Random, now: datetime, **facts: Any) -> Answer:
    opened_at = now - timedelta(days=chance.randint(1, 20))
    return {"id": name, "opened_at": opened_at.isoformat(), **facts}


def _health(name: str, chance: random.Random, now: datetime) -> Answer:
    return {"score": chance.randint(20, 95)}


def _usage(name: str, chance: random.Random, now: datetime) -> Answer:
    users = chance.randint(5, 400)
    return {"metrics": {"active_users": users, "sign_ins_of_30_days": users * 21}}


def _nps(name: str, chance: random.Random, now: datetime) -> Answer:
    return {"score": chance.randint(-40, 80)}


def _tickets(name: str, chance: random.Random, now: datetime) -> Answer:
    title = "Report takes a minute to open"
    facts = {"title": title, "severity": "medium", "status": "open"}
    return {"data": [_case(f"{name}-1", chance, now, **facts)]}


def _critical(name: str, chance: random.Random, now: datetime) -> Answer:
    facts = {"title": "Sign-in fails", "severity": "critical", "status": "open"}
    cases = [_case(f"{name}-2", chance, now, **facts)]
    return {"data": cases if chance.random() < 0.4 else []}


def _escalations(name: str, chance: random.Random, now: datetime) -> Answer:
    facts = {"title": "Asks for a manager", "severity": "high", "status": "in_progress"}
    return {"data": [_case(f"{name}-3", chance, now, **facts)]}


def _wishes(name: str, chance: random.Random, now: datetime) -> Answer:
    facts = {"title": "Dark mode", "status": "planned"}
    return {"data": [_case(f"{name}-4", chance, now, **facts)]}


def _campaign(name: str, chance: random.Random, now: datetime) -> Answer:
    starts_on = (now - timedelta(days=chance.randint(10, 60))).date().isoformat()
    channel = chance.choice(("webinar", "paid_search", "fair"))
    return {
        "name": f"Campaign {name}",
        "channel": channel,
        "status": "active",
        "starts_on": starts_on,
    }


# By what stands before and after the id in the address.
ANSWERS: Mapping[tuple[str, str], Made] = {
    ("campaigns", ""): _campaign,
    ("accounts", "health"): _health,
    ("accounts", "usage"): _usage,
    ("accounts", "nps"): _nps,
    ("accounts", "tickets"): _tickets,
    ("accounts", "tickets/critical"): _critical,
    ("accounts", "escalations"): _escalations,
    ("accounts", "feature-requests"): _wishes,
}


@dataclass
class StubPartners:
    """The server, how its partners fail, and what they were asked.

    Attributes:
        port: where it listens; 0 takes a free one.
        token: without it nobody is answered, where there is one.
        says_to: the base URL to which they send webhooks, below `/api/v1/inbound/`.
        secrets: what each signs them with.
        slow_seconds: how long a slow one takes.
        told: what came by the queue of each, the newest at the end.
    """

    port: int = 0
    token: str = ""
    says_to: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    slow_seconds: float = 30.0
    faults: dict[str, str] = field(default_factory=dict)
    put: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    told: dict[str, deque[Any]] = field(default_factory=dict)
    released: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self._server = _Server(
            ("127.0.0.1", self.port), type("Handler", (_Handler,), {"stub": self})
        )
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def listen(self, url: str, queues: Sequence[Queue]) -> None:
        """Take what a broker has for partners from the queues that bear their names."""
        self.told = {one.name: deque(maxlen=KEPT) for one in queues}
        Thread(target=self._hear, args=(url, queues), daemon=True).start()

    def _hear(self, url: str, queues: Sequence[Queue]) -> None:
        while not self.released.is_set():
            try:
                with Connection(url) as connection, ExitStack() as consumers:
                    for one in queues:
                        consumer = Consumer(connection.channel(), [one], on_message=self._keep(one))
                        consumers.enter_context(consumer)
                    while not self.released.is_set():
                        with suppress(TimeoutError):
                            connection.drain_events(timeout=LOOK_UP_SECONDS)
            except (OSError, AMQPError, KombuError):
                self.released.wait(1)

    def _keep(self, queue: Queue) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            self.told[queue.name].append(json.loads(message.body))
            message.ack()

        return keep

    def url_of(self, partner: str) -> str:
        """The base URL of a partner."""
        return f"http://127.0.0.1:{self._server.server_port}/{partner}"

    def answer(self, path: str) -> Answer | None:
        """What stands at a path such as `/cx/accounts/C-1/health`; None where nothing does."""
        _, name, rest = (*path.split("/", 2), "", "")[:3]
        if rest == "told" and name in self.told:
            return {"data": list(self.told[name])}
        if path in self.put:
            found: Answer | None = self.put[path]
            return found
        _, _, kind, name, rest = (*path.split("/", 4), "", "", "")[:5]
        made = ANSWERS.get((kind, rest))
        if made is None or not name:
            return None
        # Of a day everything is the same, however often it is asked.
        now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return {"as_of": now.isoformat(), **made(name, random.Random(path), now)}  # noqa: S311

    def say(self, partner: str, kind: str, payload: Mapping[str, Any]) -> int:
        """Let a partner send a signed webhook; returns the status of the answer."""
        now = datetime.now(UTC)
        told = {"event_type": kind, "timestamp": now.isoformat(), "payload": dict(payload)}
        body, name = json.dumps(told), f"msg_{uuid4()}"
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secrets[partner]).sign(name, now, body),
        }
        address = f"{self.says_to}/api/v1/inbound/{partner}"
        answer = httpx2.post(address, content=body, headers=headers, trust_env=False, timeout=10)
        return answer.status_code


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Whoever hangs up in the middle is none of our concern."""


class _Handler(BaseHTTPRequestHandler):
    stub: StubPartners
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.stub.asked.append(self.path)
        if self._fails():
            return
        if self.stub.token and self.headers["Authorization"] != f"Bearer {self.stub.token}":
            self._send(401, {})
            return
        answer = self.stub.answer(self.path)
        self._send(200 if answer is not None else 404, answer or {})

    def do_PUT(self) -> None:
        self.stub.put[self.path] = self._body()
        self._send(200, {})

    def do_POST(self) -> None:
        told = self._body()
        partner = str(told.get("partner"))
        if self.path == "/faults" and told.get("fault") in FAULTS:
            self.stub.faults[partner] = told["fault"]
            self._send(200, {})
        elif self.path == "/say" and partner in self.stub.secrets:
            status = self.stub.say(partner, str(told.get("type")), told.get("payload") or {})
            self._send(200, {"answered": status})
        else:
            self._send(400, {"partners": sorted(self.stub.secrets), "faults": FAULTS})

    def _fails(self) -> bool:
        """Fail as was told; whether there is nothing more to say."""
        match self.stub.faults.get(self.path.split("/")[1], "none"):
            case "slow":
                self.stub.released.wait(self.stub.slow_seconds)
            case "error":
                self._send(500, {})
                return True
            case "garbage":
                self._send_bytes(200, b"<html>\xff not what was asked for")
                return True
            case "dead":
                self.close_connection = True
                return True
        return False

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _send(self, status: int, answer: Any) -> None:
        self._send_bytes(status, json.dumps(answer).encode())

    def _send_bytes(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: Any) -> None:
        """Nothing: what was asked is kept."""
