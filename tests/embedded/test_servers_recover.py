"""The embedded servers come back after whatever happened to them."""

from __future__ import annotations

import os
import signal
import socket

import psycopg
import pytest
import redis

from salesplatform.embedded.places import DataFolder
from salesplatform.embedded.server import Server
from salesplatform.embedded.services import Services


def test_a_killed_postgres_starts_again_with_its_data_on_the_same_port(services: Services) -> None:
    url = services.environment["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE deal AS SELECT 42 AS amount")

    kill(services.postgres)
    assert services.postgres.start()

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT amount FROM deal").fetchone() == (42,)


def test_a_busy_orphan_of_a_killed_postgres_ends_before_the_next_start(services: Services) -> None:
    connection = psycopg.connect(services.environment["DATABASE_URL"])
    busy = connection.pgconn.backend_pid
    connection.pgconn.send_query(b"SELECT pg_sleep(60)")

    kill(services.postgres)
    assert services.postgres.start()

    connection.close()
    assert busy not in {process.pid for process in services.postgres.working()}


def test_a_killed_valkey_starts_again_with_every_acknowledged_key(services: Services) -> None:
    url = services.environment["CELERY_BROKER_URL"]
    with redis.from_url(url) as client:
        for number in range(100):
            client.rpush("queue", number)

    kill(services.valkey)
    assert services.valkey.start()

    with redis.from_url(url) as client:
        assert client.llen("queue") == 100


def test_a_later_start_adopts_the_servers_it_finds(services: Services, folder: DataFolder) -> None:
    before = [server.main_process() for server in services.servers]

    later = Services(folder)

    assert [server.start() for server in later.servers] == [False, False]
    assert [server.main_process() for server in later.servers] == before
    assert later.environment == services.environment


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(services: Services) -> None:
    postgres = services.postgres
    kill(postgres)
    pid_file = postgres.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")

    assert postgres.main_process() is None
    assert postgres.start()


def test_servers_take_another_port_when_a_stranger_has_theirs(folder: DataFolder) -> None:
    services = Services(folder)
    valkey = services.valkey
    services.start()
    services.stop()
    wanted = valkey.port

    with socket.create_server(("127.0.0.1", wanted)):
        services.start()
        try:
            assert valkey.port != wanted
            assert valkey.answers()
        finally:
            services.stop()


def test_servers_refuse_clients_without_the_password(services: Services) -> None:
    address = f"127.0.0.1:{services.valkey.port}"
    with (
        redis.from_url(f"redis://{address}/0") as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()

    stranger = f"postgresql://salesplatform:guess@127.0.0.1:{services.postgres.port}/postgres"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stranger)


def kill(server: Server) -> None:
    process = server.main_process()
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(5)
    assert not server.is_alive
