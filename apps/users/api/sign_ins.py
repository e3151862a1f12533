"""`/auth`: tokens for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers
from rest_framework.permissions import AllowAny

from apps.core.api.bodies import Body, Text
from apps.core.api.endpoint import Endpoint, operation
from apps.users.api.authentication import visitor_of
from apps.users.services.sign_ins import refresh_tokens, sign_in, sign_out


class Credentials(Body):
    """E-mail and password, and the code of an authenticator for whoever has one."""

    email = Text(max_length=255)
    password = Text(max_length=256, trim_whitespace=False)
    code = Text(max_length=50, required=False)


class RefreshBody(Body):
    """A refresh token."""

    refresh = Text(max_length=4000)


class TokensAnswer(serializers.Serializer):
    """An access token, its life in seconds, and the refresh token for the next one."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    expires_in = serializers.IntegerField()


class OpenEndpoint(Endpoint):
    """An address that needs no sign-in."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]


class TokenEndpoint(OpenEndpoint):
    """`POST /auth/token`."""

    @operation(
        summary="Sign in with e-mail and password",
        body=Credentials,
        answer=TokensAnswer,
        keeps_answer=False,
        tags=("sign-in",),
        auth=[],
    )
    def post(self, actor: None, body: dict[str, Any]) -> dict[str, Any]:
        return asdict(sign_in(**body, visitor=visitor_of(self.request, door="rest")))


class RefreshEndpoint(OpenEndpoint):
    """`POST /auth/refresh`."""

    @operation(
        summary="Exchange a refresh token for new tokens; each works once",
        body=RefreshBody,
        answer=TokensAnswer,
        keeps_answer=False,
        tags=("sign-in",),
        auth=[],
    )
    def post(self, actor: None, body: dict[str, Any]) -> dict[str, Any]:
        return asdict(refresh_tokens(**body))


class SignOutEndpoint(OpenEndpoint):
    """`POST /auth/sign-out`."""

    @operation(
        summary="End a sign-in",
        body=RefreshBody,
        keeps_answer=False,
        status=204,
        tags=("sign-in",),
        auth=[],
    )
    def post(self, actor: None, body: dict[str, Any]) -> None:
        sign_out(**body)
