"""Every address of the API, found in the URL map: nothing for strangers, nothing for outsiders."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from apps.core.api.endpoint import Endpoint
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.leads import LeadFactory
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

# Open on purpose.
WITHOUT_SIGN_IN = {"auth/token", "auth/refresh", "auth/sign-out"}
# The same for everybody who may read them at all: prices, ways of selling, colleagues.
SAME_FOR_ALL = {"users", "products", "price-books", "pipelines"}


def _addresses() -> Iterator[tuple[str, type[Endpoint]]]:
    def walk(patterns: list, prefix: str) -> Iterator[tuple[str, type[Endpoint]]]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern):
                view = getattr(pattern.callback, "view_class", None)
                if route.startswith("api/v1/") and view:
                    yield route.removeprefix("api/v1/"), view

    return walk(get_resolver().url_patterns, "")


ADDRESSES = sorted(_addresses(), key=lambda entry: entry[0])
COLLECTIONS = [route for route, view in ADDRESSES if hasattr(view, "get") and "<" not in route]


def _filled(route: str) -> str:
    parts = []
    for part in route.split("/"):
        if part.startswith("<uuid:"):
            parts.append(str(uuid4()))
        elif "<" in part:
            parts.append(
                part.replace("<file_format:file_format>", "csv").replace("<str:period>", "Q1_2026")
            )
        else:
            parts.append(part)
    return "/".join(parts)


def test_every_address_is_closed_to_strangers(client, db):
    for route, _ in ADDRESSES:
        if route in WITHOUT_SIGN_IN:
            continue
        for method in ("get", "post", "put", "patch", "delete"):
            answer = getattr(client, method)(f"/api/v1/{_filled(route)}")
            assert answer.status_code == 401, (method, route, answer.content)
            assert answer.json()["error"]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("role", [Role.SALES_REP, Role.READ_ONLY])
def test_every_collection_is_empty_for_an_outsider(api, rep, role):
    territory = TerritoryFactory(owner=rep)
    LeadFactory(owner=rep, territory=territory)
    AccountFactory(owner=rep, territory=territory)
    client = api(UserFactory(role=role))
    for route in COLLECTIONS:
        answer = client.call("GET", f"/{_filled(route)}")
        if route not in SAME_FOR_ALL and answer.status_code not in (400, 403):
            assert _is_empty(answer), (route, answer.content)


def _is_empty(answer) -> bool:
    """Whether an answer holds no row, no count and no amount."""
    if answer.streaming:
        heading, *rows = b"".join(answer.streaming_content).splitlines()
        return bool(heading) and not rows
    body = answer.json()
    counts = (body.get("pagination", {}).get("total"), body.get("summary", {}).get("total_count"))
    return not body.get("data") and not any(counts)
