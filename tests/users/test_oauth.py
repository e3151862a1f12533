"""OAuth 2: machine clients by their key, applications for people by code and PKCE."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import jwt
import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.core.errors import InvalidInput
from apps.core.models import BusinessEvent
from apps.users.models import Application, Role, SignIn
from apps.users.rules.pkce import challenge_of, fresh_verifier
from apps.users.selectors import forget_standings
from apps.users.services.api_keys import issue_api_key, revoke_api_key
from apps.users.services.applications import admit_application, end_application
from apps.users.services.people import change_access
from apps.users.services.tokens import refresh_token
from tests.factories.leads import LeadFactory
from tests.factories.users import SignInFactory, UserFactory

CALLBACK = "https://app.example/callback?from=sales"


@pytest.fixture
def key(db, system):
    """A key of a machine client that may read and write leads."""
    machine = UserFactory(role=Role.INTEGRATION, all_territories=True)
    return issue_api_key(
        user_id=machine.pk,
        name="Nightly",
        scopes=["lead:read", "lead:write"],
        expires_at=timezone.now() + timedelta(days=1),
        actor=system,
    )


@pytest.fixture
def application(db, system):
    """An application that people may let act for them."""
    return admit_application(
        name="Sales mobile",
        redirect_uris=[CALLBACK, "http://127.0.0.1:8765/"],
        scopes=["lead:read", "lead:write", "user:manage"],
        actor=system,
    )


def _token(client_id="", secret="", **form):
    headers = {}
    if secret:
        text = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        headers["Authorization"] = f"Basic {text}"
    elif client_id:
        form["client_id"] = client_id
    return _post("/oauth/token", form, **headers)


def _post(path, form, **headers):
    return Client().generic(
        "POST",
        path,
        urlencode(form, doseq=True),
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )


def _with(token, path="/api/v1/leads"):
    return Client().get(path, headers={"Authorization": f"Bearer {token}"}).status_code


def _claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def _refusal(answer):
    assert set(answer.json()) == {"error", "error_description"}
    assert answer["Cache-Control"] == "private, no-store"
    return answer.status_code, answer.json()["error"]


# --- Machine clients ---------------------------------------------------------------------------


def test_a_machine_client_gets_a_token_for_its_key(key):
    LeadFactory()
    answer = _token(key.owner.prefix, key.secret, grant_type="client_credentials")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    assert body["scope"] == "lead:read lead:write"
    claims = _claims(body["access_token"])
    assert claims["client_id"] == key.owner.prefix
    assert claims["user_id"] == str(key.owner.user_id)
    assert claims["scope"] == "lead:read lead:write"
    assert _with(body["access_token"]) == 200
    assert _with(body["access_token"], "/api/v1/accounts") == 403
    told = BusinessEvent.objects.get(name="user.signed_in")
    assert (told.payload["method"], told.door, told.actor_id) == (
        "api key",
        "oauth",
        key.owner.user_id,
    )


def test_the_secret_may_stand_in_the_form_too(key):
    form = {"client_secret": key.secret, "grant_type": "client_credentials"}
    assert _token(key.owner.prefix, **form).status_code == 200


def test_a_client_may_ask_for_fewer_scopes(key):
    answer = _token(
        key.owner.prefix, key.secret, grant_type="client_credentials", scope="lead:read"
    )
    assert answer.json()["scope"] == "lead:read"
    assert _claims(answer.json()["access_token"])["scope"] == "lead:read"


@pytest.mark.parametrize("scope", ["account:read", "lead:read account:read", "lead:fly", " "])
def test_refuses_scopes_that_the_key_lacks(key, scope):
    answer = _token(key.owner.prefix, key.secret, grant_type="client_credentials", scope=scope)
    assert _refusal(answer) == (400, "invalid_scope")
    assert SignIn.objects.count() == 0


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "refresh_token"]}, 400, "invalid_request"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "key_0"}, 401, "invalid_client"),
        (
            {"grant_type": "client_credentials", "client_id": "key_0", "client_secret": "x"},
            401,
            "invalid_client",
        ),
        ({"grant_type": "authorization_code"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token", "client_id": str(uuid4())}, 401, "invalid_client"),
        ({"grant_type": "refresh_token", "client_id": "\x00"}, 400, "invalid_request"),
    ],
)
def test_refuses_in_the_words_of_rfc_6749(db, form, status, error):
    answer = _token(**form)
    assert _refusal(answer) == (status, error)
    assert ("WWW-Authenticate" in answer) == (status == 401)
    assert SignIn.objects.count() == 0


def test_json_is_refused_in_the_words_of_rfc_6749_too(db):
    answer = Client().post("/oauth/token", "{}", content_type="application/json")
    assert _refusal(answer) == (400, "invalid_request")


@pytest.mark.parametrize("header", ["Basic", "Basic x", "Basic ////", "Basic eDo=", "Basic w6k="])
def test_refuses_headers_that_show_no_client(db, header):
    answer = _post("/oauth/token", {"grant_type": "client_credentials"}, Authorization=header)
    assert _refusal(answer) == (401, "invalid_client")


def test_revoking_the_key_ends_its_tokens(key, system):
    token = _token(key.owner.prefix, key.secret, grant_type="client_credentials").json()
    revoke_api_key(api_key_id=key.owner.pk, actor=system)
    forget_standings()
    assert _with(token["access_token"]) == 401
    again = _token(key.owner.prefix, key.secret, grant_type="client_credentials")
    assert _refusal(again) == (401, "invalid_client")


# --- Applications ------------------------------------------------------------------------------


@pytest.fixture
def browser(rep):
    """A browser in which the rep is signed in."""
    client = Client()
    client.force_login(rep)
    return client


def _asked(application, verifier, **changes):
    asked = {
        "response_type": "code",
        "client_id": str(application.pk),
        "redirect_uri": CALLBACK,
        "scope": "lead:read user:manage",
        "state": "s&1",
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _answer(response):
    assert response.status_code == 302
    address = response["Location"]
    assert address.startswith(f"{CALLBACK}&")
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def _code(browser, application, verifier, **changes):
    asked = _asked(application, verifier, **changes)
    return _answer(browser.post("/oauth/authorize", {**asked, "allow": "1"}))["code"]


def _exchange(application, code, verifier, **changes):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
        **changes,
    }
    return _token(str(application.pk), **form)


def test_a_person_lets_an_application_act_for_them(browser, application, rep):
    verifier = fresh_verifier()
    asked = _asked(application, verifier)
    page = browser.get("/oauth/authorize", asked).content.decode()
    assert "Sales mobile" in page
    assert "Add people" not in page  # the rep may not, so the application won't

    told = _answer(browser.post("/oauth/authorize", {**asked, "allow": "1"}))
    assert (told["state"], told["iss"], told["from"]) == ("s&1", "salesplatform", "sales")
    answer = _exchange(application, told["code"], verifier)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["scope"], body["token_type"]) == ("lead:read", "Bearer")
    claims = _claims(body["access_token"])
    assert (claims["user_id"], claims["client_id"]) == (str(rep.pk), str(application.pk))
    assert claims["scope"] == "lead:read"
    assert _with(body["access_token"]) == 200
    assert _with(body["access_token"], "/api/v1/accounts") == 403

    fresh = _token(
        str(application.pk), grant_type="refresh_token", refresh_token=body["refresh_token"]
    )
    assert fresh.status_code == 200
    assert fresh.json()["scope"] == "lead:read"
    assert _with(fresh.json()["access_token"]) == 200
    used = _token(
        str(application.pk), grant_type="refresh_token", refresh_token=body["refresh_token"]
    )
    assert _refusal(used) == (400, "invalid_grant")
    forget_standings()
    assert _with(fresh.json()["access_token"]) == 401


def test_a_person_who_says_no_gives_nothing(browser, application):
    asked = _asked(application, fresh_verifier())
    told = _answer(browser.post("/oauth/authorize", {**asked, "deny": "1"}))
    assert told["error"] == "access_denied"
    assert "code" not in told
    assert SignIn.objects.count() == 0


def test_strangers_are_asked_to_sign_in_first(client, application):
    asked = _asked(application, fresh_verifier())
    answer = client.get("/oauth/authorize", asked)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/?next=/oauth/authorize")
    assert client.post("/oauth/authorize", {**asked, "allow": "1"}).status_code == 302
    assert SignIn.objects.count() == 0


def test_consent_takes_a_token_against_forgery(application, rep):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(rep)
    asked = {**_asked(application, fresh_verifier()), "allow": "1"}
    assert strict.post("/oauth/authorize", asked).status_code == 403
    assert SignIn.objects.count() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "x"},
        {"client_id": str(uuid4())},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://app.example/callback"},
        {"redirect_uri": f"{CALLBACK}/more"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "HTTPS://app.example/callback?from=sales"},
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_never_sends_anybody_to_an_address_that_was_not_registered(
    browser, application, changes, method
):
    asked = {**_asked(application, fresh_verifier(), **changes), "allow": "1"}
    answer = getattr(browser, method)("/oauth/authorize", asked)
    assert answer.status_code == 400
    assert "Location" not in answer
    assert SignIn.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "account:read"}, "invalid_scope"),
        ({"scope": "lead:fly"}, "invalid_scope"),
    ],
)
def test_tells_the_application_what_was_wrong(browser, application, changes, error):
    asked = _asked(application, fresh_verifier(), **changes)
    for answer in (
        browser.get("/oauth/authorize", asked),
        browser.post("/oauth/authorize", {**asked, "allow": "1"}),
    ):
        told = _answer(answer)
        assert (told["error"], told["state"]) == (error, "s&1")
    assert SignIn.objects.count() == 0


def test_a_person_without_any_of_the_rights_gives_nothing(browser, application):
    asked = _asked(application, fresh_verifier(), scope="user:manage")
    assert _answer(browser.post("/oauth/authorize", {**asked, "allow": "1"}))["error"] == (
        "invalid_scope"
    )
    assert SignIn.objects.count() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"verifier": fresh_verifier()},
        {"verifier": "short"},
        {"verifier": ""},
        {"redirect_uri": "http://127.0.0.1:8765/"},
        {"redirect_uri": ""},
        {"code": "x"},
        {"code": ""},
    ],
)
def test_refuses_to_exchange_what_does_not_fit(browser, application, changes):
    verifier = fresh_verifier()
    code = _code(browser, application, verifier)
    changed = {"code": code, "verifier": verifier, **changes}
    assert _refusal(_exchange(application, **changed)) == (400, "invalid_grant")
    assert _exchange(application, code, verifier).status_code == 200


def test_another_application_can_not_exchange_the_code(browser, application, system):
    verifier = fresh_verifier()
    code = _code(browser, application, verifier)
    other = admit_application(name="Other", redirect_uris=[CALLBACK], actor=system)
    assert _refusal(_exchange(other, code, verifier)) == (400, "invalid_grant")
    assert _exchange(application, code, verifier).status_code == 200


def test_a_code_ends_after_a_minute(browser, application):
    verifier = fresh_verifier()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        code = _code(browser, application, verifier)
        clock.shift(timedelta(seconds=61))
        assert _refusal(_exchange(application, code, verifier)) == (400, "invalid_grant")


def test_a_code_that_turns_up_again_ends_what_was_got_for_it(browser, application):
    verifier = fresh_verifier()
    code = _code(browser, application, verifier)
    tokens = _exchange(application, code, verifier).json()
    assert _refusal(_exchange(application, code, verifier)) == (400, "invalid_grant")
    forget_standings()
    assert _with(tokens["access_token"]) == 401
    again = _token(
        str(application.pk), grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert _refusal(again) == (400, "invalid_grant")


def test_tokens_of_one_kind_are_no_tokens_of_another(browser, application, api, rep):
    verifier = fresh_verifier()
    code = _code(browser, application, verifier)
    assert _with(code) == 401
    as_refresh = _token(str(application.pk), grant_type="refresh_token", refresh_token=code)
    assert _refusal(as_refresh) == (400, "invalid_grant")
    tokens = _exchange(application, code, verifier).json()
    assert _with(tokens["refresh_token"]) == 401
    answer = api(rep).call("POST", "/auth/refresh", {"refresh": tokens["refresh_token"]})
    assert answer.status_code == 401
    as_code = _exchange(application, tokens["refresh_token"], verifier)
    assert _refusal(as_code) == (400, "invalid_grant")


def test_a_refresh_may_ask_for_fewer_scopes_and_never_for_more(browser, application):
    verifier = fresh_verifier()
    code = _code(browser, application, verifier, scope="lead:read lead:write")
    refresh = _exchange(application, code, verifier).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    more = _token(str(application.pk), **form, scope="lead:read user:read")
    assert _refusal(more) == (400, "invalid_scope")
    fewer = _token(str(application.pk), **form, scope="lead:read").json()
    assert fewer["scope"] == _claims(fewer["access_token"])["scope"] == "lead:read"


def test_a_change_of_role_ends_what_applications_may_do(browser, application, rep, system):
    verifier = fresh_verifier()
    tokens = _exchange(application, _code(browser, application, verifier), verifier).json()
    change_access(
        user_id=rep.pk, role=Role.READ_ONLY, manager_id=None, is_active=True, actor=system
    )
    forget_standings()
    assert _with(tokens["access_token"]) == 401


def test_ending_an_application_ends_what_it_may_do(browser, application, system):
    verifier = fresh_verifier()
    tokens = _exchange(application, _code(browser, application, verifier), verifier).json()
    for _ in range(2):
        end_application(application_id=application.pk, actor=system)
    forget_standings()
    assert _with(tokens["access_token"]) == 401
    asked = _asked(application, verifier)
    assert browser.get("/oauth/authorize", asked).status_code == 400
    assert BusinessEvent.objects.filter(name="application.ended").count() == 1


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both(browser, application, which):
    verifier = fresh_verifier()
    tokens = _exchange(application, _code(browser, application, verifier), verifier).json()
    form = {"token": tokens[which], "client_id": str(application.pk)}
    for _ in range(2):
        assert _post("/oauth/revoke", form).status_code == 200
    forget_standings()
    assert _with(tokens["access_token"]) == 401
    again = _token(
        str(application.pk), grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert _refusal(again) == (400, "invalid_grant")


def test_a_machine_client_revokes_its_token(key):
    token = _token(key.owner.prefix, key.secret, grant_type="client_credentials").json()
    form = {"token": token["access_token"], "client_id": key.owner.prefix}
    wrong = _post("/oauth/revoke", {**form, "client_secret": "wrong"})
    assert _refusal(wrong) == (401, "invalid_client")
    forget_standings()
    assert _with(token["access_token"]) == 200
    right = _post("/oauth/revoke", {**form, "client_secret": key.secret})
    assert right.status_code == 200
    forget_standings()
    assert _with(token["access_token"]) == 401


def test_nobody_revokes_the_token_of_another(browser, application, system):
    verifier = fresh_verifier()
    tokens = _exchange(application, _code(browser, application, verifier), verifier).json()
    other = admit_application(name="Other", redirect_uris=[CALLBACK], actor=system)
    form = {"token": tokens["access_token"], "client_id": str(other.pk)}
    assert _refusal(_post("/oauth/revoke", form)) == (400, "unauthorized_client")
    forget_standings()
    assert _with(tokens["access_token"]) == 200


@pytest.mark.parametrize("token", ["x", "a.b.c"])
def test_what_is_no_token_is_over_already(application, token):
    form = {"token": token, "client_id": str(application.pk)}
    assert _post("/oauth/revoke", form).status_code == 200


def test_revoking_takes_a_token_and_a_client(application):
    nothing = _post("/oauth/revoke", {"client_id": str(application.pk)})
    assert _refusal(nothing) == (400, "invalid_request")
    nobody = _post("/oauth/revoke", {"token": "x"})
    assert _refusal(nobody) == (401, "invalid_client")


@pytest.mark.parametrize(
    "address",
    [
        "http://app.example/",
        "ftp://app.example/",
        "javascript:alert(1)",
        "//app.example/",
        "https://app.example/#part",
        "https://me@app.example/",
        "https:///nowhere",
        "https://[broken",
        "",
    ],
)
def test_admits_no_application_at_an_unsafe_address(db, system, address):
    with pytest.raises(InvalidInput):
        admit_application(name="X", redirect_uris=[CALLBACK, address], actor=system)
    assert Application.objects.count() == 0


def test_clients_find_everything_by_its_description(client, db):
    told = client.get("/.well-known/oauth-authorization-server").json()
    assert told["token_endpoint"] == "http://testserver/oauth/token"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert client.get(urlsplit(told["jwks_uri"]).path).status_code == 200
    assert "lead:read" in told["scopes_supported"]


@pytest.mark.django_db(transaction=True)
def test_of_eight_exchanges_at_once_at_most_one_wins_and_all_ends(system):
    person = UserFactory()
    browser = Client()
    browser.force_login(person)
    application = admit_application(name="Race", redirect_uris=[CALLBACK], actor=system)
    verifier = fresh_verifier()
    code = _code(browser, application, verifier, scope=None)

    def attempt(_: int):
        try:
            return _exchange(application, code, verifier)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))
    assert sorted(one.status_code for one in answers) == [200] + [400] * 7
    (won,) = [one.json() for one in answers if one.status_code == 200]
    forget_standings()
    assert _with(won["access_token"]) == 401
    assert SignIn.objects.get().ended_because == "token reused"


@pytest.mark.django_db(transaction=True)
def test_of_eight_refreshes_of_an_application_at_once_exactly_one_wins(system):
    application = admit_application(name="Race", redirect_uris=[CALLBACK], actor=system)
    started = SignInFactory(application=application, scopes=["lead:read"])
    text = refresh_token(started)

    def attempt(_: int):
        try:
            return _token(
                str(application.pk), grant_type="refresh_token", refresh_token=text
            ).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8))) == [200] + [400] * 7
