"""Under which system account a server runs: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class Account:
    """A user and group id, and whether this process has to change into them."""

    uid: int
    gid: int

    @property
    def is_own(self) -> bool:
        return self.uid == os.geteuid()

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    def popen_arguments(self) -> dict[str, Any]:
        """What `subprocess.Popen` needs to start a program under this account."""
        if self.is_own:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make this account the owner of a file or folder."""
        if not self.is_own:
            os.chown(path, self.uid, self.gid)

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Look at the system as this account does.

        Root in a container may be refused a look into another account's processes; the account
        itself never is.
        """
        if self.is_own:
            yield
            return
        own_uid, own_gid = os.geteuid(), os.getegid()
        os.setegid(self.gid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(own_uid)
            os.setegid(own_gid)


def server_account(directory: Path) -> Account:
    """The account for servers that keep their state in `directory`.

    An ordinary user runs them as itself. Root keeps the account that made the state, else takes
    an unprivileged one.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if directory.exists() and (owner := directory.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return _unprivileged()


def _unprivileged() -> Account:
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        return Account(65534, 65534)
    return Account(entry.pw_uid, entry.pw_gid)
