"""What the embedded servers have in common: start or adopt, recover after a kill, stop."""

from __future__ import annotations

import secrets
import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from salesplatform.embedded import processes
from salesplatform.embedded.accounts import server_account
from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.locks import alone
from salesplatform.embedded.logs import last_lines, rotate
from salesplatform.embedded.places import private_text
from salesplatform.embedded.ports import free_port
from salesplatform.embedded.processes import Process
from salesplatform.embedded.programs import environment_of

START_SECONDS = 60.0


def working_in(data: Path) -> list[Process]:
    """The processes of the server, known or forgotten, that keeps its state in this folder."""
    with server_account(data).acting():
        return processes.working_in(data)


class Server(ABC):
    """A server with its state in one folder, listening on loopback behind a password."""

    name: str
    stop_steps: tuple[tuple[signal.Signals, float], ...]

    def __init__(self, directory: Path, log: Path, program: Path) -> None:
        self.directory = directory
        self.log = log
        self.program = program
        self.account = server_account(self.data)
        self._port: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._process: Process | None = None

    @property
    def data(self) -> Path:
        """The folder the server works in; a process working there is this server."""
        return self.directory / "data"

    @property
    def port(self) -> int:
        """The port of the last start: clients find the server again after a restart."""
        if self._port is None:
            recorded = self.directory / "port"
            self._port = int(recorded.read_text()) if recorded.exists() else free_port()
        return self._port

    @property
    def password(self) -> str:
        path = self.directory / "password"
        if not path.exists():
            private_text(path, secrets.token_urlsafe(24))
        return path.read_text()

    @abstractmethod
    def command(self) -> list[str]:
        """The command line that runs the server in the foreground."""

    @abstractmethod
    def prepare(self) -> None:
        """Bring the folder into the state that a start needs."""

    @abstractmethod
    def main_process(self) -> Process | None:
        """The server's living main process, whoever started it."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server takes a signed-in client's request."""

    def start(self) -> bool:
        """Make the server answer. False when one of an earlier start was found and adopted."""
        with alone(self.directory / "start.lock"):
            self._port = None  # another command may have chosen one meanwhile
            started = self._start()
            self._process = self.main_process()
        return started

    def stop(self) -> None:
        """Stop the server in good order; insist when it does not listen."""
        with alone(self.directory / "start.lock"):
            self._stop()

    def _start(self) -> bool:
        if self.main_process():
            if processes.wait_until(self.answers, START_SECONDS / 4):
                return False
            self._stop()
        self._check_owner()
        self._end_leftovers()
        self._reap()
        self.prepare()
        self._choose_port()
        self._launch()
        return True

    def _stop(self) -> None:
        if process := self.main_process():
            process.end(*self.stop_steps)
        self._process = None
        self._reap()
        self._end_leftovers()

    @property
    def is_alive(self) -> bool:
        """Whether the process that was last seen still lives: asked often, so asked cheaply."""
        self._reap()
        process = self._process or self.main_process()
        return process is not None and process.is_alive

    def working(self) -> list[Process]:
        """Every process of this server, the orphans of a killed one included."""
        return working_in(self.data)

    @property
    def ending(self) -> str:
        return "its process is gone"

    def last_lines(self) -> str:
        return last_lines(self.log)

    def _check_owner(self) -> None:
        if not self.account.is_own or not self.data.exists():
            return
        if self.data.stat().st_uid != self.account.uid:
            raise CannotStart(
                f"The data folder {self.data} belongs to another user: "
                "run as that user, or set DATA_DIR to another folder."
            )

    def _end_leftovers(self) -> None:
        """Orphans of a killed server may still write: they end before a new one starts."""
        processes.end_all(self.working, first=signal.SIGQUIT, patience=5.0)

    def _choose_port(self) -> None:
        self._port = free_port(self.port)
        (self.directory / "port").write_text(str(self._port))

    def _launch(self) -> None:
        rotate(self.log)
        command = self.command()
        with self.log.open("ab") as log:
            # Its own session: Ctrl-C in the terminal must not stop it before its clients.
            self._child = subprocess.Popen(
                command,
                cwd=self.data,
                env=environment_of(Path(command[0])),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.account.popen_arguments(),
            )
        if not processes.wait_until(self._started_or_ended, START_SECONDS) or self._has_ended():
            self._stop()
            raise CannotStart(f"{self.name} did not start; its log ends:\n{self.last_lines()}")

    def _started_or_ended(self) -> bool:
        return self._has_ended() or self.answers()

    def _has_ended(self) -> bool:
        return self._child is not None and self._child.poll() is not None

    def _reap(self) -> None:
        if self._has_ended():
            self._child = None
