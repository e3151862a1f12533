"""Addresses of sign-in and people."""

from django.urls import path

from apps.users.api.api_keys import (
    ApiKeyCollection,
    ApiKeyItem,
    ApiKeyRevocation,
    ApiKeyRotation,
)
from apps.users.api.people import UserCollection, UserItem
from apps.users.api.sign_ins import RefreshEndpoint, SignOutEndpoint, TokenEndpoint

urlpatterns = [
    path("auth/token", TokenEndpoint.as_view()),
    path("auth/refresh", RefreshEndpoint.as_view()),
    path("auth/sign-out", SignOutEndpoint.as_view()),
    path("api-keys", ApiKeyCollection.as_view()),
    path("api-keys/<uuid:api_key_id>", ApiKeyItem.as_view()),
    path("api-keys/<uuid:api_key_id>/rotate", ApiKeyRotation.as_view()),
    path("api-keys/<uuid:api_key_id>/revoke", ApiKeyRevocation.as_view()),
    path("users", UserCollection.as_view()),
    path("users/<uuid:user_id>", UserItem.as_view()),
]
