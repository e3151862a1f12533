"""The embedded PostgreSQL 18."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.places import private_text
from salesplatform.embedded.ports import LOOPBACK
from salesplatform.embedded.processes import Process
from salesplatform.embedded.programs import environment_of
from salesplatform.embedded.server import Server

NAME = "salesplatform"
MAJOR_VERSION = "18"
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Data that nobody keeps need not survive a power cut.
THROWAWAY_SETTINGS = {
    "shared_buffers": "128MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "1h",
}


class Postgres(Server):
    """PostgreSQL with one database and one owner, both called `salesplatform`."""

    name = "PostgreSQL"
    # Fast shutdown, then immediate shutdown (recovers at the next start), then the hard way.
    stop_steps = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    def __init__(
        self, directory: Path, log: Path, program: Path, *, throwaway: bool = False
    ) -> None:
        super().__init__(directory, log, program)
        self.settings = SETTINGS | (THROWAWAY_SETTINGS if throwaway else {})
        if shared_buffers := os.environ.get("PG_SHARED_BUFFERS"):
            self.settings["shared_buffers"] = shared_buffers

    @property
    def url(self) -> str:
        return f"postgresql://{NAME}:{self.password}@{LOOPBACK}:{self.port}/{NAME}"

    def command(self) -> list[str]:
        settings = self.settings | {"port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.program / "bin" / "postgres"), "-D", str(self.data), *options]

    def prepare(self) -> None:
        if not self.data.exists():
            self._create_cluster()
        if (found := (self.data / "PG_VERSION").read_text().strip()) != MAJOR_VERSION:
            raise CannotStart(
                f"{self.data} was made by PostgreSQL {found}, and this is {MAJOR_VERSION}: "
                "set DATA_DIR to another folder."
            )
        self._remove_stale_pid_file()

    def main_process(self) -> Process | None:
        """The postmaster named in the data folder, if it lives and works there."""
        process = self._recorded_process()
        return process if process in self.working() else None

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError), self._connect("postgres") as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [NAME])
            if found.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
            return True
        return False

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            dbname=database,
            user=NAME,
            password=self.password,
            connect_timeout=5,
            autocommit=True,
        )

    def _create_cluster(self) -> None:
        """Make the cluster beside its place and move it there whole: a kill leaves no half."""
        torn = self.directory / "data.new"
        shutil.rmtree(torn, ignore_errors=True)
        torn.mkdir(mode=0o700)
        password = self.directory / "password.new"
        private_text(password, self.password)
        self.account.give(torn)
        self.account.give(password)
        initdb = self.program / "bin" / "initdb"
        made = subprocess.run(
            [
                initdb,
                f"--pgdata={torn}",
                f"--username={NAME}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-sync",
            ],
            cwd=torn,
            env=environment_of(initdb),
            capture_output=True,
            text=True,
            **self.account.popen_arguments(),
        )
        password.unlink()
        if made.returncode != 0:
            lines = made.stderr.strip().splitlines()
            reason = next((line for line in lines if "error" in line), lines[-1])
            raise CannotStart(f"The database could not be made: {reason.rstrip('.')}.")
        torn.rename(self.data)

    def _recorded_process(self) -> Process | None:
        with suppress(OSError, ValueError, IndexError):
            return Process.of(int((self.data / "postmaster.pid").read_text().splitlines()[0]))
        return None

    def _remove_stale_pid_file(self) -> None:
        """Nothing of the server lives here any more, so its pid file is of the past.

        PostgreSQL would judge by the number alone and refuse when a zombie or a stranger has it.
        """
        if not self.working():
            (self.data / "postmaster.pid").unlink(missing_ok=True)
