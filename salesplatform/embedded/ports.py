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
    if preferred and not is_busy(preferred):
        return preferred
    while is_busy(port := random.choice(SERVER_PORTS)):
        pass
    return port


def is_busy(port: int, host: str = LOOPBACK) -> bool:
    """Whether this address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: connections of the last run that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
