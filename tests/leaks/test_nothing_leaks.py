"""No answer through any door ever holds a row, a count or a field out of scope, and whoever is
shown a person stands in the access log.

Every list is asked as it stands; ten thousand requests more are drawn from the URL map, the GraphQL
schema and the back office's registry, with ids, words and amounts of two worlds that know nothing
of each other.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from apps.catalog.permissions import READ_PRODUCT_COST
from apps.core.accesses import access_log
from apps.core.querysets import ScopedQuerySet
from apps.core.rows.scope import ALWAYS, OwnedScope, PersonScope
from apps.territories.selectors import forget_reach
from apps.users.models import Role, User
from apps.users.selectors import forget_standings
from tests.factories.users import UserFactory, actor_of
from tests.leaks.requests import (
    Asked,
    Pool,
    anything,
    graphql_operations,
    pages,
    plain,
    rest_operations,
)
from tests.leaks.worlds import ROLES, UNLIMITED, World, make_world

REQUESTS = 10_000
VIEWERS = (*ROLES, "outsider")
SHOWN_COSTS = re.compile(r'"(?:margin|unit_?cost)": ?(?!null)', re.IGNORECASE)
TOTALS = re.compile(r'"(?:total|totalCount|total_count|count)": ?(\d+)')


@dataclass
class Visitor:
    """Somebody who asks, and what they must never be shown."""

    user: User
    api: Any
    office: Client
    pool: Pool
    secrets: frozenset[str]
    most: int
    addresses: dict[str, UUID]

    @property
    def sees_costs(self) -> bool:
        """Whether costs and margins are shown to them."""
        return actor_of(self.user).may(READ_PRODUCT_COST)

    def send(self, asked: Asked) -> Any:
        """Make a request."""
        if asked.door == "office":
            # Messages of the page before echo what was asked there.
            self.office.cookies.pop("messages", None)
            send = self.office.post if asked.method == "post" else self.office.get
            return send(asked.address, asked.body if asked.method == "post" else None)
        if asked.is_form:
            body = {**(asked.body or {}), "file": io.BytesIO(b"email\na@b.example\n")}
            body = {name: _form_text(value) for name, value in body.items()}
            return self.api.post(asked.address, body)
        data = b"" if asked.body is None else json.dumps(asked.body, default=str).encode()
        return self.api.generic(
            asked.method.upper(), asked.address, data=data, content_type="application/json"
        )


def _form_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def text_of(response: Any) -> str:
    """Everything an answer says: body, files inside it, and headers."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = b"\n".join(archive.read(name) for name in archive.namelist())
    headers = " ".join(f"{name}: {value}" for name, value in response.items())
    return f"{headers}\n{content.decode(errors='replace')}"


def check(visitor: Visitor, asked: Asked, response: Any) -> None:
    """Fail when an answer tells more than the visitor may know."""
    assert response.status_code < 500, (asked, response.content[:500])
    said = text_of(response).lower()
    echo = unquote_plus(asked.text.lower())
    told = [one for one in visitor.secrets if one.lower() in said and one.lower() not in echo]
    assert told == [], (asked, told)
    if response["Content-Type"].startswith("application/json"):
        too_many = [number for number in TOTALS.findall(said) if int(number) > visitor.most]
        assert too_many == [], (asked, too_many)
        hidden = [] if visitor.sees_costs else SHOWN_COSTS.findall(said)
        assert hidden == [], (asked, hidden)
    shown = {
        str(row_id)
        for address, row_id in visitor.addresses.items()
        if address in said and address not in echo
    }
    noted = {one for _, _, ids in access_log.waiting for one in ids.strip("{}").split(",")}
    assert shown <= noted, (asked, shown - noted, "is not in the access log")


@pytest.fixture
def visitor_as(api: Any, db: None) -> Iterator[Callable[[str], Visitor]]:
    """Makes two worlds and a visitor of the smaller one, or of none."""

    def make(viewer: str) -> Visitor:
        own = make_world("northwind", leads=5, amount="31415.92")
        foreign = make_world("southsea", leads=60, amount="27182.81")
        if viewer == "outsider":
            user = UserFactory(role=Role.SALES_REP, name="Olga Outsider", **UNLIMITED)
            hidden: tuple[World, ...] = (own, foreign)
        else:
            user, hidden = own.people[viewer], (foreign,)
        forget_standings()
        forget_reach()
        office = Client()
        office.force_login(user)
        return Visitor(
            user=user,
            api=api(user),
            office=office,
            pool=Pool.of(own, foreign),
            secrets=frozenset().union(*(one.secrets for one in hidden)),
            most=own.rows,
            addresses={**own.addresses, **foreign.addresses},
        )

    return make


def ask(visitor: Visitor, asked: Asked) -> None:
    """Ask and check the answer; what the question changes is taken back at once."""
    access_log.waiting.clear()
    with transaction.atomic():
        check(visitor, asked, visitor.send(asked))
        transaction.set_rollback(True)


def ask_many(visitor: Visitor, count: int) -> int:
    """Ask for every list, then so many random questions."""
    for one in plain():
        ask(visitor, one)
    asked_so_far = []

    @seed(20260211)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask_anything(data: Any) -> None:
        asked = data.draw(anything(visitor.pool))
        asked_so_far.append(asked)
        ask(visitor, asked)

    ask_anything()
    return len(asked_so_far)


@pytest.mark.parametrize("viewer", VIEWERS)
def test_nothing_leaks(visitor_as: Callable[[str], Visitor], viewer: str) -> None:
    visitor = visitor_as(viewer)
    assert ask_many(visitor, REQUESTS // len(VIEWERS)) >= REQUESTS // len(VIEWERS)


@pytest.mark.parametrize("broken", ["lists", "rows", "people"])
def test_a_broken_scope_is_found(
    visitor_as: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    visitor = visitor_as(Role.SALES_REP)
    if broken == "lists":
        monkeypatch.setattr(OwnedScope, "condition", lambda self, actor: ALWAYS)
        monkeypatch.setattr(OwnedScope, "branches", lambda self, actor: None)
    elif broken == "people":
        monkeypatch.setattr(PersonScope, "condition", lambda self, actor: ALWAYS)
    else:
        monkeypatch.setattr(ScopedQuerySet, "visible_to", lambda self, actor: self)
    with pytest.raises(AssertionError, match=r"southsea|27182\.81|-"):
        ask_many(visitor, 1_000)


def test_a_door_that_forgets_the_access_log_is_found(
    visitor_as: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = visitor_as(Role.SALES_MANAGER)
    monkeypatch.setattr(access_log, "add", lambda *_: None)
    with pytest.raises(AssertionError, match="is not in the access log"):
        ask_many(visitor, 1_000)


def test_every_door_is_among_the_questions() -> None:
    assert len(rest_operations()) > 60
    assert len(graphql_operations()) >= 13
    assert len(pages()) > 10
