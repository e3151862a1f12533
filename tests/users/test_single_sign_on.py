"""Signing in by an identity provider: a real one, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.models import BusinessEvent
from apps.territories.models import TerritoryMember
from apps.users.models import ExternalIdentity, Role, User
from apps.users.services.single_sign_on import forget_providers
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory

BACK = reverse("admin:single-sign-on-back")
PAULA = {"email": "paula@company.example", "email_verified": True, "name": "Paula Person"}
REP = {**PAULA, "groups": ["everyone", "sales-reps"]}


@pytest.fixture(scope="module")
def home() -> Iterator[str]:
    """The address of the provider."""
    program = Path(__file__).with_name("identity_provider.py")
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


@pytest.fixture
def provider(db, home, settings):
    """The provider in the settings."""
    forget_providers()
    described = {
        "name": "okta",
        "label": "Okta",
        "issuer": home,
        "client_id": "sales",
        "client_secret": "provider secret",
        "domains": ["company.example"],
        "role_claim": "groups",
        "roles": {"sales-reps": "sales_rep", "sales-leads": "sales_manager", "ops": "admin"},
        "territory_claim": "region",
        "territories": {"emea": ["Europe", "Atlantis"]},
        "creates_people": True,
    }
    settings.SINGLE_SIGN_ON = [described]
    return described


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _visit(address: str) -> str:
    """Where the provider sends a visitor."""
    try:
        urllib.request.build_opener(_Stay).open(address, timeout=5)
    except urllib.error.HTTPError as redirect:
        return str(redirect.headers["Location"])
    raise AssertionError(address)


def _say(home: str, claims: dict, **wrong: object) -> None:
    told = json.dumps({"claims": claims, **wrong}).encode()
    urllib.request.urlopen(f"{home}/say", told, timeout=5).close()


def _begin(client, **form):
    answer = client.post(reverse("admin:single-sign-on", args=["okta"]), form)
    assert answer.status_code == 302
    return answer["Location"]


def _come_in(client, **form):
    back = urlsplit(_visit(_begin(client, **form)))
    assert back.path == BACK
    return client.get(f"{back.path}?{back.query}")


def _is_in(client) -> bool:
    return client.get(reverse("admin:index")).status_code == 200


def _is_refused(client, answer) -> bool:
    page = client.get(answer["Location"]).content
    return (
        answer["Location"] == reverse("admin:login")
        and b"This sign-in did not work." in page
        and not _is_in(client)
    )


def _refusals() -> list[str]:
    told = BusinessEvent.objects.filter(name="user.sign_in_refused")
    return [one.payload["because"].removeprefix("single sign-on: ") for one in told]


def test_the_page_offers_the_providers_of_the_settings(client, provider, settings):
    page = client.get(reverse("admin:login")).content
    assert b"Sign in with Okta" in page
    settings.SINGLE_SIGN_ON = []
    assert b"Sign in with" not in client.get(reverse("admin:login")).content


def test_what_is_asked_of_the_provider(client, provider, home):
    address = urlsplit(_begin(client))
    asked = {name: one[0] for name, one in parse_qs(address.query).items()}
    assert address.path == "/authorize"
    assert (asked["response_type"], asked["client_id"]) == ("code", "sales")
    assert (asked["scope"], asked["code_challenge_method"]) == ("openid email profile", "S256")
    assert asked["redirect_uri"] == f"http://testserver{BACK}"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3


def test_a_new_person_is_added_with_role_and_territories(client, provider, home, deliver_events):
    europe, other = TerritoryFactory(name="Europe"), TerritoryFactory(name="Asia")
    _say(home, {**REP, "region": "emea"})
    assert _come_in(client, next="/admin/leads/lead/")["Location"] == "/admin/leads/lead/"
    assert _is_in(client)
    person = User.objects.get()
    assert (person.email, person.name, person.role) == (
        "paula@company.example",
        "Paula Person",
        Role.SALES_REP,
    )
    assert not person.has_usable_password()
    identity = ExternalIdentity.objects.get()
    assert (identity.user, identity.provider, identity.subject) == (person, "okta", "subject-1")
    deliver_events()
    member = TerritoryMember.objects.get()
    assert (member.territory, member.user) == (europe, person)
    assert member.territory != other
    told = BusinessEvent.objects.get(name="user.signed_in")
    assert (told.aggregate_id, told.payload["method"]) == (person.pk, "single sign-on")

    client.logout()
    _come_in(client)
    deliver_events()
    assert (User.objects.count(), TerritoryMember.objects.count()) == (1, 1)


def test_somebody_who_is_here_is_connected_by_a_verified_address_and_known_by_the_subject(
    client, provider, home, rep
):
    rep.email = "Paula@Company.Example"
    rep.save()
    _say(home, REP)
    _come_in(client)
    assert ExternalIdentity.objects.get().user == rep
    client.logout()
    _say(home, {**REP, "email": "paula.married@company.example"})
    _come_in(client)
    assert _is_in(client)
    assert ExternalIdentity.objects.count() == 1
    rep.refresh_from_db()
    assert rep.email == "Paula@Company.Example"


def test_the_role_follows_the_provider_and_the_strongest_counts(client, provider, home):
    _say(home, REP)
    _come_in(client)
    client.logout()
    _say(home, {**PAULA, "groups": ["sales-reps", "sales-leads"]})
    _come_in(client)
    assert User.objects.get().role == Role.SALES_MANAGER


def test_without_a_role_claim_roles_stay_as_they_are(client, provider, home):
    provider.update(role_claim="", default_role="read_only")
    _say(home, REP)
    _come_in(client)
    assert User.objects.get().role == Role.READ_ONLY


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "wrong"),
    [
        ({"nonce": "another"}, {}),
        ({"nonce": None}, {}),
        ({"aud": "somebody else"}, {}),
        ({"aud": ["sales", "other"], "azp": "other"}, {}),
        ({"aud": None}, {}),
        ({"iss": "https://elsewhere.example"}, {}),
        ({"exp": NOW - 60}, {}),
        ({"exp": None}, {}),
        ({"iat": NOW + 3600}, {}),
        ({"sub": None}, {}),
        ({"email_verified": False}, {}),
        ({"email_verified": "true"}, {}),
        ({"email_verified": None}, {}),
        ({"email": None}, {}),
        ({"email": ["paula@company.example"]}, {}),
        ({"email": "paula@elsewhere.example"}, {}),
        ({"email": "paula@company.example@elsewhere.example"}, {}),
        ({"email": "paula@sub.company.example"}, {}),
        ({"groups": ["everyone"]}, {}),
        ({"groups": None}, {}),
        ({"groups": {"sales-reps": True}}, {}),
        ({}, {"forged": True}),
        ({}, {"unsigned": True}),
        ({}, {"kid": "unknown"}),
    ],
)
def test_refuses_what_the_provider_does_not_vouch_for(client, provider, home, claims, wrong):
    _say(home, {**REP, **claims}, **wrong)
    assert _is_refused(client, _come_in(client))
    assert len(_refusals()) == 1
    assert (User.objects.count(), ExternalIdentity.objects.count()) == (0, 0)
    assert "paula" not in str(list(BusinessEvent.objects.values("payload")))


def test_an_unverified_address_connects_nobody(client, provider, home):
    UserFactory(email="paula@company.example")
    _say(home, {**REP, "email_verified": False})
    assert _is_refused(client, _come_in(client))
    assert ExternalIdentity.objects.count() == 0


def test_an_address_that_went_to_somebody_else_does_not_take_the_person_along(
    client, provider, home
):
    _say(home, REP)
    _come_in(client)
    client.logout()
    _say(home, {**REP, "sub": "subject-2"})
    assert _is_refused(client, _come_in(client))
    assert _refusals() == ["somebody else has the e-mail"]
    assert ExternalIdentity.objects.get().subject == "subject-1"


def test_nobody_is_added_where_the_settings_say_so(client, provider, home):
    provider["creates_people"] = False
    _say(home, REP)
    assert _is_refused(client, _come_in(client))
    assert User.objects.count() == 0


@pytest.mark.parametrize("facts", [{"is_active": False}, {"role": Role.INTEGRATION}])
def test_refuses_people_whose_access_ended_and_machines(client, provider, home, facts):
    UserFactory(email="paula@company.example", **facts)
    _say(home, REP)
    assert _is_refused(client, _come_in(client))
    assert ExternalIdentity.objects.count() == 0


@pytest.mark.parametrize("change", ["state", "code", "no state", "error"])
def test_refuses_an_answer_that_was_not_asked_for(client, provider, home, change):
    _say(home, REP)
    back = {name: one[0] for name, one in parse_qs(urlsplit(_visit(_begin(client))).query).items()}
    if change == "no state":
        del back["state"]
    elif change == "error":
        back = {"error": "access_denied", "state": back["state"]}
    else:
        back[change] = "é"
    assert _is_refused(client, client.get(f"{BACK}?{urlencode(back)}"))
    assert User.objects.count() == 0


def test_an_answer_is_good_once_and_only_in_the_browser_that_asked(client, provider, home):
    _say(home, REP)
    back = urlsplit(_visit(_begin(client)))
    stranger = Client()
    assert _is_refused(stranger, stranger.get(f"{BACK}?{back.query}"))
    client.get(f"{BACK}?{back.query}")
    assert _is_in(client)
    client.logout()
    assert _is_refused(client, client.get(f"{BACK}?{back.query}"))


def test_never_leads_elsewhere(client, provider, home):
    _say(home, REP)
    answer = _come_in(client, next="https://evil.example/")
    assert answer["Location"] == reverse("admin:index")


def test_no_other_site_begins_it(provider):
    strict = Client(enforce_csrf_checks=True)
    address = reverse("admin:single-sign-on", args=["okta"])
    assert strict.post(address).status_code == 403
    assert strict.get(address).status_code == 405


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://127.0.0.1:9"},
        {"issuer": "http://provider.example"},
        {"issuer": "ftp://127.0.0.1/"},
        {"name": "auth0"},
    ],
)
def test_a_provider_that_does_not_answer_lets_nobody_in(client, provider, changes):
    provider.update(changes)
    answer = client.post(reverse("admin:single-sign-on", args=["okta"]))
    assert _is_refused(client, answer)


def test_a_provider_that_names_itself_otherwise_is_not_believed(client, provider, home):
    _say(home, REP, issuer="https://elsewhere.example")
    answer = client.post(reverse("admin:single-sign-on", args=["okta"]))
    assert _is_refused(client, answer)


def test_a_wrong_secret_of_ours_lets_nobody_in(client, provider, home):
    _say(home, REP)
    provider["client_secret"] = "former secret"
    assert _is_refused(client, _come_in(client))
    assert User.objects.count() == 0
