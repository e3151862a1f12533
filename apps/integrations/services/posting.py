"""Speaking to a URL that others chose: of the public internet alone, never further than it says.

The host is resolved once; every address it has must be public, and the connection goes to one of
those that were looked at, under the host's own name and certificate. So nobody leads it elsewhere
by answering the next question about the name differently. Redirects and proxies are not followed.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Self

import httpx2

from apps.integrations.rules.addresses import is_public

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
WHOLE_SECONDS = 15.0
KEPT_BYTES = 2048


class Unreachable(Exception):
    """There is no answer, and why."""


@dataclass(frozen=True)
class Answer:
    """What came back, as far as it is kept."""

    status: int
    text: str


class Outside:
    """A connection to one URL, kept open from message to message."""

    def __init__(self, url: str, *, local_hosts: Collection[str]) -> None:
        self._url = httpx2.URL(url)
        self._local_hosts = local_hosts
        self._address = ""
        self._client = httpx2.Client(
            transport=httpx2.HTTPTransport(verify=_trust(), trust_env=False),
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up, whatever is under way."""
        self._client.close()

    def send(
        self,
        method: str,
        path: str = "",
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        most: int = KEPT_BYTES,
    ) -> Answer:
        """Send a message, and return the beginning of what comes back. Raises Unreachable.

        Args:
            path: below the URL, in ASCII.
            body: the very bytes.
            most: of the answer this many bytes are waited for.
        """
        began = time.monotonic()
        try:
            self._address = self._address or self._looked_at()
            request = self._client.build_request(
                method,
                self._url.copy_with(
                    host=self._address, raw_path=self._url.raw_path + path.encode("ascii")
                ),
                content=body,
                headers={**headers, "Host": self._url.netloc.decode("ascii")},
                extensions={"sni_hostname": self._url.host},
            )
            response = self._client.send(request, stream=True)
            try:
                return Answer(response.status_code, _beginning(response, began, most))
            finally:
                response.close()
        except (httpx2.HTTPError, OSError, ValueError) as failure:
            raise Unreachable(f"{type(failure).__name__}: {failure}"[:200]) from failure

    def _looked_at(self) -> str:
        """An address of the host, once all of them were looked at."""
        found = addresses_of(self._url.host)
        if not found:
            raise Unreachable("The host has no address.")
        if self._url.host not in self._local_hosts and not all(map(is_public, found)):
            raise Unreachable("The host is not one of the public internet.")
        return found[0]


class Poster(Outside):
    """Posts to one URL."""

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send these very bytes. Raises Unreachable."""
        return self.send("POST", headers=headers, body=body)


def addresses_of(host: str) -> list[str]:
    """The addresses a host has now. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@cache
def _trust() -> ssl.SSLContext:
    """The certificates of this machine; reading them costs more than a message."""
    return httpx2.create_ssl_context(trust_env=False)


def _beginning(response: httpx2.Response, began: float, most: int) -> str:
    """The first bytes of what came back; the rest is not waited for."""
    found = b""
    for part in response.iter_raw():
        found += part
        if len(found) >= most or time.monotonic() - began > WHOLE_SECONDS:
            break
    return found[:most].decode(errors="replace").replace("\x00", "")
