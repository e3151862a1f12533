"""Loopback ports: free ones, busy ones."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
SERVER_PORTS = range(20_000, 30_000)


def free_port(preferred: int | None = None) -> int:
    """The preferred port when nobody listens on it, else a random free one.

    Never one of those the system gives to outgoing connections: while a server restarts, a
    client that tries to reach it could be given the server's own port.
    """
    port = preferred or random.choice(SERVER_PORTS)
    while obstacle(port):
        port = random.choice(SERVER_PORTS)
    return port


def obstacle(port: int, host: str = LOOPBACK) -> str:
    """Why nobody can begin to listen on this address; empty when somebody can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: connections of the last run that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return ""
