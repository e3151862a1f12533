"""The services the application needs: embedded servers, or external ones named by variables."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from salesplatform.embedded import processes
from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.external import check_external_services
from salesplatform.embedded.locks import FileLock, alone
from salesplatform.embedded.parts import orphans
from salesplatform.embedded.places import DataFolder, private_text
from salesplatform.embedded.postgres import Postgres
from salesplatform.embedded.programs import postgres_programs, valkey_program
from salesplatform.embedded.server import Server
from salesplatform.embedded.signals import uninterrupted
from salesplatform.embedded.valkey import Valkey

Say = Callable[[str], None]


def _silent(_: str) -> None:
    pass


def secret_key(folder: DataFolder) -> str:
    """What signs sessions, and what other keys are made from: the given one, else one made for
    this folder."""
    if given := os.environ.get("SECRET_KEY"):
        return given
    path = folder.root / "secret-key"
    with alone(folder.root / "secret-key.lock"):
        if not path.exists():
            private_text(path, secrets.token_urlsafe(48))
    return path.read_text()


@dataclass
class Services:
    """The servers of one data folder, and the environment that leads to them.

    A variable that leads elsewhere names an external server, and its embedded one stays off.
    """

    folder: DataFolder
    throwaway: bool = False
    postgres: Postgres | None = field(init=False, default=None)
    valkey: Valkey | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.folder.create()
        with alone(self.folder.root / "unpack.lock"):
            if "DATABASE_URL" not in self.external:
                self.postgres = self._embedded_postgres()
            if "REDIS_URL" not in self.external:
                self.valkey = self._embedded_valkey()

    @property
    def external(self) -> list[str]:
        """The variables that lead to servers other than this folder's own.

        A shell that evaluated `env` holds variables that lead here.
        """
        return [
            variable
            for variable, directory in {
                "DATABASE_URL": self.folder.postgres,
                "REDIS_URL": self.folder.valkey,
                "CELERY_BROKER_URL": self.folder.valkey,
            }.items()
            if _leads_elsewhere(os.environ.get(variable, ""), directory / "password")
        ]

    @property
    def servers(self) -> list[Server]:
        return [server for server in (self.postgres, self.valkey) if server]

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the application finds its services and opens what it keeps there:
        whatever runs on a data folder has the key of that folder.
        """
        found = {"DATA_DIR": str(self.folder.root), "SECRET_KEY": secret_key(self.folder)}
        if self.postgres:
            found["DATABASE_URL"] = self.postgres.url
        if self.valkey:
            found["REDIS_URL"] = self.valkey.url
        if "CELERY_BROKER_URL" not in self.external:
            redis = self.valkey
            found["CELERY_BROKER_URL"] = redis.broker_url if redis else os.environ["REDIS_URL"]
        return found

    def start(self, say: Say = _silent) -> None:
        """Make every service answer; several commands may ask at the same time."""
        check_external_services(self.external)
        for server in self.servers:
            started = server.start()
            say(f"{server.name} {'started' if started else 'found running'}, port {server.port}")

    def stop(self) -> None:
        for server in reversed(self.servers):
            server.stop()

    def _embedded_postgres(self) -> Postgres:
        return Postgres(
            self.folder.postgres,
            self.folder.log / "postgres.log",
            postgres_programs(self.folder.programs),
            throwaway=self.throwaway,
        )

    def _embedded_valkey(self) -> Valkey:
        return Valkey(
            self.folder.valkey,
            self.folder.log / "valkey.log",
            valkey_program(self.folder.programs),
        )


def _leads_elsewhere(url: str, password: Path) -> bool:
    """Whether a URL names a server that does not have this random password."""
    return bool(url) and not (password.exists() and password.read_text() in url)


class Use:
    """One command's use of the servers: they stop with the last one, unless `up` keeps them."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._lock = FileLock(services.folder.root / "use.lock")

    def hold(self) -> None:
        """Say that the servers are in use; waits while another command stops them."""
        self._lock.share()

    def begin(self, say: Say = _silent) -> None:
        self.hold()
        self.services.start(say)

    def end(self) -> None:
        with uninterrupted():
            if not self.services.folder.kept_running.exists() and self._lock.try_to_take():
                self.services.stop()
            self._lock.release()


def keep_running(services: Services, say: Say) -> None:
    """Start the servers and let them outlive this command."""
    use = Use(services)
    services.folder.kept_running.touch()
    use.begin(say)
    use.end()


def stop_running(services: Services) -> None:
    """Stop the servers, unless another command uses them."""
    lock = FileLock(services.folder.root / "use.lock")
    services.folder.kept_running.unlink(missing_ok=True)
    if not lock.try_to_take():
        raise CannotStart(
            "The servers are in use by another command and stop when the last such command ends."
        )
    processes.end_all(partial(orphans, services.folder.root))
    services.stop()
    lock.release()
