"""A RabbitMQ of one's own: Debian's server on free ports, in a folder that leaves with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Producer

from apps.integrations.services.queues import INBOUND
from salesplatform.embedded.ports import LOOPBACK, free_port

# Where Debian keeps what its wrapper in PATH would start as another account.
SCRIPTS = Path("/usr/lib/rabbitmq/bin")
PATIENCE = 60.0


@dataclass
class RabbitMQ:
    """A broker that can be killed and started again with what it has on disk."""

    folder: Path
    port: int = field(default_factory=free_port)
    distribution_port: int = field(default_factory=free_port)
    mapper_port: int = field(default_factory=free_port)
    server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}//"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "variables"),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "true",  # it may be ended while it knows a name
        }

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.server = subprocess.Popen(
                [SCRIPTS / "rabbitmq-server"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.server.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "RabbitMQ did not start in time"
            time.sleep(0.2)

    def answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except (OSError, AttributeError):
            return False
        return True

    def settle(self) -> None:
        """Let it write its queues' names to disk, which it does half a second after it made them.

        The messages of a queue whose name is lost are lost to it, though they were confirmed.
        """
        time.sleep(1.5)

    def kill(self) -> None:
        """End it at once, without a farewell."""
        assert self.server is not None
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def remove(self) -> None:
        """End the server and the mapper of names it started."""
        self.kill()
        subprocess.run(["epmd", "-kill"], env=self.environment, capture_output=True, check=True)
        shutil.rmtree(self.folder)

    def take(self, queue: str, patience: float = 1.0) -> list[Any]:
        """Every message of a queue, in its order; they are gone from it."""
        taken: list[Any] = []
        with Connection(self.url) as connection:
            channel = connection.default_channel
            channel.basic_consume(queue, no_ack=True, callback=taken.append)
            with suppress(TimeoutError):
                while True:
                    connection.drain_events(timeout=patience)
            return [channel.message_to_python(message) for message in taken]

    def put(self, key: str, *bodies: bytes) -> None:
        """Publish as partners do, under their key."""
        with Connection(self.url) as connection:
            producer = Producer(connection.default_channel, INBOUND)
            for body in bodies:
                producer.publish(body, routing_key=key, content_type="application/json")

    def is_taken_from(self, queue: str) -> bool:
        """Whether a receiver takes from it; before that, it is perhaps not bound to an exchange."""
        with Connection(self.url) as connection:
            try:
                found = connection.default_channel.queue_declare(queue, passive=True)
            except connection.channel_errors:
                return False
            return bool(found.consumer_count)

    def forget(self, queues: Sequence[str]) -> None:
        with Connection(self.url) as connection:
            for queue in queues:
                connection.default_channel.queue_delete(queue)


def wait_until(condition: Callable[[], bool]) -> None:
    """Let others work until something has come true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def is_installed() -> bool:
    return (SCRIPTS / "rabbitmq-server").exists()


@contextmanager
def own_rabbitmq() -> Iterator[RabbitMQ]:
    """A running broker. Where it is not installed, a machine that proves things fails."""
    if not is_installed():
        if os.environ.get("CI"):
            pytest.fail("rabbitmq-server is not installed")
        pytest.skip("rabbitmq-server is not installed")
    folder = Path(tempfile.mkdtemp(prefix="salesplatform-rabbitmq-"))
    (folder / "plugins").write_text("[].")
    broker = RabbitMQ(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()
