"""What every test can ask for. Real PostgreSQL and Valkey, started by `make test`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

import salesplatform.celery  # noqa: F401  tasks run at once, as the test settings say
from apps.core.accesses import access_log
from apps.core.actors import Actor, system_actor
from apps.core.cache import shared_cache
from apps.core.journal import deliver
from apps.core.models import Access, BusinessEvent
from apps.core.rate_limits import rate_limiter
from apps.core.rows.totals import forget_totals
from apps.intelligence.selectors.suggestions import forget_typical_sale
from apps.opportunities.selectors import forget_pipelines
from apps.territories.fields import TERRITORY_NAMES
from apps.territories.selectors import forget_reach
from apps.users.api.authentication import forget_tokens
from apps.users.fields import USER_NAMES
from apps.users.models import Role, User
from apps.users.selectors import forget_standings
from apps.users.services.api_keys import forget_uses
from tests.factories.users import PASSWORD, UserFactory, actor_of


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Caches of one test never answer another, nor those of a parallel worker."""
    shared_cache.keep_apart(f"{uuid4()}:")
    for forget in (
        forget_totals,
        forget_reach,
        forget_standings,
        forget_tokens,
        forget_pipelines,
        forget_typical_sale,
        forget_uses,
        rate_limiter.forget,
    ):
        forget()
    for names in (USER_NAMES, TERRITORY_NAMES):
        names.forget()
    # Its thread would write past the transaction of a test.
    access_log.has_writer = False
    access_log.begin_anew()


@pytest.fixture
def system() -> Actor:
    """The platform itself."""
    return system_actor(door="test", request_id="test-request")


@pytest.fixture
def admin(db: None) -> User:
    """Somebody who may do everything."""
    return UserFactory(role=Role.ADMIN, name="Ada Admin")


@pytest.fixture
def manager(db: None) -> User:
    """A sales manager."""
    return UserFactory(role=Role.SALES_MANAGER, name="Mia Manager")


@pytest.fixture
def rep(manager: User) -> User:
    """A sales rep who reports to the manager."""
    return UserFactory(role=Role.SALES_REP, name="Rex Rep", manager=manager)


@pytest.fixture
def outsider(db: None) -> User:
    """A sales rep whom nothing connects to the others."""
    return UserFactory(role=Role.SALES_REP, name="Olga Outsider")


@pytest.fixture
def acting() -> Callable[..., Actor]:
    """Turns a person into an actor."""
    return actor_of


class ApiClient(Client):
    """Speaks JSON with a bearer token."""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A request to /api/v1; returns the response."""
        sent = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        return self.generic(
            method,
            f"/api/v1{path}",
            data=_json(body),
            content_type="application/json",
            **sent,
        )


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body, default=str).encode()


@pytest.fixture
def api() -> Callable[[User], ApiClient]:
    """An API client signed in as a person, by the real sign-in, of which the journal forgets."""

    def sign_in(user: User) -> ApiClient:
        client = ApiClient()
        answer = client.call("POST", "/auth/token", {"email": user.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.content
        BusinessEvent.objects.filter(name="user.signed_in", aggregate_id=user.pk).delete()
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {answer.json()['access']}"
        return client

    return sign_in


@pytest.fixture
def read_so_far(db: None) -> Callable[[], list[Access]]:
    """Writes what was read of people so far; returns the entries that it became."""

    def write() -> list[Access]:
        count = access_log.write()
        return list(Access.objects.order_by("-sequence")[:count])[::-1]

    return write


@pytest.fixture
def deliver_events(db: None) -> Callable[[], int]:
    """Runs every handler that has something to hear, until nothing waits."""

    def run() -> int:
        heard = 0
        while count := deliver():
            heard += count
        return heard

    return run


class Uploads:
    """Files of one kind of row that a person sends over REST, worked off and taken back."""

    def __init__(
        self, client: ApiClient, kind: str, *, deliver: Callable[[], int], text: str, **usually: Any
    ) -> None:
        self.client, self.address = client, f"/{kind}/imports"
        self._deliver, self._text, self._usually = deliver, text, usually

    def __call__(
        self, text: str | None = None, *, run: bool = True, headers: Any = None, **form: Any
    ) -> Any:
        """Send a file; returns the answer, or once it is worked off the import as REST shows it."""
        sent = {**self._usually, **form}
        sent["mapping"] = json.dumps(sent["mapping"])
        content = self._text if text is None else text
        sent["file"] = SimpleUploadedFile("rows.csv", content.encode())
        answer = self.client.post(f"/api/v1{self.address}", sent, headers=headers)
        if answer.status_code != 202 or not run:
            return answer
        self._deliver()
        return self.client.call("GET", f"{self.address}/{answer.json()['id']}").json()

    def undo(self, imported: Any) -> Any:
        """Take an import back; returns it as REST shows it then."""
        address = f"{self.address}/{imported['id']}"
        answer = self.client.call("POST", f"{address}/undo")
        assert answer.status_code == 202, answer.content
        self._deliver()
        return self.client.call("GET", address).json()


@pytest.fixture
def uploads(
    api: Any, manager: User, settings: Any, tmp_path: Any, deliver_events: Callable[[], int]
) -> Callable[..., Uploads]:
    """Makes the files of a kind that the manager sends; what is given holds unless a test says
    otherwise."""
    settings.MEDIA_ROOT = tmp_path
    client = api(manager)

    def of(kind: str, **usually: Any) -> Uploads:
        return Uploads(client, kind, deliver=deliver_events, **usually)

    return of


class Answer:
    """What came back: data, the errors' extensions, and the response itself."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status = response.status_code
        body = json.loads(response.content)
        self.body = body
        self.data = body.get("data")
        self.errors = body.get("errors", [])

    @property
    def codes(self) -> list[tuple[str, str]]:
        """Code and reason of each error."""
        return [
            (one["extensions"]["code"], one["extensions"]["details"]["reason"])
            for one in self.errors
        ]


@pytest.fixture
def ask(api: Any) -> Callable[..., Answer]:
    """Sends a query with variables, signed in as a person."""
    clients: dict[Any, Any] = {}

    def send(user: User, query: str, *, headers: dict[str, str] | None = None, **variables: Any):
        client = clients.setdefault(user.pk, None) or api(user)
        clients[user.pk] = client
        return Answer(
            client.generic(
                "POST",
                "/graphql",
                data=json.dumps({"query": query, "variables": variables}, default=str).encode(),
                content_type="application/json",
                headers=headers,
            )
        )

    return send
