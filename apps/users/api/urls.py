"""Addresses of sign-in and people."""

from django.urls import path

from apps.users.api.people import UserCollection, UserItem
from apps.users.api.sign_ins import RefreshEndpoint, SignOutEndpoint, TokenEndpoint

urlpatterns = [
    path("auth/token", TokenEndpoint.as_view()),
    path("auth/refresh", RefreshEndpoint.as_view()),
    path("auth/sign-out", SignOutEndpoint.as_view()),
    path("users", UserCollection.as_view()),
    path("users/<uuid:user_id>", UserItem.as_view()),
]
