"""What a list page costs at least: one Django view, one statement, JSON built in PostgreSQL, JWT.

No scope, no rights, no filters, no envelope, no total: the ratio to it is what those cost.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.ceiling_settings")

import jwt
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from apps.users.rules.signing import KeyRing

_PAGE = """
SELECT coalesce(json_agg(page), '[]')::text FROM (
    SELECT id, status, source, first_name, last_name, email, phone, company, title, industry,
           country, city, score, owner_id, territory_id, last_activity_at, created_at, updated_at
    FROM leads_lead
    WHERE deleted_at IS NULL AND (created_at, id) < (%s::timestamptz, %s::uuid)
    ORDER BY created_at DESC, id DESC LIMIT 50
) AS page
"""
_BEHIND_ALL = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@cache
def _key() -> Any:
    """The key by which the platform signs tokens on this machine."""
    return KeyRing.of(settings.JWT_SIGNING_KEYS or settings.JWT_KEY_FILE.read_text()).first.public


def page(request: HttpRequest) -> HttpResponse:
    """The newest 50 leads, for whoever has a valid token."""
    token = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    try:
        jwt.decode(token, _key(), algorithms=["RS256"])
    except jwt.InvalidTokenError:
        return HttpResponse(status=401)
    after = request.GET.get("after", "infinity")
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, [after, request.GET.get("id", _BEHIND_ALL)])
        (text,) = cursor.fetchone()
    return HttpResponse(text, content_type="application/json")


urlpatterns = [path("page", page)]
application = get_wsgi_application()
