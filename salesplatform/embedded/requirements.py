"""The virtual environment with exactly the locked requirements in it.

Runs before anything is installed, so it imports nothing that the standard library does not hold.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.steps import step

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
        _run(PYTHON, *["-m", "pip", "install", "--quiet", "--require-hashes", "-r"], BOOTSTRAP)
    with step("Locked requirements"):
        _run(UV, *["pip", "sync", "--quiet", "--require-hashes"], LOCK)
    STAMP.write_text(_wanted())


def _make_environment() -> None:
    if not _run_quietly([sys.executable, "-m", "venv", "--clear", str(HOME)]):
        raise CannotStart(
            "Python cannot make a virtual environment: install its venv module "
            "(on Debian the package python3-venv)."
        )


def _runs(python: Path) -> bool:
    # An environment outlives the Python it was made from.
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return python.exists() and _run_quietly([str(python), "-c", check])


def _run_quietly(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def _run(*command: str | Path) -> None:
    environment = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", **os.environ, **_package_index()}
    environment["VIRTUAL_ENV"] = str(HOME.resolve())
    if subprocess.call(command, env=environment) != 0:
        raise CannotStart(
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
    except CannotStart as reason:
        sys.exit(str(reason))
    except KeyboardInterrupt:
        sys.exit(130)
