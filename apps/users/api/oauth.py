"""OAuth 2 for machine clients and for applications that act for people (RFC 6749, 7009, 8414)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from apps.core.api.endpoint import Endpoint
from apps.core.api.envelope import json_response
from apps.core.metrics import errors_answered
from apps.core.permissions import declared
from apps.core.rate_limits import RateLimitExceeded
from apps.users.api.authentication import visitor_of
from apps.users.errors import OAuthRefusal
from apps.users.services.oauth import (
    Granted,
    grant_for_code,
    grant_for_refresh,
    grant_to_client,
    revoke_token,
)
from apps.users.services.tokens import public_keys

# How long others may keep our public keys: a fresh key verifies a day before it signs.
KEYS_KEPT_SECONDS = 3600


@require_safe
def signing_keys(request: HttpRequest) -> HttpResponse:
    """`GET /.well-known/jwks.json`: by which others check our tokens (RFC 7517)."""
    return _for_everybody(public_keys())


@require_safe
def server_metadata(request: HttpRequest) -> HttpResponse:
    """`GET /.well-known/oauth-authorization-server`: where clients find what (RFC 8414)."""

    def at(name: str) -> str:
        return request.build_absolute_uri(reverse(name))

    return _for_everybody(
        {
            "issuer": settings.TOKEN_ISSUER,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("oauth-token"),
            "revocation_endpoint": at("oauth-revocation"),
            "jwks_uri": at("signing-keys"),
            "scopes_supported": [one.name for one in declared()],
            "response_types_supported": ["code"],
            "grant_types_supported": [*_GRANTS],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
                "none",
            ],
            "authorization_response_iss_parameter_supported": True,
        }
    )


def _for_everybody(body: Any) -> HttpResponse:
    response = json_response(body)
    response["Cache-Control"] = f"public, max-age={KEYS_KEPT_SECONDS}"
    return response


class TokenRequest(serializers.Serializer):
    """What each grant needs of these; machine clients may show id and secret by HTTP Basic."""

    grant_type = serializers.ChoiceField(
        ["client_credentials", "authorization_code", "refresh_token"]
    )
    client_id = serializers.CharField(required=False)
    client_secret = serializers.CharField(required=False)
    scope = serializers.CharField(required=False)
    code = serializers.CharField(required=False)
    redirect_uri = serializers.CharField(required=False)
    code_verifier = serializers.CharField(required=False)
    refresh_token = serializers.CharField(required=False)


class TokenAnswer(serializers.Serializer):
    """An access token, its life in seconds and its scopes."""

    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(["Bearer"])
    expires_in = serializers.IntegerField()
    scope = serializers.CharField()
    refresh_token = serializers.CharField(required=False)


class RevocationRequest(serializers.Serializer):
    """An access or refresh token, and whose it is."""

    token = serializers.CharField()
    token_type_hint = serializers.CharField(required=False)
    client_id = serializers.CharField(required=False)
    client_secret = serializers.CharField(required=False)


class OAuthError(serializers.Serializer):
    """A refusal as RFC 6749 words it."""

    error = serializers.CharField()
    error_description = serializers.CharField()


class OAuthEndpoint(Endpoint):
    """An address of OAuth 2: forms in, JSON out, refusals in its own words."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    parser_classes = [FormParser]

    def parameters(self) -> dict[str, str]:
        """The form; empty parameters count as left out. Raises OAuthRefusal."""
        found = {}
        form: Any = self.request.data or QueryDict()
        for name, values in form.lists():
            if len(values) > 1:
                raise OAuthRefusal(f"{name} is given more than once.")
            if "\x00" in values[0]:
                raise OAuthRefusal(f"{name} can't be read.")
            if values[0]:
                found[name] = values[0]
        return found

    def client(self, form: dict[str, str]) -> tuple[str, str | None]:
        """Id and secret of the client, from the header or the form. Raises OAuthRefusal."""
        scheme, _, text = self.request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return form.get("client_id", ""), form.get("client_secret")
        if "client_secret" in form:
            raise OAuthRefusal("The client shows its secret twice.")
        try:
            name, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise OAuthRefusal("The header can't be read.", reason="invalid_client") from None
        return unquote_plus(name), unquote_plus(secret)

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """Refusals in OAuth's words; what has nothing to do with it as everywhere."""
        if isinstance(exc, APIException):
            exc = OAuthRefusal(str(exc.detail))
        if isinstance(exc, RateLimitExceeded):
            return _too_many(exc)
        if not isinstance(exc, OAuthRefusal):
            return super().handle_exception(exc)
        is_unknown = exc.reason == "invalid_client"
        errors_answered.labels(code="UNAUTHORIZED" if is_unknown else exc.code).inc()
        response = json_response(
            {"error": exc.reason, "error_description": exc.message}, 401 if is_unknown else 400
        )
        if is_unknown:
            response["WWW-Authenticate"] = 'Basic realm="salesplatform"'
        return response


def _too_many(exceeded: RateLimitExceeded) -> HttpResponse:
    errors_answered.labels(code=exceeded.code).inc()
    told = {"error": "temporarily_unavailable", "error_description": exceeded.message}
    response = json_response(told, 429)
    response["Retry-After"] = str(exceeded.details["retry_after"])
    return response


class TokenGrant(OAuthEndpoint):
    """`POST /oauth/token`."""

    @extend_schema(
        summary="Get a token: client_credentials, authorization_code with PKCE, or refresh_token",
        request={"application/x-www-form-urlencoded": TokenRequest},
        responses={200: TokenAnswer, "default": OpenApiResponse(OAuthError, "Refused")},
        tags=["sign-in"],
        auth=[],
    )
    def post(self, request: Request) -> HttpResponse:
        form = self.parameters()
        grant = _GRANTS.get(form.get("grant_type", ""))
        if grant is None:
            raise OAuthRefusal("There is no such grant.", reason="unsupported_grant_type")
        granted = asdict(grant(self, form))
        if granted["refresh_token"] is None:
            del granted["refresh_token"]
        return json_response({"token_type": "Bearer", **granted})

    def for_client(self, form: dict[str, str]) -> Granted:
        """A machine client shows its key."""
        client_id, secret = self.client(form)
        return grant_to_client(
            client_id=client_id,
            secret=secret or "",
            scope=form.get("scope"),
            visitor=visitor_of(self.request, door="oauth"),
        )

    def for_code(self, form: dict[str, str]) -> Granted:
        """An application shows a code."""
        return grant_for_code(
            client_id=self.client(form)[0],
            code=form.get("code", ""),
            redirect_uri=form.get("redirect_uri", ""),
            verifier=form.get("code_verifier", ""),
        )

    def for_refresh(self, form: dict[str, str]) -> Granted:
        """An application shows a refresh token."""
        return grant_for_refresh(
            client_id=self.client(form)[0],
            refresh=form.get("refresh_token", ""),
            scope=form.get("scope"),
        )


_GRANTS = {
    "client_credentials": TokenGrant.for_client,
    "authorization_code": TokenGrant.for_code,
    "refresh_token": TokenGrant.for_refresh,
}


class TokenRevocation(OAuthEndpoint):
    """`POST /oauth/revoke`."""

    @extend_schema(
        summary="End the sign-in that a token belongs to, within seconds",
        request={"application/x-www-form-urlencoded": RevocationRequest},
        responses={
            200: OpenApiResponse(None, "It is over"),
            "default": OpenApiResponse(OAuthError, "Refused"),
        },
        tags=["sign-in"],
        auth=[],
    )
    def post(self, request: Request) -> HttpResponse:
        form = self.parameters()
        if "token" not in form:
            raise OAuthRefusal("A token is needed.")
        client_id, secret = self.client(form)
        revoke_token(token=form["token"], client_id=client_id, secret=secret)
        return HttpResponse(status=200)
