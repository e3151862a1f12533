"""Where messages may go: addresses of the public internet, and hosts an operator names."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

LONGEST_URL = 500
# IANA's special-purpose addresses, group addresses, and what clouds tell their machines at.
_KEPT_FROM_V4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_PUBLIC_V6 = ip_network("2000::/3")
# Tunnels that end at an IPv4 address of somebody's choice, and documentation.
_KEPT_FROM_V6 = tuple(
    map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
)


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet that a message may be sent to."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in kept for kept in _KEPT_FROM_V4)
    return address in _PUBLIC_V6 and not any(address in kept for kept in _KEPT_FROM_V6)


def trouble_with_url(url: str, local_hosts: Collection[str]) -> str:
    """Why messages can't be sent to a URL, in a sentence; empty where nothing speaks against it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "This is not a URL."
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return f"Give a URL of at most {LONGEST_URL} plain characters."
    if not host or port == 0:
        return "This is not a URL."
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "Give a URL without a name, a password or a fragment."
    is_local = host in local_hosts
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        return "Give an https URL."
    if not is_local and _is_address(host) and not is_public(host):
        return "This is not an address of the public internet."
    return ""


def trouble_with_base_url(url: str, local_hosts: Collection[str]) -> str:
    """Why a partner can't be asked below a URL, in a sentence; empty where nothing speaks against
    it.
    """
    if trouble := trouble_with_url(url, local_hosts):
        return trouble
    return "Give a URL without a question mark." if "?" in url else ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
