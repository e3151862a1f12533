"""The embedded Valkey: cache, Celery broker and results."""

from __future__ import annotations

import signal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from salesplatform.embedded.places import private_text
from salesplatform.embedded.ports import LOOPBACK
from salesplatform.embedded.processes import Process
from salesplatform.embedded.server import Server

SETTINGS = {
    "bind": LOOPBACK,
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # A broker must not forget what it was told to keep.
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
}


class Valkey(Server):
    """Valkey with an append-only file; database 0 is the cache, database 1 the broker."""

    name = "Valkey"
    stop_steps = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))

    @property
    def url(self) -> str:
        return self._url(0)

    @property
    def broker_url(self) -> str:
        return self._url(1)

    def command(self) -> list[str]:
        return [str(self.program), str(self.data / "valkey.conf")]

    def prepare(self) -> None:
        """Write the settings to a file: a password on the command line is there for all to see."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.account.give(self.data)

    def main_process(self) -> Process | None:
        return next(iter(self.working()), None)

    def answers(self) -> bool:
        client = redis.Redis(
            host=LOOPBACK,
            port=self.port,
            password=self.password,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def _launch(self) -> None:
        self._write_settings()
        super()._launch()

    def _write_settings(self) -> None:
        settings = SETTINGS | {
            "port": str(self.port),
            "dir": str(self.data),
            "requirepass": self.password,
        }
        path = self.data / "valkey.conf"
        private_text(path, "".join(f'{name} "{value}"\n' for name, value in settings.items()))
        self.account.give(path)

    def _url(self, database: int) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/{database}"
