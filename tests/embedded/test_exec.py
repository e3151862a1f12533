"""`exec` runs a command among the servers it needs, and `up` keeps those servers."""

from __future__ import annotations

import json
import socket
import sys
from typing import NoReturn

import pytest

from salesplatform.embedded.__main__ import main
from salesplatform.embedded.commands import run_in_foreground
from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.locks import FileLock
from salesplatform.embedded.places import DataFolder
from salesplatform.embedded.ports import free_port
from salesplatform.embedded.services import Services

# Servers are meant to outlive the objects that started them.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

PRINT_ENVIRONMENT = (
    "import json, os;"
    "names = ['DATABASE_URL', 'REDIS_URL', 'CELERY_BROKER_URL'];"
    "print(json.dumps({name: os.environ.get(name) for name in names}))"
)

_KEYS = (
    "import base64, json, django; django.setup();"
    "from django.conf import settings;"
    "from apps.core.contact_points import email_key;"
    "from apps.core.encryption.ring import ring;"
)
WRAP = _KEYS + (
    "wrapped = base64.b64encode(ring().wrap(bytes(32))).decode();"
    "print(json.dumps({'wrapped': wrapped, 'blind': email_key('ann@acme.example')}))"
)
OPEN = _KEYS + (
    "assert ring().unwrap(base64.b64decode('{wrapped}')) == bytes(32);"
    "print(email_key('ann@acme.example'))"
)


@pytest.fixture(autouse=True)
def _data_folder(monkeypatch: pytest.MonkeyPatch, folder: DataFolder) -> None:
    monkeypatch.setenv("DATA_DIR", str(folder.root))


def test_exec_hands_the_servers_to_the_command_and_stops_them_after_it(
    folder: DataFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    code = main(["exec", "--", sys.executable, "-c", PRINT_ENVIRONMENT])

    services = Services(folder)
    assert code == 0
    assert json.loads(capfd.readouterr().out) == {
        "DATABASE_URL": services.postgres.url,
        "REDIS_URL": services.valkey.url,
        "CELERY_BROKER_URL": services.valkey.broker_url,
    }
    assert not any(server.is_alive for server in services.servers)


def test_what_the_platform_encrypts_a_command_opens(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "salesplatform.settings.local")
    monkeypatch.setenv("PORT", str(free_port()))

    def prepare(folder: DataFolder, variables: dict[str, str]) -> NoReturn:
        run_in_foreground([sys.executable, "-c", WRAP], variables)
        raise CannotStart("That is enough.")

    monkeypatch.setattr("salesplatform.embedded.application._prepare_database", prepare)
    assert main(["run"]) == 1
    kept = json.loads(capfd.readouterr().out.splitlines()[-1])

    assert main(["exec", "--", sys.executable, "-c", OPEN.format(**kept)]) == 0
    assert capfd.readouterr().out == f"{kept['blind']}\n"


def test_exec_ends_with_the_exit_code_of_the_command() -> None:
    assert main(["exec", "--", sys.executable, "-c", "raise SystemExit(7)"]) == 7


def test_exec_respects_a_database_named_from_outside(
    monkeypatch: pytest.MonkeyPatch,
    folder: DataFolder,
    services: Services,
    capfd: pytest.CaptureFixture[str],
) -> None:
    outside = services.environment["DATABASE_URL"]
    elsewhere = DataFolder(folder.root / "elsewhere")
    monkeypatch.setenv("DATA_DIR", str(elsewhere.root))
    monkeypatch.setenv("DATABASE_URL", outside)

    assert main(["exec", "--", sys.executable, "-c", PRINT_ENVIRONMENT]) == 0

    assert json.loads(capfd.readouterr().out)["DATABASE_URL"] == outside
    assert not (elsewhere.postgres / "data").exists()
    assert (elsewhere.valkey / "data").exists()


@pytest.mark.parametrize(
    ("variable", "scheme"),
    [("DATABASE_URL", "postgresql"), ("REDIS_URL", "redis"), ("CELERY_BROKER_URL", "amqp")],
)
def test_exec_names_an_outside_server_that_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    variable: str,
    scheme: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv(variable, f"{scheme}://user:secret@127.0.0.1:{port}/0")

    assert main(["exec", "--", "true"]) == 1

    said = capfd.readouterr().err
    assert said.startswith(f"{variable} names a server at 127.0.0.1:{port} that cannot be used")
    assert said.count("\n") == 1
    assert "secret" not in said


def test_up_keeps_the_servers_until_down(
    folder: DataFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    services = Services(folder)
    assert main(["up"]) == 0
    try:
        assert main(["exec", "--", "true"]) == 0
        assert main(["status"]) == 0
        assert main(["env"]) == 0
        assert f"export DATABASE_URL={services.postgres.url}" in capfd.readouterr().out
    finally:
        assert main(["down"]) == 0
    assert main(["status"]) == 3


def test_down_stops_the_servers_also_for_a_shell_that_holds_their_variables(
    monkeypatch: pytest.MonkeyPatch, folder: DataFolder, services: Services
) -> None:
    for name, value in services.environment.items():
        monkeypatch.setenv(name, value)

    assert main(["down"]) == 0

    assert not any(server.is_alive for server in services.servers)


def test_down_refuses_while_another_command_uses_the_servers(
    folder: DataFolder, services: Services, capfd: pytest.CaptureFixture[str]
) -> None:
    user = FileLock(folder.root / "use.lock")
    user.share()
    try:
        assert main(["down"]) == 1
    finally:
        user.release()

    assert "in use by another command" in capfd.readouterr().err
    assert all(server.is_alive for server in services.servers)
