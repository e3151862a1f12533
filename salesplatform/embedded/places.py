"""Where everything of one installation lives: the data folder and what stands in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from salesplatform.embedded.errors import CannotStart

DEFAULT = Path("var")
DEFAULT_FOR_ROOT = Path("/var/lib/salesplatform")


@dataclass(frozen=True)
class DataFolder:
    """The folder that holds the servers' data, logs and secrets."""

    root: Path

    @property
    def programs(self) -> Path:
        return self.root / "programs"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def kept_running(self) -> Path:
        """Exists while `up` wants the servers to outlive the commands that use them."""
        return self.root / "kept-running"

    def create(self) -> DataFolder:
        """Make the folders; refuse with a sentence when that is not possible."""
        try:
            with others_may_pass():
                for folder in (self.root, self.programs, self.postgres, self.valkey, self.log):
                    folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refusal(error.strerror or str(error)) from None
        if not os.access(self.root, os.W_OK):
            raise self._refusal("it is not writable")
        if os.geteuid() == 0 and not reachable_for_everyone(self.root):
            raise self._refusal("the unprivileged account of PostgreSQL cannot reach it")
        return self

    def _refusal(self, why: str) -> CannotStart:
        return CannotStart(
            f"The data folder {self.root} cannot be used ({why}): set DATA_DIR to another folder."
        )


def data_folder() -> DataFolder:
    """The folder that DATA_DIR names, else `./var`, else a place that root's servers can reach."""
    if named := os.environ.get("DATA_DIR"):
        return DataFolder(Path(named).expanduser().resolve())
    default = DEFAULT.resolve()
    if os.geteuid() == 0 and not reachable_for_everyone(default):
        return DataFolder(DEFAULT_FOR_ROOT)
    return DataFolder(default)


def reachable_for_everyone(path: Path) -> bool:
    """Whether every existing folder on the way to `path` lets other accounts pass."""
    existing = [folder for folder in (path, *path.parents) if folder.exists()]
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in existing)


@contextmanager
def others_may_pass() -> Iterator[None]:
    """Make files that the servers' account can read, however careful root's umask is."""
    previous = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(previous)


def private_text(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
