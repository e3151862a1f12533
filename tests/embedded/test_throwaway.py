"""`test` runs pytest among servers that nobody sees again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from salesplatform.embedded import processes
from salesplatform.embedded.throwaway import MARK, PREFIX

QUICK = "def test_environment():\n    import os\n    assert os.environ['DATABASE_URL']\n"
FAILING = QUICK + "def test_wrong():\n    assert False\n"
SLOW = "def test_slow():\n    import time\n    time.sleep(60)\n"


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, folder) -> Path:
    """A temporary folder of its own: other test runs of this machine must not be swept."""
    monkeypatch.setenv("TMPDIR", str(folder.root))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder.root
    tempfile.tempdir = None


def test_a_test_run_closes_as_pytest_does_and_leaves_nothing(temporary: Path) -> None:
    run = start(temporary, FAILING, stdout=subprocess.PIPE, text=True)

    output, _ = run.communicate(timeout=60)

    assert run.returncode == 1
    assert "1 failed, 1 passed" in output.splitlines()[-1]
    assert leftovers(temporary) == []


def test_an_interrupted_test_run_leaves_nothing(temporary: Path) -> None:
    run = start(temporary, SLOW, stdout=subprocess.DEVNULL, start_new_session=True)
    assert processes.wait_until(lambda: running(temporary), 30)

    os.killpg(run.pid, signal.SIGINT)

    assert run.wait(60) != 0
    assert leftovers(temporary) == []


def test_what_a_killed_test_run_left_is_gone_after_the_next(temporary: Path) -> None:
    killed = start(temporary, SLOW, stdout=subprocess.DEVNULL)
    assert processes.wait_until(lambda: running(temporary), 30)
    killed.kill()
    killed.wait()
    assert leftovers(temporary)

    assert start(temporary, QUICK, stdout=subprocess.DEVNULL).wait(60) == 0
    assert leftovers(temporary) == []


def start(temporary: Path, content: str, **arguments) -> subprocess.Popen:
    """Start `test` on a file of its own, apart from this project's configuration."""
    file = temporary / "test_sample.py"
    file.write_text(content)
    apart = ["-c", os.devnull, "--rootdir", str(temporary), "-p", "no:django", "-n", "0"]
    command = [sys.executable, "-m", "salesplatform.embedded", "test", "--", str(file), *apart]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, **arguments)


def running(temporary: Path) -> list[processes.Process]:
    return [
        process
        for root in temporary.glob(f"{PREFIX}*")
        for process in processes.marked({MARK: str(root)})
    ]


def leftovers(temporary: Path) -> list[Path]:
    return list(temporary.glob(f"{PREFIX}*"))
