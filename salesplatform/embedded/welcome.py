"""What `make run` prints when everything answers: where to look, and who to sign in as."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

DEMO_PASSWORD = "demo"
DEMO_PEOPLE = {
    "admin@demo.test": "administrator",
    "manager@demo.test": "manages both reps",
    "rep@demo.test": "sales rep",
    "rep2@demo.test": "sales rep of another territory",
    "viewer@demo.test": "may only read",
}
# The platform is on this machine: a proxy for the way out must not be asked.
_open = build_opener(ProxyHandler({})).open


def welcome(url: str) -> None:
    """Print the addresses, the sign-ins and a request to try."""
    print(f"Sales platform   {url}")
    print(f"Back office      {url}/admin/")
    print(f"API              {url}/api/docs")
    if signed_in := _sign_in(url):
        _print_demo(url, signed_in["access"], minutes=signed_in["expires_in"] // 60)
    else:
        print("\nNobody can sign in yet. Create an administrator in another terminal:")
        print("  make manage ARGS=createsuperuser")
    print("\nCtrl-C stops everything.", flush=True)


def answers(url: str) -> bool:
    """Whether a GET of this address succeeds."""
    try:
        with _open(url, timeout=5) as response:
            return bool(response.status == HTTPStatus.OK)
    except (URLError, OSError):
        return False


def _print_demo(url: str, token: str, *, minutes: int) -> None:
    print(f"\nSign in with the password {DEMO_PASSWORD!r}:")
    for email, role in DEMO_PEOPLE.items():
        print(f"  {email:<18} {role}")
    print(f"\nThe rep's newest leads, for the {minutes} minutes that the token lives:")
    print(f"  curl -s -H 'Authorization: Bearer {token}' '{url}/api/v1/leads?limit=5'")


def _sign_in(url: str) -> dict[str, Any]:
    """The tokens of the demo rep; empty when there are no demo people."""
    request = Request(
        f"{url}/api/v1/auth/token",
        data=json.dumps({"email": "rep@demo.test", "password": DEMO_PASSWORD}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with _open(request, timeout=10) as response:
            tokens: dict[str, Any] = json.load(response)
    except (URLError, OSError, ValueError):
        return {}
    return tokens
