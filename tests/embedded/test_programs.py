"""The server programs come out of their wheels whole, and say what they miss."""

from __future__ import annotations

import subprocess
from pathlib import Path

from salesplatform.embedded.places import DataFolder
from salesplatform.embedded.programs import (
    _missing_packages,
    environment_of,
    postgres_programs,
    valkey_program,
)

EXTENSIONS = {"pg_trgm", "citext", "ltree", "unaccent", "btree_gin", "pgcrypto", "vector"}


def test_postgres_comes_with_the_extensions_the_project_uses(folder: DataFolder) -> None:
    home = postgres_programs(folder.create().programs)

    controls = {path.stem for path in (home / "share" / "extension").glob("*.control")}
    assert controls >= EXTENSIONS
    postgres = home / "bin" / "postgres"
    version = subprocess.run(
        [postgres, "--version"], env=environment_of(postgres), capture_output=True, text=True
    )
    assert version.stdout.startswith("postgres (PostgreSQL) 18.")


def test_programs_are_unpacked_once(tmp_path: Path) -> None:
    program = valkey_program(tmp_path)
    inode = program.stat().st_ino

    assert valkey_program(tmp_path).stat().st_ino == inode


def test_missing_libraries_are_named_by_the_package_to_install() -> None:
    output = (
        "\tlinux-vdso.so.1 (0x00007f)\n"
        "\tlibssl.so.3 => not found\n"
        "\tlibcrypto.so.3 => not found\n"
        "\tlibgssapi_krb5.so.2 => not found\n"
        "\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n"
    )

    assert _missing_packages(output) == ["libgssapi-krb5-2", "libssl3"]


def test_an_old_c_library_is_named_alone() -> None:
    output = "postgres: /lib/libc.so.6: version `GLIBC_2.34' not found (required by postgres)\n"

    assert _missing_packages(output) == ["glibc 2.35 or newer"]
