"""`run` refuses in one sentence, keeps its parts alive and cleans up after a killed run."""

from __future__ import annotations

import os
import signal
import socket
import stat
from dataclasses import dataclass
from functools import partial

import pytest

from salesplatform.embedded import processes
from salesplatform.embedded.__main__ import main
from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.locks import FileLock
from salesplatform.embedded.parts import Program, orphans
from salesplatform.embedded.places import DataFolder
from salesplatform.embedded.services import secret_key
from salesplatform.embedded.supervisor import Supervisor

SLEEP = "import time; time.sleep(60)"
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{SLEEP}'])"


@pytest.fixture(autouse=True)
def _data_folder(monkeypatch: pytest.MonkeyPatch, folder: DataFolder) -> None:
    monkeypatch.setenv("DATA_DIR", str(folder.create().root))


def test_refuses_a_busy_port(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        assert main(["run"]) == 1

    assert capfd.readouterr().err.startswith(
        f"Port {port} on 127.0.0.1 cannot be listened on (address already in use)"
    )


def test_refuses_a_port_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "http")

    assert main(["run"]) == 1
    assert capfd.readouterr().err == "PORT must be a number from 1 to 65535, and is 'http'.\n"


def test_refuses_a_second_run_on_the_same_data(
    folder: DataFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    first = FileLock(folder.root / "run.lock")
    assert first.try_to_take()
    first.path.write_text("4711")

    assert main(["run"]) == 1
    first.release()

    said = capfd.readouterr().err
    assert said.startswith(f"The platform already runs from {folder.root} (process 4711)")


def test_refuses_a_data_folder_that_is_a_file(
    monkeypatch: pytest.MonkeyPatch, folder: DataFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    file = folder.root / "file"
    file.touch()
    monkeypatch.setenv("DATA_DIR", str(file))

    assert main(["run"]) == 1
    assert capfd.readouterr().err.startswith(f"The data folder {file} cannot be used")


def test_the_secret_key_is_private_and_stays(folder: DataFolder) -> None:
    key = secret_key(folder)

    assert secret_key(folder) == key
    assert stat.S_IMODE((folder.root / "secret-key").stat().st_mode) == 0o600


def test_a_program_that_dies_is_started_again(folder: DataFolder) -> None:
    program = program_of(folder, SLEEP)
    said: list[str] = []
    supervisor = Supervisor([], said.append)
    supervisor.start(program)
    first = orphans(folder.root)[0]
    try:
        first.send(signal.SIGKILL)

        assert supervisor.wait_for(lambda: bool(others(folder, first)), 10)
        assert said[0] == "sample ended (killed by SIGKILL); starting it again in 0.5 s"
    finally:
        program.stop()
    assert orphans(folder.root) == []


def test_a_part_that_cannot_start_is_tried_again_with_longer_pauses() -> None:
    part = Stubborn()
    said: list[str] = []
    supervisor = Supervisor([], said.append)

    supervisor.start(part)
    supervisor.wait_for(lambda: part.attempts == 3, 10)

    assert part.attempts == 3
    pauses = [float(line.split()[-2]) for line in said if "starting it again" in line]
    assert pauses == [0.5, 1.0, 2.0]


def test_the_children_of_a_killed_program_end_before_it_starts_again(folder: DataFolder) -> None:
    program = program_of(folder, WITH_CHILD)
    program.start()
    assert processes.wait_until(lambda: len(orphans(folder.root)) == 2, 10)
    parent, child = sorted(orphans(folder.root), key=lambda process: process.started)
    parent.send(signal.SIGKILL)
    assert parent.wait(5)
    assert child.is_alive
    assert not program.is_alive

    program.start()
    try:
        assert not child.is_alive
    finally:
        program.stop()


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_programs_of_a_killed_run_are_found_and_ended(folder: DataFolder) -> None:
    program_pid = os.fork()
    if program_pid == 0:
        program_of(folder, SLEEP).start()
        os._exit(0)
    os.waitpid(program_pid, 0)
    assert processes.wait_until(lambda: bool(orphans(folder.root)), 5)

    processes.end_all(partial(orphans, folder.root))

    assert orphans(folder.root) == []


def test_a_reused_process_id_is_not_mistaken_for_the_process() -> None:
    own = processes.Process.of(os.getpid())
    stranger = processes.Process(own.pid, own.started - 1)

    stranger.send(signal.SIGKILL)

    assert own.is_alive
    assert not stranger.is_alive


def program_of(folder: DataFolder, code: str) -> Program:
    return Program("sample", ["-c", code], folder.root, {}, patience=1.0)


def others(folder: DataFolder, than: processes.Process) -> list[processes.Process]:
    return [process for process in orphans(folder.root) if process != than]


@dataclass
class Stubborn:
    """A part that never starts."""

    name: str = "stubborn"
    attempts: int = 0
    is_alive: bool = False
    ending: str = "not started"

    def start(self) -> None:
        self.attempts += 1
        raise CannotStart("no")

    def last_lines(self) -> str:
        return ""
