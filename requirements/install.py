"""Make the virtual environment hold exactly the locked requirements.

Runs on a bare Python before anything is installed, the project's own packages included.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOME = Path(".venv")
PYTHON = HOME / "bin" / "python"
UV = HOME / "bin" / "uv"
BOOTSTRAP = Path("requirements/bootstrap.txt")
LOCK = Path("requirements/development.txt")
STAMP = HOME / "installed-lock"


def install() -> None:
    """Make the environment and install what the lock file names, unless that is done already."""
    if not _runs(PYTHON):
        with step(f"Virtual environment, Python {sys.version.split()[0]}"):
            _make_environment()
    if _stamp() == _wanted():
        return
    with step("Installer"):
        _run(PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", BOOTSTRAP)
    with step("Locked requirements"):
        _run(UV, "pip", "sync", "--quiet", "--require-hashes", LOCK)
    STAMP.write_text(_wanted())


@contextmanager
def step(name: str) -> Iterator[None]:
    """Announce a step, and its seconds when it is done."""
    print(f"{name + ' ':.<44}", end=" ", flush=True)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:5.1f} s", flush=True)


def _make_environment() -> None:
    if not _succeeds(sys.executable, "-m", "venv", "--clear", str(HOME)):
        sys.exit(
            "failed\nPython cannot make a virtual environment: install its venv module "
            "(on Debian the package python3-venv)."
        )


def _runs(python: Path) -> bool:
    # An environment outlives the Python it was made from.
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return python.exists() and _succeeds(str(python), "-c", check)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def _run(*command: str | Path) -> None:
    environment = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", **os.environ, **_package_index()}
    environment["VIRTUAL_ENV"] = str(HOME.resolve())
    if subprocess.call(command, env=environment) != 0:
        sys.exit(
            "The requirements could not be installed (the reason stands above): "
            "check that the package index can be reached."
        )


def _package_index() -> dict[str, str]:
    """The index that pip is told to use, for uv, which reads only its own settings."""
    asked = subprocess.run(
        [PYTHON, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True
    )
    index = os.environ.get("PIP_INDEX_URL") or asked.stdout.strip()
    return {"UV_DEFAULT_INDEX": index} if index and "UV_DEFAULT_INDEX" not in os.environ else {}


def _stamp() -> str:
    return STAMP.read_text() if STAMP.exists() else ""


def _wanted() -> str:
    content = BOOTSTRAP.read_bytes() + LOCK.read_bytes()
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    try:
        install()
    except KeyboardInterrupt:
        sys.exit(130)
